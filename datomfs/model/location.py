"""Where a project's objects lie: a bucket or a folder, and a prefix in it.

The fields are those of `current` in ref.json (format.md §11.1) and of `storage.data` in project.yaml (§4.1): root
and prefix are compared as exact strings, so they are kept byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datomfs.errors import ConfigInvalid

Backend = Literal["s3", "local"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Location:
    """A backend (`s3` or `local`), its root (a bucket or a folder), a prefix and a region, each as it was written."""

    backend: Backend
    root: str
    prefix: str | None = None
    region: str | None = None

    @property
    def url(self) -> str:
        """How people name it: `s3://bucket/prefix`, or the folder that holds `datom/`."""
        base = f"s3://{self.root}" if self.backend == "s3" else self.root
        prefix = (self.prefix or "").strip("/")
        return f"{base}/{prefix}" if prefix else base

    @property
    def namespace(self) -> str:
        """What stands before every relative key: `datom/` or `prefix/datom/` (format.md §1)."""
        prefix = (self.prefix or "").strip("/")
        return f"{prefix}/datom/" if prefix else "datom/"


def is_bucket(text: str) -> bool:
    """Whether a text may be the name of a bucket, and leads nowhere else as a part of a URL."""
    return _BUCKET.fullmatch(text) is not None


def parse_store_url(url: str, region: str | None = None) -> Location:
    """The location a user names as `s3://bucket[/prefix]` or as a folder. Raises ConfigInvalid.

    A folder becomes absolute: documents and other processes must find it from anywhere. Symlinks in it stay, unless
    `..` stands behind them. What is no bucket is not repeated in the error: people paste credentials there.
    """
    if url.startswith("s3://"):
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not is_bucket(bucket):
            raise ConfigInvalid("store s3://…", "no bucket is named; write s3://bucket or s3://bucket/prefix")
        return Location("s3", bucket, prefix.strip("/") or None, region)
    folder = url.removeprefix("file://")
    if "://" in folder or "\0" in folder or not folder:
        scheme = url.partition("://")[0]
        raise ConfigInvalid(f"store {scheme!r}", "neither a folder nor s3://bucket/prefix")
    try:
        path = Path(folder).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigInvalid(f"store {url!r}", "there is no such user's home") from error
    return Location("local", str(path.resolve() if ".." in path.parts else path))
