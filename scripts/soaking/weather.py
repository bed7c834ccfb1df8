"""Bad days by chance: what the store does wrong while it is read, one thing after the other, from one seed.

Nothing here gives wrong bytes under the right etag: a store that attests them is believed until all are here.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

from scripts.soaking.material import Material
from tests import faults
from tests.fault_proxy import FaultProxy
from tests.fault_rules import Fault

_LONGEST_S = 3.0
_CALM = 0.5
"""The share of the time in which all is well."""

_FAULTS: dict[str, Callable[[random.Random], Fault]] = {
    "500": lambda chance: faults.status(500, "InternalError"),
    "503": lambda chance: faults.status(503, "SlowDown"),
    "expired credentials": lambda chance: faults.expired,
    "no answer": lambda chance: faults.hang_up,
    "cut": lambda chance: faults.cut(chance.randrange(1 << 20)),
    "reset": lambda chance: faults.cut(chance.randrange(1 << 20), reset=True),
    "short": lambda chance: faults.short(chance.randint(1, 5000)),
    "another range": lambda chance: faults.shifted(chance.randint(1, 5000)),
    "whole body": lambda chance: faults.whole_body,
    "stall": lambda chance: faults.Stall(),
    "stall in mid-body": lambda chance: faults.Stall(chance.randrange(1 << 20)),
    "dribble": lambda chance: faults.dribble(0.01, after=chance.randrange(1 << 20)),
}
_OF_RANGES = {"short", "another range", "whole body", "cut", "reset", "stall in mid-body", "dribble"}


class Weather(threading.Thread):
    """Makes it, until it is told to stop; `counts` says what there was."""

    def __init__(self, proxy: FaultProxy, material: Material, seed: int) -> None:
        super().__init__(name="weather", daemon=True)
        self.counts: Counter[str] = Counter()
        self._proxy = proxy
        self._material = material
        self._chance = random.Random(f"{seed} weather")  # noqa: S311 - to be repeated, no secret
        self._over = threading.Event()

    def run(self) -> None:
        """One thing after the other."""
        while not self._over.is_set():
            if self._chance.random() < _CALM:
                self._wait()
            elif self._chance.random() < 0.1:
                self._change_an_object()
            elif self._chance.random() < 0.1:
                self.counts["all connections cut"] += 1
                self._proxy.cut_all()
            else:
                self._fault()

    def stop(self) -> None:
        """Let the sun shine."""
        self._over.set()
        self.join()
        self._proxy.recover()

    def _fault(self) -> None:
        name = self._chance.choice(list(_FAULTS))
        fault = _FAULTS[name](self._chance)
        kinds = ["RANGE"] if name in _OF_RANGES else self._chance.choice([["RANGE"], ["RANGE", "HEAD", "LIST", "GET"]])
        rules = [
            self._proxy.inject(fault, kind=kind, probability=self._chance.choice([0.1, 0.5, 1.0])) for kind in kinds
        ]
        self._wait()
        self._proxy.recover()
        if isinstance(fault, faults.Stall) and self._chance.random() < 0.5:
            fault.release()
        self.counts[name] += sum(rule.hits for rule in rules)

    def _change_an_object(self) -> None:
        table = self._chance.choice(list(self._material.stored.tables))
        if self._chance.random() < 0.5:
            self.counts["an object vanished"] += 1
            self._material.take_away(table)
        else:
            self.counts["an object changed"] += 1
            size = len(self._material.stored.tables[table][-1].body)
            self._material.put_back(table, self._chance.randbytes(self._chance.choice([size, size // 2, size + 1])))
        self._wait()
        self._material.put_back(table)

    def _wait(self) -> None:
        self._over.wait(self._chance.uniform(0.1, _LONGEST_S))
