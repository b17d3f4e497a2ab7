"""Finding a delimited file's layout: the separator, lines before the names, and the names."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from schuss.data.tables.parsing import is_missing, parse_number
from schuss.data.tables.reading.options import ReadOptions
from schuss.errors import DataError

__all__ = [
    "LONGEST_RECORD",
    "Layout",
    "check_names",
    "find_layout",
    "fitted",
    "is_value",
    "long_fields",
    "new_names",
    "without_runs_of_blanks",
]

#: Characters of the longest record that is read; a longer one is no row of a table.
LONGEST_RECORD = 1 << 24

_DELIMITERS = ",;\t|"
_MOST_TITLES = 10
_MOST_NOTES = 10
_FRACTION = re.compile(r"^-?\d+\.\d+$")
_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b")
_SEP_LINE = re.compile(r'^"?sep=(.)"?[ \t,;]*\r?\n?$', re.IGNORECASE)


@dataclass
class Layout:
    """How a file's text becomes records.

    Args:
        delimiter: What separates the fields; a blank stands for any number of blanks and tabs.
        skip: Lines before the names.
        named: Whether the next line names the columns.
        names: The names where they are in a comment above.
        spaced: Whether blanks stand between a delimiter and a quotation mark.
        commented: Whether lines that begin with # are comments.
        notes: Sentences about what was found.
    """

    delimiter: str
    skip: int = 0
    named: bool = True
    names: list[str] | None = None
    spaced: bool = False
    commented: bool = False
    notes: list[str] = field(default_factory=list)

    def reader(self, text: str) -> Any:
        """Return a `csv.reader` of a text."""
        return csv.reader(
            io.StringIO(text, newline=""), delimiter=self.delimiter, skipinitialspace=self.spaced
        )


@contextlib.contextmanager
def long_fields() -> Iterator[None]:
    """Let a field be a whole document; `csv` has one limit, of 128 KiB, for the whole process."""
    before = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def find_layout(sample: str, source: str, options: ReadOptions) -> Layout:
    r"""Find the layout of a file.

    Args:
        sample: Its beginning, whole lines.
        source: What messages call it.
        options: What is known.

    Returns:
        The separator under which the lines agree best with the first, and the first has the most
        fields; a comma where nothing separates anything.

    >>> find_layout("a;b;c\n1,5;2;3\n", "x.csv", ReadOptions()).delimiter
    ';'
    """
    lines = list(io.StringIO(sample, newline="")) or [""]
    sep, skip = options.sep, 0
    marked = _SEP_LINE.match(lines[0])
    if marked is not None:
        sep, skip = sep or marked.group(1), 1
    before = skip
    while skip < len(lines) and (not lines[skip].strip() or lines[skip].startswith("#")):
        skip += 1
    comments = [line for line in lines[before:skip] if line.strip()]
    if skip == len(lines):  # nothing but such lines: they are the table
        skip, comments = before, []
    layout, agree = _try(lines[skip:], sep)
    layout.commented = bool(comments)
    first = next(iter(_head(layout, "".join(lines[skip:]), 1)), [])
    if options.header is None and (agree <= 0.5 or _may_be_title(first, len(first))):
        for titles in range(1, min(_MOST_TITLES, len(lines) - skip - 1) + 1):
            found = _after_titles(lines[skip:], titles, sep)
            if found is not None:
                found.commented, layout = bool(comments), found
                said = f"the first {titles} lines are" if titles > 1 else "the first line is"
                layout.notes.append(f"{source}: {said} taken as a title and left out")
                break
    layout.skip += skip
    _find_names(layout, "".join(lines[layout.skip :]), comments, options)
    if not layout.named and layout.names is None:
        why = "as you said" if options.header else "the first one is like those below it"
        layout.notes.append(
            f"{source}: no line of column names ({why}); the columns are called x0, x1, ..."
        )
    return layout


def _try(lines: list[str], sep: str | None) -> tuple[Layout, float]:
    """Find the separator, and the share of the lines that have as many fields as the first."""
    text = "".join(line for line in lines if not line.startswith("#")) or "".join(lines)
    best, best_score, best_agree = Layout(sep or ","), (False, 0), 0.0
    for delimiter in (sep,) if sep else _DELIMITERS:
        layout = Layout(delimiter, spaced=delimiter == " " or _spaced(text, delimiter))
        records = _head(layout, text)
        widths = [len(fitted(record, len(records[0]))) for record in records]
        if not widths or widths[0] < 2:
            continue
        agree = sum(width == widths[0] for width in widths) / len(widths)
        score = (agree > 0.5, widths[0])
        if score > best_score:
            best, best_score, best_agree = layout, score, agree
    aligned = best.delimiter == "\t" and all("  " in line for line in text.split("\n") if line)
    if sep is None and (aligned or not best_score[0]) and _blanks_separate(text):
        return Layout(" ", spaced=True), 1.0
    return best, best_agree


def _head(layout: Layout, text: str, count: int = 100) -> list[list[str]]:
    """Read the first records that are not empty."""
    if layout.delimiter == " ":
        text = without_runs_of_blanks(text)
    with long_fields():
        return list(itertools.islice((r for r in layout.reader(text) if any(r)), count))


def fitted(record: list[str], width: int) -> list[str]:
    """Take the empty fields that are too many from the end of a record.

    >>> fitted(["1", "2", ""], 2), fitted(["1", "2", "3"], 2)
    (['1', '2'], ['1', '2', '3'])
    """
    return record if any(map(str.strip, record[width:])) else record[:width]


def without_runs_of_blanks(text: str) -> str:
    """Take the blanks from the ends of lines, and make every tab a blank.

    Runs of blanks between fields are left to `csv`, which knows what is quoted.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    return "\n".join(map(str.strip, lines))


