from __future__ import annotations

import json
import re

import numpy as np
import pytest

from schuss.data import Table, TargetEncoder
from schuss.errors import DataError, FileFormatError, UsageError


def infer(values, **options) -> TargetEncoder:
    return TargetEncoder.infer(Table({"y": values}), "y", **options)


@pytest.mark.parametrize(
    ("values", "classes", "reason"),
    [
        (["b", "a", "b"], ["a", "b"], "2 different values"),
        (["0", "1", "1"], [0, 1], "2 different values"),
        ([0, 1, 1], [0, 1], "2 different values"),
        ([10, 9, 9, 10], [9, 10], "2 different values"),
        (["1.0", "2.0", "1.0"], [1, 2], "2 different values"),
        ([1.0, 2.0, 1.0, None], [1.0, 2.0], "2 different values"),
        ([True, False, True], [False, True], "2 different values"),
        (["True", "False", "True"], [False, True], "2 different values"),
        (["true", "false", "true"], ["false", "true"], "2 different values"),
        (["yes", "no", "no"], ["no", "yes"], "2 different values"),
        (["01", "02", "01"], ["01", "02"], "2 different values"),
        ([" <=50K", " >50K", " <=50K"], ["<=50K", ">50K"], "2 different values"),
        ([str(k % 10) for k in range(40)], list(range(10)), "10 different values"),
    ],
)
def test_classes(values, classes, reason):
    encoder = infer(values)
    assert (encoder.task, encoder.reason) == ("classification", reason)
    assert encoder.classes == classes
    assert [type(c) for c in encoder.classes] == [type(c) for c in classes]
    codes, keep = encoder.encode(Table({"y": values}))
    assert codes.dtype == np.int64
    assert keep.tolist() == [v is not None for v in values]
    decoded = encoder.decode(codes[keep])
    for label, value in zip(decoded.tolist(), np.array(values, dtype=object)[keep], strict=True):
        assert label == (type(label)(float(value)) if isinstance(label, int) and not isinstance(
            label, bool) else str(value).strip() if isinstance(label, str) else label)  # fmt: skip


def test_labels_come_back_in_their_type():
    assert infer([3, 5, 3]).decode(np.array([1, 0])).dtype == np.int64
    assert infer([True, False, True]).decode(np.array([1])).tolist() == [True]
    words = infer(["a", "b", "a"]).decode(np.array([1, 0]))
    assert words.dtype == object
    assert type(words[0]) is str


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1.5, 2.0, 2.5], "numbers with fractions"),
        (["1.5", "2", "NA"], "numbers with fractions"),
        ([k % 11 for k in range(100)], "whole numbers with 11 different values"),
        (["$1,500", "$2,500.5", "$900"], "numbers with fractions"),
        ([3, 1, 2], "whole numbers with 3 different values"),
    ],
)
def test_quantities(values, reason):
    encoder = infer(values)
    assert (encoder.task, encoder.reason) == ("regression", reason)
    assert encoder.n_outputs == 1


def test_the_task_can_be_said():
    assert infer([0, 1, 1], task="regression").task == "regression"
    assert infer(["1.5", "2.5", "1.5"], task="classification").classes == ["1.5", "2.5"]
    assert infer([1.5, 2.5, 1.5], task="classification").classes == [1.5, 2.5]
    assert infer([0, 1, 1], task="regression").reason == "as you said"


def test_quantities_are_standardised_by_the_training_rows():
    table = Table({"y": [1.0, 3.0, 100.5, None]})
    encoder = TargetEncoder.infer(table, "y").fit(table.take(slice(0, 2)))
    assert (encoder.mean, encoder.std) == (2.0, 1.0)
    y, keep = encoder.encode(table)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, np.float32([-1.0, 1.0, 98.5, np.nan]))
    assert keep.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(encoder.decode(y[:3]), [1.0, 3.0, 100.5])
    assert encoder.values(table)[0].dtype == np.float64


