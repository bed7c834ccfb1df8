"""What a running mount tells of versions and projects, and when it reads a document for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datomfs.errors import DocumentInvalid
from datomfs.layout import history_key, metadata_key, snapshot_key
from datomfs.model.timestamps import parse_timestamp_ns
from datomfs.vfs.fact_source import Facts
from tests.cache.stores import make_reader
from tests.mount.bench import REFRESH_S, Bench, Runner
from tests.mounts import PROJECT, Version

UNREAD = ("hash_algo", "table_type", "nrow", "ncol")


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(make_reader(tmp_path / "cache"))


def recorded(version: Version) -> dict[str, str]:
    """What the history says of a version that the bench made."""
    return {
        "project": PROJECT, "table": "dm", "version": version.version, "data_sha": version.data_sha,
        "parquet_sha": str(version.parquet_sha), "timestamp": version.timestamp, "source": "storage",
    }  # fmt: skip


def put_snapshot(bench: Bench, version: Version, **fields: Any) -> None:
    document = {"schema_version": 2, "kind": "table", "data_sha": version.data_sha, **fields}
    bench.store.put(snapshot_key("dm", version.version), json.dumps(document).encode())


def test_what_a_history_says_is_known_at_once(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        assert bench.source.facts.known(PROJECT, "dm", one.version) is None
        await bench.source.table(PROJECT, "dm")
        assert Facts(recorded(one), UNREAD) == bench.source.facts.known(PROJECT, "dm", one.version)
        assert 1 == bench.store.reads.total()

    run(test)


def test_author_message_and_commit_are_told_where_they_were_recorded(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        told = {"author": {"name": "A", "email": "a@x"}, "commit_message": "why", "commit_sha": "ab" * 20}
        entry = {"version": one.version, "data_sha": one.data_sha, **told}
        bench.store.put(history_key("dm"), json.dumps([entry]).encode())
        await bench.source.table(PROJECT, "dm")
        facts = bench.source.facts.known(PROJECT, "dm", one.version)
        assert facts is not None
        assert {"author": "A <a@x>", "message": "why", "commit_sha": "ab" * 20} == {
            name: facts.known[name] for name in ("author", "message", "commit_sha")
        }
        assert "timestamp" not in facts.known

    run(test)


def test_a_snapshot_is_read_once_for_what_it_alone_has(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        put_snapshot(bench, one, hash_algo="datom-cv1", table_type="derived", nrow=3, ncol=2)
        await bench.source.table(PROJECT, "dm")
        described = {"hash_algo": "datom-cv1", "table_type": "derived", "nrow": "3", "ncol": "2"}
        for _ in range(3):
            assert recorded(one) | described == await bench.source.facts.read(PROJECT, "dm", one.version)
            bench.clock.jump(2 * REFRESH_S)
        assert 1 == bench.store.reads[snapshot_key("dm", one.version)]
        assert Facts(recorded(one) | described) == bench.source.facts.known(PROJECT, "dm", one.version)

    run(test)


def test_what_a_snapshot_lacks_is_not_told(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        put_snapshot(bench, one, nrow=3, hash_algo={}, table_type=["x"])
        await bench.source.table(PROJECT, "dm")
        assert recorded(one) | {"nrow": "3"} == await bench.source.facts.read(PROJECT, "dm", one.version)

    run(test)


def test_without_snapshots_the_current_metadata_speaks_for_its_own_version_alone(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, two = bench.project.tables["dm"]
        await bench.source.table(PROJECT, "dm")
        described = {"hash_algo": "datom-cv1"}
        assert recorded(two) | described == await bench.source.facts.read(PROJECT, "dm", two.version)
        assert recorded(one) == await bench.source.facts.read(PROJECT, "dm", one.version)

    run(test)


def test_a_snapshot_that_comes_later_is_found(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        await bench.source.table(PROJECT, "dm")
        assert "nrow" not in await bench.source.facts.read(PROJECT, "dm", one.version)
        put_snapshot(bench, one, nrow=3)
        assert "3" == (await bench.source.facts.read(PROJECT, "dm", one.version))["nrow"]

    run(test)


def test_a_broken_snapshot_is_an_error(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        bench.store.put(snapshot_key("dm", one.version), b"{")
        await bench.source.table(PROJECT, "dm")
        with pytest.raises(DocumentInvalid):
            await bench.source.facts.read(PROJECT, "dm", one.version)

    run(test)


def test_a_project_tells_how_long_ago_it_was_read(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.project(PROJECT)
        bench.clock.jump(REFRESH_S - 1)
        facts = await bench.source.facts.project(PROJECT)
        age_s = datetime.now(UTC).timestamp() - parse_timestamp_ns(facts["checked_at"]) / 1e9
        assert REFRESH_S - 1 <= age_s < REFRESH_S + 10
        bench.clock.jump(1)
        again = await bench.source.facts.project(PROJECT)
        assert facts["checked_at"] < again["checked_at"]
        assert {
            "project": PROJECT, "location": bench.store.url, "source": "storage", "table_count": "1", "set_count": "0",
        } == {name: value for name, value in facts.items() if name != "checked_at"}  # fmt: skip
        assert 0 == bench.store.reads[metadata_key("dm")]

    run(test)