def _blanks_separate(text: str) -> bool:
    """Tell whether blanks separate fields: as many in every line, with a column of numbers."""
    records = _head(Layout(" ", spaced=True), text)
    widths = {len(record) for record in records}
    if len(records) < 2 or len(widths) > 1 or widths == {1}:
        return False
    return any(all(map(is_value, column)) for column in zip(*records[1:], strict=True))


def _spaced(text: str, delimiter: str) -> bool:
    """Tell whether quoted fields come after blanks, which `csv` takes for unquoted ones."""
    if re.search(re.escape(delimiter) + ' +"', text) is None:
        return False
    fields = (field for record in _head(Layout(delimiter), text) for field in record)
    return any(field.startswith(" ") and field.lstrip(" ").startswith('"') for field in fields)


def _after_titles(lines: list[str], titles: int, sep: str | None) -> Layout | None:
    """Return the layout behind some lines if those are titles, and names and rows follow."""
    layout, agree = _try(lines[titles:], sep)
    records = _head(layout, "".join(lines[titles:]))
    width = len(records[0]) if records else 0
    above = _head(layout, "".join(lines[:titles]))
    if agree < 1.0 or len(records) < 2 or width < 2:
        return None
    names = records[0]
    if not all(_may_be_title(record, width) for record in above):
        return None
    if not all(name.strip() for name in names) or any(map(is_value, names)):
        return None
    layout.skip = titles
    return layout


