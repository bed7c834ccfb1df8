"""Values and documents to hashes, pure: data_sha (datom-cv1), metadata_sha, and the SHA-256 of a file."""
