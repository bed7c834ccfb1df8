"""How a delimited text is laid out: its separator, its quotes, where its table begins, whether that has names.

What fread concludes from the first hundred lines (and, for the names, from samples of the rest), step by step as it
does: sections 2 to 7 of its freadMain. Types come from `column_types`; the rows themselves are read elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from datomfs.importing.column_types import RType, bump_types
from datomfs.importing.scanner import EMPTY, NO_SEPARATOR, Field, Scanner, Text

_SEPARATORS = (b",", b"|", b";", b"\t", b" ")  # in fread's order of preference
_SAMPLE_LINES = 100
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\n\r\v\f"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what is in a text.

    `start` is where the first line of the table begins, `previous` where the line before it does if that has another
    number of fields (it may hold the names), `first` the fields of the first line, `body` where the second begins.
    `begin` is where the text begins that is not blank. `sample` are the types of the first lines after the first,
    `sample_lines` how many there were, `sample_end` where their lines end.
    """

    text: Text
    separator: bytes
    rule: int
    width: int
    begin: int
    start: int
    previous: int | None
    first: tuple[Field, ...]
    body: int
    sample: tuple[RType, ...]
    sample_lines: int
    sample_end: int

    def scanner(self) -> Scanner:
        """What cuts this text."""
        return Scanner(self.text, self.separator, self.rule)


@dataclass(slots=True)
class _Best:
    """The separator and rule whose block of lines with equally many fields is the longest so far."""

    separator: bytes = NO_SEPARATOR
    rule: int = -1
    lines: int = 0
    single_lines: int = 0
    width: int = 1
    start: int = 0
    previous: int | None = None
    end: int | None = None


def find_begin(data: bytes) -> tuple[Text, int]:
    """The text without byte order mark and trailing control characters, and where it stops being blank.

    A text that is blank throughout begins at its end.
    """
    start = len(_BOM) if data.startswith(_BOM) else 0
    end = len(data)
    if end > start and data[end - 1] in b"\x1a\0":
        end = start + len(data[start:end].rstrip(data[end - 1 : end]))
    lone_returns = data.find(b"\n", start, end) < 0
    text = Text(data, _end_of_lines(data, start, end, lone_returns), lone_returns)
    at = line = start
    while at < text.end and data[at] in _BLANK + b"\0":
        at += 1
        if data[at - 1] == ord("\n"):
            line = at
    return text, line if at < text.end else text.end


def _end_of_lines(data: bytes, start: int, end: int, lone_returns: bool) -> int:
    """Where the last line ending begins if nothing but blanks follows it, else the end."""
    last = data.rfind(b"\r" if lone_returns else b"\n", start, end)
    if last < 0 or data[last + 1 : end].strip(_BLANK):
        return end
    while not lone_returns and last > start and data[last - 1] == ord("\r"):
        last -= 1
    return last


def find_layout(text: Text, begin: int) -> Layout | None:
    """How the text that begins at a place is laid out, or None where quotes of a single column never close."""
    best = _Best(start=begin)
    for rule in range(4):
        for separator in _SEPARATORS:
            _try_block(best, Scanner(text, separator, rule), begin)
    if best.end is None:
        best.rule = _single_column_rule(text, begin)
        if best.rule < 0:
            return None
    if best.separator == NO_SEPARATOR:
        text = _with_last_blank_lines(text)
    scanner = Scanner(text, best.separator, best.rule)
    first, end = scanner.first_fields(best.start, best.width)
    line_end = scanner.line_end(end)
    layout = Layout(
        text=text,
        separator=best.separator,
        rule=best.rule,
        width=best.width,
        begin=begin,
        start=best.start,
        previous=best.previous,
        first=(*first, *[EMPTY] * (best.width - len(first))),
        body=text.end if line_end is None else line_end + 1,
        sample=(),
        sample_lines=0,
        sample_end=0,
    )
    rows, sample_end = _sample(scanner, layout.body, best.width)
    types = tuple(bump_types([RType.EMPTY] * best.width, rows))
    return replace(layout, sample=types, sample_lines=len(rows), sample_end=sample_end)


def _with_last_blank_lines(text: Text) -> Text:
    """Blank lines at the end of a single column are rows of it."""
    if not text.end or text.data[text.end - 1 : text.end] not in (b"\r", b"\n"):
        return text
    ending = b"\r" if text.lone_returns else b"\n"
    return replace(text, end=text.data.find(ending, text.end) + 1 or text.end)


