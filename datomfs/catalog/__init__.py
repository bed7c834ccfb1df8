"""What exists and where: projects, their tables, the versions of each. Reads stores; writes nothing."""
