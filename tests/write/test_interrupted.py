"""A write that is stopped anywhere, and what is left: nothing half-done, and the same end as without the stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from datomfs.errors import ObjectMissing
from datomfs.layout import history_key, payload_key
from datomfs.model.location import Location
from datomfs.repo.data_repo import DataRepo
from datomfs.store.base import Store
from datomfs.write.writer import pull_clone
from tests.builders import Study, git, make_study, make_table, open_folder_store

_STORE_STEPS = ("put", "upload")
_REPO_STEPS = ("commit", "push", "advance")


class Stopped(BaseException):
    """Stands for the end of the process: nothing that catches errors may catch it."""


class Stopper:
    """Counts the steps that change something and stops at one of them, before or after it is done."""

    def __init__(self, at: int, *, after: bool, stop: Callable[[], None]) -> None:
        self.taken = 0
        self._at = at
        self._after = after
        self._stop = stop

    def step(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, counted."""

        def counted(*arguments: Any, **options: Any) -> Any:
            self.taken += 1
            now = self.taken == self._at
            if now and not self._after:
                self._stop()
            result = work(*arguments, **options)
            if now:
                self._stop()
            return result

        return counted


class SteppedStore:
    """A store whose changes are steps."""

    def __init__(self, store: Store, stopper: Stopper) -> None:
        self._store = store
        self._stopper = stopper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._stopper.step(found) if name in _STORE_STEPS else found


def _raise() -> None:
    raise Stopped


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _write_stopped(study: Study, stopper: Stopper, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Write the second version of dm under the stopper; whether it was stopped."""

    def open_store(project: str, location: Location) -> Any:
        return SteppedStore(open_folder_store(project, location), stopper)

    with monkeypatch.context() as patch:
        for name in _REPO_STEPS:
            patch.setattr(DataRepo, name, stopper.step(getattr(DataRepo, name)))
        stepped = Study(study.name, study.clone, study.remote, study.location, open_store)
        try:
            stepped.write("dm", make_table(4, seed=9), "second")
        except Stopped:
            return True
    return False


def _state(study: Study) -> dict[str, Any]:
    """What readers see, without moments and commits."""
    table = study.catalog.read_table("dm")
    row = study.catalog.read_manifest().rows["dm"]
    return {
        "versions": [(entry.version, entry.data_sha, entry.message) for entry in table.history.entries],
        "current": table.resolve(None).version,
        "row": (row.current_version, row.current_data_sha, row.version_count, row.size_bytes),
        "clone": git(study.clone, "status", "--porcelain"),
        "commits": git(study.clone, "log", "--format=%s"),
        "remote": git(Path(study.remote), "log", "--format=%s", "main"),
    }


def _assert_nothing_dangles(study: Study) -> None:
    """Every version that a document in the store or in git names has its bytes."""
    catalog = study.catalog
    for entry in catalog.read_history("dm").entries:
        assert catalog.store.head(payload_key("dm", entry.data_sha)).size > 0
    table = catalog.read_table("dm")
    assert table.resolve(None).version in table.history.versions
    assert catalog.read_manifest().rows["dm"].current_version in catalog.read_history("dm").versions


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[str], Study]:
    """Makes a study that has one version of dm."""

    def make(name: str) -> Study:
        study = make_study(tmp_path / name)
        study.write("dm", make_table(), "first")
        return study

    return make


def _count_steps(study: Study, monkeypatch: pytest.MonkeyPatch) -> int:
    stopper = Stopper(0, after=False, stop=_raise)
    assert not _write_stopped(study, stopper, monkeypatch)
    return stopper.taken


@pytest.mark.parametrize("after", [False, True])
def test_a_write_stopped_at_any_step_leaves_no_dangling_name_and_ends_the_same_when_repeated(
    begun: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    whole = begun("whole")
    steps = _count_steps(whole, monkeypatch)
    expected = _state(whole)
    assert steps >= 8  # payload, commit, push, advance, snapshot, history, metadata, manifest
    for at in range(1, steps + 1):
        study = begun(f"stopped-{at}")
        assert _write_stopped(study, Stopper(at, after=after, stop=_raise), monkeypatch)
        _assert_nothing_dangles(study)
        study.write("dm", make_table(4, seed=9), "second")
        assert expected == _state(study), f"stopped at step {at}"


def test_pull_alone_completes_what_was_pushed_and_nothing_else(
    begun: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = begun("whole")
    steps = _count_steps(whole, monkeypatch)
    outcomes = []
    for at in range(1, steps + 1):
        study = begun(f"stopped-{at}")
        _write_stopped(study, Stopper(at, after=True, stop=_raise), monkeypatch)
        with study.repo() as repo:
            pull_clone(repo, study.open_store)
        outcomes.append(len(_state(study)["versions"]))
        assert "" == git(study.clone, "status", "--porcelain")
        assert len(git(Path(study.remote), "log", "--format=%s", "main").splitlines()) - 1 == outcomes[-1]
    # Before the push there is one version, from the push on there are two.
    assert sorted(outcomes) == outcomes
    assert {1, 2} == set(outcomes)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 6])
def test_a_write_killed_for_real_ends_the_same_when_repeated(
    begun: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    whole = begun("whole")
    _count_steps(whole, monkeypatch)
    study = begun("killed")
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            _write_stopped(study, Stopper(at, after=True, stop=_kill), monkeypatch)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert signal.SIGKILL == os.WTERMSIG(status)
    _assert_nothing_dangles(study)
    study.write("dm", make_table(4, seed=9), "second")
    assert _state(whole) == _state(study)


def test_an_object_left_by_a_stopped_write_is_named_by_nothing(
    begun: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begun("stopped")
    assert _write_stopped(study, Stopper(1, after=True, stop=_raise), monkeypatch)
    named = {entry.data_sha for entry in study.catalog.read_history("dm").entries}
    stored = {key for key in study.catalog.list_payloads("dm")}
    assert {payload_key("dm", sha) for sha in named} < stored
    with pytest.raises(ObjectMissing):
        study.store.head(history_key("ex"))
