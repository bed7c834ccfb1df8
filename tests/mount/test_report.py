"""What a daemon writes down of itself, and that nothing else is taken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.mount.report import DocumentAge, Report, find_process_start, parse_report, render_report
from tests.mounts import end_process

REPORT = Report(
    "/mnt/datom", "0.1.0", 7, 99, 1000.5, 2000.25,
    project_count=2,
    documents=[DocumentAge("STUDY_001", 1999.5, False), DocumentAge("STUDY_002", 1500.0, True)],
    requests={"read": 5}, errors={"EIO": 1}, bytes_read=10, store_requests={"get": 1}, cache_path="/c",
    cache_bytes=None, cache_limit=100, reads={"memory": 1}, proofs={"full": 1}, log="/l",
)  # fmt: skip


def test_what_is_written_is_read() -> None:
    assert REPORT == parse_report(render_report(REPORT))


@given(st.integers(0, len(render_report(REPORT)) - 1))
def test_a_torn_file_is_no_report(length: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_report(render_report(REPORT)[:length])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_fields = sorted(json.loads(render_report(REPORT)))


@given(st.sampled_from(_fields), _json)
def test_a_wrong_value_anywhere_is_a_report_of_its_shape_or_none(name: str, value: object) -> None:
    document = {**json.loads(render_report(REPORT)), name: value}
    try:
        report = parse_report(json.dumps(document).encode())
    except ValueError:
        return
    assert report == parse_report(render_report(report))
    assert isinstance(report.mountpoint, str)
    assert isinstance(report.pid, int)
    assert all(isinstance(each.read_at, int | float) for each in report.documents)


@given(_json)
def test_another_document_is_no_report(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_report(json.dumps(value).encode())


@pytest.mark.parametrize("name", _fields)
def test_a_report_that_lacks_or_adds_a_field_is_of_another_release(name: str) -> None:
    document = json.loads(render_report(REPORT))
    value = document.pop(name)
    required = {"format", "mountpoint", "version", "pid", "process_start", "started_at", "written_at", "documents"}
    if name in required:
        with pytest.raises(ValueError, match=r".+"):
            parse_report(json.dumps(document).encode())
    with pytest.raises(ValueError, match=r".+"):
        parse_report(json.dumps({**document, name: value, "another": 1}).encode())


def test_a_process_is_known_by_when_it_began() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        began = find_process_start(process.pid)
        mine = find_process_start(os.getpid())
        assert began is not None
        assert mine is not None
        assert mine < began == find_process_start(process.pid)
        process.kill()
        end_process(process.pid)
        assert find_process_start(process.pid) is None  # a zombie, still to be waited for
    assert find_process_start(process.pid) is None


def test_a_program_with_an_odd_name_does_not_shift_the_fields(tmp_path_factory: pytest.TempPathFactory) -> None:
    program = tmp_path_factory.mktemp("odd") / "a) R 1 (b"
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        mine, began = find_process_start(os.getpid()), find_process_start(process.pid)
        assert mine is not None
        assert began is not None
        assert mine < began
        process.communicate()
