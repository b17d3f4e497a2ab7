"""The same network on rows as they are, and on rows of mean 0 and deviation 1."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.training.escape.input_scale import InputScale
from schuss.training.escape.rowwise import place_weights, weights_of
from schuss.training.evaluation.examples import Examples

X = np.random.default_rng(0).normal(size=(50, 3)) * [1e-3, 1.0, 1e3] + [0.0, 50.0, -3e3]
Y = np.zeros(50)


def scale_of(model, x=X):
    return InputScale(model, Examples.of((x, Y), dtype=np.float64))


def linear(*sizes, **options):
    return nn.Linear(*sizes, dtype=np.float64, **options)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other, self.last = linear(3, 4), linear(3, 4), linear(4, 1)

    def forward(self, x):
        return self.last(ss.tanh(self.one(x)) * self.other(x))


MODELS = {
    "first": lambda: nn.Sequential(linear(3, 4), nn.Tanh(), linear(4, 2)),
    "no bias": lambda: nn.Sequential(linear(3, 4, bias=False), nn.Tanh(), linear(4, 2)),
    "twice": Twice,
}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_the_same_on_standard_rows(name):
    ss.manual_seed(1)
    model = MODELS[name]()
    before = weights_of(model)
    scale = scale_of(model)
    rows = scale.examples.inputs[0]
    np.testing.assert_allclose((rows**2).mean(axis=0), 1.0, rtol=1e-9)
    if name != "no bias":
        np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_array_equal(weights_of(model), before)
    expected = model(ss.tensor(X, dtype=np.float64)).array
    entered = scale.entered(before)
    place_weights(model, entered)
    found = model(ss.tensor(rows, dtype=np.float64)).array
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scale.left(entered), before, rtol=1e-9, atol=1e-12)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = linear(3, 3)
        nn.init.zeros_(self.layer.weight)

    def forward(self, x):
        return x[:, :1] + self.layer(x)[:, :1]


def frozen():
    model = nn.Sequential(linear(3, 1))
    model[0].weight.requires_grad_(False)
    return model


@pytest.mark.parametrize("make", [Residual, frozen, lambda: nn.Sequential(nn.Tanh(), linear(3, 1))])
def test_rows_stay_as_they_are_where_other_than_trained_linear_layers_take_them(make):
    model = make()
    before = weights_of(model)
    examples = Examples.of((X, Y), dtype=np.float64)
    scale = InputScale(model, examples)
    assert scale.examples is examples
    np.testing.assert_array_equal(scale.entered(before), before)
    np.testing.assert_array_equal(scale.left(before), before)
    np.testing.assert_array_equal(weights_of(model), before)


def test_a_column_that_is_the_same_everywhere_stays_finite():
    x = X.copy()
    x[:, 1] = 7.0
    scale = scale_of(MODELS["first"](), x)
    assert np.isfinite(scale.examples.inputs[0]).all()
