from __future__ import annotations

import json
import re

import numpy as np
import pytest

from schuss.data import Table, TablePreprocessor, infer_kinds, iter_table, read_table
from schuss.errors import DataError, FileFormatError


def fit(columns, **options) -> TablePreprocessor:
    table = columns if isinstance(columns, Table) else Table(columns)
    return TablePreprocessor().fit(table, infer_kinds(table, **options))


def clip(x):
    x = np.asarray(x, dtype=np.float64)
    return (x / np.sqrt(1.0 + x**2 / 9.0)).astype(np.float32)


def test_numbers_are_centred_scaled_and_clipped():
    values = np.array([1.0, 2.0, 4.0, 8.0, 1000.0])
    numeric, categories = fit({"x": values}).transform(Table({"x": values}))
    assert numeric.dtype == np.float32
    assert categories.shape == (5, 0)
    np.testing.assert_array_equal(numeric[:, 0], clip((values - 4.0) / (8.0 - 2.0)))
    assert numeric.max() < 3.0


def test_numbers_that_are_mostly_one_value_are_scaled_by_their_range():
    values = np.array([0.0] * 8 + [5.0, 20.0])
    numeric, _ = fit({"x": values}).transform(Table({"x": values}))
    np.testing.assert_array_equal(numeric[:, 0], clip(values / 10.0))


def test_huge_numbers_stay_finite():
    values = np.array([-1e308, 0.0, 1.0, 2.0, 1e308])
    numeric, _ = fit({"x": values}).transform(Table({"x": values}))
    assert np.isfinite(numeric).all()
    assert (np.diff(numeric[:, 0]) > 0).all()


def test_two_levels_share_a_column():
    made = fit({"c": ["a", "b", "b", None], "x": [1.0, 2.0, 3.0, 4.0]})
    assert made.feature_names == ["x", "c = a"]
    assert made.n_continuous == 1
    # Coded 1, -1, -1, 0: median -0.5, quartiles -1 and 0.25.
    numeric, _ = made.transform(Table({"c": ["a", "b", "?", "new"], "x": [1.0] * 4}))
    np.testing.assert_array_equal(numeric[:, 1], clip((np.array([1, -1, 0, 0]) + 0.5) / 1.25))


def test_few_levels_are_one_hot_and_unknown_ones_all_off():
    made = fit({"c": ["a", "b", "c", "a"]})
    assert made.feature_names == ["c = a", "c = b", "c = c"]
    numeric, _ = made.transform(Table({"c": ["a", "c", "new", ""]}))
    a = clip((np.array([1, 0, 0, 0]) - 0.5) / 1.0)
    b = clip(np.array([0, 0, 0, 0]) / 0.25)
    c = clip(np.array([0, 1, 0, 0]) / 0.25)
    np.testing.assert_array_equal(numeric, np.stack([a, b, c], axis=1))


def test_the_limit_between_one_hot_and_embedding_counts_the_missing():
    eight = fit({"c": [f"v{k % 8}" for k in range(40)]})
    assert (eight.n_numeric, eight.category_sizes) == (8, [])
    nine = fit({"c": [f"v{k % 9}" for k in range(45)]})
    assert (nine.n_numeric, nine.category_sizes) == (0, [10])


def test_codes_for_embeddings():
    levels = [f"v{k}" for k in range(10)]
    made = fit({"c": levels * 3 + ["once"]})
    assert made.category_sizes == [11]
    assert made.feature_names == ["c"]
    numeric, categories = made.transform(Table({"c": ["v0", "v9", "once", "new", None]}))
    assert numeric.shape == (5, 0)
    assert categories.dtype == np.int32
    assert categories[:, 0].tolist() == [1, 10, 0, 0, 0]
    assert made.describe() == [
        {
            "column": "c",
            "kind": "category",
            "note": "11 different values; embedding of 10 levels (1 more, seen once, count as "
            "unknown)",
        }
    ]


def test_a_missing_number_becomes_the_median_and_is_told():
    made = fit({"x": [1.0, 2.0, 3.0, None]})
    assert made.feature_names == ["x", "x is missing"]
    numeric, _ = made.transform(Table({"x": [None, 2.0]}))
    assert numeric[:, 0].tolist() == [0.0, 0.0]
    # Coded -1 or 1: three quarters are -1, so quartiles -1 and -0.5.
    np.testing.assert_array_equal(numeric[:, 1], clip(np.array([2.0, 0.0]) / 0.5))


