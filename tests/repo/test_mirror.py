"""Copies of remotes for readers: what they hold, who may fetch them at once, and what is left when something fails."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import filelock
import pytest

from datomfs.errors import ConfigInvalid, DocumentInvalid, FileUnwritable, RemoteDenied, RemoteUnreachable
from datomfs.repo import mirror as mirror_module
from datomfs.repo.mirror import Mirror
from tests.builders import git, make_remote
from tests.git_http import git_host
from tests.mounts import eventually
from tests.repo.histories import Made, add_commit, make_history

TOKEN = "a-token-of-the-test"  # noqa: S105
DM = "dm/metadata.json"
FETCH = (
    "import sys; from pathlib import Path; from datomfs.repo.mirror import Mirror; "
    "m = Mirror(sys.argv[1], Path(sys.argv[2])); m.fetch(); print(m.tip)"
)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Two commits of two files."""
    files = [{DM: b"one", "projects/A/ref.json": b"{}"}, {DM: b"two"}]
    return make_history(tmp_path / "data.git", [Made(1_700_000_000, (), files[0]), Made(1_700_000_001, (0,), files[1])])


@pytest.fixture
def mirror(tmp_path: Path, remote: Path) -> Mirror:
    """A mirror that has been fetched once."""
    made = Mirror(str(remote), tmp_path / "mirrors")
    made.fetch()
    return made


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """dulwich leaves an answer it could not use, with its socket, to the collector; later that would fail a test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _fetching(remote: object, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH, str(remote), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# -- what it holds -------------------------------------------------------------------------------------------------


def test_files_are_read_at_the_newest_commit_or_any_other(remote: Path, mirror: Mirror) -> None:
    newest, first = git(remote, "rev-list", "main").splitlines()
    assert newest == mirror.tip
    assert b"two" == mirror.read(DM)
    assert b"one" == mirror.read(DM, first)
    assert [(first, b"one"), (newest, b"two")] == list(mirror.commits_of(DM, newest))


def test_what_is_not_there_is_none(mirror: Mirror) -> None:
    assert [None] * 4 == [mirror.read(path) for path in ("no", "dm", "dm/no.json", f"{DM}/x")]


def test_files_are_listed_below_a_folder(mirror: Mirror) -> None:
    assert ["projects/A/ref.json"] == mirror.list("projects/")
    assert [(), ()] == [mirror.list(folder) for folder in ("no/", DM)]


def test_before_the_first_fetch_there_is_nothing(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(str(remote), tmp_path / "mirrors")
    assert (None, None, None, (), 0) == (
        mirror.tip, mirror.tip_at(time.time_ns()), mirror.read(DM), mirror.list("dm/"), mirror.fetched_ns,
    )  # fmt: skip


def test_an_empty_remote_has_no_commit_until_it_has_one(tmp_path: Path) -> None:
    remote = make_remote(tmp_path / "empty.git")
    mirror = Mirror(str(remote), tmp_path / "mirrors")
    mirror.fetch()
    assert (None, None, None) == (mirror.tip, mirror.tip_at(time.time_ns()), mirror.read(DM))
    commit = add_commit(remote, {DM: b"x"}, 1_700_000_000)
    mirror.fetch()
    assert (commit, b"x") == (mirror.tip, mirror.read(DM))


def test_a_fetch_says_when_it_began(tmp_path: Path, remote: Path) -> None:
    mirror = Mirror(str(remote), tmp_path / "mirrors")
    before = time.time_ns()
    mirror.fetch()
    assert before <= mirror.fetched_ns <= time.time_ns()


def test_to_read_at_the_newest_commit_costs_the_same_however_long_history_is(tmp_path: Path) -> None:
    counts = []
    for length in (1, 500):
        commits = [
            Made(1_700_000_000 + number, (number - 1,) if number else (), {DM: b"%d" % number})
            for number in range(length)
        ]
        remote = make_history(tmp_path / f"{length}.git", commits)
        read: list[bytes] = []

        class Counted(Mirror):
            def _read_object(self, sha: bytes, read: list[bytes] = read) -> bytes:
                read.append(sha)
                return super()._read_object(sha)

        mirror = Counted(str(remote), tmp_path / "mirrors")
        mirror.fetch()
        assert b"%d" % (length - 1) == mirror.read(DM)
        counts.append(len(read))
    assert [4, 4] == counts


# -- remotes that change -------------------------------------------------------------------------------------------


def test_a_fetch_brings_what_was_pushed(remote: Path, mirror: Mirror) -> None:
    assert b"two" == mirror.read(DM)
    commit = add_commit(remote, {DM: b"three"}, 1_700_000_002)
    assert b"two" == mirror.read(DM)
    mirror.fetch()
    assert (commit, b"three") == (mirror.tip, mirror.read(DM))


def test_after_a_forced_push_the_branch_is_followed_and_old_commits_stay_readable(remote: Path, mirror: Mirror) -> None:
    old = mirror.tip
    git(remote, "update-ref", "refs/heads/main", f"{old}^")
    commit = add_commit(remote, {DM: b"instead"}, 1_700_000_000)
    mirror.fetch()
    assert (commit, b"instead", b"two") == (mirror.tip, mirror.read(DM), mirror.read(DM, old))
    assert commit == mirror.tip_at(1_700_000_009 * 10**9)


@pytest.mark.parametrize("name", ["trunk", "main/v2"])
def test_a_renamed_default_branch_is_followed(remote: Path, mirror: Mirror, name: str) -> None:
    git(remote, "branch", "-m", "main", "away")
    git(remote, "branch", "-m", "away", name)
    git(remote, "symbolic-ref", "HEAD", f"refs/heads/{name}")
    commit = add_commit(remote, {DM: b"renamed"}, 1_700_000_003, name)
    mirror.fetch()
    assert (commit, b"renamed") == (mirror.tip, mirror.read(DM))


def test_of_several_branches_the_one_the_remote_names_is_the_default(remote: Path, mirror: Mirror) -> None:
    commit = add_commit(remote, {DM: b"trunk"}, 1_700_000_003, "trunk")
    git(remote, "symbolic-ref", "HEAD", "refs/heads/trunk")
    mirror.fetch()
    assert (commit, b"trunk") == (mirror.tip, mirror.read(DM))


def test_where_the_default_branch_does_not_exist_a_usual_name_is_taken(tmp_path: Path) -> None:
    remote = make_history(tmp_path / "odd.git", [Made(1_700_000_000, (), {DM: b"x"})], "master")
    git(remote, "symbolic-ref", "HEAD", "refs/heads/gone")
    mirror = Mirror(str(remote), tmp_path / "mirrors")
    mirror.fetch()
    assert git(remote, "rev-parse", "master") == mirror.tip


def test_other_branches_and_pull_requests_are_left_where_they_are(remote: Path, mirror: Mirror) -> None:
    side = add_commit(remote, {DM: b"side"}, 1_700_000_009, "side")
    git(remote, "update-ref", "refs/pull/1/head", side)
    mirror.fetch()
    assert b"two" == mirror.read(DM)
    with pytest.raises(DocumentInvalid):
        mirror.read(DM, side)


def test_a_remote_that_was_emptied_shows_nothing(remote: Path, mirror: Mirror) -> None:
    git(remote, "update-ref", "-d", "refs/heads/main")
    mirror.fetch()
    assert (None, None) == (mirror.tip, mirror.read(DM))


# -- several at once -----------------------------------------------------------------------------------------------


def test_a_mirror_sees_what_another_process_fetched_and_packed(tmp_path: Path, remote: Path, mirror: Mirror) -> None:
    assert b"two" == mirror.read(DM)
    commit = add_commit(remote, {DM: b"three"}, 1_700_000_002)
    process = _fetching(remote, tmp_path / "mirrors")
    assert (f"{commit}\n", "") == process.communicate()
    assert (commit, b"three") == (mirror.tip, mirror.read(DM))
    git(mirror.path, "gc", "--quiet", "--prune=now")
    assert (commit, b"three") == (mirror.tip, mirror.read(DM))
    assert 3 == len(list(mirror.commits_of(DM, commit)))


def test_processes_that_fetch_one_mirror_at_once_all_have_it(tmp_path: Path, remote: Path) -> None:
    processes = [_fetching(remote, tmp_path / "mirrors") for _ in range(4)]
    tip = git(remote, "rev-parse", "main")
    assert [(f"{tip}\n", "")] * 4 == [process.communicate() for process in processes]
    assert "" == git(Mirror(str(remote), tmp_path / "mirrors").path, "fsck", "--strict")


def test_one_fetch_serves_all_who_waited_for_it(
    tmp_path: Path, remote: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_go, connections = Event(), Event(), []
    connect = mirror_module.Remote

    def slowly(url: str) -> object:
        connections.append(url)
        began.set()
        may_go.wait(30)
        return connect(url)

    monkeypatch.setattr(mirror_module, "Remote", slowly)
    first = Thread(target=mirror.fetch)
    first.start()
    assert began.wait(30)
    waiting = [Thread(target=Mirror(str(remote), tmp_path / "mirrors").fetch) for _ in range(4)]
    for thread in waiting:
        thread.start()
    may_go.set()
    for thread in (first, *waiting):
        thread.join(30)
    # The first began before they asked, so one of them asks the remote again: for all.
    assert 2 == len(connections)


def test_threads_may_read_while_others_fetch(remote: Path, mirror: Mirror) -> None:
    commits = [mirror.tip or ""]

    def push(number: int) -> None:
        commits.append(add_commit(remote, {DM: b"%d" % number}, 1_700_000_010 + number))
        mirror.fetch()

    def read(number: int) -> list[bytes | None]:
        return [mirror.read(DM, commit) for commit in tuple(commits[:1]) * 20]

    with ThreadPoolExecutor(8) as pool:
        reads = pool.map(read, range(32))
        for number in range(5):
            push(number)
        assert [[b"two"] * 20] * 32 == list(reads)
    assert b"4" == mirror.read(DM)


def test_one_that_waits_too_long_for_another_process_says_so(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "_PATIENCE_S", 0.01)
    with filelock.FileLock(mirror.path.with_suffix(".lock")), pytest.raises(RemoteUnreachable, match="too long"):
        mirror.fetch()


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_what_was_fetched_is_served_while_the_remote_is_away(tmp_path: Path, remote: Path, mirror: Mirror) -> None:
    fetched_ns = mirror.fetched_ns
    shutil.move(remote, tmp_path / "away.git")
    with pytest.raises(RemoteUnreachable):
        mirror.fetch()
    again = Mirror(str(remote), tmp_path / "mirrors")
    assert (b"two", b"two", fetched_ns) == (mirror.read(DM), again.read(DM), again.fetched_ns)
    shutil.move(tmp_path / "away.git", remote)
    mirror.fetch()
    assert fetched_ns < mirror.fetched_ns


def test_a_remote_that_never_was_leaves_no_copy_that_serves(tmp_path: Path) -> None:
    mirror = Mirror(str(tmp_path / "no.git"), tmp_path / "mirrors")
    with pytest.raises(RemoteUnreachable):
        mirror.fetch()
    assert (None, 0) == (mirror.tip, mirror.fetched_ns)


def test_a_killed_fetch_is_begun_anew(tmp_path: Path, remote: Path) -> None:
    # A remote whose git hangs in the middle of a fetch.
    marker, hook = tmp_path / "began", tmp_path / "hang"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\nexec sleep 600\n")
    hook.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[uploadpack]\n\tpackObjectsHook = {hook}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        command = [sys.executable, "-c", FETCH, str(remote), str(tmp_path / "mirrors")]
        process = subprocess.Popen(command, start_new_session=True)
        try:
            eventually(marker.exists)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    mirror = Mirror(str(remote), tmp_path / "mirrors")
    assert (None, 0) == (mirror.tip, mirror.fetched_ns)
    mirror.fetch()
    assert b"two" == mirror.read(DM)


def test_what_the_dead_left_is_in_nobodys_way(remote: Path, mirror: Mirror) -> None:
    commit = add_commit(remote, {DM: b"three"}, 1_700_000_002)
    left = ("refs/heads/tip.lock", "HEAD.lock", "objects/tmp_pack_abc", "objects/pack/tmpx.pack")
    for name in left:
        (mirror.path / name).write_bytes(b"half")
    mirror.fetch()
    assert [] == [name for name in left if (mirror.path / name).exists()]
    assert (commit, b"three") == (mirror.tip, mirror.read(DM))


@pytest.mark.parametrize("lost", ["HEAD", "objects", "refs"])
def test_a_copy_that_is_half_made_is_made_anew(tmp_path: Path, remote: Path, mirror: Mirror, lost: str) -> None:
    place = mirror.path / lost
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    again = Mirror(str(remote), tmp_path / "mirrors")
    again.fetch()
    assert b"two" == again.read(DM)


@pytest.mark.parametrize("damage", ["lost", "cut", "overwritten"])
def test_a_damaged_copy_is_named_and_can_be_removed(tmp_path: Path, remote: Path, mirror: Mirror, damage: str) -> None:
    git(mirror.path, "gc", "--quiet")
    for pack in mirror.path.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        content = pack.read_bytes()
        if damage == "lost":
            pack.unlink()
            pack.with_suffix(".idx").unlink()
        elif damage == "cut":
            pack.write_bytes(content[:40])
        else:
            pack.write_bytes(content[:12] + b"\xff" * (len(content) - 32) + content[-20:])
    again = Mirror(str(remote), tmp_path / "mirrors")
    for ask in (lambda: again.read(DM), lambda: again.tip_at(time.time_ns()), lambda: again.list("projects/")):
        with pytest.raises(DocumentInvalid, match="remove that folder"):
            ask()
    shutil.rmtree(mirror.path)
    again = Mirror(str(remote), tmp_path / "mirrors")
    again.fetch()
    assert b"two" == again.read(DM)


def test_a_copy_that_is_removed_under_a_reader_is_fetched_anew(remote: Path, mirror: Mirror) -> None:
    assert b"two" == mirror.read(DM)
    shutil.rmtree(mirror.path)
    assert None is mirror.tip
    commit = add_commit(remote, {DM: b"three"}, 1_700_000_002)
    mirror.fetch()
    assert (commit, b"three") == (mirror.tip, mirror.read(DM))
    assert [b"one", b"two", b"three"] == [content for _, content in mirror.commits_of(DM, commit)]


def test_many_fetches_leave_few_packs_and_open_files(remote: Path, mirror: Mirror) -> None:
    large = {f"t{number}/metadata.json": b"%d" % number for number in range(200)}
    add_commit(remote, large, 1_700_000_002)
    mirror.fetch()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        add_commit(remote, {DM: b"%d" % number}, 1_700_000_003 + number)
        mirror.fetch()
        assert b"%d" % number == mirror.read(DM)
    assert 1 == len(list(mirror.path.glob("objects/pack/*.pack")))
    assert b"199" == mirror.read("t199/metadata.json")
    assert before + 10 > len(os.listdir("/proc/self/fd"))
    assert "" == git(mirror.path, "fsck", "--strict")


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path, remote: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileUnwritable):
        Mirror(str(remote), tmp_path / "file" / "mirrors").fetch()


# -- over HTTP -----------------------------------------------------------------------------------------------------


def test_a_mirror_over_http_uses_the_token_and_keeps_it_nowhere(
    tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_PAT", TOKEN)
    with git_host(tmp_path, TOKEN) as url:
        mirror = Mirror(f"{url}/data.git", tmp_path / "mirrors")
        mirror.fetch()
        commit = add_commit(remote, {DM: b"three"}, 1_700_000_002)
        mirror.fetch()
    assert (commit, b"three") == (mirror.tip, mirror.read(DM))
    files = [path for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert [] == [path for path in files if TOKEN.encode() in path.read_bytes()]


# dulwich leaves the answer that denied to the garbage collector, which may close its socket first.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_wrong_token_is_denied_and_what_was_fetched_stays(
    tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_PAT", TOKEN)
    with git_host(tmp_path, TOKEN) as url:
        mirror = Mirror(f"{url}/data.git", tmp_path / "mirrors")
        mirror.fetch()
        monkeypatch.setenv("GITHUB_PAT", "another-token")
        with pytest.raises(RemoteDenied) as denied:
            mirror.fetch()
    assert "another-token" not in str(denied.value)
    assert b"two" == mirror.read(DM)


def test_a_url_with_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        Mirror("https://dana:secret@example.org/x.git", tmp_path)
    assert "secret" not in str(refused.value)
