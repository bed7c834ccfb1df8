"""What the tests of `datomfs cache` share: a project in a bucket, and the folder of the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from datomfs.cache.folder import CacheFolder
from datomfs.cli.wiring import Session
from tests.mounts import StoredProject, Version, sha256

MIB = 1 << 20


def cache_folder() -> CacheFolder:
    """The cache as the settings of the test name it; to be closed."""
    return Session(Path(), None).cache_folder()


def counted() -> dict[str, int]:
    """The objects in the cache, and how many bytes are counted of each."""
    folder = cache_folder()
    entries = {entry.name: entry.bytes for entry in folder.entries() if entry.is_object}
    folder.close()
    return entries


def pinned() -> dict[str, str]:
    """What is pinned: SHA-256 by label."""
    folder = cache_folder()
    pins = {pin.label: pin.sha256 for pin in folder.pins()}
    folder.close()
    return pins


def copies(*versions: Version) -> dict[str, int]:
    """What is counted of the cache when exactly these versions are in it, complete."""
    return {sha256(version.body): len(version.body) for version in versions}


def label(project: StoredProject, table: str, version: Version) -> str:
    """How the pin of a version is called."""
    return f"{project.name}/{table}@{version.version}"


def body(size: int, seed: int = 0) -> bytes:
    """Bytes that are no parquet."""
    return hashlib.shake_128(str(seed).encode()).digest(size)
