"""Reading delimited text (CSV, TSV) in blocks, with the line of every row."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schuss.data.tables.parsing import TEXT, Array
from schuss.data.tables.reading.layout import (
    LONGEST_RECORD,
    Layout,
    check_names,
    find_layout,
    fitted,
    is_value,
    long_fields,
    new_names,
    without_runs_of_blanks,
)
from schuss.data.tables.reading.options import READ, ReadOptions
from schuss.data.tables.reading.streams import open_text
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = ["iter_delimited"]

_BLOCK = 1 << 21
_WIDE = 100
_SAMPLE = 1 << 16
_SAMPLE_LINES = 10
_REPEATED = "lines that repeat the column names are left out"
#: Marks the end of a block for `csv.reader`: a record that is swallowed shows an open quote.
_END = "\x00end"


@dataclass
class _Block:
    """Some records: their fields by column, and the line of each record."""

    columns: list[Array]
    lines: npt.NDArray[np.int64]


class _Parser:
    """Turns blocks of text into columns, fast where no field is quoted."""

    def __init__(self, path: Path, layout: Layout, width: int, line: int) -> None:
        self.path = path
        self.layout = layout
        self.delimiter = layout.delimiter
        self.width = width
        self.line = self.open_line = line  # of the next record, and of one without an end

    def parse(self, text: str, last: bool) -> _Block | None:
        """Parse whole lines; None where a quoted field is still open at the end."""
        if self.delimiter == " ":
            text = without_runs_of_blanks(text)
        if '"' not in text and not self.layout.commented:
            block = self._plain(text)
            if block is not None:
                return block
            if "\n\n" in text:  # of a million blank lines, a list of records takes a lot
                return self._one_by_one(_ended(text), last)
        return self._quoted(text, last)

    def _plain(self, text: str) -> _Block | None:
        """Split lines that hold no quotes; None where they are not all of the right width."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        if self.delimiter == " ":
            lines = [" ".join(line.split()) for line in lines]
        if {line.count(self.delimiter) for line in lines} != {self.width - 1} or "" in lines:
            return None
        flat = self.delimiter.join(lines).split(self.delimiter)
        numbers = np.arange(self.line, self.line + len(lines), dtype=np.int64)
        self.line += len(lines)
        if self.width > _WIDE:  # many short columns are made faster at once
            fields = np.array(flat, dtype=TEXT).reshape(-1, self.width)
            return _Block(list(fields.T), numbers)
        columns = [np.array(flat[k :: self.width], dtype=TEXT) for k in range(self.width)]
        return _Block(columns, numbers)

    def _quoted(self, text: str, last: bool) -> _Block | None:
        """Read records with `csv`; None where a quoted field is still open at the end."""
        ended = _ended(text)
        reader = self.layout.reader(ended + _END)
        with long_fields():
            records = list(reader)
        closed = records.pop() == [_END]
        # Where each record is a line of the right width, there is nothing to look at closer.
        if (
            closed
            and not self.layout.commented
            and reader.line_num == len(records) + 1
            and set(map(len, records)) == {self.width}
        ):
            lines = np.arange(self.line, self.line + len(records), dtype=np.int64)
            self.line += len(records)
            return self._block(records, lines)
        return self._one_by_one(ended, last)

    def _one_by_one(self, text: str, last: bool) -> _Block | None:
        """Read records with `csv`, following the line of each."""
        reader = self.layout.reader(text + _END)
        records: list[list[str]] = []
        starts: list[int] = []
        start = line = self.line
        closed = False
        with long_fields():
            for record in reader:
                start, line = line, self.line + reader.line_num
                if record == [_END]:
                    line, closed = start, True
                    break
                record = fitted(record, self.width)
                if not record or (len(record) == 1 < self.width and not record[0].strip()):
                    continue
                if self._is_comment(record):
                    continue
                if len(record) != self.width:
                    if _END in record[-1]:
                        break
                    raise self._ragged(record, start)
                records.append(record)
                starts.append(start)
        if not closed:
            if not last:
                self.open_line = start
                return None
            raise DataError(
                f"{self.path}, line {start}: a quotation mark opens a field that never ends; "
                "close it, or double the quotation marks inside fields."
            )
        self.line = line
        return self._block(records, np.array(starts, dtype=np.int64))

    def _is_comment(self, record: list[str]) -> bool:
        odd = self.layout.commented or len(record) != self.width
        return odd and record[0].startswith("#") and _END not in record[-1]

    def _block(self, records: list[list[str]], lines: npt.NDArray[np.int64]) -> _Block:
        fields = zip(*records, strict=True) if records else [()] * self.width
        return _Block([np.array(column, dtype=TEXT) for column in fields], lines)

    def _ragged(self, record: list[str], line: int) -> DataError:
        got, expected = len(record), self.width
        names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "blank"}
        what = names.get(self.delimiter, repr(self.delimiter))
        remedy = (
            f"quote a field that holds a {what}, or take the extra one out"
            if got > expected
            else "fill in the missing fields, or delete the line"
        )
        return DataError(
            f"{self.path}, line {line}: expected {expected} fields, got {got}; {remedy}."
        )


