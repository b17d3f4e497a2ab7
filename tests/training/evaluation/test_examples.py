from __future__ import annotations

import numpy as np
import pytest

from schuss import tensor
from schuss.errors import DataError, UsageError
from schuss.training.evaluation.examples import (
    Examples,
    batch_bounds,
    class_factors,
    epoch_order,
    hold_out,
)


def test_an_epochs_order_depends_on_seed_and_epoch_alone() -> None:
    first = epoch_order(50, seed=7, epoch=3)
    assert sorted(first.tolist()) == list(range(50))
    assert np.array_equal(first, epoch_order(50, seed=7, epoch=3))
    assert not np.array_equal(first, epoch_order(50, seed=7, epoch=4))
    assert not np.array_equal(first, epoch_order(50, seed=8, epoch=3))
    assert sorted(epoch_order(3, seed=-1, epoch=0).tolist()) == [0, 1, 2]


def test_floats_get_the_models_dtype_and_integers_stay() -> None:
    rows = Examples.of((np.zeros((3, 2)), [0, 1, 1]))
    assert rows.inputs[0].dtype == np.float32
    assert rows.y.dtype == np.int64
    wide = Examples.of((tensor([[1.0], [2.0]]), tensor([1.0, 2.0])), dtype=np.float64)
    assert wide.inputs[0].dtype == wide.y.dtype == np.float64
    assert Examples.of((np.zeros((2, 1)), np.array([True, False]))).y.tolist() == [1, 0]


def test_several_inputs_and_weights() -> None:
    x, codes, w = np.zeros((4, 2)), np.arange(4), np.array([0.0, 1.0, 3.0, 0.0])
    rows = Examples.of(((x, codes), np.arange(4.0), w))
    inputs, y, weight = rows.batch(np.array([2, 1]))
    assert inputs[1].tolist() == [2, 1]
    assert y.tolist() == [2.0, 1.0]
    assert weight is not None
    assert weight.tolist() == [3.0, 1.0]
    kept = rows.without_zero_weights()
    assert len(kept) == 2
    assert kept.weight is not None
    assert kept.weight.tolist() == [0.5, 1.5]


def test_a_set_of_pairs() -> None:
    class Pairs:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> tuple[list[float], int]:
            return [float(i), 0.0], i % 2

    rows = Examples.of(Pairs())
    assert rows.inputs[0].tolist() == [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    assert rows.y.tolist() == [0, 1, 0]


def test_rows_that_are_read_when_they_are_needed() -> None:
    class OnDisk:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, rows: object) -> np.ndarray:
            return np.arange(10, dtype=np.float32).reshape(5, 2)[rows]

    rows = Examples.of((OnDisk(), np.arange(5)))
    assert rows.batch(np.array([4, 0]))[0][0].tolist() == [[8.0, 9.0], [0.0, 1.0]]
    assert [len(y) for _, y, _ in rows.batches(2)] == [2, 2, 1]


def test_wrong_data_is_named() -> None:
    x = np.zeros((3, 2))
    with pytest.raises(DataError, match="got 2 targets for 3 rows"):
        Examples.of((x, np.zeros(2)))
    with pytest.raises(DataError, match=r"X: expected finite numbers, got nan in row 2"):
        Examples.of((np.array([[1.0], [np.nan]]), np.zeros(2)))
    with pytest.raises(DataError, match=r"y: expected finite numbers, got inf in row 1"):
        Examples.of((np.zeros((1, 1)), np.array([np.inf])))
    with pytest.raises(DataError, match=r"expected weights of shape \(3,\), got \(2,\)"):
        Examples.of((x, np.zeros(3)), weight=[1.0, 2.0])
    with pytest.raises(DataError, match="expected finite weights of 0 or more"):
        Examples.of((x, np.zeros(3)), weight=[1.0, -2.0, 1.0])
    with pytest.raises(DataError, match="at least one row"):
        Examples.of((np.zeros((0, 2)), np.zeros(0)))
    with pytest.raises(UsageError, match=r"expected data as \(X, y\)"):
        Examples.of((x,))
    with pytest.raises(DataError, match="y: expected numbers"):
        Examples.of((x, np.array(["a", "b", "c"])))


def test_the_share_held_out_has_every_class_in_proportion() -> None:
    y = np.array([0] * 60 + [1] * 30 + [2] * 10)
    learn, held = hold_out(Examples.of((np.arange(100.0)[:, None], y)), 0.2, seed=1)
    assert held is not None
    assert np.bincount(held.y).tolist() == [12, 6, 2]
    both = np.concatenate([learn.inputs[0], held.inputs[0]])[:, 0]
    assert sorted(both.tolist()) == list(range(100))
    assert hold_out(learn, 0.0, seed=1)[1] is None
    with pytest.raises(UsageError, match=r"share in \[0, 1\), got 1.5"):
        hold_out(learn, 1.5, seed=1)


def test_class_factors() -> None:
    y = np.array([0, 0, 0, 1])
    assert class_factors("balanced", y).tolist() == pytest.approx([2 / 3, 2.0])
    assert class_factors({1: 5.0}, y).tolist() == [1.0, 5.0]
    assert class_factors([2.0, 3.0], y).tolist() == [2.0, 3.0]
    weighted = Examples.of((np.zeros((4, 1)), y)).weighted_by(np.array([1.0, 3.0]))
    assert weighted.weight is not None
    assert weighted.weight.tolist() == [1.0, 1.0, 1.0, 3.0]
    with pytest.raises(UsageError, match="'balanced' or numbers, got 'even'"):
        class_factors("even", y)
    with pytest.raises(UsageError, match="targets of float64"):
        class_factors("balanced", np.zeros(3))
    with pytest.raises(UsageError, match="finite factors of 0 or more"):
        class_factors([1.0, -1.0], y)


def test_batches_of_an_epoch() -> None:
    assert batch_bounds(10, 4, False) == [(0, 4), (4, 8), (8, 10)]
    assert batch_bounds(10, 4, True) == [(0, 4), (4, 8)]
    assert batch_bounds(9, 4, False) == [(0, 4), (4, 9)]
    assert batch_bounds(3, 4, True) == [(0, 3)]
    assert batch_bounds(1, 1, False) == [(0, 1)]
