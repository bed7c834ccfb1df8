"""Bytes to texts, as R has them: bytes that are no UTF-8 become `<e9>`, and NUL is left out."""

from __future__ import annotations

import pyarrow as pa

from datomfs.importing.arrow import Values, pc
from datomfs.importing.imported import Column

_SHOWN = 40


def decode(text: bytes) -> str:
    """The text R makes of some bytes (fixtures latin1, win1252, embedded_nul)."""
    return "".join(
        f"<{ord(letter) - 0xDC00:02x}>" if "\udc80" <= letter <= "\udcff" else letter
        for letter in text.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    )


def text_column(texts: Values) -> Column:
    """The column of these bytes, and what R loses of them."""
    has_nul = pc.any(pc.match_substring_regex(texts, r"\x00")).as_py()
    try:
        if not has_nul:
            return Column(texts.cast(pa.large_string()))
    except pa.ArrowInvalid:
        pass
    before = texts.to_pylist()
    after = [None if text is None else decode(text) for text in before]
    lost = next(row for row, text in enumerate(after) if text is not None and text.encode() != before[row])
    loss = "bytes that are no text of UTF-8 are replaced or left out"
    return Column(
        pa.array(after, pa.large_string()), losses=(f"{loss} (row {lost + 1} becomes {_shown(after[lost])})",)
    )


def _shown(text: str | None) -> str:
    return repr(text if text is None or len(text) <= _SHOWN else text[:_SHOWN] + "…")
