"""cache warm and cache pin: what they bring from a bucket, what they tell, and what stops them."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from datomfs.config import default_config_path
from tests.cli.cached import MIB, body, copies, counted, label, pinned
from tests.cli.command import REPOSITORY, Datomfs
from tests.mounts import StoredProject, s3_variables, store_options, stored_in
from tests.s3_server import S3Server

pytestmark = pytest.mark.s3


@pytest.fixture
def project(in_bucket: StoredProject) -> StoredProject:
    """dm in three versions, a minute apart from 2026-03-01T00:01:00Z on; then lb, larger than what comes at once."""
    in_bucket.put("dm", body(2 * MIB, 1), body(100, 2), body(3 * MIB, 3))
    in_bucket.put("lb", body(12 * MIB, 4))
    return in_bucket


@pytest.fixture
def source(project: StoredProject) -> list[str]:
    """The options that name the project's store."""
    return store_options(project)


# -- what is meant -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("STUDY_001", {"dm": 2, "lb": 0}),
        ("STUDY_001/dm", {"dm": 2}),
        ("STUDY_001@2026-03-01", {"dm": 2, "lb": 0}),
        ("STUDY_001@20260301T000230Z", {"dm": 1}),
        ("STUDY_001/dm@20260301T000100Z", {"dm": 0}),
        ("STUDY_001/dm@{first}", {"dm": 0}),
    ],
)
def test_a_target_is_brought_whole_and_proven(
    datomfs: Datomfs, project: StoredProject, source: list[str], target: str, meant: dict[str, int]
) -> None:
    target = target.format(first=project.tables["dm"][0].version[:8])
    versions = {table: project.tables[table][number] for table, number in meant.items()}
    outcome = datomfs("cache", "warm", target, *source, "--json")
    assert (0, "") == (outcome.code, outcome.err)
    assert copies(*versions.values()) == counted()
    assert [
        {
            "target": label(project, table, version),
            "state": "brought",
            "project": "STUDY_001",
            "table": table,
            "version": version.version,
            "sha256": version.parquet_sha,
            "size_bytes": len(version.body),
            "here_bytes": len(version.body),
            "error": None,
        }
        for table, version in versions.items()
    ] == outcome.json
    assert {"here"} == {row["state"] for row in datomfs("cache", "warm", target, *source, "--json").json}


def test_a_dry_run_tells_what_would_come_and_brings_nothing(
    datomfs: Datomfs, project: StoredProject, source: list[str]
) -> None:
    datomfs("cache", "warm", "STUDY_001/dm", *source)
    before = counted()
    outcome = datomfs("cache", "warm", "STUDY_001", *source, "--dry-run")
    dm, lb = (project.tables[table][-1].version[:8] for table in ("dm", "lb"))
    assert [
        "STATE    PROJECT    TABLE  VERSION   SIZE      HERE",
        f"here     STUDY_001  dm     {dm}  3.0 MiB   3.0 MiB",
        f"to come  STUDY_001  lb     {lb}  12.0 MiB  0 B",
    ] == outcome.lines
    assert before == counted()


def test_what_scripts_open_is_brought_and_what_does_not_exist_is_passed_over(
    datomfs: Datomfs, project: StoredProject, source: list[str], tmp_path: Path
) -> None:
    first, last = project.tables["dm"][0], project.tables["lb"][0]
    (tmp_path / "a.R").write_text(f'dm <- read_parquet("/mnt/STUDY_001/dm/{first.name}")\n', encoding="utf-8")
    (tmp_path / "b.sas").write_bytes(
        b'* \xc4rzte;\nproc import file="/x/STUDY_001/lb.parquet"; file "/x/STUDY_001/zz";\n'
    )
    outcome = datomfs("cache", "warm", "--script", tmp_path / "a.R", tmp_path / "b.sas", *source, "--json")
    assert (0, "") == (outcome.code, outcome.err)
    assert copies(first, last) == counted()
    assert {"STUDY_001/zz": "not found"} == {
        row["target"]: row["state"] for row in outcome.json if row["state"] != "brought"
    }


def test_scripts_that_name_nothing_or_are_not_there_are_told(
    datomfs: Datomfs, source: list[str], tmp_path: Path
) -> None:
    (tmp_path / "a.R").write_text("x <- 1\n", encoding="utf-8")
    nothing = datomfs("cache", "warm", "--script", tmp_path / "a.R", *source)
    assert (3, True) == (nothing.code, f"nothing in {tmp_path}/a.R names a file of a known project" in nothing.err)
    missing = datomfs("cache", "warm", "--script", tmp_path / "b.R", tmp_path / "a.R", *source)
    assert (3, True) == (missing.code, f"no file {tmp_path}/b.R" in missing.err)


# -- what stops ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ("STUDY_001@2199-12-31", 2, "2199-12-31 is not over yet"),
        ("STUDY_001/dm@2199-12-31", 2, "2199-12-31 is not over yet"),
        ("STUDY_001@2026-02-30", 2, "DATE is a day that exists"),
        ("STUDY_001@1999-12-31", 3, "STUDY_001 had no version at 1999-12-31"),
        ("STUDY_001/lb@20260301T000200Z", 3, "STUDY_001/lb had no version at 20260301T000200Z"),
        ("STUDY_001/zz", 3, "no table 'zz'"),
        ("STUDY_001/dm@000000", 3, "no version 000000"),
        ("OTHER", 3, "no project 'OTHER'"),
        ("STUDY_001/dm@{gone}", 5, "recorded but missing"),
        ("STUDY_001/dm@{damaged}", 5, "is not what was recorded"),
    ],
)
def test_one_that_fails_is_told_and_stops_no_other(
    datomfs: Datomfs, project: StoredProject, source: list[str], target: str, code: int, words: str
) -> None:
    gone, damaged, good = project.tables["dm"]
    project.store.delete(gone.key)
    project.store.put(damaged.key, b"other bytes")
    target = target.format(gone=gone.version, damaged=damaged.version)
    outcome = datomfs("cache", "warm", target, "STUDY_001/dm", *source)
    assert code == outcome.code
    assert words in outcome.err
    assert copies(good) == counted()


