from __future__ import annotations

import re

import numpy as np
import pytest

from schuss.data import ColumnKind, Table, infer_kinds, read_table
from schuss.data.tables.columns import labels_of, numbers_of, stamps_of
from schuss.errors import DataError, UsageError


def infer(values, name="x", **options) -> ColumnKind:
    return infer_kinds(Table({name: values}, **options))[name]


def words(n: int) -> list[str]:
    return [f"{chr(97 + k % 26)}{k}" for k in range(n)]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (["1.5", "2", "NA"], "numeric", "numbers, 1 of 3 missing"),
        (["3", "1", "2", "1"], "numeric", "whole numbers, 3 different"),
        ([3, 1, 2, 1], "numeric", "whole numbers, 3 different"),
        (["$1,200", "$950", "$1,050"], "numeric",
         "whole numbers, 3 different, with thousands commas"),
        (["1,5", "2,25", "3"], "numeric", "numbers, decimal commas"),
        (["5 %", "7.5%", ""], "numeric", "numbers, 1 of 3 missing"),
        (["0", "1", "1"], "boolean", "0 or 1"),
        ([0, 1, 1], "boolean", "0 or 1"),
        (["True", "False", "nan"], "boolean", "True or False, 1 of 3 missing"),
        (["yes", "no", "yes"], "boolean", "yes or no"),
        ([True, False, True], "boolean", "true or false"),
        (["red", "blue", "red"], "category", "2 different values"),
        (["red", "blue", "?"], "category", "2 different values, 1 of 3 missing"),
        (["01", "02", "10"], "category", "3 different values"),
        (["2020-01-01", "2020-02-01", ""], "timestamp",
         "dates from 2020-01-01 to 2020-02-01, 1 of 3 missing"),
        (["13/01/2020", "02/03/2020"], "timestamp", "dates from 2020-01-13 to 2020-03-02"),
        (["01/02/2020", "02/03/2020"], "timestamp",
         "dates from 2020-01-02 to 2020-02-03, read as month first"),
        (["12:30", "14:00"], "timestamp", "times of day"),
        (["", "NA", "?"], "empty", "no values at all, left out"),
        ([None, None], "empty", "no values at all, left out"),
        (["a", "a"], "constant", "the same value in every row ('a'), left out"),
        (["5", "5"], "constant", "the same value in every row (5), left out"),
        ([True, True], "constant", "the same value in every row (True), left out"),
        (["a", ""], "category", "1 different value, 1 of 2 missing"),
    ],
)  # fmt: skip
def test_kinds(values, kind, reason):
    got = infer(values)
    assert (got.kind, got.reason) == (kind, reason)
    assert got.used == (kind in ("numeric", "boolean", "category", "timestamp"))


def test_text_of_several_words_that_hardly_repeats_is_free_text():
    got = infer([f"a name {k % 15}" for k in range(20)])
    assert (got.kind, got.used) == ("text", True)
    assert got.reason == "free text, 15 different in 20 rows"


def test_text_that_is_different_everywhere_is_an_identifier():
    got = infer(words(20))
    assert (got.kind, got.used) == ("identifier", False)
    assert got.reason == "identifier, left out: 20 different values in 20 rows"


def test_whether_left_out_text_is_missing_is_used():
    got = infer([*words(20), "", "NA"])
    assert got.missing_used
    assert got.reason == (
        "identifier, left out: 20 different values in 20 rows "
        "(whether it is missing is used: 2 of 22 are)"
    )


def test_long_text_is_left_out_although_it_repeats():
    texts = [f"{k} " + "word " * 30 for k in range(11)] * 3
    assert infer(texts).kind == "text"


def test_many_levels_that_repeat_are_a_category():
    got = infer([f"zone {k % 200}" for k in range(600)])
    assert (got.kind, got.reason) == ("category", "200 different values")


@pytest.mark.parametrize("name", ["id", "ID", "PassengerId", "customer_id", "Unnamed: 0", "row"])
def test_numbers_that_count_the_rows(name):
    got = infer([str(k) for k in range(1, 31)], name)
    assert (got.kind, got.used) == ("identifier", False)
    assert got.reason == "a different whole number in each of 30 rows, left out"


@pytest.mark.parametrize("name", ["day", "width", "paid", "grid"])
def test_numbers_that_rise_with_the_rows_may_mean_something(name):
    assert infer([str(k) for k in range(1, 31)], name).kind == "numeric"


def test_few_words_among_numbers_count_as_missing():
    table = Table({"x": ["1.5", "2.5"] * 50 + ["broken"]}, lines=np.arange(2, 103, dtype=np.int64))
    kind = infer_kinds(table)["x"]
    assert kind.kind == "numeric"
    assert kind.reason == (
        "numbers; 1 value is no number and counts as missing (such as 'broken' in line 102)"
    )
    assert np.isnan(numbers_of(table, kind)[-1])


def test_many_words_among_numbers_make_a_category():
    assert infer(["1", "2", "x"] * 10).kind == "category"


def test_what_the_source_declares():
    got = infer([3, 1, 3], declared={"x": "category"})
    assert (got.kind, got.reason) == ("category", "declared as such, 2 different values")


