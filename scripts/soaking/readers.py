"""One reader: a process that reads from the mount in its own way and compares every byte, until its time is over.

`python -m scripts.soaking.readers KIND SEED MOUNT MATERIAL GENERATION UNTIL STALL`; what came of it is printed as JSON.
EIO is an answer, and so is EACCES from an open. A mount that is being replaced excuses everything but wrong bytes: its
generation is odd meanwhile. An mmap that cannot be read ends its process, so each has one of its own.
"""

from __future__ import annotations

import errno
import functools
import json
import mmap
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_STEP = 128 << 10
_LARGEST = 512 << 10
_MARGIN_S = 8.0
_PASS_S = 90.0
"""How long reading columns, or through an mmap, may take: many requests, of which some are slow."""

_WRONG = 3
_REMOUNTED = {errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT, errno.EIO, errno.ENODEV}
_ANSWERS = {errno.EIO, errno.EACCES}


class WrongBytesError(Exception):
    """What must never happen; the text says where."""


@dataclass
class Reader:
    """Where to read, until when, and what came of it so far. Times are those of the monotonic clock."""

    mount: Path
    bodies: Mapping[str, Path]
    generation: mmap.mmap
    until_s: float
    stall_s: float
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def run(self, act: Callable[[Reader, Path, Path], None]) -> None:
        """Act on one table after the other until time is up."""
        while time.monotonic() < self.until_s:
            name = self.chance.choice(list(self.bodies))
            before = self.generation[0]
            try:
                act(self, self.mount / name, self.bodies[name])
            except WrongBytesError as error:
                self.faults.append(f"wrong bytes: {error}")
            except pa.ArrowException as error:
                self.faults.append(f"wrong bytes: {name}: {error}")
            except OSError as error:
                self._count(error, name, is_remounted=before % 2 == 1 or self.generation[0] != before)

    def within(self, seconds: float, what: str, read: Callable[[], bytes]) -> bytes:
        """What `read` gives; a hang is noted where it takes longer than that."""
        begun_s = time.monotonic()
        try:
            data = read()
            self.counts["reads"] += 1
            self.counts["bytes"] += len(data)
            return data
        finally:
            taken_s = time.monotonic() - begun_s
            self.slowest_s = max(self.slowest_s, taken_s)
            if taken_s > seconds:
                self.faults.append(f"a hang: {what} took {taken_s:.1f} s")

    def _count(self, error: OSError, name: str, *, is_remounted: bool) -> None:
        if is_remounted and (error.errno in _REMOUNTED or error.errno is None):
            self.counts["remounted"] += 1
            time.sleep(0.05)
        elif error.errno in _ANSWERS:
            self.counts[errno.errorcode[error.errno]] += 1
        else:
            self.faults.append(f"{name}: {error}")


# -- ways to read ------------------------------------------------------------------------------------------------------


def sequential(reader: Reader, path: Path, known: Path) -> None:
    """From beginning to end."""
    with path.open("rb", buffering=0) as file, known.open("rb") as body:
        _forget_pages(reader, file.fileno())
        at, size = 0, os.fstat(body.fileno()).st_size
        while at < size and time.monotonic() < reader.until_s:
            _compare(reader, file.fileno(), body.fileno(), at, _STEP)
            at += _STEP


def scattered(reader: Reader, path: Path, known: Path) -> None:
    """Here and there."""
    with path.open("rb", buffering=0) as file, known.open("rb") as body:
        _forget_pages(reader, file.fileno())
        size = os.fstat(body.fileno()).st_size
        for _ in range(20):
            _compare(
                reader, file.fileno(), body.fileno(), reader.chance.randrange(size), reader.chance.randint(1, _LARGEST)
            )


def storm(reader: Reader, path: Path, known: Path) -> None:
    """Open and close, again and again, and hardly read."""
    with known.open("rb") as body:
        for _ in range(20):
            with path.open("rb", buffering=0) as file:
                if reader.chance.random() < 0.3:
                    _compare(reader, file.fileno(), body.fileno(), 0, 4096)