def _try_block(best: _Best, scanner: Scanner, begin: int) -> None:
    """Count the lines of the first block with one number of fields, and keep it if it beats the best one."""
    line, at = begin, begin
    width, at = scanner.count_fields(at)
    if width < 0:
        return
    block_start, block_previous, lines, seen = begin, None, 1, 0
    before: int | None
    while at < scanner.text.end and (seen := seen + 1) < _SAMPLE_LINES:
        before, line = line, at
        found, at = scanner.count_fields(at)
        if found < 0:
            break
        if found == width:
            lines += 1
            continue
        if width > 1 and lines > 1:
            break
        while at < scanner.text.end and found == 0:
            before, line = None, at
            seen += 1
            found, at = scanner.count_fields(at)
        if found > 0:
            width, lines, block_previous, block_start = found, 1, before, line
    if width == 1:
        has_quotes = b'"' in scanner.text.data[block_start:at]
        if has_quotes and lines > max(best.single_lines, 1) and best.separator == NO_SEPARATOR:
            # One column with quotes: of its rules the one with most lines; any block of two lines and columns beats it.
            best.rule, best.lines, best.single_lines, best.end = scanner.rule, 1, lines, at
        return
    is_longer = lines > best.lines
    is_wider = (
        lines == best.lines
        and best.separator != NO_SEPARATOR
        and width > best.width
        and (scanner.rule < 2 or scanner.rule <= best.rule)
        and (best.width <= 1 or scanner.separator != b" ")
    )
    if is_longer or is_wider:
        best.separator, best.rule, best.lines, best.width = scanner.separator, scanner.rule, lines, width
        best.start, best.previous, best.end = block_start, block_previous, at


def _single_column_rule(text: Text, begin: int) -> int:
    """The quote rule under which a single column is read furthest, or -1 where both break."""
    best, furthest = -1, -1
    for rule in (0, 1):
        scanner, at, seen, found = Scanner(text, NO_SEPARATOR, rule), begin, 0, 0
        while at < text.end and (seen := seen + 1) < _SAMPLE_LINES and found >= 0:
            found, at = scanner.count_fields(at)
        if found >= 0 and at > furthest:
            best, furthest = rule, at
    return best


def _sample(scanner: Scanner, at: int, width: int) -> tuple[list[list[Field]], int]:
    """Up to a hundred rows from a place on, and where they end; a line with another number of fields ends them."""
    rows: list[list[Field]] = []
    while at < scanner.text.end and len(rows) < _SAMPLE_LINES:
        found = scanner.row(at, width)
        if found is None:
            break
        row, at = found
        rows.append(row)
    return rows, at


def sampled_types(layout: Layout) -> tuple[RType, ...]:
    """The types after looking at all the places of a text where fread looks: up to a hundred, and its end."""
    text, scanner = layout.text, layout.scanner()
    first_size, size = layout.sample_end - layout.start, text.end - layout.start
    jumps = next((count for count in (100, 10) if 0 < first_size * count * 2 < size), 1)
    types, last_end = list(layout.sample), layout.sample_end
    if layout.sample_lines < _SAMPLE_LINES and last_end < text.end:
        return layout.sample  # a broken line among the first hundred: fread looks no further
    for jump in range(1, jumps + 1):
        to = text.end - first_size // 2 if jump == jumps else layout.start + jump * (size // jumps)
        at = max(_next_good_line(scanner, to, layout.width), last_end)
        if at >= text.end:
            break
        rows, after = _sample(scanner, at, layout.width)
        if len(rows) < _SAMPLE_LINES and after < text.end:
            continue  # landed inside a quoted field, most likely: what it saw does not count
        last_end = after
        types = bump_types(types, rows)
    return tuple(types)


def _next_good_line(scanner: Scanner, at: int, width: int) -> int:
    """Where a line begins after a place, one with the right number of fields if there is one among the next five."""
    at = simple = _next_line(scanner, at)
    for _ in range(5):
        if at >= scanner.text.end:
            break
        if scanner.count_fields(at)[0] == width:
            return at
        at = _next_line(scanner, at)
    return simple


def _next_line(scanner: Scanner, at: int) -> int:
    text = scanner.text
    while at < text.end and text.data[at] not in b"\r\n":
        at += 1
    line_end = scanner.line_end(at)
    return min(at if line_end is None else line_end + 1, text.end)
