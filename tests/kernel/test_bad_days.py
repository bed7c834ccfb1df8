"""Bad days of the store: whatever it answers, reads end with the recorded bytes or with EIO, in time, and it passes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests import faults
from tests.fault_rules import Fault
from tests.kernel.bad_days import MIB, STEP, Study, is_eio, is_read, open_file, open_study, parquet, plain, read_steps
from tests.mounts import eventually, kernel_test
from tests.s3_server import S3Server

pytestmark = [*kernel_test, pytest.mark.s3]

KINDS = [pytest.param(True, id="attested"), pytest.param(False, id="unattested")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Study]:
    """One mount for all tests here; each has tables of its own."""
    folder = tmp_path_factory.mktemp("bad-days")
    bucket = s3_server.create_bucket("bad-days")
    with open_study(folder, s3_server, bucket) as study:
        yield study
    s3_server.delete_bucket(bucket)


@pytest.fixture
def study(shared: Study) -> Iterator[Study]:
    """It, with nothing wrong before and after."""
    shared.new_lines()
    yield shared
    shared.proxy.recover()
    shared.check_alive()


def name_of(request: pytest.FixtureRequest) -> str:
    """A table's name for one test."""
    return "".join(letter if letter.isalnum() else "_" for letter in request.node.name)


# -- faults that pass, and such that last ------------------------------------------------------------------------------

FAULTS: dict[str, Fault] = {
    "500": faults.status(500, "InternalError"),
    "503": faults.status(503, "SlowDown"),
    "no answer": faults.hang_up,
    "cut": faults.cut(100_000),
    "reset": faults.cut(100_000, reset=True),
    "short": faults.short(1),
    "another range": faults.shifted(4096),
    "whole body": faults.whole_body,
    "stalled": faults.Stall(),
    "stalled in mid-body": faults.Stall(100_000),
    "byte by byte": faults.dribble(0.02, after=100_000),
}


