from __future__ import annotations

import re

import numpy as np
import pytest

from schuss.data import Table, prepare_table, read_table
from schuss.errors import DataError, UsageError


def table(n: int = 100, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return Table(
        {
            "x": x,
            "c": [f"k{v}" for v in rng.integers(0, 12, n)],
            "g": np.arange(n) // 5,
            "t": np.arange(n)[::-1].copy(),
            "w": rng.uniform(0.5, 2.0, n),
            "y": [["no", "yes"][int(v)] for v in (x + rng.normal(size=n) > 0)],
        }
    )


def test_iris():
    ready = prepare_table(read_table("iris"), "species")
    assert (len(ready.train), len(ready.validation), len(ready.test)) == (96, 24, 30)
    assert np.bincount(ready.test.y).tolist() == [10, 10, 10]
    assert np.bincount(ready.validation.y).tolist() == [8, 8, 8]
    assert ready.train.numeric.shape == (96, 4)
    assert ready.train.weight is None
    assert ready.notes == []
    assert ready.target.classes == ["setosa", "versicolor", "virginica"]


def test_shares_are_a_partition_and_belong_to_their_rows():
    whole = table()
    ready = prepare_table(whole, "y", weight="w", exclude=["g", "t"])
    shares = (ready.train, ready.validation, ready.test)
    assert sorted(np.concatenate([s.rows for s in shares]).tolist()) == list(range(100))
    for share in shares:
        assert share.table["x"].tolist() == whole["x"][share.rows].tolist()
        numeric, categories = ready.preprocessor.transform(whole.take(share.rows))
        np.testing.assert_array_equal(share.numeric, numeric)
        np.testing.assert_array_equal(share.categories, categories)
        np.testing.assert_array_equal(share.weight, whole["w"][share.rows].astype(np.float32))
        labels = ready.target.decode(share.y)
        assert labels.tolist() == whole["y"][share.rows].tolist()


def test_the_seed_decides():
    same = [prepare_table(table(), "y", seed=3).train.rows.tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert prepare_table(table(), "y", seed=4).train.rows.tolist() != same[0]


def test_nothing_is_learned_from_rows_that_are_held_out():
    whole = table()
    ready = prepare_table(whole, "x", exclude=["y"])
    altered = {name: whole[name].copy() for name in whole.names}
    for share in (ready.validation, ready.test):
        altered["w"][share.rows] += 1000.0
        altered["x"][share.rows] -= 77.0
        # Levels that no training row has, and as few of them as there were.
        altered["c"][share.rows] = "k0"
    again = prepare_table(Table(altered), "x", exclude=["y"])
    assert again.train.rows.tolist() == ready.train.rows.tolist()
    first, second = ready.preprocessor.to_config(), again.preprocessor.to_config()
    for part in ("continuous", "plain", "categories", "indicators"):
        assert first[part] == second[part]
    assert (ready.target.mean, ready.target.std) == (again.target.mean, again.target.std)
    np.testing.assert_array_equal(again.train.numeric, ready.train.numeric)


def test_columns_with_a_role_are_no_inputs():
    ready = prepare_table(table(), "y", weight="w", group="g")
    assert ready.preprocessor.columns == ["x", "c", "t"]
    assert ready.notes == [
        "weight column 'w': not learned from",
        "group column 'g': not learned from",
    ]


def test_groups_stay_together():
    whole = table()
    ready = prepare_table(whole, "y", group="g")
    sides = [set(whole["g"][s.rows]) for s in (ready.train, ready.validation, ready.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_the_latest_rows_are_tested():
    whole = table()
    ready = prepare_table(whole, "y", time="t")
    assert set(whole["t"][ready.test.rows]) == set(range(80, 100))
    assert set(whole["t"][ready.validation.rows]) == set(range(64, 80))


def test_the_time_column_may_hold_dates():
    whole = table()
    dates = [str(np.datetime64("2020-01-01") + np.timedelta64(int(k), "D")) for k in whole["t"]]
    ready = prepare_table(Table({**whole.columns, "t": dates}), "y", time="t")
    assert whole["t"][ready.test.rows].min() == 80


def test_shares_of_ones_own():
    ready = prepare_table(table(), "y", test=table(20, seed=1), validation=table(30, seed=2))
    assert (len(ready.train), len(ready.validation), len(ready.test)) == (100, 30, 20)
    ready = prepare_table(table(), "y", test_share=0.0, validation_share=0.0)
    assert ready.test is None
    assert ready.validation is None
    assert len(ready.train) == 100


def test_rows_without_a_target_are_left_out_everywhere():
    whole = table()
    labels = whole["y"].copy()
    labels[:10] = "NA"
    gappy = Table({**whole.columns, "y": labels})
    ready = prepare_table(gappy, "y", test=gappy)
    assert len(ready.train) + len(ready.validation) == 90
    assert len(ready.test) == 90
    assert ready.notes == [
        "10 rows have no value in the target 'y' and are left out",
        "the table: 10 rows without the target are left out",
        "the table: 72 of its 100 rows are among those learned from, too",
    ]


def test_left_out_columns_are_said():
    whole = table()
    ready = prepare_table(
        Table({**whole.columns, "one": [1] * 100, "id": np.arange(100)}), "y", exclude=["t"]
    )
    assert ready.notes == [
        "one: the same value in every row (1), left out",
        "id: a different whole number in each of 100 rows, left out",
    ]


def test_the_first_infinity_is_named_whichever_share_it_falls_to():
    values = np.zeros(100)
    values[[17, 40, 90]] = np.inf
    message = (
        "the table, row 18, column 'z': expected a finite number, got 'inf'; correct it, or leave "
        "it empty if it is missing."
    )
    for seed in range(5):
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            prepare_table(Table({**table().columns, "z": values}), "y", seed=seed)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"weight": "zz"},
            DataError,
            "the table: there is no weight column 'zz'; the columns are x, c, g, t, w, y",
        ),
        (
            {"group": "y"},
            UsageError,
            "prepare_table: 'y' is the target; choose another group column.",
        ),
        ({"exclude": ["y"]}, UsageError, "prepare_table: the target 'y' is excluded; leave it in."),
        (
            {"group": "g", "time": "t"},
            UsageError,
            "prepare_table: expected group or time to split by, got both; choose one.",
        ),
        (
            {"time": "c"},
            DataError,
            "the table: expected dates or numbers in the time column 'c', got category "
            "(12 different values); choose another column.",
        ),
        (
            {"exclude": ["x", "c", "g", "t", "w"]},
            DataError,
            "the table: no column is left to learn from (there is none beside the target, "
            "or none that is not excluded); give columns that vary, or "
            "say what they are with kinds=.",
        ),
    ],
)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        prepare_table(table(), "y", **options)


