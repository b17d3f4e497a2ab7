from __future__ import annotations

import numpy as np
import pytest

from schuss.data import TargetEncoder, infer_kinds
from schuss.data.tables.columns import labels_of, numbers_of
from schuss.data.tables.marks import find_sentinel
from schuss.data.tables.table import Table


def kind_of(values, **more):
    table = Table({"a": values}, **more)
    return table, infer_kinds(table)["a"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["none", "mild", "severe"], ["none"]),
        (["None", "Mild", "Severe"], ["None"]),
        (["NA", "EU", "AS"], ["NA"]),
        (["missing", "found"], ["missing"]),
        (["nil", "one nil", "two nil"], ["nil"]),
        (["-", "+", "++"], ["-"]),
        (["-", "mild", "severe"], []),
        (["NA", "red", "blue"], []),
        (["None", "red", "blue"], []),
        (["none", "yes", "no"], []),
        (["none", "1", "2"], []),
        (["n/a", "mild", "severe"], []),
    ],
)
def test_words_that_mean_missing_are_values_beside_words_like_them(values, words):
    table, kind = kind_of(values * 10)
    assert list(kind.words) == words
    labels, codes = labels_of(table, kind)
    assert set(words) <= set(labels)
    assert int((codes < 0).sum()) == (0 if words else 10)
    if words:
        assert f"{words[0]!r} taken as a value" in kind.reason


def test_a_declared_category_has_no_words_for_missing():
    table, kind = kind_of(["NA", "red", None] * 5, declared={"a": "category"})
    assert labels_of(table, kind)[0] == ["NA", "red"]


@pytest.mark.parametrize("grade", ["none", "missing", "nil", "na"])
def test_a_class_may_be_called_none(grade):
    encoder = TargetEncoder.infer(Table({"y": [grade, "mild", "severe"] * 20}), "y")
    assert encoder.classes == sorted([grade, "mild", "severe"])
    assert encoder.notes == [f"in the target 'y', {grade!r} is a class, not missing"]
    again = TargetEncoder.from_config(encoder.to_config())
    assert again.encode(Table({"y": [grade, "mild", None]}))[0].tolist() == [
        encoder.classes.index(grade),
        encoder.classes.index("mild"),
        -1,
    ]


MARKS = ("*", "unknown", "#DIV/0!", "#VALUE!", "..", "n/d", "not available", "<LOD", "x-ray")


@pytest.mark.parametrize("mark", MARKS)
def test_an_unknown_mark_among_numbers_is_missing_and_said(mark):
    values = [f"{k / 7:.2f}" if k % 6 else mark for k in range(600)]
    table, kind = kind_of(values)
    assert kind.kind == "numeric"
    assert "100 values are no numbers and count as missing" in kind.reason
    assert repr(mark) in kind.reason
    assert int(np.isnan(numbers_of(table, kind)).sum()) == 100


def test_a_mark_among_dates_is_missing():
    values = [f"2020-01-{k % 28 + 1:02d}" if k % 4 else "unknown" for k in range(200)]
    assert kind_of(values)[1].kind == "timestamp"


def test_words_beside_few_different_numbers_are_a_category():
    values = [str(k % 12 + 1) if k % 9 else "K" for k in range(200)]
    assert kind_of(values)[1].kind == "category"


@pytest.mark.parametrize("as_text", [False, True])
def test_a_sentinel_is_missing_and_said(as_text):
    values = [k / 3 if k % 10 else -999.0 for k in range(200)]
    table, kind = kind_of([str(v) for v in values] if as_text else values)
    assert kind.sentinel == -999.0
    assert kind.reason == "numbers, 20 of 200 missing; -999 counts as missing"
    assert np.isnan(numbers_of(table, kind)[::10]).all()


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([-999.0, 5.0, -999.0, 7.0], -999.0),
        ([-999.0, -2.0, -999.0, 2.0], -999.0),
        ([-999.0, 5.0], None),  # once
        ([-999.0, -999.0, -998.0, 7.0], None),
        ([-1000.0, -999.0, -999.0, 7.0], None),
        ([-1.0, -1.0, 7.0], None),
        ([], None),
    ],
)
def test_what_is_a_sentinel(numbers, found):
    assert find_sentinel(np.array(numbers)) == found


