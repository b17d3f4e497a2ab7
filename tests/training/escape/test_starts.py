"""Starts are drawn by the layers, or orthogonal, or like what stands there."""

from __future__ import annotations

import numpy as np

import schuss as ss
from schuss import nn
from schuss.training.escape.rowwise import weights_of
from schuss.training.escape.starts import Starts


def test_starts_differ_and_leave_the_model_alone():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    before = weights_of(model)
    drawn = Starts(model).draw(6)
    assert drawn.shape == (6, 25)
    assert len(np.unique(drawn.round(6), axis=0)) == 6
    np.testing.assert_array_equal(weights_of(model), before)


def test_every_second_start_has_orthogonal_matrices():
    drawn = Starts(nn.Linear(4, 4, bias=False)).draw(2)
    matrix = drawn[1].reshape(4, 4)
    np.testing.assert_allclose(matrix @ matrix.T, 2.0 * np.eye(4), atol=1e-5)
    matrix = drawn[0].reshape(4, 4)
    assert np.abs(matrix).max() <= 0.5


def test_parameters_that_no_layer_draws_are_drawn_like_themselves():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(ss.randn(400) * 3.0 + 10.0)

    drawn = Starts(Own()).draw(1)[0]
    assert 9.0 < drawn.mean() < 11.0
    assert 2.5 < drawn.std() < 3.5


def test_a_changed_start_has_one_unit_of_another():
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2, bias=False))
    starts = Starts(model)
    drawn = starts.draw(40)
    found = starts.change(np.full((40, 30), 7.0, drawn.dtype), drawn)
    assert ((found == 7.0) | (found == drawn)).all()
    is_drawn = found != 7.0
    first = np.concatenate([is_drawn[:, :15].reshape(40, 5, 3), is_drawn[:, 15:20, None]], axis=2)
    second = is_drawn[:, 20:].reshape(40, 2, 5)
    for rows in (first, second):
        assert (rows.any(axis=2) == rows.all(axis=2)).all()
    units = np.concatenate([first.all(axis=2), second.all(axis=2)], axis=1)
    assert (units.sum(axis=1) == 1).all()
    assert units.any(axis=0).sum() >= 6
