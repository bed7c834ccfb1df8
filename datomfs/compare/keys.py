"""Which rows of two tables belong together: by the values of key columns, or by position.

A key is compared as `cells` compares: missing equals missing, NaN equals NaN. Where a key stands several times, its
first row belongs to the first one on the other side, the second to the second, as PROC COMPARE does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datomfs.identity.kinds import Kind

if TYPE_CHECKING:
    from datomfs.compare.cells import Cells, Rows


@dataclass(frozen=True, slots=True)
class Alignment:
    """Rows by their numbers, from 0. `base` and `other` belong together pair by pair, in the order of base.

    `dropped` are those of base alone, `added` those of other alone. The repeats count rows whose key stood before.
    """

    base: Rows
    other: Rows
    dropped: Rows
    added: Rows
    base_repeats: int = 0
    other_repeats: int = 0

    @property
    def is_in_order(self) -> bool:
        """Whether rows that belong together come in the same order on both sides."""
        return bool((np.diff(self.other) > 0).all())

    @property
    def is_by_position(self) -> bool:
        """Whether every row belongs to the one in the same place, and no row is alone."""
        return not len(self.dropped) and not len(self.added) and bool((self.base == self.other).all())


def align_by_position(base_count: int, other_count: int) -> Alignment:
    """Each row belongs to the one in the same place."""
    both = np.arange(min(base_count, other_count))
    return Alignment(both, both, np.arange(len(both), base_count), np.arange(len(both), other_count))


def align_by_key(base: Sequence[Cells], other: Sequence[Cells]) -> Alignment:
    """Rows belong together by key columns, pair by pair of the same kind; there is at least one."""
    count = len(base[0])
    codes = _codes(base[0], other[0])
    for left, right in zip(base[1:], other[1:], strict=True):
        more = _codes(left, right)
        # Made small again each time: the product of two counts of rows fits, that of three need not.
        codes = _dense(codes * (more.max(initial=0) + 1) + more)
    nth = np.concatenate([_occurrences(codes[:count]), _occurrences(codes[count:])])
    codes = codes * (nth.max(initial=0) + 1) + nth
    _, rows, partners = np.intersect1d(codes[:count], codes[count:], assume_unique=True, return_indices=True)
    order = np.argsort(rows)
    return Alignment(
        rows[order],
        partners[order],
        np.setdiff1d(np.arange(count), rows, assume_unique=True),
        np.setdiff1d(np.arange(len(codes) - count), partners, assume_unique=True),
        int(np.count_nonzero(nth[:count])),
        int(np.count_nonzero(nth[count:])),
    )


def _codes(base: Cells, other: Cells) -> Rows:
    """A number for each row of base, then of other, that is the same where the values are; 0 is what is missing."""
    missing = np.concatenate([base.missing, other.missing])
    if base.kind is Kind.TEXT:
        encoded = pa.concat_arrays([base.values, other.values]).dictionary_encode()
        codes = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    else:
        codes = _dense(np.concatenate([base.values, other.values]))
    return np.where(missing, 0, codes + 1)


def _dense(values: Rows) -> Rows:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _occurrences(codes: Rows) -> Rows:
    """For each row how many rows of the same code stand before it."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(codes) else codes
    lengths = np.diff(np.append(starts, len(codes)))
    nth = np.empty(len(codes), np.int64)
    nth[order] = np.arange(len(codes)) - np.repeat(starts, lengths)
    return nth
