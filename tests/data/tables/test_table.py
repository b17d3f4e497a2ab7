from __future__ import annotations

import datetime
import decimal
import re

import numpy as np
import pytest

from schuss.data import Table
from schuss.data.tables.parsing import TEXT
from schuss.data.tables.table import did_you_mean
from schuss.data.tables.values import as_column
from schuss.errors import DataError


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, None], "float64"),
        ([1, 2.5], "float64"),
        ([decimal.Decimal("1.5")], "float64"),
        ([True, False], "bool"),
        (np.array([1, 2], dtype=np.uint8), "int64"),
        (np.array([1.0], dtype=np.float32), "float64"),
        ([datetime.date(2020, 1, 1), None], "datetime64[us]"),
        (np.array(["2020"], dtype="M8[Y]"), "datetime64[us]"),
        ([datetime.timedelta(hours=1), None], "float64"),
        ([0.5, 10**400], "float64"),
    ],
)
def test_columns_are_held_in_few_types(values, dtype):
    assert as_column(values).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["a", None, float("nan")], ["a", "", ""]),
        ([1, "a", 2.0, 2.5], ["1", "a", "2", "2.5"]),
        ([True, None], ["True", ""]),
        ([2**70, 1], [str(2**70), "1"]),
        ([b"x", [1]], ["x", "[1]"]),
        ([[1, 2], [3, 4]], ["[1, 2]", "[3, 4]"]),
        (([1], [2]), ["[1]", "[2]"]),
        (np.array(["p", "q"]), ["p", "q"]),
    ],
)
def test_the_rest_is_text(values, texts):
    column = as_column(values)
    assert column.dtype == TEXT
    assert column.tolist() == texts


def test_a_span_of_time_is_in_seconds_and_a_number_beyond_floats_is_infinite():
    assert as_column([datetime.timedelta(minutes=1.5)]).tolist() == [90.0]
    assert as_column([0.5, -(10**400)]).tolist() == [0.5, -np.inf]


def test_select_drop_and_take():
    table = Table({"a": [1, 2, 3], "b": ["x", "y", "z"]}, lines=np.array([2, 3, 5]))
    assert table.select(["b"]).names == ["b"]
    assert table.drop(["b"]).names == ["a"]
    taken = table.take(np.array([2, 0]))
    assert taken["b"].tolist() == ["z", "x"]
    assert taken.where(0) == "line 5"
    assert table.take(np.array([False, True, False]))["a"].tolist() == [2]
    assert table.take(slice(1, None)).rows == 2


def test_what_was_read_goes_along_with_the_rows():
    table = Table({"a": ["1", "2", "x"]})
    numbers, _ = table.numbers("a")
    assert table.numbers("a")[0] is numbers
    taken = table.take(np.array([2, 1]))
    values, bad = taken.numbers("a")
    np.testing.assert_array_equal(values, [np.nan, 2.0])
    assert bad.tolist() == [True, False]


def test_unknown_column_names_the_nearest():
    message = "the table: there is no column 'colour'; did you mean 'color'?"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Table({"color": [1]}).select(["colour"])
    assert did_you_mean("zz", ["a", "b"]) == "the columns are a, b"
    assert did_you_mean("SPECIES", ["species"]) == "did you mean 'species'?"


def test_text_for_writing():
    table = Table(
        {
            "f": [1.5, None],
            "i": [1, 2],
            "b": [True, False],
            "t": [" x", ""],
            "d": [np.datetime64("2020-01-02T03:04:05", "us"), np.datetime64("NaT", "us")],
        }
    )
    assert list(table.records()) == [
        ("1.5", "1", "True", " x", "2020-01-02T03:04:05"),
        ("", "2", "False", "", ""),
    ]
