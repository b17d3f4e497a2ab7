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


def test_changed_starts_have_whole_units_of_others():
    starts = Starts(nn.Linear(3, 50))
    drawn = starts.draw(4)
    vector = np.full(200, 7.0, drawn.dtype)
    for found, other, share in zip(
        starts.change(vector, drawn), drawn, (0.05, 0.1, 0.2, 0.3), strict=True
    ):
        assert ((found == 7.0) | (found == other)).all()
        units = (found[:150].reshape(50, 3) != 7.0).all(axis=1)
        assert ((found[:150].reshape(50, 3) != 7.0).any(axis=1) == units).all()
        assert abs(units.mean() - share) < 0.2
