"""Rows become sequences: order, missing cells, places that are there twice."""

from __future__ import annotations

from typing import Any

import pytest

from schuss.data import Table
from schuss.errors import DataError
from schuss.training.sequences.grouping import Grouped, SequenceColumns


def grouped(columns: dict[str, Any], order: str | None = "t") -> Grouped:
    table = Table(columns)
    return SequenceColumns.infer(table, "id", order).group(table)


@pytest.mark.parametrize(
    "order",
    [
        [3, 1, 2, 1, 2],
        ["3", "1.0", "2", "1", "2"],
        ["2020-01-03", "2020-01-01", "2020-01-02", "2020-01-01", "2020-01-02"],
        ["10:00:03", "10:00:01", "10:00:02", "9:59:59.5", "10:00"],
    ],
)
def test_rows_are_sorted_by_numbers_dates_and_times(order: list[Any]) -> None:
    found = grouped({"id": ["b", "b", "b", "a", "a"], "t": order, "x": [1, 2, 3, 4, 5]})
    assert found.table["id"].tolist() == ["b", "b", "b", "a", "a"]
    assert found.table["x"].tolist() == [2, 3, 1, 4, 5]
    assert found.starts.tolist() == [0, 3, 5]


def test_sequences_come_as_they_appear_and_rows_as_in_the_file_without_an_order() -> None:
    found = grouped({"id": [2, 1, 2, 1], "t": [1, 2, 3, 4]}, order=None)
    assert found.table["id"].tolist() == [2, 2, 1, 1]
    assert found.table["t"].tolist() == [1, 3, 2, 4]


def test_missing_cells_and_places_that_are_there_twice_are_named() -> None:
    columns = {
        "id": ["a", "", "a", "a", "b"],
        "t": [2.0, 1.0, 1.0, 2.0, None],
        "x": [1, 2, 3, 4, 5],
    }
    found = grouped(columns)
    assert found.table["x"].tolist() == [3, 1, 4]
    assert found.notes == [
        "1 row without a value in 'id': left out (row 2)",
        "1 row without a value in 't': left out (row 5)",
        "1 row at the same 't' as another of their sequence: kept in the order of the file (row 3)",
    ]


def test_an_order_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match=r"row 2, column 't': expected a number, a date or a time"):
        grouped({"id": ["a", "a", "b"], "t": ["1", "first", "2"]})


def test_gaps_are_learned_from_where_rows_are_not_evenly_apart() -> None:
    table = Table({"id": ["a"] * 3 + ["b"] * 2, "t": [0.0, 0.1, 0.5, 7.0, 7.1]})
    columns = SequenceColumns.infer(table, "id", "t")
    uneven = columns.with_gap(columns.group(table))
    assert uneven.gap == "t: since the row before"
    gaps = uneven.group(table).table[uneven.gap]
    assert gaps.round(6).tolist() == [0.1, 0.1, 0.4, 0.1, 0.1]
    even = Table({"id": ["a"] * 3 + ["b"] * 2, "t": [0.0, 0.1, 0.2, 7.0, 7.1]})
    assert columns.with_gap(columns.group(even)).gap is None
    assert SequenceColumns.from_config(uneven.to_config()) == uneven
