from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.data.tables.reading import gather
from schuss.data.tables.reading.readers import read_table
from schuss.data.tables.stored_column import ColumnStore, StoredColumn
from schuss.data.tables.table import Table
from schuss.training.tables.sources import fingerprint

VALUES = np.arange(20.0) ** 2


@pytest.mark.parametrize(
    "rows",
    [
        slice(3, 9),
        slice(None, None, 3),
        slice(5, 2),
        np.array([7, 3, 3, 19]),
        np.array([-1, 0]),
        np.array([], np.int64),
        VALUES > 50,
    ],
)
def test_rows_are_those_of_an_array(rows: Any) -> None:
    column = ColumnStore().keep(VALUES)
    assert isinstance(column, StoredColumn)
    found = column[rows]
    assert isinstance(found, StoredColumn)
    assert len(found) == len(VALUES[rows])
    assert np.array_equal(found.decoded(), VALUES[rows])
    again = slice(1, None)
    assert np.array_equal(found[again].decoded(), VALUES[rows][again])


def test_a_store_holds_columns_of_several_types() -> None:
    store = ColumnStore()
    columns = [VALUES, np.array([2**60, -1]), np.array(["2020-01-02", "NaT"], "M8[us]"), VALUES[:0]]
    for values, column in [(values, store.keep(values)) for values in columns]:
        assert isinstance(column, StoredColumn)
        assert column.dtype == values.dtype
        assert column.decoded().tobytes() == values.tobytes()


def test_without_room_columns_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: Any) -> Any:
        raise OSError("no room")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert ColumnStore().keep(VALUES) is VALUES


def test_large_tables_are_read_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    file = tmp_path / "table.csv"
    rows = [f"{a:.6f},{b},w{b % 3},2020-01-{1 + b % 28:02d}" for a, b in zip(
        rng.normal(size=3000), rng.integers(0, 10**9, 3000), strict=True
    )]  # fmt: skip
    file.write_text("\n".join(["a,b,c,d", *rows]))
    plain = read_table(file)
    monkeypatch.setattr(gather, "_BATCH", 1000)
    compact = read_table(file)
    monkeypatch.setattr(gather, "_STORED_BYTES", 0)
    stored = read_table(file)
    kinds = {name: type(column).__name__ for name, column in stored.columns.items()}
    assert kinds == {
        "a": "StoredColumn", "b": "StoredColumn", "c": "CodedText", "d": "CodedText"
    }  # fmt: skip
    assert fingerprint(stored) == fingerprint(compact)
    some = np.array([2999, 0, 17])

    def held(table: Table) -> list[list[Any]]:
        return [table[name].tolist() for name in table.names]

    assert held(stored) == held(compact)
    assert held(stored.take(some)) == held(compact.take(some))
    assert (
        stored.with_missing([rows[4].split(",")[0]])["a"].tolist()[:4]
        == (compact["a"].tolist()[:4])
    )
    assert np.isnan(stored.with_missing([rows[4].split(",")[0]])["a"][4])
    assert [float(x) for x in plain["a"].tolist()] == stored["a"].tolist()
