"""The scripts every machine and CI run: sound, quick the second time, and honest about failure.

They run in a folder of their own in which everything they would install or call is a program that only writes down
how it was called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = sorted(path for folder in ("scripts", ".ci") for path in (REPOSITORY / folder).iterdir() if path.is_file())
COREUTILS = ("bash", "cat", "dirname", "env", "id", "sha256sum")


class Checkout:
    """A copy of the scripts and pyproject.toml, with a PATH on which nothing is but what is put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.bin = folder / "bin"
        self._log = folder / "calls"
        for name in ("scripts", ".ci"):
            shutil.copytree(REPOSITORY / name, self.folder / name)
        shutil.copy(REPOSITORY / "pyproject.toml", self.folder)
        self.bin.mkdir()
        for name in COREUTILS:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.fake("sudo", 'exec "$@"')

    def fake(self, name: str, does: str = "") -> Path:
        """A program on PATH, or in the checkout where `name` has a slash, that notes its call and then `does`."""
        path = self.folder / name if "/" in name else self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!{shutil.which("bash")}\necho "{path.name} $*" >>"{self._log}"\n{does}\n', encoding="utf-8")
        path.chmod(0o755)
        return path

    def fake_python(self) -> None:
        """A Python with everything that `setup` looks for."""
        include = self.folder.parent / "include"
        include.mkdir()
        (include / "Python.h").touch()
        does = f'case "$*" in -V) echo Python 3.11.9 ;; *sysconfig*) echo "{include}" ;; *) exit 0 ;; esac'
        path = self.fake("python3", does)
        path.write_text(path.read_text(encoding="utf-8").replace('echo "python3', ': "python3'), encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A script of the checkout, as `scripts/NAME`."""
        environment = {"PATH": str(self.bin), "HOME": str(self.folder)}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """What was called since the last time, in order."""
        told = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return told


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def machine(checkout: Checkout) -> Checkout:
    """A machine that has all `setup` needs, and a .venv whose pip works."""
    checkout.fake_python()
    for name in ("fusermount3", "pkg-config", "gcc"):
        checkout.fake(name)
    for name in ("apt-get", "dpkg"):
        checkout.fake(name, "exit 1")
    for name in ("python", "pip"):
        checkout.fake(f".venv/bin/{name}")
    return checkout


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_executable_and_sound(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    if path.suffix == ".py" or not os.access(path, os.X_OK):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
        assert not first.startswith("#!")
    elif "python" in first:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    else:
        assert "#!/usr/bin/env bash" == first
        assert "\nset -euo pipefail\n" in path.read_text(encoding="utf-8")
        assert "" == subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=True).stderr


def test_the_scripts_of_the_house_are_there() -> None:
    assert {"setup", "demo", "test", "check", "bench", "s3-server", "run"} <= {path.name for path in SCRIPTS}


# -- setup ---------------------------------------------------------------------------------------------------------


def test_setup_installs_once_and_is_silent_the_second_time(machine: Checkout) -> None:
    first = machine.run("scripts/setup")
    assert (0, "") == (first.returncode, first.stderr)
    assert first.stdout.startswith("setup: making .venv")
    pips = [call for call in machine.calls() if call.startswith("pip ")]
    assert 1 == len(pips)
    assert pips[0].endswith("-e .[mount,test,check]")

    machine.fake(".venv/bin/pip", "exit 1")
    second = machine.run("scripts/setup")
    assert (0, "", "") == (second.returncode, second.stdout, second.stderr)
    assert [] == [call for call in machine.calls() if not call.startswith("pkg-config")]


def test_setup_runs_again_when_the_requirements_change(machine: Checkout) -> None:
    machine.run("scripts/setup")
    machine.calls()
    with (machine.folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert machine.run("scripts/setup").stdout.startswith("setup: making .venv")
    assert [True] == [call.startswith("pip install") for call in machine.calls() if call.startswith("pip ")]


def test_a_setup_that_failed_is_tried_again(machine: Checkout) -> None:
    machine.fake(".venv/bin/pip", "exit 1")
    assert 0 != machine.run("scripts/setup").returncode
    machine.fake(".venv/bin/pip")
    assert machine.run("scripts/setup").stdout.startswith("setup: making .venv")
    assert "" == machine.run("scripts/setup").stdout


def test_setup_installs_the_system_packages_that_are_missing_and_says_which(machine: Checkout) -> None:
    machine.fake("apt-get")
    (machine.bin / "fusermount3").unlink()
    (machine.bin / "gcc").unlink()
    outcome = machine.run("scripts/setup")
    assert 0 == outcome.returncode
    assert "setup: installing system packages: fuse3 gcc libc6-dev" == outcome.stdout.splitlines()[0]
    called = [call for call in machine.calls() if call.startswith("apt-get")]
    assert ["apt-get update", "apt-get install"] == [" ".join(call.split()[:2]) for call in called]
    assert called[1].endswith("fuse3 gcc libc6-dev")


def test_without_a_python_setup_says_which_is_needed(checkout: Checkout) -> None:
    checkout.fake("python3", "exit 1")
    outcome = checkout.run("scripts/setup")
    assert (1, "") == (outcome.returncode, outcome.stdout)
    assert "Python 3.11 or later is needed" in outcome.stderr


def test_what_the_benchmark_needs_is_installed_apart(machine: Checkout) -> None:
    for name in ("python", "pip"):
        machine.fake(f".venv-bench/bin/{name}")
    assert 0 == machine.run("scripts/setup", "--bench").returncode
    pips = [call for call in machine.calls() if call.startswith("pip ")]
    assert [True] == [call.endswith("-e .[mount,test,bench]") for call in pips]
    assert not (machine.folder / ".venv" / ".setup-stamp").exists()


# -- bench ---------------------------------------------------------------------------------------------------------


def test_the_benchmark_runs_without_what_cannot_be_installed(machine: Checkout) -> None:
    machine.fake(".venv-bench/bin/pip", 'case "$*" in *bench*) exit 1 ;; esac')
    machine.fake(".venv-bench/bin/python", "exit 3")
    outcome = machine.run("scripts/bench", "seq", "--runs", "4")
    assert 3 == outcome.returncode
    assert "not all that datomfs is measured against can be installed" in outcome.stderr
    assert "s3fs could not be installed" in outcome.stderr
    assert "python -m scripts.bench_rows seq --runs 4" == machine.calls()[-1]


# -- test, check, ci -----------------------------------------------------------------------------------------------


def test_arguments_of_the_test_script_go_to_pytest(checkout: Checkout) -> None:
    checkout.fake("scripts/setup")
    checkout.fake(".venv/bin/python", "exit 3")
    assert 3 == checkout.run("scripts/test", "-m", "not fuse").returncode
    assert ["setup ", "python -m pytest -m not fuse"] == checkout.calls()


@pytest.mark.parametrize("failing", [None, "ruff", "mypy", "lint-imports", "codespell"])
def test_the_check_fails_when_one_of_its_tools_does(checkout: Checkout, failing: str | None) -> None:
    checkout.fake("scripts/setup")
    for name in ("ruff", "mypy", "lint-imports", "codespell"):
        checkout.fake(f".venv/bin/{name}", "exit 1" if name == failing else "")
    assert (failing is None) == (checkout.run("scripts/check").returncode == 0)
    called = {call.split()[0] for call in checkout.calls()}
    assert failing is not None or {"setup", "ruff", "mypy", "lint-imports", "codespell"} == called


@pytest.mark.parametrize("failing", [None, "test", "check"])
def test_ci_runs_the_test_and_the_check_script(checkout: Checkout, failing: str | None) -> None:
    for name in ("test", "check"):
        checkout.fake(f"scripts/{name}", "exit 1" if name == failing else "")
    assert (failing is None) == (checkout.run(".ci/run").returncode == 0)
    assert (["test "] if failing == "test" else ["test ", "check "]) == checkout.calls()