@pytest.mark.parametrize("mark", ["*", "-999"])
def test_a_mark_in_the_target_leaves_the_row_out_and_is_said(mark):
    values = [f"{k * 1.37:.2f}" if k % 9 else mark for k in range(200)]
    encoder = TargetEncoder.infer(Table({"y": values}), "y")
    assert encoder.task == "regression"
    assert encoder.notes[1] == f"in the target 'y', {mark!r} counts as no value"
    numbers, there = encoder.values(Table({"y": ["1.5", mark]}))
    assert there.tolist() == [True, False]
    assert numbers[0] == 1.5


def test_spellings_of_a_word_are_one_class():
    table = Table({"y": ["Yes", "yes", "YES", "Yes", "No", "no", "No"] * 5})
    encoder = TargetEncoder.infer(table, "y")
    assert encoder.classes == ["No", "Yes"]
    assert encoder.notes == [
        "in the target 'y', 'no' counts as 'No'",
        "in the target 'y', 'YES' and 'yes' count as 'Yes'",
    ]
    assert encoder.encode(Table({"y": ["yEs", "NO"]}))[0].tolist() == [1, 0]


def test_letters_that_differ_in_case_are_classes_of_their_own():
    assert TargetEncoder.infer(Table({"y": ["a", "A", "b"] * 9}), "y").classes == ["A", "a", "b"]


@pytest.mark.parametrize(
    "numbers",
    [
        2**60 + np.arange(60) % 2,
        np.uint64(2**63) + np.arange(60, dtype=np.uint64) % np.uint64(2),
        [2**60 + k % 2 for k in range(60)],
        [str(2**60 + k % 2) for k in range(60)],
    ],
    ids=["int64", "uint64", "ints", "text"],
)
def test_whole_numbers_beyond_float64_stay_different(numbers):
    table, kind = kind_of(numbers)
    assert kind.kind == "category"
    assert len(labels_of(table, kind)[0]) == 2
    encoder = TargetEncoder.infer(table, "a", task="classification")
    assert encoder.classes == sorted({int(n) for n in numbers})
    assert encoder.decode(np.array([1, 0])).tolist() == encoder.classes[::-1]


@pytest.mark.parametrize(
    ("columns", "numbers"),
    [
        ({"a": ["0,123", "1,500"]}, [0.123, 1.5]),
        ({"a": ["1,500", "2,250"], "b": ["0,5", "7,25"]}, [1.5, 2.25]),
        ({"a": ["1.234", "12.500"], "b": ["0,5", "7,25"]}, [1234.0, 12500.0]),
        ({"a": ["1.234", "12.5"], "b": ["0,5", "7,25"]}, [1.234, 12.5]),
        ({"a": ["1,500", "2,250"]}, [1500.0, 2250.0]),
    ],
)
def test_commas_are_read_by_the_other_values_and_columns(columns, numbers):
    table = Table(columns)
    kind = infer_kinds(table)["a"]
    assert numbers_of(table, kind).tolist() == numbers
    encoder = TargetEncoder.infer(table, "a", task="regression")
    assert encoder.values(table)[0].tolist() == numbers


def test_a_cell_of_many_blanks_takes_linear_time():
    long = "1" + " " * 200_000 + "x"
    table = Table({"a": [long, "12:30" + " " * 200_000 + "x", "2"]})
    assert infer_kinds(table)["a"].kind == "category"


def test_numbers_of_more_digits_than_python_reads():
    assert kind_of(["1" * 5000, "2", "1" * 5001])[1].kind == "category"
