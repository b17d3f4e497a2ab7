from __future__ import annotations

import json

import numpy as np

from schuss.data import Table, TablePreprocessor, infer_kinds, prepare_table
from schuss.data.tables.preparing.binning import Binned, bin_codes, learn_bins, telling_rows

DRAW = np.random.default_rng(0)


def test_values_that_repeat_have_a_bin_each() -> None:
    days = np.repeat(np.arange(365.0), 60)
    (found,) = learn_bins({"day": days})
    assert found.edges == [k + 0.5 for k in range(364)]
    assert bin_codes(np.array([0.0, 1.0, 364.0, -9.0, 999.0, np.nan]), found).tolist() == [
        *(1, 2, 365),
        *(1, 365, 0),
    ]


def test_measurements_share_bins_of_equal_size() -> None:
    values = DRAW.exponential(size=64_000)
    (found,) = learn_bins({"x": values})
    counts = np.bincount(bin_codes(values, found))
    assert len(found.edges) == 63
    assert counts[0] == 0
    assert 990 < counts[1:].min() <= counts[1:].max() < 1010


def test_a_bin_has_enough_rows() -> None:
    values = DRAW.integers(0, 1250, size=5000).astype(np.float64)
    (found,) = learn_bins({"x": values})
    assert len(found.edges) <= 99
    assert np.bincount(bin_codes(values, found))[1:].min() >= 40


def test_a_value_that_most_rows_have_is_one_bin() -> None:
    values = np.where(DRAW.random(20_000) < 0.9, 0.0, DRAW.normal(size=20_000))
    (found,) = learn_bins({"x": values})
    codes = bin_codes(np.array([-1e-9, 0.0, 1e-9]), found)
    assert len(set(bin_codes(values[values == 0.0], found).tolist())) == 1
    assert len(found.edges) == len(set(found.edges)) > 3
    assert codes.tolist() == sorted(codes.tolist())


def test_few_rows_many_numbers_and_two_values_have_none() -> None:
    assert learn_bins({"x": DRAW.normal(size=4999)}) == []
    assert learn_bins({f"x{k}": DRAW.normal(size=5000) for k in range(65)}) == []
    assert learn_bins({"x": np.arange(5000.0) % 2}) == []
    assert learn_bins({"x": np.full(5000, np.nan)}) == []
    assert learn_bins({}) == []


def test_huge_numbers_have_finite_borders() -> None:
    values = np.repeat([-1.7e308, -1.0, 1.6e308, 1.7e308], 2000)
    (found,) = learn_bins({"x": values})
    assert np.isfinite(found.edges).all()
    assert bin_codes(values[::2000], found).tolist() == [1, 2, 3, 4]


def test_the_preprocessor_codes_bins_after_categories_and_saves_them() -> None:
    rows = 6000
    table = Table(
        {
            "hour": np.where(np.arange(rows) % 100 == 0, np.nan, np.arange(rows) % 24),
            "word": [f"w{k % 20}" for k in range(rows)],
        }
    )
    made = TablePreprocessor().fit(table, infer_kinds(table))
    assert made.category_sizes == [21, 25]
    assert made.feature_names == ["hour", "hour is missing", "word", "hour: bin"]
    again = TablePreprocessor.from_config(json.loads(json.dumps(made.to_config())))
    for one in (made, again):
        numeric, categories = one.transform(table.take(slice(0, 3)))
        assert numeric.shape == (3, 2)
        assert categories.tolist() == [[1, 0], [2, 2], [13, 3]]
    assert again.learned == made.learned
    assert Binned("hour", [k + 0.5 for k in range(23)]) == again.learned.bins[0]  # type: ignore[attr-defined]


def test_rows_of_the_commonest_class_tell_no_more_than_those_of_the_others() -> None:
    rare = np.zeros(20_000, dtype=np.int64)
    rare[:100] = 1
    assert telling_rows(rare) == 200
    assert telling_rows(np.arange(20_000) % 3) == 20_000
    assert telling_rows(np.arange(20_000) % 10 // 9) == 4_000
    numbers = {"x": DRAW.normal(size=20_000)}
    assert learn_bins(numbers, telling_rows(rare)) == []
    assert learn_bins(numbers, 5_000) == learn_bins(numbers) != []
    table = {"x": numbers["x"], "y": np.where(rare, "yes", "no")}
    assert prepare_table(Table(table), "y").preprocessor.category_sizes == []
    table["y"] = np.where(np.arange(20_000) % 2, "yes", "no")
    assert prepare_table(Table(table), "y").preprocessor.category_sizes == [65]
