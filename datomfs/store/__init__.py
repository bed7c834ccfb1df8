"""Bytes by key. What lives here knows buckets and folders; it knows no tables, no projects and no documents."""
