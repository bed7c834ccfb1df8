"""`datomfs config show`: what is in force, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from datomfs.config import default_config_path
from tests.cli.command import Datomfs


def told(datomfs: Datomfs, *arguments: object) -> dict[str, tuple[object, str]]:
    outcome = datomfs(*arguments, "config", "show", "--json")
    assert (0, "") == (outcome.code, outcome.err)
    return {row["setting"]: (row["value"], row["origin"]) for row in outcome.json}


def test_without_a_file_the_defaults_are_told_and_where_a_file_would_stand(datomfs: Datomfs, quiet_home: Path) -> None:
    settings = told(datomfs)
    assert (str(default_config_path()), "default, not there") == settings.pop("config")
    assert {"default"} == {origin for _, origin in settings.values()}
    assert (60.0, "default") == settings["mount.refresh_s"]
    assert (str(quiet_home / "cache" / "datomfs"), "default") == settings["cache.path"]


def test_every_value_has_its_origin(datomfs: Datomfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[mount]\nrefresh_s = 5\nlist_versions = true\n[s3]\nregion = 'eu-central-1'\nprofile = 'acme'\n"
        "[project.STUDY_001]\nstore = 's3://acme/prod'\n[project.STUDY_001.s3]\nregion = 'us-east-1'\n"
        "[project.PILOT]\nstore = '/data/pilot'\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("DATOMFS_MOUNT_REFRESH_S", "7")
    settings = told(datomfs, "--config", file)
    assert (str(file), "--config") == settings["config"]
    assert (7.0, "DATOMFS_MOUNT_REFRESH_S") == settings["mount.refresh_s"]
    assert (True, str(file)) == settings["mount.list_versions"]
    assert ("eu-central-1", str(file)) == settings["s3.region"]
    assert (30.0, "default") == settings["mount.stall_s"]
    assert {
        "project.STUDY_001.store": ("s3://acme/prod", str(file)),
        "project.STUDY_001.s3.region": ("us-east-1", str(file)),
        "project.PILOT.store": ("/data/pilot", str(file)),
    } == {name: value for name, value in settings.items() if name.startswith("project.")}


def test_the_default_file_is_named_when_it_is_there(datomfs: Datomfs) -> None:
    default_config_path().parent.mkdir(parents=True)
    default_config_path().write_text("", encoding="utf-8")
    assert (str(default_config_path()), "default") == told(datomfs)["config"]


def test_sizes_are_bytes_for_programs_and_have_units_for_people(
    datomfs: Datomfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATOMFS_CACHE_MEMORY", "15500000")
    values = {line.split()[0]: line.split()[1] for line in datomfs("config", "show").lines}
    assert ("50GiB", "1GiB", "15500KB") == tuple(values[f"cache.{key}"] for key in ("size", "min_free", "memory"))
    assert (50 << 30, "default") == told(datomfs)["cache.size"]
    assert (15500000, "DATOMFS_CACHE_MEMORY") == told(datomfs)["cache.memory"]


def test_text_reads_like_words(datomfs: Datomfs) -> None:
    lines = datomfs("config", "show").lines
    values = {line.split()[0]: line.split()[1] for line in lines}
    assert ("60", "no", "-", "auto") == tuple(
        values[name] for name in ("mount.refresh_s", "mount.list_versions", "s3.endpoint", "s3.addressing")
    )
