from __future__ import annotations

import datetime
import decimal
import re

import numpy as np
import pytest

from schuss.data import Table, infer_kinds, iter_table, read_table
from schuss.data.tables.reading.concatenate import concatenate
from schuss.errors import DataError

DAY = np.datetime64("2020-02-03T04:05:06", "us")


def frame_values() -> dict[str, list[object]]:
    return {
        "i": [1, 2, 3],
        "f": [1.5, None, 2.5],
        "b": [True, False, True],
        "bm": [True, None, False],
        "s": ["x", None, "y"],
        "d": [DAY.item(), None, DAY.item()],
    }


def check(table: Table) -> None:
    assert table["i"].dtype == np.int64
    np.testing.assert_array_equal(table["f"], [1.5, np.nan, 2.5])
    assert table["b"].dtype == np.bool_
    assert table["bm"].tolist() == ["True", "", "False"]
    assert table["s"].tolist() == ["x", "", "y"]
    assert table["d"].dtype == np.dtype("M8[us]")
    assert table["d"][0] == DAY
    assert np.isnat(table["d"][1])
    kinds = {name: kind.kind for name, kind in infer_kinds(table).items()}
    assert kinds["bm"] == kinds["b"] == "boolean"


def test_mapping():
    check(read_table(frame_values()))


def test_pandas():
    pandas = pytest.importorskip("pandas")
    check(read_table(pandas.DataFrame(frame_values())))


def test_pandas_dtypes():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "category": pandas.Categorical([3, 1, None], categories=[1, 2, 3]),
            "nullable": pandas.array([1, None, 3], dtype="Int64"),
            "nullable whole": pandas.array([1, 2, 3], dtype="UInt8"),
            "boolean": pandas.array([True, None, False], dtype="boolean"),
            "string": pandas.array(["a", None, "b"], dtype="string"),
            "zone": pandas.to_datetime(["2020-01-01T12:00+02:00"] * 3, utc=False),
            "small": np.array([1, 2, 3], dtype=np.int8),
            "half": np.array([1, 2, 3], dtype=np.float16),
            "passed": pandas.to_timedelta([1, 2, 3], unit="s"),
        },
        index=[5, 6, 7],
    )
    table = read_table(frame)
    assert table.declared == {"category": "category"}
    assert infer_kinds(table)["category"].kind == "category"
    np.testing.assert_array_equal(table["nullable"], [1, np.nan, 3])
    assert table["nullable whole"].dtype == np.int64
    assert table["boolean"].tolist() == ["True", "", "False"]
    assert table["string"].tolist() == ["a", "", "b"]
    assert table["zone"][0] == np.datetime64("2020-01-01T10:00", "us")
    assert table["small"].dtype == np.int64
    assert table["half"].dtype == np.float64
    assert table["passed"].tolist() == [1.0, 2.0, 3.0]


def test_pandas_names_twice():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.zeros((2, 2)), columns=["a", "a"])
    table = read_table(frame)
    assert table.names == ["a", "a_2"]
    assert "the column name 'a' is there twice" in table.notes[0]


def test_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(frame_values()).with_columns(
        polars.Series("c", ["p", "q", None], dtype=polars.Categorical),
        polars.Series("n", [1, None, 3], dtype=polars.Int32),
        polars.Series("day", [datetime.date(2020, 1, 2)] * 3),
    )
    for source in (frame, frame.lazy()):
        table = read_table(source)
        check(table)
        assert table.declared == {"c": "category"}
        np.testing.assert_array_equal(table["n"], [1, np.nan, 3])
        assert table["day"][0] == np.datetime64("2020-01-02", "us")


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_arrow_files(tmp_path, ending):
    pyarrow = pytest.importorskip("pyarrow")
    feather = pytest.importorskip("pyarrow.feather")
    parquet = pytest.importorskip("pyarrow.parquet")

    values = frame_values()
    data = pyarrow.table(values).append_column(
        "c", pyarrow.array(["p", "q", None]).dictionary_encode()
    )
    path = tmp_path / f"t.{ending}"
    write = parquet.write_table if ending == "parquet" else feather.write_feather
    write(data, path)
    table = read_table(path)
    check(table)
    assert table.declared == {"c": "category"}
    assert table["c"].tolist() == ["p", "q", ""]
    check(read_table(data))
    assert [c.rows for c in iter_table(path, chunk_rows=2)] == [2, 1]


@pytest.mark.parametrize("ending", ["parquet", "feather"])
@pytest.mark.parametrize("damage", ["cut", "altered", "other"])
def test_damaged_arrow_files(tmp_path, ending, damage):
    pyarrow = pytest.importorskip("pyarrow")
    feather = pytest.importorskip("pyarrow.feather")
    parquet = pytest.importorskip("pyarrow.parquet")

    path = tmp_path / f"t.{ending}"
    write = parquet.write_table if ending == "parquet" else feather.write_feather
    write(pyarrow.table({"a": list(range(1000))}), path)
    whole = path.read_bytes()
    middle = len(whole) - 40
    damaged = {"cut": whole[:-20], "altered": whole[:middle] + b"\xff" * 30, "other": b"a,b\n1,2\n"}
    path.write_bytes(damaged[damage])
    what = ending.capitalize()
    start = re.escape(f"{path}: expected a {what} file, got something else or a damaged one (")
    with pytest.raises(DataError, match=rf"^{start}.*\); write it again\.$"):
        read_table(path)