def _may_be_title(record: Sequence[str], width: int) -> bool:
    """Tell whether a record has at most half as many fields with text as a row has fields."""
    return width > 1 and sum(map(bool, record)) <= max(1, width // 2)


def is_value(text: str) -> bool:
    """Tell whether a field is a number or a date, which a name hardly is."""
    text = text.strip()
    if is_missing(text) or len(text) > 100:
        return is_missing(text)
    number = parse_number(text)
    if number is None:
        number = parse_number(text, "decimal comma")
    return number is not None or _DATE.match(text) is not None


def _find_names(layout: Layout, text: str, comments: list[str], options: ReadOptions) -> None:
    """Decide whether the first record names the columns, or a comment above does."""
    if options.header is not None:
        layout.named = options.header == "first"
        return
    records = _head(layout, text)
    records = [fitted(record, len(records[0])) for record in records]
    if len(records) == 1:
        layout.named = not all(map(is_value, records[0]))
    if len(records) < 2 or {len(record) for record in records[:2]} != {len(records[0])}:
        return
    width = len(records[0])
    layout.named = _are_names(records[0], [r for r in records[1:] if len(r) == width])
    if comments and (not layout.named or all(map(is_value, records[0]))):
        names = next(iter(_head(layout, comments[-1].lstrip("# \t"))), [])
        if len(names) == width > 1 and not any(map(is_value, names)):
            layout.names, layout.named = names, False


def _are_names(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell names from a row: they differ in kind from what is below them, or do not come again."""
    columns = list(zip(*rows, strict=True))
    # Files that were put one below the other have the names once more.
    others = list(zip(*(row for row in rows if row != first), strict=True))
    said = [
        name
        for name, column in zip(first, others or columns, strict=True)
        if not is_missing(name) and all(map(is_value, column))
    ]
    if said:
        return not all(map(is_value, said)) or _are_positions(said)
    again = [name in column for name, column in zip(first, columns, strict=True)]
    return len(rows) < 2 or not all(again)


def _are_positions(names: Sequence[str]) -> bool:
    """Tell whether numbers are names: they count up in even steps, or are years in order."""
    try:
        numbers = [float(name) for name in names]
    except ValueError:
        return False
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    if not steps or min(steps) <= 0.0:
        return False
    years = all(1800 <= n <= 2100 and n.is_integer() for n in numbers)
    return years or max(steps) - min(steps) <= 1e-6 * max(steps)


def new_names(count: int) -> list[str]:
    """Return names of columns that have none."""
    return [f"x{k}" for k in range(count)]


def check_names(
    raw_names: list[str], source: str, line: int | None = 1
) -> tuple[list[str], list[str]]:
    """Check column names, and rename those that are empty or there already.

    Args:
        raw_names: The names as they are in the file.
        source: What messages call the file.
        line: Line of the names, or None where they are not on a line.

    Returns:
        The names, and sentences about what was changed.

    Raises:
        DataError: If the names, which are not on a line, look like data.

    >>> check_names(["a", ""], "x.csv")
    (['a', 'column 2'], ["x.csv: column 2 has no name; it is called 'column 2'"])
    """
    place = source if line is None else f"{source}, line {line}"
    notes: list[str] = []
    first_at: dict[str, int] = {}
    taken = {raw.strip() for raw in raw_names}
    copies: dict[str, int] = {}
    for position, raw in enumerate(raw_names, start=1):
        name = raw.strip()
        if not name:
            name = f"column {position}"
            notes.append(f"{source}: column {position} has no name; it is called {name!r}")
        if name in first_at:
            first, number = name, copies.get(name, 1) + 1
            while (name := f"{first}_{number}") in taken or name in first_at:
                number += 1
            copies[first] = number
            notes.append(
                f"{place}: the column name {first!r} is there twice (columns {first_at[first]} "
                f"and {position}); the later one is called {name!r}"
            )
        first_at[name] = position
    names = list(first_at)
    if len(notes) > _MOST_NOTES:
        rest = len(notes) - _MOST_NOTES
        notes[_MOST_NOTES:] = [f"{source}: {rest:,} more columns were named likewise"]
    fractions = 0 if line is not None else sum(_FRACTION.match(name) is not None for name in names)
    if fractions and 2 * fractions >= len(names):
        raise DataError(
            f"{place}: expected column names, got numbers ({', '.join(names[:3])}, ...); "
            "give the columns names."
        )
    return names, notes
