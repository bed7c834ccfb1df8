"""scripts/soak: that all goes well for a moment, that it would say so if it did not, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.soaking import __main__ as soak
from scripts.soaking import readers
from tests.kernel.bad_days import plain

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.fuse
@pytest.mark.s3
@pytest.mark.slow
def test_a_moment_of_it_goes_well_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.soaking", "--minutes", "0.2", "--seed", "1"],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode == 2:
        pytest.skip(done.stderr)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    lines = done.stdout.splitlines()
    assert "soak: 0.2 minutes, seed 1" == lines[0]
    assert "soak: all is well" == lines[-1]
    assert ["weather", "reads", "memory of daemon 1"] == [line.partition(":")[0] for line in lines[1:4]]
    assert [] == list(tmp_path.glob("datomfs-soak-*"))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [["--minutes", "0"], ["--minutes", "-1"], ["--seed", "x"], ["more"]])
def test_what_cannot_be_meant_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        soak.main(arguments)
    assert "usage: scripts/soak" in capsys.readouterr().err


BODY = plain("body", 300_000)


@pytest.mark.parametrize("kind", ["sequential", "scattered", "mapped"])
@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (BODY, set()),
        (BODY[:250_000] + b"?" + BODY[250_001:], {"wrong bytes"}),
        (BODY[:200_000], {"wrong bytes"}),
        (None, {"file"}),
    ],
    ids=["right", "wrong", "short", "missing"],
)
def test_a_reader_tells_what_it_was_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, shown: bytes | None, expected: set[str]
) -> None:
    material, mount = tmp_path / "material", tmp_path / "mount"
    for folder in (material, mount):
        folder.mkdir()
    (material / "tables.json").write_text(json.dumps({"file": "table"}), encoding="ascii")
    (material / "table").write_bytes(BODY)
    if shown is not None:
        (mount / "file").write_bytes(shown)
    generation = tmp_path / "generation"
    generation.write_bytes(bytes([0]))
    until = str(time.monotonic() + 0.1)
    assert 0 == readers.main([kind, "1", str(mount), str(material), str(generation), until, "1"])
    told = json.loads(capsys.readouterr().out)
    assert expected == {fault.partition(":")[0] for fault in told["faults"]}
