"""What every test gets: homes of its own, a quiet log, and the servers on demand."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["tests.fixtures_s3"]
pytest.register_assert_rewrite("tests.store.contract")

# A slow machine is no failure; CI repeats the same examples, people explore new ones.
hypothesis.settings.register_profile(
    "datomfs",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
hypothesis.settings.load_profile("datomfs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that mount are skipped where nothing can be mounted."""
    missing = [what for what in ("/dev/fuse", shutil.which("fusermount3") or "fusermount3") if not Path(what).exists()]
    if not missing:
        return
    skip = pytest.mark.skip(reason=f"{missing[0]} is missing here: no mounts")
    for item in items:
        if item.get_closest_marker("fuse"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def quiet_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration, cache and state of the user go to a folder of the test's own; git knows an author."""
    home = tmp_path_factory.mktemp("home")
    for variable, folder in (("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state")):
        monkeypatch.setenv(variable, str(home / folder))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Dana Engineer")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "dana@example.org")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for variable in ("AWS_PROFILE", "GITHUB_PAT", "GITHUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    return home


@pytest.fixture(autouse=True)
def no_unexpected_warnings(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    """A WARNING of ours that the test did not announce with `expected_warnings` fails it (docs/operations.md)."""
    caplog.set_level(logging.WARNING, logger="datomfs")
    yield
    if request.node.get_closest_marker("expected_warnings"):
        return
    surprises = [
        record.getMessage()
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if record.levelno >= logging.WARNING and record.name.startswith("datomfs")
    ]
    assert [] == surprises
