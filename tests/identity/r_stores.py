"""Stores that R wrote, where the machine has them; they hold the R package's example data and are not copied here.

The folder is `../shared/fixtures` beside the repository, or what DATOMFS_FIXTURES names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("DATOMFS_FIXTURES") or Path(__file__).parents[2].parent / "shared" / "fixtures")

needs_r_stores = pytest.mark.skipif(
    not (FOLDER / "solo-study").is_dir(), reason="the stores that R wrote are not here (DATOMFS_FIXTURES)"
)


def objects(pattern: str) -> Iterator[Path]:
    """The objects of both solo stores whose key, below the namespace, fits a glob pattern."""
    for root in ("solo-study/storage/datom", "solo-prefix/storage/trial/a/datom"):
        yield from sorted((FOLDER / root).glob(pattern))