def mapped(reader: Reader, path: Path, known: Path) -> None:
    """Through an mmap, in a process of its own."""
    begun_s = time.monotonic()
    child = os.fork()
    if not child:
        os._exit(_compare_mapped(reader, path, known))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if time.monotonic() - begun_s > _PASS_S:
        reader.faults.append(f"a hang: a map of {path.name} took {time.monotonic() - begun_s:.0f} s")
    if code == _WRONG:
        raise WrongBytesError(f"{path}, mapped")
    if code == -signal.SIGBUS:
        raise OSError(errno.EIO, "a page that cannot be read")
    if code:
        raise OSError(code - 100 if code > 100 else errno.EINVAL, f"a map of {path} ended with {code}")
    reader.counts["maps"] += 1


def columns(reader: Reader, path: Path, known: Path) -> None:
    """Some columns, as pyarrow reads them."""
    if "columns" not in known.name:
        return
    names = reader.chance.sample([f"column{number}" for number in range(5)], 2)

    def read() -> bytes:
        with pq.ParquetFile(path) as file:
            table = file.read(names)
        if not table.equals(pq.read_table(known, columns=names)):
            raise WrongBytesError(f"{path}, columns {names}")
        return bytes(0)

    if reader.chance.random() < 0.7:
        with path.open("rb", buffering=0) as file:
            _forget_pages(reader, file.fileno())
    reader.within(_PASS_S, f"columns of {path.name}", read)


KINDS: Mapping[str, Callable[[Reader, Path, Path], None]] = {
    act.__name__: act for act in (sequential, scattered, storm, mapped, columns)
}


def _compare(reader: Reader, fd: int, body: int, at: int, length: int) -> None:
    """Read a range, compare it, and go on behind what came: the kernel gives what it has before it tells an error."""
    expected = os.pread(body, length, at)
    # The kernel cuts a read into requests of 128 KiB, each with a deadline of its own.
    longest_s = (length // _STEP + 2) * reader.stall_s + _MARGIN_S
    done = 0
    while done < len(expected):
        wanted, start = len(expected) - done, at + done
        what = f"{os.readlink(f'/proc/self/fd/{fd}')}, {wanted} bytes at {start}"
        data = reader.within(longest_s, what, functools.partial(os.pread, fd, wanted, start))
        if not data or data != expected[done : done + len(data)]:
            raise WrongBytesError(f"{what}, {len(data)} came")
        done += len(data)


def _compare_mapped(reader: Reader, path: Path, known: Path) -> int:
    try:
        with path.open("rb") as file, known.open("rb") as body:
            _forget_pages(reader, file.fileno())
            ours = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            theirs = mmap.mmap(body.fileno(), 0, prot=mmap.PROT_READ)
            if len(ours) != len(theirs):
                return _WRONG
            starts = range(0, len(theirs), _STEP)
            for start in reader.chance.sample(starts, min(10, len(starts))):
                if ours[start : start + _STEP] != theirs[start : start + _STEP]:
                    return _WRONG
    except OSError as error:
        return 100 + (error.errno or 0)
    return 0


def _forget_pages(reader: Reader, fd: int) -> None:
    """Mostly have the kernel forget what it keeps of a file: what it keeps, the daemon is not asked for."""
    if reader.chance.random() < 0.8:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def main(arguments: list[str]) -> int:
    """Read until time is up."""
    kind, seed, mount, material, generation, until, stall = arguments
    bodies = {
        name: Path(material, table)
        for name, table in json.loads(Path(material, "tables.json").read_text(encoding="ascii")).items()
    }
    with open(generation, "rb") as file:
        shown = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    chance = random.Random(f"{seed} {kind}")  # noqa: S311 - to be repeated, no secret
    reader = Reader(Path(mount), bodies, shown, float(until), float(stall), chance)
    reader.run(KINDS[kind.partition("-")[0]])
    print(json.dumps({"counts": reader.counts, "faults": reader.faults, "slowest_s": reader.slowest_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
