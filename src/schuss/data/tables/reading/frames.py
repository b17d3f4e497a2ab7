"""Tables from what is in memory or in Arrow's formats: frames, arrays, Parquet, Feather.

In each function `source` is what messages call the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data.tables.parsing import Array
from schuss.data.tables.reading.layout import check_names
from schuss.data.tables.reading.streams import existing_file
from schuss.data.tables.table import Table
from schuss.data.tables.values import LARGEST_EXACT, as_column, text_column
from schuss.errors import DataError

__all__ = [
    "from_arrays",
    "from_arrow",
    "from_mapping",
    "from_pandas",
    "from_polars",
    "iter_arrow_file",
]


def _text_column(values: list[Any]) -> Array:
    return text_column(["" if v is None else str(v) for v in values])


def from_pandas(frame: Any, source: str = "the data frame") -> Table:
    """Make a table from a pandas DataFrame; categories stay categories, NA is missing.

    Its index is left out.

    Raises:
        DataError: If a column name is there twice.
    """
    names, notes = check_names([str(name) for name in frame.columns], source, None)
    columns: dict[str, Any] = {}
    declared: dict[str, str] = {}
    for position, name in enumerate(names):
        series = frame.iloc[:, position]
        kind = getattr(series.dtype, "kind", "O")
        if type(series.dtype).__name__ == "CategoricalDtype":
            declared[name] = "category"
            columns[name] = as_column(series.astype(object).tolist())
        elif type(series.dtype).__name__ == "PeriodDtype":
            columns[name] = as_column(series.dt.to_timestamp().to_numpy())
        elif type(series.dtype).__name__ == "DatetimeTZDtype":
            columns[name] = as_column(series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
        elif isinstance(series.dtype, np.dtype) and kind in "biufMm":
            columns[name] = as_column(series.to_numpy())
        elif kind in "iuf" and not series.isna().any():
            columns[name] = as_column(series.to_numpy(dtype=f"{kind}8"))
        elif kind in "iu" and series.abs().max() > LARGEST_EXACT:
            columns[name] = as_column(series.astype(object).tolist())
        elif kind in "iuf":
            columns[name] = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            columns[name] = as_column(series.astype(object).tolist())
    return Table(columns, source=source, declared=declared, notes=notes)


def from_polars(frame: Any, source: str = "the data frame") -> Table:
    """Make a table from a polars DataFrame; Categorical and Enum stay categories."""
    columns: dict[str, Any] = {}
    declared: dict[str, str] = {}
    names, notes = check_names(list(frame.columns), source, None)
    for name, series in zip(names, frame.get_columns(), strict=True):
        kind = str(series.dtype)
        if kind.startswith(("Categorical", "Enum")):
            declared[name] = "category"
        if kind.startswith(("Int", "UInt", "Float", "Date")) or (
            kind == "Boolean" and not series.null_count()
        ):
            if "time_zone=" in kind and "time_zone=None" not in kind:
                series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            columns[name] = as_column(series.to_numpy())
            if columns[name].dtype.kind == "f" and _are_too_large(kind, columns[name]):
                columns[name] = as_column(series.to_list())
        else:
            columns[name] = as_column(series.to_list())
    return Table(columns, source=source, declared=declared, notes=notes)


def from_arrow(data: Any, source: str) -> Table:
    """Make a table from a pyarrow Table or RecordBatch; nested values become JSON text."""
    names, notes = check_names(list(data.schema.names), source, None)
    columns: dict[str, Any] = {}
    declared: dict[str, str] = {}
    for position, name in enumerate(names):
        column = data.column(position)
        kind = str(column.type)
        if kind.startswith("dictionary"):
            declared[name] = "category"
        if kind in ("bool", "float", "double", "halffloat") or kind.startswith(("int", "uint")):
            whole = column.null_count == 0
            if kind == "bool" and not whole:
                columns[name] = as_column(column.to_pylist())
            else:
                # Arrow gives NaN for a null in a column of numbers.
                columns[name] = as_column(column.to_numpy(**_copy(column)))
                if not whole and _are_too_large(kind, columns[name]):
                    columns[name] = as_column(column.to_pylist())
            if kind == "uint64" or (kind == "int64" and not whole):
                declared[name] = kind  # its values are text where float64 would change them
        elif kind.startswith(("timestamp", "date32", "date64")):
            columns[name] = as_column(column.to_numpy(**_copy(column)).astype("datetime64[us]"))
        elif kind in ("string", "large_string"):
            columns[name] = _text_column(column.to_pylist())
        elif kind.startswith("duration"):
            columns[name] = as_column(column.to_numpy(**_copy(column)))
        elif kind.startswith("time"):
            columns[name] = _text_column(column.to_pylist())
        else:
            columns[name] = as_column(column.to_pylist())
    return Table(columns, source=source, declared=declared, notes=notes)


def _are_too_large(kind: str, values: Array) -> bool:
    """Tell whether whole numbers, made float64 as some are missing, are not what they were."""
    whole = kind.lower().startswith(("int", "uint"))
    return whole and bool(np.nanmax(np.abs(values), initial=0.0) > LARGEST_EXACT)


def _copy(column: Any) -> dict[str, bool]:
    """Allow a copy where a single chunk would otherwise refuse one."""
    return {} if type(column).__name__ == "ChunkedArray" else {"zero_copy_only": False}


def iter_arrow_file(path: Path, *, rows: int) -> Iterator[Table]:
    """Read a Parquet or Feather file in blocks of at most `rows` rows, in order.

    Raises:
        DataError: If the file is damaged, holds no rows, or pyarrow is not installed.
    """
    existing_file(path)
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            f"{path}: reading this format needs pyarrow; install it with "
            "pip install 'schuss[tables]', or save the table as CSV."
        ) from None
    parquet = path.suffix.lower() in (".parquet", ".pq")
    found = False
    row = 1
    try:
        if parquet:
            batches = pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=rows)
        else:
            reader = pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))
            batches = (
                whole.slice(start, rows)
                for whole in map(reader.get_batch, range(reader.num_record_batches))
                for start in range(0, whole.num_rows, rows)
            )
        for batch in batches:
            if not batch.num_rows:
                continue
            found = True
            yield from_arrow(batch, str(path))
            row += batch.num_rows
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        what = "Parquet" if parquet else "Feather"
        place = f"{path}, after row {row - 1}" if row > 1 else str(path)
        detail = " ".join(str(error).split()).rstrip(".")[:120]
        raise DataError(
            f"{place}: expected a {what} file, got something else or a damaged one ({detail}); "
            "write it again."
        ) from None
    if not found:
        raise DataError(f"{path}: the table has no rows; expected one row for each example.")


def from_arrays(features: Any, names: list[str] | None = None, source: str = "the array") -> Table:
    """Make a table from a two-dimensional array; its columns are x0, x1, ...

    Args:
        features: Array of shape (rows, columns), or (rows,) for one column; a structured array of
            shape (rows,) keeps its fields' names.
        names: Names of the columns.
        source: What messages call it.

    Raises:
        DataError: If the array has more than two dimensions.

    >>> from_arrays(np.zeros((3, 2))).names
    ['x0', 'x1']
    """
    array = np.asarray(features)
    if array.dtype.names is not None and array.ndim == 1:
        return from_mapping({name: array[name] for name in array.dtype.names}, source)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(
            f"{source}: expected an array of shape (rows, columns), got {array.shape}; "
            "reshape it to (rows, -1)."
        )
    if names is None:
        names = [f"x{k}" for k in range(array.shape[1])]
    if array.dtype.kind == "O":
        columns = {name: as_column(array[:, k].tolist()) for k, name in enumerate(names)}
        return Table(columns, source=source)
    if array.dtype.kind == "c":
        raise DataError(f"{source}: expected real numbers, got complex ones; split their parts.")
    return Table({name: array[:, k] for k, name in enumerate(names)}, source=source)


def from_mapping(data: Mapping[str, Any], source: str = "the table") -> Table:
    """Make a table from columns by name; single values make a table of one row.

    Raises:
        DataError: If a column is not one-dimensional, or the lengths differ.

    >>> from_mapping({"a": 1.5, "b": "x"}).rows
    1
    """
    columns: dict[str, Any] = {}
    for name, values in data.items():
        if not isinstance(values, (list, tuple)) and np.ndim(values) == 0:
            values = [values.item() if isinstance(values, np.ndarray) else values]
        try:
            columns[str(name)] = as_column(
                values if isinstance(values, (list, tuple, np.ndarray)) else list(values)
            )
        except DataError as error:
            raise DataError(f"{source}, column {str(name)!r}: {error}") from None
        except ValueError:
            raise DataError(
                f"{source}: expected one value for each row in column {str(name)!r}, got an array "
                f"of shape {np.shape(values)}; give each column of it a name of its own."
            ) from None
    return Table(columns, source=source)
