from __future__ import annotations

import re

import numpy as np
import pytest

from schuss.data import Table, class_weights, weight_column
from schuss.errors import DataError


def test_balanced_classes_count_the_same_in_sum():
    codes = np.array([0] * 90 + [1] * 9 + [2])
    weights = class_weights(codes, 3)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights * np.bincount(codes), 100 / 3, rtol=1e-6)


def test_a_class_without_rows_weighs_one():
    assert class_weights(np.array([0, 0]), 2).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["1", "-1"],
            "the table, row 2, column 'w': expected a weight of 0 or more, got '-1'; correct it, "
            "or give 0 to leave the row out.",
        ),
        (
            ["1", ""],
            "the table, row 2, column 'w': expected a weight of 0 or more, got ''; correct it, "
            "or give 0 to leave the row out.",
        ),
        (
            ["1", "inf"],
            "the table, row 2, column 'w': expected a finite number, got 'inf'; correct it, or "
            "leave it empty if it is missing.",
        ),
        (
            ["u", "1"],
            "the table, row 1, column 'w': expected a number, got 'u'; correct it, or leave it "
            "empty if it is missing.",
        ),
        (
            [0, 0],
            "the table: expected some weight above 0 in column 'w', got none; choose another "
            "column.",
        ),
    ],
)
def test_wrong_weights(values, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        weight_column(Table({"w": values}), "w")


def test_weights_are_read():
    assert weight_column(Table({"w": [True, False]}), "w").tolist() == [1.0, 0.0]
