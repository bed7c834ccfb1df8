"""Where a process logs to: standard error, the journal behind it, or a file that may be moved away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datomfs.cli.logs import check_log_file
from datomfs.errors import FileUnwritable

PROGRAM = """
import logging, os, sys
from pathlib import Path
from datomfs.cli.logs import log_to_file, log_to_stderr
{before}
log_to_stderr(logging.INFO)
log = logging.getLogger("datomfs.x")
{does}
"""


def run(does: str, before: str = "", **variables: str) -> str:
    """What a process that logs writes to standard error, a pipe."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(does=does, before=before)],
        capture_output=True, text=True, check=True, env={**os.environ, **variables},
    )  # fmt: skip
    assert "" == done.stdout
    return done.stderr


JOURNAL = 'status = os.fstat(2); os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"'


def test_lines_have_time_level_and_name() -> None:
    line = run('log.info("one"); log.debug("two")')
    assert line.endswith(" INFO datomfs.x: one\n")
    assert line[:4].isdecimal()


def test_what_other_libraries_say_is_told_from_errors_on() -> None:
    text = run('other = logging.getLogger("botocore"); other.warning("headers"); other.error("broken")')
    assert text.endswith(" ERROR botocore: broken\n")
    assert "headers" not in text


def test_the_journal_gets_priorities_and_no_times() -> None:
    does = 'log.setLevel(10); log.debug("a"); log.info("b"); log.warning("c"); log.error("d"); log.critical("e")'
    expected = "<7>datomfs.x: a\n<6>datomfs.x: b\n<4>datomfs.x: c\n<3>datomfs.x: d\n<3>datomfs.x: e\n"
    assert expected == run(does, JOURNAL)


def test_every_line_of_a_traceback_keeps_its_priority() -> None:
    lines = run("try: 1 / 0\nexcept ZeroDivisionError: log.exception('what')", JOURNAL).splitlines()
    assert "<3>datomfs.x: what" == lines[0]
    assert "<3>ZeroDivisionError: division by zero" == lines[-1]
    assert all(line.startswith("<3>") for line in lines)


@pytest.mark.parametrize("stream", ["1:2", "", "nonsense"])
def test_a_journal_that_standard_error_does_not_go_to_is_none_of_ours(stream: str) -> None:
    assert "<" not in run('log.info("one")', JOURNAL_STREAM=stream)


def test_a_file_takes_the_place_of_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "new" / "x.log"
    assert "" == run(f'log_to_file(Path("{file}")); log.info("to the file")', JOURNAL)
    assert file.read_text().endswith(" INFO datomfs.x: to the file\n")


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    does = f'log_to_file(Path("{file}")); log.info("one"); os.rename("{file}", "{file}.1"); log.info("two")'
    assert "" == run(does)
    assert (" one\n", " two\n") == ((tmp_path / "x.log.1").read_text()[-5:], file.read_text()[-5:])


@pytest.mark.parametrize("name", ["folder", "file/x.log"])
def test_a_file_that_cannot_be_one_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnwritable) as caught:
        check_log_file(tmp_path / name)
    assert str(tmp_path / name) == caught.value.path