def test_arrays():
    table = read_table(np.arange(6, dtype=np.float32).reshape(3, 2))
    assert table.names == ["x0", "x1"]
    assert table["x1"].tolist() == [1.0, 3.0, 5.0]
    pair = read_table((np.zeros((3, 2)), np.array(["p", "q", "p"])))
    assert pair.names == ["x0", "x1", "target"]
    assert read_table([[1, 2], [3, 4]])["x0"].tolist() == [1, 3]
    mixed = read_table(np.array([[1, "u"], [2, "v"]], dtype=object))
    assert mixed["x0"].tolist() == [1, 2]


def test_fields_of_a_structured_array_keep_their_names():
    rows = np.array([(1.5, 2), (2.5, 3)], dtype=[("size", "f4"), ("count", "i4")])
    table = read_table(rows)
    assert table.names == ["size", "count"]
    assert table["count"].tolist() == [2, 3]


def test_one_value_a_column_is_one_row():
    table = read_table({"a": np.array(2.5), "b": "x", "c": b"y", "d": None})
    assert [table[name].tolist() for name in table.names] == [[2.5], ["x"], ["y"], [""]]


def test_columns_of_lists_are_text():
    table = read_table({"a": [[1], [1, 2]], "b": [[1], [2]]})
    assert table["a"].tolist() == ["[1]", "[1, 2]"]
    assert table["b"].tolist() == ["[1]", "[2]"]


def test_periods_of_pandas_are_dates():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"month": pandas.period_range("2024-01", periods=2, freq="M")})
    expected = ["2024-01-01T00:00:00.000000", "2024-02-01T00:00:00.000000"]
    assert np.datetime_as_string(read_table(frame)["month"]).tolist() == expected


def test_rows_as_dictionaries():
    table = read_table([{"a": 1, "b": "x"}, {"a": 2}])
    assert table["b"].tolist() == ["x", ""]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            (np.zeros((3, 2)), [1, 2]),
            "read_table: expected as many targets as rows, got 2 targets for 3 rows; give one "
            "for each row.",
        ),
        (
            np.zeros((3, 2, 2)),
            "the array: expected an array of shape (rows, columns), got (3, 2, 2); reshape it to "
            "(rows, -1).",
        ),
        (
            [[1, 2], [3]],
            "the array: expected rows of the same length, got different ones; give an array of "
            "shape (rows, columns).",
        ),
        (
            {"a": [1, 2], "b": [1]},
            "the table: expected columns of the same length, got 2 values in 'a' and 1 in 'b'; "
            "give one value for each row.",
        ),
        (
            {"a": np.zeros((2, 2))},
            "the table: expected one value for each row in column 'a', got an array of shape "
            "(2, 2); give each column of it a name of its own.",
        ),
        (np.zeros((0, 2)), "the array: there are no rows; expected one row for each example."),
        (
            None,
            "read_table: expected a path, a frame of pandas or polars, arrays or columns by name, "
            "got NoneType; convert it to one of these.",
        ),
        (
            np.zeros((2, 2), dtype=complex),
            "the array: expected real numbers, got complex ones; split their parts.",
        ),
    ],
)
def test_what_cannot_be_a_table(source, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_table(source)


LONG = [2**60 + 1, 2**60 + 3, None, 1234567890123456789]


def test_whole_numbers_that_float64_cannot_hold_keep_their_digits():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    digits = ["" if n is None else str(n) for n in LONG]
    unsigned = [2**63 + 1, 2**60 + 3, 5, 1234567890123456789]
    for data in (
        {"a": LONG},
        {"a": [None if n is None else decimal.Decimal(n) for n in LONG]},
        pandas.DataFrame({"a": pandas.Series(LONG, dtype="Int64")}),
        polars.DataFrame({"a": LONG}),
        pyarrow.table({"a": pyarrow.array(LONG, pyarrow.int64())}),
        pyarrow.table({"a": pyarrow.array(LONG, pyarrow.decimal128(25, 0))}),
    ):
        assert read_table(data).text("a") == digits
    for data in (
        {"a": np.array(unsigned, dtype=np.uint64)},
        pandas.DataFrame({"a": pandas.Series(unsigned, dtype="uint64")}),
        pandas.DataFrame({"a": pandas.Series(unsigned, dtype="UInt64")}),
        polars.DataFrame({"a": polars.Series(unsigned, dtype=polars.UInt64)}),
        pyarrow.table({"a": pyarrow.array(unsigned, pyarrow.uint64())}),
    ):
        assert read_table(data).text("a") == list(map(str, unsigned))


def test_long_whole_numbers_stay_when_tables_are_joined():
    parts = [{"a": [2**60 + 1, 5]}, {"a": [7, None]}, {"a": [1.5, 2.0]}]
    joined = concatenate([read_table(part) for part in parts])
    assert joined.text("a") == [str(2**60 + 1), "5", "7", "", "1.5", "2"]


def test_halves_of_surrogate_pairs_and_complex_numbers():
    table = read_table({"a\ud800": ["\ud800b", "c"]})
    assert table.names == ["a\ufffd"]
    assert table["a\ufffd"].tolist() == ["\ufffdb", "c"]
    with pytest.raises(DataError, match="column 'a': expected real numbers, got complex ones"):
        read_table({"a": np.arange(3) * 1j})