def test_forced_kinds():
    table = Table({"a": ["1", "2", "1"], "b": ["x", "y", "x"], "c": ["20200101", "20200301", ""]})
    kinds = infer_kinds(table, kinds={"a": "category", "b": "text", "c": "timestamp"})
    assert [k.kind for k in kinds.values()] == ["category", "text", "timestamp"]
    assert kinds["b"].used
    assert kinds["a"].reason == "category, as you said"
    assert stamps_of(table, kinds["c"])[1] == np.datetime64("2020-03-01")


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([1577836800, 1577923200], "seconds"),
        ([1577836800000, 1577923200000], "milliseconds"),
        ([20200101, 20200102], "YYYYMMDD"),
        (["1577836800", ""], "seconds"),
    ],
)
def test_numbers_forced_to_be_dates(values, form):
    table = Table({"x": values})
    kind = infer_kinds(table, kinds={"x": "timestamp"})["x"]
    assert kind.time_format == form
    assert stamps_of(table, kind)[0] == np.datetime64("2020-01-01")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"exclude": ["colours"]},
            DataError,
            "the table: there is no column 'colours' to exclude; did you mean 'colour'?",
        ),
        (
            {"kinds": {"sise": "numeric"}},
            DataError,
            "the table: there is no column 'sise' to give a kind to; did you mean 'size'?",
        ),
        (
            {"kinds": {"size": "number"}},
            UsageError,
            "infer_kinds: expected one of numeric, category, boolean, timestamp, text, identifier "
            "for 'size', got 'number'.",
        ),
        (
            {"kinds": {"colour": "numeric"}},
            DataError,
            "the table, row 1, column 'colour': expected a number, got 'red'; no value of the "
            "column is one: leave out kinds={'colour': 'numeric'}.",
        ),
        (
            {"kinds": {"colour": "boolean"}},
            DataError,
            "the table, row 1, column 'colour': expected yes or no, got 'red'; no value of the "
            "column is one: leave out kinds={'colour': 'boolean'}.",
        ),
    ],
)
def test_wrong_options(options, error, message):
    table = Table({"size": [1.5, 2.0], "colour": ["red", "blue"]})
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        infer_kinds(table, **options)


@pytest.mark.parametrize("values", [["yes", "no", "", "later"], [1, 0, None, 2]])
def test_what_is_neither_yes_nor_no_is_said(values):
    kind = infer_kinds(Table({"x": values}), kinds={"x": "boolean"})["x"]
    assert kind.kind == "boolean"
    assert "1 value is no boolean and counts as missing (such as '" in kind.reason
    assert kind.reason.endswith("' in row 4)")
    good = infer_kinds(Table({"x": values[:3]}), kinds={"x": "boolean"})["x"]
    assert good.reason == "boolean, as you said"


def test_excluded_columns_are_not_there():
    assert list(infer_kinds(Table({"a": [1, 2], "b": [1, 2]}), exclude=["a"])) == ["b"]


def test_labels_are_the_same_whatever_the_type():
    kind = ColumnKind("x", "category", "", True)
    for values in (["1", "2", ""], ["1.0", " 2", "NA"], [1.0, 2.0, None]):
        labels, codes = labels_of(Table({"x": values}), kind)
        assert [labels[c] if c >= 0 else None for c in codes] == ["1", "2", None]
    flag = ColumnKind("x", "boolean", "", True)
    for values in (["yes", "no"], ["1", "0"], [1, 0], [1.0, 0.0], [True, False], ["TRUE", "f"]):
        labels, codes = labels_of(Table({"x": values}), flag)
        assert [labels[c] for c in codes] == ["true", "false"]


def test_a_kind_survives_its_description():
    kind = infer(["1,5", "2,5", "3"])
    assert ColumnKind.from_config(kind.to_config()) == kind


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        (
            "titanic",
            "survived",
            {"pclass": "numeric", "sex": "category", "age": "numeric", "fare": "numeric",
             "deck": "category", "alone": "boolean", "adult_male": "boolean", "alive": "boolean",
             "embarked": "category"},
        ),
        (
            "mpg",
            "mpg",
            {"cylinders": "numeric", "horsepower": "numeric", "origin": "category",
             "name": "text", "model_year": "numeric"},
        ),
        (
            "taxis",
            "fare",
            {"pickup": "timestamp", "dropoff": "timestamp", "passengers": "numeric",
             "color": "category", "pickup_zone": "category", "dropoff_borough": "category"},
        ),
    ],
)  # fmt: skip
def test_real_tables(shared_data, name, target, expected):
    kinds = infer_kinds(read_table(shared_data / "tables" / f"{name}.csv").drop([target]))
    assert {k: kinds[k].kind for k in expected} == expected
    if name == "mpg":
        assert kinds["name"].reason == "free text, 305 different in 398 rows"
        assert kinds["horsepower"].reason.endswith("6 of 398 missing")


def test_frames_and_text_give_the_same_kinds(shared_data):
    pandas = pytest.importorskip("pandas")
    for name in ("titanic", "mpg", "taxis"):
        path = shared_data / "tables" / f"{name}.csv"
        text = infer_kinds(read_table(path))
        frame = infer_kinds(read_table(pandas.read_csv(path)))
        assert {k: v.kind for k, v in text.items()} == {k: v.kind for k, v in frame.items()}
