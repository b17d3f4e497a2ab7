"""StoredColumn: a column of numbers or dates that lies in a temporary file, read when asked for."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from contextlib import suppress
from typing import IO, Any

import numpy as np

from schuss.data.tables.parsing import Array

__all__ = ["ColumnStore", "StoredColumn"]


class ColumnStore:
    """A temporary file that columns are written to; it is gone when nobody has any of them.

    Where there is no room for it, columns stay in memory.
    """

    def __init__(self) -> None:
        """Open the file; see the class."""
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        with suppress(OSError):
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - see below
            weakref.finalize(self, self._file.close)

    def keep(self, values: Array) -> Array | StoredColumn:
        """Write a column of one dimension; return it as it is where there is no room for it."""
        if self._file is None:
            return values
        try:
            with self._lock:
                place = self._file.seek(0, os.SEEK_END)
                view = np.ascontiguousarray(values).view(np.uint8).data
                while view:
                    view = view[self._file.write(view) :]
        except OSError:
            return values
        return StoredColumn(self, values.dtype, place, len(values))

    def read(self, dtype: np.dtype[Any], place: int, rows: int) -> Array:
        """Return numbers that begin at a byte."""
        assert self._file is not None
        found: Array = np.empty(rows, dtype)
        view = found.view(np.uint8).data
        with self._lock:
            self._file.seek(place)
            while view:
                count = self._file.readinto(view)  # type: ignore[attr-defined]
                if not count:
                    raise OSError(f"the temporary file of a table ends at byte {place}")
                view = view[count:]
        return found


class StoredColumn:
    """A column in a file, or some rows of one: what asks for its values has them in memory.

    Args:
        store: Where it is.
        dtype: Of its values.
        place: Byte at which the first of them begins.
        rows: How many there are.
        chosen: Positions among them, int64, of the rows that this is; None for all.

    >>> column = ColumnStore().keep(np.array([1.0, 2.0, 3.0]))
    >>> len(column), column[np.array([2, 0])].decoded().tolist()
    (3, [3.0, 1.0])
    """

    def __init__(
        self,
        store: ColumnStore,
        dtype: np.dtype[Any],
        place: int,
        rows: int,
        chosen: Array | None = None,
    ) -> None:
        """Hold what names the rows; see the class."""
        self.dtype = dtype
        self._store = store
        self._place = place
        self._rows = rows
        self._chosen = chosen

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows if self._chosen is None else len(self._chosen)

    def __getitem__(self, rows: Any) -> StoredColumn:
        """Return the column of these rows: positions, a mask or a slice."""
        if self._chosen is None and isinstance(rows, slice):
            start, stop, step = rows.indices(self._rows)
            if step == 1:
                place = self._place + start * self.dtype.itemsize
                return StoredColumn(self._store, self.dtype, place, max(stop - start, 0))
        if self._chosen is not None:
            chosen = self._chosen[rows]
        elif isinstance(rows, np.ndarray) and rows.dtype.kind == "i":
            chosen = rows  # all columns of a table share it
        else:
            chosen = np.arange(self._rows)[rows]
        return StoredColumn(self._store, self.dtype, self._place, self._rows, chosen)

    def decoded(self) -> Array:
        """Return the values, of shape (rows,)."""
        if self._chosen is None:
            return self._store.read(self.dtype, self._place, self._rows)
        if not len(self._chosen):
            return np.empty(0, self.dtype)
        first, last = int(self._chosen.min()), int(self._chosen.max()) + 1
        if first < 0:
            first, last = 0, self._rows
        place = self._place + first * self.dtype.itemsize
        found: Array = self._store.read(self.dtype, place, last - first)[self._chosen - first]
        return found