@pytest.mark.parametrize("values", [["a", "b", "a"], [1.5, 2.25, 3.5], [True, False, True]])
def test_nothing_is_lost_on_the_way_through_json(values):
    table = Table({"y": values})
    encoder = TargetEncoder.infer(table, "y").fit(table)
    again = TargetEncoder.from_config(json.loads(json.dumps(encoder.to_config())))
    assert again.to_config() == encoder.to_config()
    np.testing.assert_array_equal(again.encode(table)[0], encoder.encode(table)[0])


def test_missing_targets_are_counted_and_said():
    assert infer(["a", "", "b", "NA", "a", "b"]).notes == [
        "2 rows have no value in the target 'y' and are left out"
    ]
    assert infer(["a", "", "b", "a", "b"]).notes == [
        "1 row has no value in the target 'y' and is left out"
    ]


def test_classes_of_one_row_are_said():
    assert infer(["a", "a", "b", "c", "a", "a"]).notes == [
        "2 classes of 'y' with a single row ('b', 'c'): learned from, but never tested"
    ]


NAMES = [f"c{k}" for k in range(10_000)]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (
            ["a"] * 5,
            {},
            "the table: the target 'y' is 'a' in all 5 rows (one class); choose a column that "
            "varies.",
        ),
        (
            [3, 3, 3],
            {},
            "the table: the target 'y' is 3 in all 3 rows (one class); choose a column that "
            "varies.",
        ),
        (
            [2.5, 2.5, 2.5],
            {},
            "the table: the target 'y' is 2.5 in all 3 rows; choose a column that varies.",
        ),
        (
            ["2.5", "2.5"],
            {"task": "regression"},
            "the table: the target 'y' is 2.5 in all 2 rows; choose a column that varies.",
        ),
        (["a"], {}, "the table: expected at least 2 rows to learn from, got 1; add rows."),
        (
            ["a", "", ""],
            {},
            "the table: expected at least 2 rows with a value in the target 'y', got 1; fill in "
            "more of them.",
        ),
        (
            ["", "NA"],
            {},
            "the table: the target 'y' is missing in every row; choose another column, or fill "
            "it in.",
        ),
        (
            NAMES,
            {},
            "the table: the target 'y' has 10,000 classes in 10,000 rows, so it looks like an "
            "identifier; choose a column whose values repeat.",
        ),
        (
            np.arange(10_000),
            {},
            "the table: the target 'y' is each number from 0 to 9999 once, so it looks like an "
            'identifier; give task="regression" if it is a quantity, or choose another column.',
        ),
        (
            np.arange(10_000),
            {"task": "classification"},
            "the table: the target 'y' has 10,000 classes in 10,000 rows, so it looks like an "
            'identifier; give task="regression" if it is a quantity, or choose a column whose '
            "values repeat.",
        ),
        (
            [1.5, np.inf, 2.5],
            {},
            "the table, row 2, column 'y': expected a finite target, got 'inf'; correct it, or "
            "leave it empty to leave the row out.",
        ),
        (
            ["1.5", "2.5", "oops", "3.5"],
            {},
            "the table, row 3, column 'y': expected a number as target, got 'oops'; correct it, "
            'leave it empty to leave the row out, or give task="classification".',
        ),
        (
            ["a", "b", "a"],
            {"task": "regression"},
            "the table, row 1, column 'y': expected a number as target, got 'a'; correct it, "
            'leave it empty to leave the row out, or give task="classification".',
        ),
    ],
)
def test_targets_that_cannot_be_learned(values, options, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        infer(values, **options)


def test_unknown_target_names_the_nearest():
    message = "the table: there is no target column 'specie'; did you mean 'species'?"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        TargetEncoder.infer(Table({"species": ["a", "b"]}), "specie")


def test_unknown_task():
    message = "TargetEncoder: expected task classification or regression, got 'guess'."
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        infer(["a", "b", "a"], task="guess")


def test_a_class_never_seen():
    encoder = infer(["a", "b", "a"])
    message = (
        "the table, row 2, column 'y': expected one of the classes learned (a, b), got 'c'; "
        "leave the row out, or train with this class."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        encoder.encode(Table({"y": ["a", "c"]}))


def test_the_target_is_lacking():
    message = "the table: the target column 'y' is missing; the columns are x"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        infer(["a", "b", "a"]).encode(Table({"x": [1]}))


def test_a_quantity_that_does_not_vary_in_training():
    table = Table({"y": [1.5, 1.5, 2.0]})
    message = (
        "the table: the target 'y' does not vary in the training rows; add rows, or hold out fewer."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        TargetEncoder.infer(table, "y").fit(table.take(slice(0, 2)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"format": 2},
            "TargetEncoder: expected format 1 or older, got 2; update Schuss, or train again.",
        ),
        (
            {"format": 1, "name": "y", "task": "regression", "more": 1},
            "TargetEncoder: expected a saved description, got a damaged one",
        ),
    ],
)
def test_configs_that_cannot_be_used(config, message):
    with pytest.raises(FileFormatError, match=f"^{re.escape(message)}"):
        TargetEncoder.from_config(config)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e307])
