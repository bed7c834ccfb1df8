"""What moves, and what stays, while a mount runs."""

from __future__ import annotations

import os
from pathlib import Path

from tests.mounts import PROJECT, eventually, kernel_test, mounted, store_options, stored_in

pytestmark = kernel_test

REFRESH = ("--refresh", "0.2")


def test_a_new_version_appears_and_an_open_file_keeps_its_own(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    old_body, new_body = os.urandom(1 << 20), os.urandom(1 << 20)
    (old,) = stored.put("dm", old_body)
    with mounted(tmp_path, *store_options(stored), *REFRESH) as mount:
        link, folder = mount.project / "dm.parquet", mount.project / "dm"
        with link.open("rb", buffering=0) as file:
            assert old_body[:100] == file.read(100)
            (new,) = stored.put("dm", new_body)
            eventually(lambda: os.readlink(link) == f"dm/{new.name}")
            assert new_body == link.read_bytes()
            assert [new.name] == os.listdir(folder)
            assert old_body[100:] == file.readall()
        assert old_body == (folder / old.name).read_bytes()
        assert (new.time_ns, len(new_body)) == (link.stat().st_mtime_ns, link.stat().st_size)


def test_a_new_table_appears(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"dm")
    with mounted(tmp_path, *store_options(stored), *REFRESH) as mount:
        assert ["dm", "dm.parquet"] == os.listdir(mount.project)
        assert not (mount.project / "ex.parquet").exists()
        stored.put("ex", b"ex")
        eventually(lambda: os.listdir(mount.project) == ["dm", "dm.parquet", "ex", "ex.parquet"])
        assert b"ex" == (mount.project / "ex.parquet").read_bytes()


def test_a_current_version_is_never_dangling_while_versions_are_written(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"0")
    with mounted(tmp_path, *store_options(stored), *REFRESH) as mount:
        for number in range(1, 6):
            body = str(number).encode()
            stored.put("dm", body)

            def is_current(body: bytes = body) -> bool:
                assert 1 == len(os.listdir(mount.project / "dm"))
                return (mount.project / "dm.parquet").read_bytes() == body

            eventually(is_current)


def test_while_a_store_is_away_what_was_known_stays_and_its_return_is_seen(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    (old,) = stored.put("dm", b"old")
    with mounted(tmp_path, *store_options(stored), *REFRESH, complaints=True) as mount:
        link = mount.project / "dm.parquet"
        with link.open("rb", buffering=0) as file:
            assert [old.name] == os.listdir(mount.project / "dm")
            (tmp_path / "store").rename(tmp_path / "away")
            eventually(lambda: bool(os.listdir(mount.project)) and f"{PROJECT} is served as it was" in mount.log)
            assert f"dm/{old.name}" == os.readlink(link)
            assert b"old" == file.read(10)
        (tmp_path / "away").rename(tmp_path / "store")
        (new,) = stored.put("dm", b"new")
        eventually(lambda: os.readlink(link) == f"dm/{new.name}")
        assert b"new" == link.read_bytes()
        assert all(" WARNING " in complaint for complaint in mount.complaints)
