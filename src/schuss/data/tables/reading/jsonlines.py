"""Reading JSON lines: one object a row."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data.tables.reading.layout import LONGEST_RECORD
from schuss.data.tables.reading.options import READ, ReadOptions
from schuss.data.tables.reading.streams import open_text
from schuss.data.tables.table import Table
from schuss.data.tables.values import as_column
from schuss.errors import DataError

__all__ = ["iter_json_lines", "table_of_records"]

_ROWS = 50_000
_BLOCK = 1 << 20
_ARRAY = re.compile(r"\s*\[\s*(?:[{\]]|$)")
_BETWEEN = re.compile(r"[\s,]*")
#: A table of more cells than this must have a value in one of so many.
_MOST_EMPTY_CELLS = 2_000_000
_CELLS_PER_VALUE = 200


def table_of_records(
    records: list[Mapping[str, Any]],
    source: str,
    lines: list[int] | None = None,
    names: Iterable[str] = (),
) -> Table:
    """Make a table of one mapping a row; a key that a row lacks is a missing value there.

    Args:
        records: The rows; the columns have the order in which the keys appear.
        source: What messages call them.
        lines: The line of each row, or None.
        names: Column names to have first, whether a row has them or not.

    Raises:
        DataError: If nearly every row has keys of its own, or values are nested too deeply.

    >>> table_of_records([{"a": 1}, {"b": "x"}], "rows").names
    ['a', 'b']
    """
    order = dict.fromkeys(names)
    for record in records:
        order.update(dict.fromkeys(record))
    cells, values = len(order) * len(records), sum(map(len, records))
    if cells > _MOST_EMPTY_CELLS and cells > _CELLS_PER_VALUE * values:
        raise DataError(
            f"{source}: {len(order):,} different keys in {len(records):,} rows, of which a row has "
            f"{values / len(records):.0f}; expected rows with the same keys (names of columns, not "
            "values)."
        )
    numbers = None if lines is None else np.array(lines, dtype=np.int64)
    try:
        # One column at a time: lists of Python's take many times the memory of a column.
        columns = {name: as_column([r.get(name) for r in records]) for name in order}
    except RecursionError:
        raise DataError(f"{source}: nested too deeply; flatten the values.") from None
    return Table(columns, source=source, lines=numbers)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise KeyError(twice)
    return record


def _whole_number(digits: str) -> int | float:
    """Read a whole number; Python refuses one of thousands of digits, which no float holds."""
    return int(digits) if len(digits) < 400 else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_int=_whole_number)


def _invalid(path: Path, line: int, problem: str) -> DataError:
    return DataError(
        f"{path}, line {line}: not valid JSON ({problem}); "
        'expected one object such as {"age": 31} on each line.'
    )


def _refused(error: Exception, path: Path, line: int) -> DataError:
    """Return the error of a piece of JSON that is valid but cannot be used."""
    if isinstance(error, KeyError):
        key = error.args[0]
        return DataError(
            f"{path}, line {line}: the key {key!r} is there twice; rename one of them."
        )
    return DataError(f"{path}, line {line}: nested too deeply; flatten the values.")


def _parse(text: str, path: Path, line: int) -> dict[str, Any]:
    try:
        return _checked(_DECODER.decode(text), text, path, line)
    except json.JSONDecodeError as error:
        problem = f"{error.msg.lower()} at character {error.pos + 1}"
        raise _invalid(path, line, problem) from None
    except (KeyError, RecursionError) as error:
        raise _refused(error, path, line) from None


def _checked(record: Any, text: str, path: Path, line: int) -> dict[str, Any]:
    """Check that a value is an object, of whole characters."""
    if "\\ud" in text.lower():
        # Half of a surrogate pair is no character, and cannot be written as UTF-8 again.
        whole = json.dumps(record, ensure_ascii=False).encode("utf-16", "surrogatepass")
        record = json.loads(whole.decode("utf-16", "replace"))
    if not isinstance(record, dict):
        kinds = {list: "an array", str: "text", bool: "true or false", type(None): "null"}
        got = kinds.get(type(record), "a number")
        raise DataError(
            f'{path}, line {line}: expected an object such as {{"age": 31}}, got {got}; '
            "write one object on each line."
        )
    return record


def _block(
    records: list[Mapping[str, Any]],
    source: str,
    lines: list[int],
    names: Iterable[str],
    texts: list[str],
) -> Table:
    table = table_of_records(records, source, lines, names)
    table.originals = np.array(texts, dtype=object)
    return table


def _lines(stream: io.TextIOWrapper, path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Read an object from each line: the line, its text and the object."""
    line = 0
    while text := stream.readline(LONGEST_RECORD + 1):
        line += 1
        if len(text) > LONGEST_RECORD:
            raise _too_long(path, line)
        if text.strip():
            yield line, text.strip(), _parse(text, path, line)


def _elements(stream: io.TextIOWrapper, path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Read the objects of one array: the line, the text without line ends, and the object."""
    text, size = stream.read(_BLOCK), _BLOCK
    place = text.index("[") + 1
    line = 1 + text.count("\n", 0, place)
    while True:
        begin = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        line += text.count("\n", place, begin)
        place = begin
        if text[place : place + 1] == "]":
            if text[place + 1 :].strip() or stream.read(_BLOCK).strip():
                raise _invalid(path, line, "text after the array")
            return
        try:
            record, end = _DECODER.raw_decode(text, place)
        except (KeyError, RecursionError) as error:
            raise _refused(error, path, line) from None
        except json.JSONDecodeError as error:
            # The element may go on after what was read.
            more = stream.read(size)
            if not more:
                problem = f"{error.msg.lower()} at character {error.colno}"
                raise _invalid(path, line + text.count("\n", place, error.pos), problem) from None
            text, place, size = text[place:] + more, 0, 2 * size
            if len(text) > 2 * LONGEST_RECORD:
                raise _too_long(path, line) from None
            continue
        piece = text[place:end]
        yield line, piece.replace("\r", "").replace("\n", " "), _checked(record, piece, path, line)
        line += piece.count("\n")
        place, size = end, _BLOCK


def _too_long(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}, line {line}: a row is longer than {LONGEST_RECORD:,} characters; "
        "expected one object on each line."
    )


def iter_json_lines(
    path: Path, options: ReadOptions = READ, *, rows: int = _ROWS
) -> Iterator[Table]:
    """Read a file of JSON lines, or of one array of objects, in blocks of at most `rows` rows.

    Yields:
        Tables in order, each with its rows' lines as `originals`. A column may appear in later
        blocks only, and differ in type.

    Raises:
        DataError: If a line is not a JSON object; the message names it.
    """
    names: dict[str, None] = {}
    found = False
    with open_text(path, options.encoding) as stream:
        records: list[Mapping[str, Any]] = []
        lines: list[int] = []
        texts: list[str] = []
        begin = stream.read(_BLOCK)
        array = _ARRAY.match(begin) is not None
    with open_text(path, options.encoding) as stream:
        for line, text, record in (_elements if array else _lines)(stream, path):
            records.append(record)
            lines.append(line)
            texts.append(text)
            names.update(dict.fromkeys(record))
            if len(records) == rows:
                found = True
                yield _block(records, str(path), lines, names, texts)
                records, lines, texts = [], [], []
        if records:
            found = True
            yield _block(records, str(path), lines, names, texts)
    if not found:
        raise DataError(f"{path}: the file has no rows; expected one JSON object on each line.")
    if not names:
        raise DataError(f"{path}: the objects have no keys; expected one key for each column.")