def test_a_number_missing_at_prediction_alone_becomes_the_median():
    made = fit({"x": [1.0, 2.0, 3.0]})
    assert made.transform(Table({"x": [None]}))[0].tolist() == [[0.0]]


def test_whether_left_out_text_is_missing():
    made = fit({"t": [*(f"a{k}" for k in range(20)), None, None], "x": np.arange(22.0) ** 2})
    assert made.feature_names == ["x", "t is missing"]
    assert made.columns == ["t", "x"]
    numeric, _ = made.transform(Table({"t": ["new", ""], "x": [0, 0]}))
    assert numeric[0, 1] < numeric[1, 1]


def test_columns_that_do_not_vary_in_training_are_left_out_and_said():
    table = Table({"x": [1.0, 1.0, 2.0], "y": [1.0, 2.0, 3.0], "c": ["a", "a", "b"]})
    made = TablePreprocessor().fit(table.take(slice(0, 2)), infer_kinds(table))
    assert made.feature_names == ["y"]
    notes = {row["column"]: row["note"] for row in made.describe()}
    assert notes["x"] == "numbers; the same in all training rows, left out".replace(
        "numbers", "whole numbers, 2 different"
    )
    assert notes["c"] == "2 different values; the same in all training rows, left out"


def test_dates_and_the_time_between_them():
    start = np.datetime64("2019-03-01T00:00", "us") + np.arange(200) * np.timedelta64(7, "h")
    end = start + np.arange(200) * np.timedelta64(1, "s")
    made = fit({"start": start, "end": end})
    names = made.feature_names
    # 58 days say nothing about years and months.
    assert names == [
        "start: days",
        "start: day of week",
        "start: hour",
        "end: days",
        "end: day of week",
        "end: hour",
        "hours from start to end",
        "start: sine of the day",
        "start: cosine of the day",
        "end: sine of the day",
        "end: cosine of the day",
    ]
    k = names.index("hours from start to end")
    numeric, _ = made.transform(Table({"start": start, "end": end}))
    expected = clip((np.arange(200.0) - 99.5) / 99.5)
    np.testing.assert_allclose(numeric[:, k], expected, atol=1e-6)
    numeric, _ = made.transform(Table({"start": [None], "end": ["2019-03-01"]}))
    assert np.isfinite(numeric).all()


def test_dates_that_repeat_others_are_left_out_and_said():
    when = np.datetime64("2020-01-01", "us") + np.arange(600) * np.timedelta64(37, "h")
    later = when + np.timedelta64(1, "D")
    made = fit({"ordered": when, "paid": when, "due": later, "x": np.arange(600.0) % 7})
    notes = {row["column"]: row["note"] for row in made.describe()}
    assert notes["paid"].endswith("; the same as 'ordered' in all training rows, left out")
    parts = [notes[name].partition("; ")[2] for name in ("ordered", "due")]
    assert (
        parts[0]
        == parts[1]
        == (
            "taken as days, month, day of month, day of week, hour, sine of the year, "
            "cosine of the year, sine of the day, cosine of the day"
        )
    )
    assert "paid" not in made.columns


def test_the_parts_of_a_date_follow_from_its_span():
    day = np.timedelta64(1, "D")
    for days, parts in ((10, {"days"}), (1500, {"days", "month", "day of month", "day of week"})):
        dates = np.datetime64("2015-01-01", "us") + np.arange(days) * day
        names = fit({"d": dates}).feature_names
        assert {n.removeprefix("d: ") for n in names if "sine" not in n} == parts
        assert ("d: sine of the year" in names) == (days > 180)


def test_a_day_past_the_dates_learned_is_fine():
    made = fit({"d": [f"2019-03-{k:02d}" for k in range(1, 29)]})
    numeric, _ = made.transform(Table({"d": ["2031-12-31"]}))
    assert np.isfinite(numeric).all()


def everything() -> Table:
    rng = np.random.default_rng(0)
    n = 60
    return Table(
        {
            "number": rng.lognormal(size=n),
            "gappy": [None if k % 7 == 0 else float(v) for k, v in enumerate(rng.normal(size=n))],
            "flag": [bool(v) for v in rng.integers(0, 2, n)],
            "colour": [["red", "green", "blue", None][v] for v in rng.integers(0, 4, n)],
            "zone": [f"z{v}" for v in rng.integers(0, 15, n)],
            "when": np.datetime64("2020-01-01", "us") + rng.integers(0, 10**13, n).astype("m8[us]"),
        }
    )