def test_targets_of_any_size_are_standardised(scale):
    values = np.array([1.5, 2.0, 2.5, 7.0])
    table = Table({"y": values * scale})
    y, _ = TargetEncoder.infer(table, "y").fit(table).encode(table)
    np.testing.assert_allclose(y, (values - values.mean()) / values.std(), rtol=1e-6)


def test_a_quantity_learned_by_its_logarithms():
    table = Table({"y": ["0.1", "10", "1000", None]})
    encoder = TargetEncoder.infer(table, "y").fit(table, scale="log")
    y, there = encoder.encode(table)
    assert there.tolist() == [True, True, True, False]
    np.testing.assert_allclose(y[:3], [-np.sqrt(1.5), 0.0, np.sqrt(1.5)], atol=1e-6)
    again = TargetEncoder.from_config(json.loads(json.dumps(encoder.to_config())))
    np.testing.assert_allclose(again.decode(y[:3]), [0.1, 10.0, 1000.0], rtol=1e-6)
    old = {name: v for name, v in encoder.to_config().items() if name not in ("scale", "shift")}
    assert TargetEncoder.from_config(old).scale == "linear"


def test_what_is_below_zero_has_no_logarithm():
    table = Table({"y": ["0.5", "1.5", "-2"]}, source="prices.csv")
    expected = "expected a target of 0 or more for a log scale, got '-2'"
    with pytest.raises(DataError, match=expected) as caught:
        TargetEncoder.infer(table, "y").fit(table, scale="log")
    assert str(caught.value).endswith('; give target_scale="linear", or leave such rows out.')


def test_spellings_of_yes_and_no_are_one_class_each() -> None:
    table = Table({"y": ["yes", "Yes", "Yes", "no", "no", "NO", "y", "N"] * 3})
    encoder = TargetEncoder.infer(table, "y")
    assert encoder.classes == ["N", "Yes", "no", "y"]
    codes = encoder.encode(table)[0][:8].tolist()
    assert [encoder.classes[code] for code in codes] == (
        ["Yes", "Yes", "Yes", "no", "no", "no", "y", "N"]
    )


def test_a_spelling_is_folded_where_others_of_the_classes_are_kept_apart() -> None:
    table = Table({"y": ["red", "Red", "Red", "A", "a"] * 4})
    encoder = TargetEncoder.infer(table, "y")
    assert encoder.classes == ["A", "Red", "a"]
    assert encoder.encode(table)[0][:5].tolist() == [1, 1, 1, 0, 2]


@pytest.mark.parametrize("days", [["2024-01-02", "2024-01-03"], ["3.1.2024", "14.1.2024"]])
def test_dates_as_classes_are_said(days: list[str]) -> None:
    encoder = TargetEncoder.infer(Table({"y": days * 6}), "y")
    assert encoder.notes == [
        "in the target 'y', each date is a class; give numbers, such as the days since one of "
        "them, to have it taken for a quantity"
    ]
    assert TargetEncoder.infer(Table({"y": ["1.5 l", "red"] * 6}), "y").notes == []
