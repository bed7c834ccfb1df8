"""The command as a whole: quick help, documented exit codes, and good manners towards pipes and terminals."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from datomfs import __version__, errors
from datomfs.cli import main as main_module
from datomfs.cli.main import cli
from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError, StoreDenied
from tests.cli.command import REPOSITORY, Datomfs, run_process

HEAVY = ("pyarrow", "numpy", "pandas", "boto3", "botocore", "dulwich", "trio", "pyfuse3", "keyring", "yaml", "rich")


def commands() -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    for name, command in cli.commands.items():
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": deeper for inner, deeper in command.commands.items()}
    return found


COMMANDS = commands()


# -- help ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["get", "--help"], ["mount", "--help"], ["cache", "warm", "--help"]]
)
def test_help_answers_without_what_takes_time_to_load(arguments: list[str]) -> None:
    """0.08 s with nothing of it, against 0.3 s with pyarrow or boto3 alone."""
    program = (
        "import sys; from datomfs.cli.main import main; main();"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert "[]\n" == result.stderr
    assert result.stdout


def test_the_module_runs_as_the_command_does() -> None:
    outcome = run_process("--version")
    assert (0, f"datomfs, version {__version__}\n", "") == (outcome.code, outcome.out, outcome.err)


@pytest.mark.parametrize("words", COMMANDS)
def test_help_says_what_a_command_is_for_and_gives_an_example(datomfs: Datomfs, words: str) -> None:
    outcome = datomfs(*words.split(), "--help")
    assert (0, "") == (outcome.code, outcome.err)
    assert f"Example: datomfs {'-C study1 ' if words in ('write', 'pull') else ''}{words}" in outcome.out


@pytest.mark.parametrize("words", COMMANDS)
def test_the_examples_are_taken_by_the_command(words: str) -> None:
    examples = re.findall(r"^\s*(?:Example: )?datomfs (.*)$", COMMANDS[words].help or "", re.MULTILINE)
    assert examples
    for example in examples:
        rest = shlex.split(example.removeprefix("-C study1 "))
        command: click.Command = cli
        context = click.Context(cli, obj=Session(Path(), None))
        while isinstance(command, click.Group):
            name, *rest = rest
            command = command.commands[name]
            context = command.make_context(name, list(rest), parent=context)
        assert context.command_path.strip().startswith(words)


def test_every_command_is_told_in_whole_words(datomfs: Datomfs) -> None:
    outcome = datomfs("--help")
    assert "..." not in outcome.out.replace("[ARGS]...", "")
    for name in cli.commands:
        assert re.search(rf"^  {name}  +\S", outcome.out, re.MULTILINE)


def test_without_a_command_the_help_is_shown(datomfs: Datomfs) -> None:
    outcome = datomfs()
    assert "Usage: datomfs" in outcome.out + outcome.err


# -- exit codes ----------------------------------------------------------------------------------------------------


def test_the_exit_codes_that_are_documented_are_those_of_the_errors() -> None:
    assert main_module.__doc__ is not None
    sentence = main_module.__doc__.split("):")[1].split(".")[0].replace("\n", " ")
    told = {int(code): meaning for code, meaning in re.findall(r"(\d+) ([^;]+)", sentence)}
    families = {
        kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DatomfsError)
    }
    assert families | {0, 10, 130} == set(told)
    assert "interrupted" == told[130]
    table = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    assert set(told) == {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}


@pytest.mark.parametrize("arguments", [["nonsense"], ["ls", "--nonsense"], ["get"], ["history", "P/dm", "-n", "0"]])
def test_what_the_command_line_does_not_know_is_usage(datomfs: Datomfs, arguments: list[str]) -> None:
    outcome = datomfs(*arguments)
    assert (2, "") == (outcome.code, outcome.out)
    assert "Usage: datomfs" in outcome.err


def test_an_error_is_told_once_with_its_way_out_and_nothing_else(
    datomfs: Datomfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreDenied("s3://bucket", "dm/x", "expired\x1b[2Jcredentials")

    monkeypatch.setitem(cli.commands, "fail", click.Command("fail", callback=fail))
    outcome = datomfs("fail")
    assert (4, "") == (outcome.code, outcome.out)
    assert [
        r"datomfs: access to dm/x in s3://bucket was denied: expired\x1b[2Jcredentials",
        StoreDenied.hint,
    ] == outcome.err.splitlines()


def test_a_fault_of_ours_keeps_its_traceback(datomfs: Datomfs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(cli.commands, "fail", click.Command("fail", callback=fail))
    with pytest.raises(ZeroDivisionError):
        datomfs("fail")


def test_an_interrupt_ends_with_130_and_one_line(tmp_path: Path) -> None:
    fifo = tmp_path / "config.toml"
    os.mkfifo(fifo)
    # Where the tests run in a shell's background they ignore the signal, and so would what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "datomfs", "--config", str(fifo), "ls"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    with fifo.open("wb"):  # opens when the command has begun to read its configuration, and then keeps it waiting
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (130, b"") == (process.returncode, out)
    assert [b"datomfs: interrupted"] == err.strip().splitlines()


# -- pipes, disks, terminals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_who_has_seen_enough_is_no_error(source: tuple[str, ...], options: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outcome = run_process("ls", *source, *options, stdout=writing)
    os.close(writing)
    assert (0, "") == (outcome.code, outcome.err)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_the_output_is_told_in_one_line(source: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        outcome = run_process("ls", *source, stdout=full.fileno())
    assert 4 == outcome.code
    assert "datomfs: standard output cannot be written: No space left on device" == outcome.err.splitlines()[0]
    assert 2 == len(outcome.err.splitlines())


def test_json_is_plain_ascii_where_the_terminal_is_not_utf8(source: tuple[str, ...]) -> None:
    arguments = ("history", "STUDY_001/dm", *source, "--json")
    plain, rich = run_process(*arguments, encoding="latin-1"), run_process(*arguments)
    assert plain.out.isascii()
    assert "für Ärzte" in rich.out
    assert rich.json == plain.json


def test_a_letter_that_the_terminal_lacks_is_printed_as_an_escape(source: tuple[str, ...]) -> None:
    outcome = run_process("history", "STUDY_001/dm", *source, encoding="latin-1")
    assert (0, "") == (outcome.code, outcome.err)
    assert "first extract \\u2014 für Ärzte" in outcome.out


def test_a_file_name_that_is_no_text_is_told_as_an_escape(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")
    outcome = run_process("hash", "--metadata", "--json", name)
    assert 3 == outcome.code
    assert name == json.loads(outcome.out)["file"]


# -- saying more ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "level"),
    [([], logging.WARNING), (["-v"], logging.INFO), (["-vv"], logging.DEBUG), (["-vvv"], logging.DEBUG)],
)
def test_verbose_opens_our_own_loggers_only(datomfs: Datomfs, options: list[str], level: int) -> None:
    """botocore's DEBUG shows signed headers and session tokens."""
    assert 0 == datomfs(*options, "config", "show").code
    assert level == logging.getLogger("datomfs.mount.operations").getEffectiveLevel()
    assert logging.WARNING <= logging.getLogger("botocore.auth").getEffectiveLevel()
