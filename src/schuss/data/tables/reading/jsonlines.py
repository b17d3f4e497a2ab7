"""Reading JSON lines: one object a row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data.tables.reading.streams import open_text
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = ["iter_json_lines", "table_of_records"]

_ROWS = 50_000


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

    >>> table_of_records([{"a": 1}, {"b": "x"}], "rows").names
    ['a', 'b']
    """
    order = dict.fromkeys(names)
    for record in records:
        order.update(dict.fromkeys(record))
    columns = {name: [record.get(name) for record in records] for name in order}
    numbers = None if lines is None else np.array(lines, dtype=np.int64)
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


def _parse(text: str, path: Path, line: int) -> dict[str, Any]:
    try:
        record = _DECODER.decode(text)
        if "\\ud" in text.lower():
            # Half of a surrogate pair is no character, and cannot be written as UTF-8 again.
            whole = json.dumps(record, ensure_ascii=False).encode("utf-16", "surrogatepass")
            record = json.loads(whole.decode("utf-16", "replace"))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {line}: not valid JSON ({error.msg.lower()} at character {error.pos + 1}"
            '); expected one object such as {"age": 31} on each line.'
        ) from None
    except KeyError as error:
        raise DataError(
            f"{path}, line {line}: the key {error.args[0]!r} is there twice; rename one of them."
        ) from None
    except RecursionError:
        raise DataError(f"{path}, line {line}: nested too deeply; flatten the values.") from None
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


def iter_json_lines(path: Path, *, rows: int = _ROWS) -> Iterator[Table]:
    """Read a file of JSON lines, plain or gzip, in blocks of at most `rows` rows.

    Yields:
        Tables in order, each with its rows' lines as `originals`. A column may appear in later
        blocks only, and differ in type.

    Raises:
        DataError: If a line is not a JSON object; the message names it.
    """
    names: dict[str, None] = {}
    found = False
    with open_text(path) as stream:
        records: list[Mapping[str, Any]] = []
        lines: list[int] = []
        texts: list[str] = []
        for line, text in enumerate(stream, start=1):
            if not text.strip():
                continue
            records.append(_parse(text, path, line))
            lines.append(line)
            texts.append(text.strip())
            names.update(dict.fromkeys(records[-1]))
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
