from __future__ import annotations

import numpy as np

from schuss.data import Table, infer_kinds, prepare_table, read_table
from schuss.data.tables.preparing.leaks import telling_columns


def find(columns, y, classes):
    table = Table(columns)
    return telling_columns(table, infer_kinds(table), np.asarray(y), classes=classes)


def test_each_value_goes_with_one_class():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    columns = {
        "words": [["a", "b"][v] for v in y],
        "numbers": y * 2 + rng.integers(0, 2, 100) + 3,
        "almost": [["a", "b"][v] for v in np.where(np.arange(100) == 50, 1 - y, y)],
        "many": rng.normal(size=100),
        "none": rng.integers(0, 3, 100),
    }
    assert find(columns, y, True) == ["words", "numbers"]


def test_the_target_in_another_unit():
    y = np.random.default_rng(0).normal(size=50)
    columns = {"other unit": 5.0 - 1.8 * y, "near": y + np.linspace(-0.1, 0.1, 50), "c": [3] * 50}
    assert find(columns, y, False) == ["other unit"]


def test_it_is_said(shared_data):
    ready = prepare_table(read_table(shared_data / "tables" / "titanic.csv"), "survived")
    assert ready.notes == [
        "alive: each of its values goes with one value of 'survived'; exclude it if it is not "
        "known before"
    ]