def test_nothing_is_lost_on_the_way_through_json():
    table = everything()
    made = fit(table)
    config = json.loads(json.dumps(made.to_config()))
    again = TablePreprocessor.from_config(config)
    assert again.to_config() == made.to_config()
    assert again.feature_names == made.feature_names
    assert again.category_sizes == made.category_sizes
    assert again.describe() == made.describe()
    for before, after in zip(made.transform(table), again.transform(table), strict=True):
        np.testing.assert_array_equal(before, after)


def test_order_and_further_columns_do_not_matter():
    table = everything()
    made = fit(table)
    other = Table({"more": ["x"] * 60, **{name: table[name] for name in reversed(table.names)}})
    for before, after in zip(made.transform(table), made.transform(other), strict=True):
        np.testing.assert_array_equal(before, after)


def test_rows_do_not_depend_on_each_other():
    table = everything()
    made = fit(table)
    whole = made.transform(table)
    for k in (0, 7, 59):
        for before, after in zip(whole, made.transform(table.take(np.array([k]))), strict=True):
            np.testing.assert_array_equal(before[k : k + 1], after)
    assert made.transform(table.take(slice(0, 0)))[0].shape == (0, made.n_numeric)


def test_a_lacking_column_is_named():
    made = fit({"size": [1.0, 2.0], "weight": [1.0, 2.0]})
    message = (
        "the table: the column 'weight' is missing, which the network learned from; "
        "did you mean 'weights'?"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        made.transform(Table({"size": [1.0], "weights": [1.0]}))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "abc",
            "x.csv, line 8, column 'x': expected a number, got 'abc'; correct it, or leave it "
            "empty if it is missing.",
        ),
        (
            "-inf",
            "x.csv, line 8, column 'x': expected a finite number, got '-inf'; correct it, or "
            "leave it empty if it is missing.",
        ),
    ],
)
def test_values_that_cannot_be_read(value, message):
    made = fit({"x": [1.0, 2.0]})
    table = Table({"x": ["1", value]}, source="x.csv", lines=np.array([7, 8]))
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        made.transform(table)


def test_a_date_that_cannot_be_read():
    made = fit({"d": ["2020-01-01", "2020-02-03"]})
    message = (
        "the table, row 1, column 'd': expected a date, got '3 days ago'; correct it, or leave it "
        "empty if it is missing."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        made.transform(Table({"d": ["3 days ago"]}))


def test_nothing_to_learn_from():
    message = (
        "the table: no column is left to learn from (x: the same value in every row (1), left "
        "out); give columns that vary, or say what they are with kinds=."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        fit({"x": [1, 1]})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"format": 99},
            "TablePreprocessor: expected format 1 or older, got 99; update Schuss, or train again.",
        ),
        (
            {},
            "TablePreprocessor: expected format 1 or older, got None; update Schuss, or train "
            "again.",
        ),
        (
            {"format": 1},
            "TablePreprocessor: expected a saved description, got a damaged one ('kinds'); train "
            "again.",
        ),
    ],
)
def test_configs_that_cannot_be_used(config, message):
    with pytest.raises(FileFormatError, match=f"^{re.escape(message)}$"):
        TablePreprocessor.from_config(config)


@pytest.mark.parametrize("name", ["titanic", "mpg", "taxis"])
def test_chunks_of_real_tables_give_the_same_numbers(shared_data, name):
    path = shared_data / "tables" / f"{name}.csv"
    table = read_table(path)
    made = fit(table)
    numeric, categories = made.transform(table)
    assert np.isfinite(numeric).all()
    parts = [made.transform(chunk) for chunk in iter_table(path, chunk_rows=100)]
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), numeric)
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), categories)


def test_frames_of_real_tables_give_the_same_numbers(shared_data):
    pandas = pytest.importorskip("pandas")
    path = shared_data / "tables" / "titanic.csv"
    made = fit(read_table(path))
    text = made.transform(read_table(path))
    frame = made.transform(read_table(pandas.read_csv(path)))
    np.testing.assert_array_equal(text[0], frame[0])
    np.testing.assert_array_equal(text[1], frame[1])
