"""The hash of a file's bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from datomfs.identity.files import file_sha256


@pytest.mark.parametrize(
    ("data", "sha"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"id,val\n1,a\n2,b\n3,c\n", "5e865248077964c6475ca892df71238c27e40f0f4683ccbd9c006d05246d9183"),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
    ids=["empty", "small", "long"],
)
def test_a_file_hashes_whole(tmp_path: Path, data: bytes, sha: str) -> None:
    (tmp_path / "file").write_bytes(data)
    assert sha == file_sha256(tmp_path / "file")
