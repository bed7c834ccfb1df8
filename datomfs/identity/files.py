"""The SHA-256 of a file's bytes: `parquet_sha`, and the proof of a payload (format.md §3.4).

Called by the writer and by whoever checks a local file against a record. Knows nothing of what a file holds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """The hash of the file's bytes, 64 lowercase hex digits. Raises OSError as opening and reading do."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