@pytest.mark.parametrize("attested", KINDS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_that_passes_is_not_seen(
    study: Study, request: pytest.FixtureRequest, fault: Fault, attested: bool
) -> None:
    table = name_of(request)
    path = study.put(table, plain(table), attested=attested)
    rule = study.proxy.inject(fault, kind="RANGE", key=study.versions[table].key, times=1)
    assert plain(table) == path.read_bytes()
    assert 1 == rule.hits
    assert [] == study.new_lines()


LASTING = [
    pytest.param(fault, attested, id=f"{name}-{'attested' if attested else 'unattested'}")
    for name, fault, attested in [
        ("503", FAULTS["503"], True),
        ("503", FAULTS["503"], False),
        ("no answer", faults.hang_up, True),
        ("short", FAULTS["short"], False),
        ("another range", FAULTS["another range"], True),
        ("stalled", faults.Stall(), True),
        ("stalled in mid-body", faults.Stall(0), False),
        ("byte by byte", faults.dribble(0.02), True),
        ("byte by byte", faults.dribble(0.02), False),
        ("expired", faults.expired, True),
        ("expired", faults.expired, False),
    ]
]


@pytest.mark.parametrize(("fault", "attested"), LASTING)
def test_a_fault_that_lasts_is_eio_and_over_when_the_store_recovers(
    study: Study, request: pytest.FixtureRequest, fault: Fault, attested: bool
) -> None:
    path = study.put(name_of(request), parquet(name_of(request)), attested=attested)
    rule = study.proxy.inject(fault, kind="RANGE")
    study.check_none(path)
    assert rule.hits
    lines = study.new_lines()
    assert lines
    assert all(name_of(request) in line or "open(" in line or "read(" in line for line in lines)
    assert all("EIO" in line or "EACCES" in line for line in lines)
    study.proxy.recover()
    study.proxy.cut_all()
    eventually(lambda: study.read(path) == [])


@pytest.mark.parametrize("kind", ["HEAD", "LIST", "GET"])
@pytest.mark.parametrize("fault", [faults.status(503, "SlowDown"), faults.Stall()], ids=["503", "stalled"])
def test_documents_that_do_not_come_are_eio_in_time(
    study: Study, request: pytest.FixtureRequest, kind: str, fault: Fault
) -> None:
    path = study.put(name_of(request), plain(name_of(request)))
    rule = study.proxy.inject(fault, kind=kind)
    if kind == "HEAD":
        study.check_none(path)
    else:
        with pytest.raises(OSError, match="Input/output error"):
            path.stat()
    assert rule.hits
    assert study.new_lines()
    study.proxy.recover()
    study.proxy.cut_all()
    eventually(lambda: os.access(path, os.R_OK) and study.read(path) == [])


# -- in the middle of a read -------------------------------------------------------------------------------------------


def test_credentials_that_expire_while_reading(study: Study) -> None:
    path = study.put("expiring", plain("expiring", 8 * MIB))
    body = study.body(path)
    with open_file(path) as fd:
        assert is_read(fd, body, MIB, STEP)
        rule = study.proxy.inject(faults.expired, kind="RANGE")
        assert is_eio(fd, 5 * MIB, STEP)
        assert is_read(fd, body, MIB, STEP)
        assert rule.hits
        assert "the credentials have expired (ExpiredToken)" in study.new_lines()[-1]
        study.proxy.recover()
        assert [] == read_steps(fd, body)


def test_an_object_that_vanishes_while_it_is_read(study: Study) -> None:
    path = study.put("vanishing", plain("vanishing", 8 * MIB))
    body = study.body(path)
    with open_file(path) as fd:
        assert is_read(fd, body, MIB, STEP)
        study.attesting.delete(study.versions["vanishing"].key)
        assert is_eio(fd, 5 * MIB, STEP)
        assert is_read(fd, body, MIB, STEP)
        study.replace("vanishing", body)
        assert [] == read_steps(fd, body)


@pytest.mark.parametrize("attested", KINDS)
@pytest.mark.parametrize("size", [8 * MIB, 3 * MIB, 9 * MIB], ids=["same size", "shorter", "longer"])
def test_an_object_that_changes_while_it_is_read(
    study: Study, request: pytest.FixtureRequest, size: int, attested: bool
) -> None:
    table = name_of(request)
    path = study.put(table, plain(table, 8 * MIB))
    body = study.body(path)
    with open_file(path) as fd:
        assert is_read(fd, body, MIB, STEP)
        study.replace(table, plain(f"other {table}", size), attested=attested)
        lost = read_steps(fd, body, offsets=range(MIB, 8 * MIB, MIB))
        assert 7 * MIB in lost
        assert MIB not in lost
    assert any("EIO" in line and study.versions[table].key in line for line in study.new_lines())
    study.replace(table, body)
    eventually(lambda: study.read(path) == [])


def test_an_object_of_unrecorded_bytes_that_changes_is_not_mixed(study: Study) -> None:
    path = study.put("unrecorded", plain("unrecorded", 8 * MIB), recorded=False)
    body = study.body(path)
    with open_file(path) as fd:
        assert is_read(fd, body, MIB, STEP)
        study.replace("unrecorded", plain("other", 8 * MIB))
        assert 7 * MIB in read_steps(fd, body, offsets=range(MIB, 8 * MIB, MIB))


@pytest.mark.parametrize("attested", KINDS)
def test_wrong_bytes_under_the_right_name(study: Study, request: pytest.FixtureRequest, attested: bool) -> None:
    """What a store attests is believed range by range; the whole is hashed, and then nobody gets any more of it."""
    table = name_of(request)
    path = study.put(table, plain(table), attested=attested)
    body = study.body(path)
    study.proxy.inject(faults.wrong_bytes, kind="RANGE", key=study.versions[table].key)
    if attested:
        with path.open("rb") as file:
            with suppress(OSError):  # it may be found out before all is read
                file.read()
            eventually(lambda: b"failed" == os.getxattr(path, "user.datom.verified"))
            study.check_none(path)
    else:
        study.check_none(path)
    assert b"failed" == os.getxattr(path, "user.datom.verified")
    study.check_none(path)
    lines = [line for line in study.new_lines() if "is not what was recorded" in line or "expected sha256" in line]
    assert lines
    assert [] == [found for found in study.cache.rglob("*") if study.versions[table].parquet_sha in found.name]
    study.proxy.recover()
    assert body == path.read_bytes()  # and nothing of what the kernel has kept of the wrong ones