def test_the_kind_of_the_target_decides_the_task():
    whole = table()
    numbers = Table({**whole.columns, "y": np.arange(100) % 30})
    assert prepare_table(numbers, "y").target.task == "regression"
    for kind, task in (("category", "classification"), ("numeric", "regression")):
        assert prepare_table(numbers, "y", kinds={"y": kind}).target.task == task
    message = (
        "prepare_table: expected one of numeric, category, boolean as the target's kind, "
        "got 'text'."
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        prepare_table(numbers, "y", kinds={"y": "text"})


def test_one_group():
    whole = Table({**table().columns, "g": [1] * 100})
    message = (
        "the table: expected at least two groups to split by, got one; choose another group "
        "column or leave it out."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        prepare_table(whole, "y", group="g")


def test_the_group_that_is_left_cannot_be_split():
    whole = Table({**table().columns, "g": np.arange(100) % 2})
    message = (
        "the table: the rows that are not tested are one group of 'g', so no other is left to "
        "validate by; give validation_share=0, or more groups."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        prepare_table(whole, "y", group="g")
    ready = prepare_table(whole, "y", group="g", validation_share=0.0)
    assert (len(ready.train), len(ready.test)) == (50, 50)


def test_one_class_is_left_in_training():
    whole = table()
    # The latest rows hold all rows of one class.
    labels = ["new" if t >= 80 else "old" for t in whole["t"]]
    message = (
        "the table: all 64 training rows have the class 'old'; add rows of other classes, or hold "
        "out fewer."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        prepare_table(Table({**whole.columns, "y": labels}), "y", time="t")


def test_three_rows_are_enough():
    ready = prepare_table(Table({"x": [1.0, 2.0, 3.0], "y": ["a", "b", "a"]}), "y")
    assert sorted(ready.train.y.tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("name", "target", "task", "rows"),
    [
        ("titanic", "survived", "classification", (570, 143, 178)),
        ("mpg", "mpg", "regression", (254, 64, 80)),
        ("taxis", "fare", "regression", (4117, 1029, 1287)),
        ("taxis", "payment", "classification", (4089, 1022, 1278)),
    ],
)
def test_real_tables(shared_data, name, target, task, rows):
    ready = prepare_table(read_table(shared_data / "tables" / f"{name}.csv"), target)
    assert ready.target.task == task
    assert (len(ready.train), len(ready.validation), len(ready.test)) == rows
    for share in (ready.train, ready.validation, ready.test):
        assert np.isfinite(share.numeric).all()
        assert np.abs(share.numeric).max() < 3.0
        sizes = np.array(ready.preprocessor.category_sizes)
        assert (share.categories < sizes).all()


def test_what_is_prepared_is_shown_on_a_line() -> None:
    ready = prepare_table(read_table("iris"), "species")
    assert repr(ready.train) == "Share(96 rows, 4 numbers, 0 categories)"
    assert repr(ready.target) == "TargetEncoder('species': 3 classes)"
    assert repr(ready) == (
        "PreparedTable(TargetEncoder('species': 3 classes), "
        "rows: train 96, validation 24, test 30; "
        "TablePreprocessor(4 of 4 columns: 4 numbers, 0 categories to embed))"
    )
