"""The fields of one column before anybody knows what they mean: made by the readers of rows, for `column_types`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from datomfs.importing.arrow import Values, pc
from datomfs.importing.numbers import mask_of
from datomfs.importing.scanner import Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = b"NA"
"""What stands for a missing value where it is not in quotes."""

_TRIMMABLE = r'^[ \t\x00]|[\t\x00]$|^".*"$'


@dataclass(frozen=True, slots=True)
class Cells:
    """The fields of a column as bytes; null is a missing value.

    Blanks around a field that stood outside of quotes are gone, but for one after a date (`scanner` says why). `quoted`
    tells which stood in quotes; None where it makes no difference, because none has blanks around it.
    """

    texts: Values
    quoted: Values | None = None

    def prepend(self, field: Field) -> Cells:
        """The same fields with one more before them."""
        texts = pa.concat_arrays([_texts([field], self.texts.type), self.texts])
        if self.quoted is None and not (field.quoted and field.text != field.text.strip(b" \t\0")):
            return Cells(texts)
        quoted = self.quoted if self.quoted is not None else pa.array([False] * len(self.texts), pa.bool_())
        return Cells(texts, pa.concat_arrays([pa.array([field.quoted]), quoted]))

    def without_last(self) -> Cells:
        """The same fields but for the last."""
        return Cells(self.texts[:-1], None if self.quoted is None else self.quoted[:-1])

    def plain(self) -> Values:
        """The fields as texts: without any blank around them that stood outside of quotes."""
        if not pc.any(pc.match_substring_regex(self.texts, r" $")).as_py():
            return self.texts
        trimmed = pc.replace_substring_regex(self.texts, r" $", "")
        return trimmed if self.quoted is None else pc.if_else(self.quoted, self.texts, trimmed)

    def present(self) -> tuple[Values, NDArray[np.bool_]]:
        """The fields that are there and not empty, trimmed as numbers, dates and truth values are, and their rows.

        Quotes around those mean nothing even where quotes are letters to texts.
        """
        texts = self.texts
        if pc.any(pc.match_substring_regex(texts, _TRIMMABLE)).as_py():
            trimmed = pc.replace_substring_regex(texts, r"^[ \t\x00]+|[\t\x00]+$", "")
            trimmed = pc.replace_substring_regex(trimmed, r'^"([^"]*)"$', r"\1")
            texts = trimmed if self.quoted is None else pc.if_else(self.quoted, texts, trimmed)
        rows = pc.greater(pc.binary_length(texts), 0).fill_null(False)
        return texts.filter(rows), mask_of(rows)


def cells_of_column(fields: Sequence[Field]) -> Cells:
    """The fields of a column, one after another."""
    return Cells(_texts(fields, pa.large_binary()), pa.array([field.quoted for field in fields], pa.bool_()))


def _texts(fields: Sequence[Field], type_: pa.DataType) -> Values:
    return pa.array([None if field == (MISSING, False) else field.text for field in fields], type_)