def _ended(text: str) -> str:
    return text if text.endswith(("\n", "\r")) else text + "\n"


def _after_lines(text: str, count: int) -> str:
    stream = io.StringIO(text, newline="")
    for _ in range(count):
        stream.readline()
    return stream.read()


def _beginning(stream: io.TextIOWrapper, path: Path) -> tuple[str, int]:
    """Read up to the first line that is not blank, and count the lines before."""
    blank = 0
    while text := stream.read(_BLOCK):
        kept = text.lstrip()
        if kept:
            head = text[: len(text) - len(kept)]
            cut = max(head.rfind("\n"), head.rfind("\r")) + 1
            return text[cut:], blank + len(list(io.StringIO(text[:cut], newline="")))
        blank += text.count("\n") or text.count("\r")
    raise DataError(f"{path}: the file is empty; expected a line of column names and rows.")


def _sample(text: str) -> str:
    """Return the first lines of a text: enough to tell its layout."""
    ends = [end for end in (text.find("\n", _SAMPLE), text.find("\r", _SAMPLE)) if end >= 0]
    sample = text[: min(ends) + 1] if ends else text
    return sample if sample.count("\n") + sample.count("\r") >= _SAMPLE_LINES else text


def _too_long(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}, line {line}: a row is longer than {LONGEST_RECORD:,} characters (an open "
        "quotation mark, or no line ends?); expected one line for each row."
    )


def _names(
    stream: io.TextIOWrapper, text: str, layout: Layout, path: Path, line: int
) -> tuple[list[str], list[str], str, int, list[str]]:
    """Take the column names from the text; return them, notes, the rest, its first line, and them.

    The last are as they stand in the file; none where they may be values, or no line names them.
    """
    text, line = _after_lines(text, layout.skip), line + layout.skip
    with long_fields():
        while True:
            if layout.delimiter == " ":
                text = without_runs_of_blanks(text)
            reader = layout.reader(text)
            record: list[str] = next((r for r in reader if any(map(str.strip, r))), [])
            used = reader.line_num
            rest = _after_lines(text, used)
            # Names that reach to the end of what was read may go on after it.
            more = "" if rest else stream.read(max(len(text), _BLOCK))
            if not more:
                break
            text += more
            if len(text) > LONGEST_RECORD:
                raise _too_long(path, line)
    if layout.named:
        names, notes = check_names(record, str(path), line + used - 1)
        words = record if not all(map(is_value, record)) else []
        return names, notes, rest, line + used, words
    names, notes = check_names(layout.names or new_names(len(record)), str(path), line)
    return names, notes, text, line, []


def iter_delimited(path: Path, options: ReadOptions = READ) -> Iterator[Table]:
    """Read a delimited file, plain or compressed, block by block.

    Yields:
        Tables of some rows each, in order, all with the same columns of text, unchanged.

    Raises:
        DataError: If the file cannot be read as a table; the message names the line.
    """
    with open_text(path, options.encoding) as stream:
        text, blank = _beginning(stream, path)
        layout = find_layout(_sample(text), str(path), options)
        names, notes, text, line, written = _names(stream, text, layout, path, blank + 1)
        parser = _Parser(path, layout, len(names), line)
        found = False
        for whole in _blocks(stream, text, parser):
            block = _without_names(whole, written)
            if len(block.lines) < len(whole.lines):
                notes = list(dict.fromkeys([*notes, f"{path}: {_REPEATED}"]))
            found = found or len(block.lines) > 0
            if not len(block.lines):
                continue
            yield Table(
                dict(zip(names, block.columns, strict=True)),
                source=str(path),
                lines=block.lines,
                notes=[*layout.notes, *notes],
                decimal_comma=layout.delimiter == ";",
            )
        if not found:
            raise DataError(
                f"{path}: there are column names but no rows; expected one row for each example."
            )


def _without_names(block: _Block, names: list[str]) -> _Block:
    """Leave out the rows that are the column names once more."""
    again = np.zeros(len(block.lines), dtype=np.bool_)
    if names and len(block.lines):
        again = block.columns[0] == names[0]
        for column, name in zip(block.columns, names, strict=True):
            if not again.any():
                break
            again = again & (column == name)
    if not again.any():
        return block
    return _Block([column[~again] for column in block.columns], block.lines[~again])


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
        elif len(text) > LONGEST_RECORD and not last:
            raise _too_long(parser.path, parser.open_line)
        else:
            size = min(2 * size, LONGEST_RECORD + 1 - len(text))  # an open quote: look further
        if last:
            return