def test_the_exit_code_is_that_of_the_worst_and_json_names_each(
    datomfs: Datomfs, project: StoredProject, source: list[str]
) -> None:
    project.store.put(project.tables["lb"][0].key, b"other bytes")
    outcome = datomfs("cache", "warm", "STUDY_001", "STUDY_001/zz", "x/y/z", *source, "--json")
    assert (5, "") == (outcome.code, outcome.err)
    assert [("dm", "brought"), ("lb", "failed"), (None, "failed"), (None, "failed")] == [
        (row["table"], row["state"]) for row in outcome.json
    ]
    assert [False, True, True, True] == [bool(row["error"]) for row in outcome.json]


def test_what_does_not_fit_is_told_and_the_rest_comes(
    datomfs: Datomfs, project: StoredProject, source: list[str]
) -> None:
    outcome = datomfs("cache", "warm", "STUDY_001", *source, "--cache-size", "10MiB")
    (lb,) = project.tables["lb"]
    assert 4 == outcome.code
    assert f"STUDY_001/lb@{lb.version[:8]} does not fit into the cache" in outcome.err
    assert copies(project.tables["dm"][2]) == counted()


def test_what_is_wanted_does_not_push_itself_out(datomfs: Datomfs, in_bucket: StoredProject) -> None:
    """Room is made by what was not asked for, however lately it was used; five are not looked at all at once."""
    source = store_options(in_bucket)
    other, here = in_bucket.put("zz", body(2 * MIB, 0), body(3 * MIB, 1))
    others = [in_bucket.put(f"a{number}", body(3 * MIB, number))[0] for number in range(2, 6)]
    for version in (here, other):
        datomfs("cache", "warm", label(in_bucket, "zz", version), *source)
    in_bucket.put("zz", here.body)  # current again, under a key of its own
    in_bucket.store.put(in_bucket.tables["zz"][-1].key, body(3 * MIB, 9))  # it could not come once more
    outcome = datomfs("cache", "warm", "STUDY_001", *source, "--cache-size", "16MiB", "--json")
    assert (0, copies(here, *others)) == (outcome.code, counted())
    assert ["brought"] * 4 + ["here"] == [row["state"] for row in outcome.json]


def test_a_store_that_does_not_answer_can_be_left(s3_server: S3Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        variables = s3_variables(s3_server, tmp_path) | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}"
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "datomfs", "cache", "warm", "P", "--store", "s3://bucket/x", "--project", "P"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **variables}, cwd=REPOSITORY,
        )  # fmt: skip
        with server.accept()[0]:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    assert (130, b"", b"datomfs: interrupted") == (process.returncode, out, err.strip())


# -- folder stores, terminals --------------------------------------------------------------------------------------


def test_a_folder_store_is_read_in_place_and_nothing_of_it_is_brought_or_pinned(
    datomfs: Datomfs, tmp_path: Path
) -> None:
    project = stored_in(tmp_path / "store")
    (version,) = project.put("dm", b"one")
    for words in ("warm", "pin"):
        outcome = datomfs("cache", words, "STUDY_001", *store_options(project))
        assert [
            "STATE     PROJECT    TABLE  VERSION   SIZE  HERE",
            f"in place  STUDY_001  dm     {version.version[:8]}  3 B   3 B",
        ] == outcome.lines
    assert ({}, {}) == (counted(), pinned())


def test_projects_of_the_configuration_are_brought_by_name(datomfs: Datomfs, project: StoredProject) -> None:
    default_config_path().parent.mkdir(parents=True, exist_ok=True)
    default_config_path().write_text(f'[project.STUDY_001]\nstore = "{project.store.url}"\n', encoding="utf-8")
    assert 0 == datomfs("cache", "warm", "STUDY_001/dm").code
    assert copies(project.tables["dm"][2]) == counted()


def test_a_terminal_sees_a_bar_and_a_pipe_sees_none(project: StoredProject, source: list[str]) -> None:
    command = [sys.executable, "-m", "datomfs", "cache", "warm", "STUDY_001", *source]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}, cwd=REPOSITORY
        )
        os.close(theirs)
        shown = terminal.read(1 << 16)
    assert (0, 3) == (done.returncode, len(done.stdout.splitlines()))
    assert b"warming" in shown
    assert b"MiB" in shown
    again = subprocess.run(command, capture_output=True, cwd=REPOSITORY)
    assert (0, b"") == (again.returncode, again.stderr)


# -- pins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["pin"], ["warm", "--pin"]])
def test_what_is_pinned_is_brought_and_stays(
    datomfs: Datomfs, project: StoredProject, source: list[str], words: list[str]
) -> None:
    last = project.tables["dm"][2]
    assert 0 == datomfs("cache", *words, "STUDY_001/dm", *source).code
    assert {label(project, "dm", last): last.parquet_sha} == pinned()
    outcome = datomfs("cache", "warm", "STUDY_001/lb", *source, "--cache-size", "14MiB")
    assert (4, copies(last)) == (outcome.code, counted())


def test_what_is_not_to_be_brought_yet_is_only_noted(
    datomfs: Datomfs, project: StoredProject, source: list[str]
) -> None:
    assert 0 == datomfs("cache", "pin", "--no-warm", "STUDY_001", *source).code
    assert {"dm", "lb"} == {name.split("/")[1].split("@")[0] for name in pinned()}
    assert {} == counted()
