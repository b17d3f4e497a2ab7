"""Reading delimited text (CSV, TSV) in blocks, with the line of every row."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schuss.data.tables.parsing import TEXT, Array
from schuss.data.tables.reading.streams import open_text
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = ["check_names", "iter_delimited", "sniff_delimiter"]

_DELIMITERS = ",;\t|"
_BLOCK = 1 << 22
_SAMPLE = 1 << 16
#: Marks the end of a block for `csv.reader`: a record that is swallowed shows an open quote.
_END = "\x00end"
_FRACTION = re.compile(r"^-?\d+\.\d+$")


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Let a field be a whole document; `csv` has one limit, of 128 KiB, for the whole process."""
    before = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def sniff_delimiter(sample: str) -> str:
    r"""Find what separates the fields: comma, semicolon, tab or vertical bar.

    Args:
        sample: The beginning of a file, whole lines.

    Returns:
        The separator under which the lines agree best with the first, and the first has the most
        fields; a comma where nothing separates anything.

    >>> sniff_delimiter("a;b;c\n1,5;2;3\n")
    ';'
    """
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        records = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        with _long_fields():
            widths = [len(record) for record in itertools.islice(records, 100) if record]
        if not widths or widths[0] < 2:
            continue
        agree = sum(width == widths[0] for width in widths) / len(widths)
        score = (float(agree > 0.5), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def check_names(
    raw_names: list[str], source: str, line: int | None = 1
) -> tuple[list[str], list[str]]:
    """Check column names, and name those that have none after their position.

    Args:
        raw_names: The names as they are in the file.
        source: What messages call the file.
        line: Line of the names, or None where they are not on a line.

    Returns:
        The names, and sentences about what was changed.

    Raises:
        DataError: If a name is there twice, or the names look like data.

    >>> check_names(["a", ""], "x.csv")
    (['a', 'column 2'], ["x.csv: column 2 has no name; it is called 'column 2'"])
    """
    place = source if line is None else f"{source}, line {line}"
    names: list[str] = []
    notes: list[str] = []
    first_at: dict[str, int] = {}
    for position, raw in enumerate(raw_names, start=1):
        name = raw.strip()
        if not name:
            name = f"column {position}"
            notes.append(f"{source}: column {position} has no name; it is called {name!r}")
        if name in first_at:
            raise DataError(
                f"{place}: the column name {name!r} is there twice (columns {first_at[name]} and "
                f"{position}); rename one of them."
            )
        first_at[name] = position
        names.append(name)
    fractions = sum(_FRACTION.match(name) is not None for name in names)
    if fractions and 2 * fractions >= len(names):
        raise DataError(
            f"{place}: expected column names, got numbers ({', '.join(names[:3])}, ...); "
            "add a first line with the names of the columns."
        )
    return names, notes


@dataclass
class _Block:
    """Some records: their fields by column, and the line of each record."""

    columns: list[Array]
    lines: npt.NDArray[np.int64]


class _Parser:
    """Turns blocks of text into columns, fast where no field is quoted."""

    def __init__(self, path: Path, delimiter: str, width: int, line: int, spaced: bool) -> None:
        self.path = path
        self.delimiter = delimiter
        self.width = width
        self.line = line  # of the next record
        self.spaced = spaced  # blanks after a delimiter, before a quote

    def parse(self, text: str, last: bool) -> _Block | None:
        """Parse whole lines; None where a quoted field is still open at the end."""
        if '"' not in text:
            block = self._plain(text)
            if block is not None:
                return block
        return self._quoted(text, last)

    def _plain(self, text: str) -> _Block | None:
        """Split lines that hold no quotes; None where they are not all of the right width."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        if {line.count(self.delimiter) for line in lines} != {self.width - 1} or "" in lines:
            return None
        flat = self.delimiter.join(lines).split(self.delimiter)
        fields = np.array(flat, dtype=TEXT).reshape(-1, self.width)
        numbers = np.arange(self.line, self.line + len(lines), dtype=np.int64)
        self.line += len(lines)
        return _Block([fields[:, k] for k in range(self.width)], numbers)

    def _quoted(self, text: str, last: bool) -> _Block | None:
        """Read records with `csv`; None where a quoted field is still open at the end."""
        ended = text if text.endswith(("\n", "\r")) else text + "\n"
        stream = io.StringIO(ended + _END, newline="")
        reader = csv.reader(stream, delimiter=self.delimiter, skipinitialspace=self.spaced)
        with _long_fields():
            records = list(reader)
        closed = records.pop() == [_END]
        # Where each record is a line of the right width, there is nothing to look at closer.
        if (
            closed
            and reader.line_num == len(records) + 1
            and set(map(len, records)) == {self.width}
        ):
            lines = np.arange(self.line, self.line + len(records), dtype=np.int64)
            self.line += len(records)
            return self._block(records, lines)
        return self._one_by_one(ended, last)

    def _one_by_one(self, text: str, last: bool) -> _Block | None:
        """Read records with `csv`, following the line of each."""
        stream = io.StringIO(text + _END, newline="")
        reader = csv.reader(stream, delimiter=self.delimiter, skipinitialspace=self.spaced)
        records: list[list[str]] = []
        starts: list[int] = []
        start = line = self.line
        closed = False
        with _long_fields():
            for record in reader:
                start, line = line, self.line + reader.line_num
                if record == [_END]:
                    line, closed = start, True
                    break
                if not record or (len(record) == 1 < self.width and not record[0].strip()):
                    continue
                if len(record) != self.width:
                    if _END in record[-1]:
                        break
                    raise self._ragged(record, start)
                records.append(record)
                starts.append(start)
        if not closed:
            if not last:
                return None
            raise DataError(
                f"{self.path}, line {start}: a quotation mark opens a field that never ends; "
                "close it, or double the quotation marks inside fields."
            )
        self.line = line
        return self._block(records, np.array(starts, dtype=np.int64))

    def _block(self, records: list[list[str]], lines: npt.NDArray[np.int64]) -> _Block:
        fields = zip(*records, strict=True) if records else [()] * self.width
        return _Block([np.array(column, dtype=TEXT) for column in fields], lines)

    def _ragged(self, record: list[str], line: int) -> DataError:
        got, expected = len(record), self.width
        names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
        what = names.get(self.delimiter, repr(self.delimiter))
        remedy = (
            f"quote a field that holds a {what}, or take the extra one out"
            if got > expected
            else "fill in the missing fields, or delete the line"
        )
        return DataError(
            f"{self.path}, line {line}: expected {expected} fields, got {got}; {remedy}."
        )


def _blanks_before_quotes(sample: str, delimiter: str) -> bool:
    """Tell whether quoted fields come after blanks, which `csv` takes for unquoted ones."""
    if re.search(re.escape(delimiter) + ' +"', sample) is None:
        return False
    records = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    with _long_fields():
        fields = [field for record in itertools.islice(records, 100) for field in record]
    return any(field.startswith(" ") and field.lstrip(" ").startswith('"') for field in fields)


def _first_record(text: str, delimiter: str, spaced: bool) -> tuple[list[str], int]:
    """Read the column names from the beginning of a file, and count the lines up to their end."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=spaced)
    with _long_fields():
        for record in reader:
            if record and any(field.strip() for field in record):
                return record, reader.line_num
    return [], reader.line_num


def _after_lines(text: str, count: int) -> str:
    stream = io.StringIO(text, newline="")
    for _ in range(count):
        stream.readline()
    return stream.read()


def iter_delimited(path: Path, *, delimiter: str | None = None) -> Iterator[Table]:
    """Read a delimited file, plain or gzip, block by block; delimiter None finds it.

    Yields:
        Tables of some rows each, in order, all with the same columns of text, unchanged.

    Raises:
        DataError: If the file cannot be read as a table; the message names the line.
    """
    with open_text(path) as stream:
        text = stream.read(_BLOCK)
        if not text.strip():
            raise DataError(f"{path}: the file is empty; expected a line of column names and rows.")
        sample = text[:_SAMPLE]
        if len(text) > _SAMPLE and "\n" in sample:
            sample = sample[: sample.rfind("\n") + 1]
        delimiter = delimiter or sniff_delimiter(sample)
        spaced = _blanks_before_quotes(sample, delimiter)
        while True:
            raw_names, used = _first_record(text, delimiter, spaced)
            rest = _after_lines(text, used)
            # Names that reach to the end of what was read may go on after it.
            more = "" if rest else stream.read(_BLOCK)
            if not more:
                break
            text += more
        names, notes = check_names(raw_names, str(path), used)
        text = rest
        parser = _Parser(path, delimiter, len(names), used + 1, spaced)
        found = False
        for block in _blocks(stream, text, parser):
            found = found or len(block.lines) > 0
            if not len(block.lines):
                continue
            yield Table(
                dict(zip(names, block.columns, strict=True)),
                source=str(path),
                lines=block.lines,
                notes=notes,
                decimal_comma=delimiter == ";",
            )
        if not found:
            raise DataError(
                f"{path}: there are column names but no rows; expected one row for each example."
            )


def _blocks(stream: io.TextIOWrapper, text: str, parser: _Parser) -> Iterator[_Block]:
    """Cut the text at line ends and parse the pieces."""
    size = _BLOCK
    while True:
        more = stream.read(size)
        last = not more
        text += more
        # A carriage return at the very end may be half of a line end.
        cut = len(text) if last else max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
        block = parser.parse(text[:cut], last) if cut else None
        if block is not None:
            yield block
            text, size = text[cut:], _BLOCK
        else:
            size *= 2  # an open quote: look further
        if last:
            return
