"""Projects as of moments in a running mount: what is asked for them, how often, and what is said while it is away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from datomfs.catalog.git_documents import GitDocuments
from datomfs.errors import DocumentInvalid, RemoteUnreachable, StoreUnreachable, VersionNotFound
from datomfs.layout import MANIFEST_KEY, MANIFEST_PATH, history_key, history_path
from datomfs.vfs.source import MomentView
from tests.cache.stores import make_reader
from tests.mount.bench import REFRESH_S, Bench, Runner
from tests.mounts import PROJECT, StoredProject, Version

SECOND_NS = 10**9


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(make_reader(tmp_path / "cache"))


def versions(view: MomentView) -> Mapping[str, str]:
    """The version each table had."""
    return {table: current.version for table, current in view.tables.items()}


# -- by histories --------------------------------------------------------------------------------------------------


def test_a_table_has_its_newest_version_that_is_old_enough(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, two = bench.project.tables["dm"]
        (later,) = bench.project.put("ex", b"later")
        at = {time_ns: await bench.source.moment(PROJECT, time_ns) for time_ns in _around(one, two, later)}
        assert [
            {}, {"dm": one.version}, {"dm": one.version}, {"dm": two.version}, {"dm": two.version},
            {"dm": two.version, "ex": later.version},
        ] == [versions(view) for view in at.values()]  # fmt: skip
        assert one.time_ns == at[one.time_ns].tables["dm"].time_ns

    run(test)


def _around(*put: Version) -> list[int]:
    return [time_ns for version in put for time_ns in (version.time_ns - 1, version.time_ns)]


def test_histories_are_read_once_for_all_who_ask_and_kept(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        for number in range(100):
            bench.project.put(f"t{number}", b"x")
        moment = bench.project.tables["t99"][0].time_ns
        bench.store.reads.clear()
        listings: list[None] = []
        bench.store.on_listed = lambda: listings.append(None)
        found = await bench.collect(*[lambda: bench.source.moment(PROJECT, moment)] * 5)
        assert [101] * 5 == [len(view.tables) for view in found if isinstance(view, MomentView)]
        await bench.source.moment(PROJECT, moment - 60 * SECOND_NS)
        await bench.source.table(PROJECT, "t5")
        assert {MANIFEST_KEY, "dm", *(f"t{n}" for n in range(100))} == {
            key.partition("/")[0] if key != MANIFEST_KEY else key for key in bench.store.reads
        }
        assert {1} == set(bench.store.reads.values())
        assert 1 == len(listings)

    run(test)


def test_a_push_with_an_older_time_shows_within_the_clock(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, two = bench.project.tables["dm"]
        assert one.version == versions(await bench.source.moment(PROJECT, one.time_ns))["dm"]
        entries = json.loads(bench.store.get(history_key("dm")))
        entries[0]["timestamp"] = one.timestamp
        bench.store.put(history_key("dm"), json.dumps(entries).encode())
        bench.clock.jump(REFRESH_S - 1)
        assert one.version == versions(await bench.source.moment(PROJECT, one.time_ns))["dm"]
        bench.clock.jump(2)
        assert two.version == versions(await bench.source.moment(PROJECT, one.time_ns))["dm"]

    run(test)


def test_a_moment_is_read_again_when_told_to(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        one, _ = bench.project.tables["dm"]
        await bench.source.moment(PROJECT, one.time_ns)
        before = bench.store.reads[history_key("dm")]
        bench.source.expire()
        await bench.source.moment(PROJECT, one.time_ns)
        assert before + 1 == bench.store.reads[history_key("dm")]
        bench.clock.jump(1)
        await bench.source.moment(PROJECT, one.time_ns)
        assert before + 1 == bench.store.reads[history_key("dm")]

    run(test)


def test_a_broken_history_is_told_of_its_table_alone(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        bench.project.put("ex", b"x")
        bench.store.put(history_key("ex"), b"{")
        view = await bench.source.moment(PROJECT, 2**62)
        assert {"dm"} == set(view.tables)
        assert [DocumentInvalid] == [type(error) for error in view.broken.values()]

    run(test)


@pytest.mark.expected_warnings
def test_while_the_store_is_away_a_moment_stays_as_it_was_known(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        before = await bench.source.moment(PROJECT, 2**62)
        bench.store.fault = StoreUnreachable("live", "", "a test pulled the plug")
        bench.clock.jump(REFRESH_S + 1)
        assert versions(before) == versions(await bench.source.moment(PROJECT, 2**62))

    run(test)


def test_a_moment_never_known_is_unreachable_while_the_store_is_away(run: Runner) -> None:
    async def test(bench: Bench) -> None:
        await bench.source.project(PROJECT)
        bench.store.fault = StoreUnreachable("live", "", "a test pulled the plug")
        with pytest.raises(StoreUnreachable):
            await bench.source.moment(PROJECT, 2**62)

    run(test)


# -- by git --------------------------------------------------------------------------------------------------------


class FakeRepository:
    """Commits in memory, oldest first: the second of each, and the files of a project as its store has them then."""

    url = "the repository"
    fetched_ns = 0

    def __init__(self) -> None:
        self.pushed: list[tuple[int, Mapping[str, bytes]]] = []
        self.commits: list[tuple[int, Mapping[str, bytes]]] = []
        self.fetches = 0
        self.reads: list[str] = []
        self.is_away = False

    def push(self, project: StoredProject, time_s: int) -> None:
        """Have the documents of a stored project as a new commit."""
        files = {MANIFEST_PATH: project.store.get(MANIFEST_KEY)}
        files |= {history_path(table): project.store.get(history_key(table)) for table in project.tables}
        self.pushed.append((time_s, files))

    @property
    def tip(self) -> str | None:
        return str(len(self.commits) - 1) if self.commits else None

    def fetch(self) -> None:
        self.fetches += 1
        if self.is_away:
            raise RemoteUnreachable(self.url, "a test pulled the plug")
        self.commits = list(self.pushed)

    def tip_at(self, time_ns: int) -> str | None:
        old = [number for number, (time_s, _) in enumerate(self.commits) if time_s * SECOND_NS <= time_ns]
        return str(old[-1]) if old else None

    def read(self, path: str, commit: str) -> bytes | None:
        self.reads.append(path)
        return self.commits[int(commit)][1].get(path)

    def commits_of(self, path: str, until: str) -> list[tuple[str, bytes]]:
        return []


def test_with_git_a_moment_is_what_the_manifest_said_and_reads_nothing_else(run: Runner) -> None:
    repository = FakeRepository()

    async def test(bench: Bench) -> None:
        one, two = bench.project.tables["dm"]
        repository.push(bench.project, 100)
        manifest = json.loads(bench.store.get(MANIFEST_KEY))
        manifest["artifacts"]["dm"]["current_version"] = one.version  # a revert: no history tells of it
        bench.store.put(MANIFEST_KEY, json.dumps(manifest).encode())
        repository.push(bench.project, 200)
        found = [versions(await bench.source.moment(PROJECT, second * SECOND_NS)) for second in (99, 100, 199, 200)]
        assert [{}, {"dm": two.version}, {"dm": two.version}, {"dm": one.version}] == found
        assert {MANIFEST_PATH} == set(repository.reads)
        assert 1 == repository.fetches

    run(test, GitDocuments(repository))


def test_git_is_fetched_on_the_clock_and_moments_follow(run: Runner) -> None:
    repository = FakeRepository()

    async def test(bench: Bench) -> None:
        repository.push(bench.project, 100)
        assert 1 == len((await bench.source.moment(PROJECT, 500 * SECOND_NS)).tables)
        bench.project.put("ex", b"x")
        repository.push(bench.project, 200)
        assert 1 == len((await bench.source.moment(PROJECT, 500 * SECOND_NS)).tables)
        bench.clock.jump(REFRESH_S + 1)
        assert 2 == len((await bench.source.moment(PROJECT, 500 * SECOND_NS)).tables)
        assert 2 == repository.fetches

    run(test, GitDocuments(repository))


@pytest.mark.expected_warnings
def test_while_git_is_away_older_documents_serve_with_one_warning(
    run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    repository = FakeRepository()

    async def test(bench: Bench) -> None:
        repository.push(bench.project, 100)
        before = await bench.source.project(PROJECT)
        repository.is_away = True
        for _ in range(5):
            bench.clock.jump(REFRESH_S + 1)
            assert before == await bench.source.project(PROJECT)
            assert 2 == len((await bench.source.table(PROJECT, "dm")).versions)
        assert 1 == len(caplog.messages)
        repository.is_away = False
        bench.project.put("ex", b"x")
        repository.push(bench.project, 200)
        bench.clock.jump(REFRESH_S + 1)
        assert {"dm", "ex"} == set((await bench.source.project(PROJECT)).tables)

    run(test, GitDocuments(repository))


def test_a_version_that_git_does_not_show_yet_is_fetched_when_it_is_asked_for(run: Runner) -> None:
    repository = FakeRepository()

    async def test(bench: Bench) -> None:
        bench.project.put("ex", b"x")
        repository.push(bench.project, 100)
        await bench.source.project(PROJECT)
        await bench.source.table(PROJECT, "dm")
        (new,) = bench.project.put("dm", b"three")
        repository.push(bench.project, 200)
        bench.clock.jump(2)
        with pytest.raises(VersionNotFound):
            (await bench.source.table(PROJECT, "dm")).resolve(new.version)
        assert new.version == (await bench.source.table(PROJECT, "dm", fresh=True)).resolve(new.version).version
        for table in ("dm", "ex") * 5:  # whatever is asked for within a second is no reason to fetch again
            await bench.source.table(PROJECT, table, fresh=True)
        assert 2 == repository.fetches

    run(test, GitDocuments(repository))


def test_a_table_that_was_never_looked_into_is_fetched_too_where_its_version_is_not_known(run: Runner) -> None:
    repository = FakeRepository()

    async def test(bench: Bench) -> None:
        repository.push(bench.project, 100)
        await bench.source.project(PROJECT)
        (new,) = bench.project.put("dm", b"three")
        repository.push(bench.project, 200)
        bench.clock.jump(REFRESH_S / 2)
        await bench.source.table(PROJECT, "dm")
        assert new.version == (await bench.source.table(PROJECT, "dm", fresh=True)).resolve(new.version).version

    run(test, GitDocuments(repository))
