"""The mount under the readers: made, killed now and then and made again, and its daemon's memory looked at.

Whoever reads learns from the generation, a byte in a file, that the mount is being replaced: it is odd meanwhile.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mounts import Desk, Mount, wait_for_end

SAMPLE_S = 0.25
_KB = 1 << 10


class Keeper:
    """Keeps one mount up. `lost` says what went wrong with it that was not our doing."""

    def __init__(self, folder: Path, options: Sequence[str | Path], desk: Desk, seed: int) -> None:
        self.mount = Mount(folder / "mnt", desk)
        self.generation = folder / "generation"
        self.lost: list[str] = []
        self.kills = 0
        self.memory: list[list[int]] = []
        """The resident bytes of each daemon, sampled as long as it lived."""
        self._options = options
        self._chance = random.Random(f"{seed} keeper")  # noqa: S311 - to be repeated, no secret
        self._over = threading.Event()
        self._pid = 0
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._kill_until_s = 0.0

    def start(self, *, kill_until_s: float) -> None:
        """Mount, and keep it up from now on; it is killed now and then until that moment of the monotonic clock."""
        self.mount.path.mkdir()
        self.generation.write_bytes(bytes([0]))
        self._make()
        self._kill_until_s = kill_until_s
        self._thread.start()

    def stop(self) -> None:
        """Take the mount away, in every outcome."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        subprocess.run(["fusermount3", "-uz", str(self.mount.path)], capture_output=True, check=False)  # noqa: S603, S607
        if self._pid and not wait_for_end(self._pid):
            self.lost.append("the daemon did not end when its mount was taken away")
            os.kill(self._pid, signal.SIGKILL)

    def growth(self) -> int:
        """By how many bytes the last daemon grew from the second quarter of its life to the last one."""
        samples = self.memory[-1]
        quarter = max(1, len(samples) // 4)
        return round(
            statistics.median(samples[-quarter:]) - statistics.median(samples[quarter : 2 * quarter] or samples)
        )

    def _keep(self) -> None:
        next_kill_s = time.monotonic() + self._pause_s()
        while not self._over.wait(SAMPLE_S):
            resident = _resident_bytes(self._pid)
            if resident is None:
                self.lost.append(f"the daemon {self._pid} has died; the end of its log:\n{self.mount.log[-2000:]}")
                self._replace()
                continue
            self.memory[-1].append(resident)
            if next_kill_s < time.monotonic() < self._kill_until_s:
                self.kills += 1
                self._replace()
                next_kill_s = time.monotonic() + self._pause_s()

    def _pause_s(self) -> float:
        rest_s = max(0.0, self._kill_until_s - time.monotonic())
        return self._chance.uniform(0.2, 0.8) * min(90.0, rest_s)

    def _replace(self) -> None:
        """The daemon is killed as it stands, and another one mounts over the same cache."""
        self._announce()
        if _resident_bytes(self._pid) is not None:
            os.kill(self._pid, signal.SIGKILL)
            wait_for_end(self._pid)
        subprocess.run(["fusermount3", "-uz", str(self.mount.path)], capture_output=True, check=False)  # noqa: S603, S607
        self._make()
        self._announce()

    def _announce(self) -> None:
        with self.generation.open("r+b") as file:  # the same file: readers have it mapped
            number = file.read(1)[0]
            file.seek(0)
            file.write(bytes([(number + 1) % 256]))

    def _make(self) -> None:
        # Its store may have a bad day at the moment: the command fails then, as it should.
        for _ in range(20):
            done = self.mount.desk.run("mount", self.mount.path, *self._options)
            if not done.returncode:
                self._pid = self.mount.pid
                self.memory.append([_resident_bytes(self._pid) or 0])
                return
        self.lost.append(f"it could not be mounted: {done.stderr}")
        self._over.set()


def _resident_bytes(pid: int) -> int | None:
    """VmRSS of a process, None where there is none or it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(found[0]) * _KB if found else None
