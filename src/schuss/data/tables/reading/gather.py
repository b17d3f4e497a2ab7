"""Gathering the blocks of a file into one table, in memory of about the size of its numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from schuss.data.tables.parsing import TEXT
from schuss.data.tables.reading.column_builder import ColumnBuilder
from schuss.data.tables.reading.concatenate import table_of
from schuss.data.tables.stored_column import ColumnStore
from schuss.data.tables.table import TELLING_ROWS, Column, Table

__all__ = ["TextNeededError", "gather"]

#: Columns of numbers that take so many bytes together are put into a file.
_STORED_BYTES = 32 << 20
#: So many fields are held as they come: 16 bytes each as text, and more for long ones.
_BATCH = 1 << 20


class TextNeededError(Exception):
    """Columns began as numbers or dates and hold something else further down.

    Their text is gone by then: the file has to be read once more.
    """

    def __init__(self, names: Collection[str]) -> None:
        """Name the columns."""
        super().__init__(", ".join(names))
        self.names = list(names)


def gather(blocks: Iterable[Table], *, as_text: Collection[str] = ()) -> Table:
    """Put the blocks of a file one below the other, as `concatenate` does.

    Of a table of many fields, text is held as `CodedText`; or as numbers or dates where it hardly
    repeats and is these and nothing else. So only a batch of it is in memory as text. Of a table
    that is large even so, numbers and dates lie in a temporary file, if there is room for one.

    Args:
        blocks: Tables of some rows each, at least one. They are emptied.
        as_text: Columns whose text must stay as it is.

    Returns:
        One table with the columns of all blocks, in the order in which they appear.

    Raises:
        TextNeededError: If the text of more columns must stay as it is.
    """
    builders: dict[str, ColumnBuilder] = {}
    heads: list[Table] = []
    lines: list[npt.NDArray[np.int64] | None] = []
    rows = waiting = 0
    compact, plain = False, True
    store: ColumnStore | None = None
    for block in blocks:
        for name in block.names:
            if name not in builders:
                stays = name in as_text or block.declared.get(name) == "category"
                builders[name] = ColumnBuilder(rows, stays=stays)
            builders[name].add(block[name])
        for name in builders.keys() - block.columns.keys():
            builders[name].skip(block.rows)
        if rows < TELLING_ROWS:
            plain = plain and not block.decimal_commas
        rows, waiting = rows + block.rows, waiting + block.rows * len(block.columns)
        heads.append(block)
        lines.append(block.lines)
        block.columns, block.lines, block.originals = {}, None, None
        if waiting >= _BATCH:
            compact, waiting = True, 0
            if store is None and 8 * rows * len(builders) >= _STORED_BYTES:
                store = ColumnStore()
            for builder in builders.values():
                builder.compact(plain=plain, store=store)
    if compact:
        for builder in builders.values():
            builder.compact(plain=plain, store=store)
    if needed := [name for name, builder in builders.items() if builder.needs_text]:
        raise TextNeededError(needed)
    numbers = [name for name, builder in builders.items() if builder.holds_numbers]
    columns: dict[str, Column] = {}
    for name in list(builders):
        column = columns[name] = builders.pop(name).column()
        if store is not None and isinstance(column, np.ndarray) and column.dtype != TEXT:
            columns[name] = store.keep(column)
    table = table_of(columns, heads, lines)
    if numbers and table.decimal_commas:
        raise TextNeededError(numbers)  # in such a table 1.234 may be one thousand and some
    return table
