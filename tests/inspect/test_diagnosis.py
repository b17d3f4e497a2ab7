"""Planted faults are found, each by its name and its layer; a healthy network has none."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.inspect import diagnose
from schuss.inspect.curvature import extreme_curvature
from schuss.nn import functional as F

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2]).astype(np.float32)


def network(activation=nn.Tanh, depth=1, width=6):
    ss.manual_seed(0)
    layers = [nn.Linear(3, width), activation()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 1))


def kinds(model, x=X, y=Y):
    return {f.kind: f for f in diagnose(model, F.mse_loss, [x], y).findings}


def change(parameter, values):
    parameter.assign(np.asarray(values, np.float32))


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.Sigmoid])
@pytest.mark.parametrize("depth", [1, 3])
def test_healthy_networks_have_no_findings(activation, depth):
    assert kinds(network(activation, depth, width=16)) == {}


def test_dead_units():
    model = network(nn.ReLU)
    bias = model[0].bias.numpy().copy()
    bias[2:4] = -100.0
    change(model[0].bias, bias)
    found = kinds(model)
    assert set(found) == {"dead units"}
    assert found["dead units"].layer == "0"
    assert "2 of 6 units are dead" in found["dead units"].text


def test_saturated_units():
    model = network()
    change(model[0].weight, 1e4 * model[0].weight.numpy())
    found = kinds(model)
    assert found["saturated units"].layer == "1"
    assert "6 of 6 units are saturated" in found["saturated units"].text


def test_duplicate_units():
    model = network()
    for parameter in (model[0].weight, model[0].bias):
        values = parameter.numpy().copy()
        values[4] = values[1]
        change(parameter, values)
    found = kinds(model)
    assert set(found) == {"duplicate units"}
    assert "units 1 and 4 are duplicates" in found["duplicate units"].text


@pytest.mark.parametrize(("factor", "kind"), [(0.1, "vanishing gradients"), (30.0, "exploding")])
def test_errors_that_do_not_arrive(factor, kind):
    model = network(nn.Identity, depth=8)
    for layer in list(model)[2:-1:2]:
        change(layer.weight, factor * np.eye(6))
    found = [f for k, f in kinds(model).items() if k.startswith(kind)]
    assert len(found) == 1
    assert "layer 0 (Linear) gets errors" in found[0].text


def test_collapsed_outputs():
    model = network()
    change(model[0].weight, 0.0 * model[0].weight.numpy())
    assert "collapsed outputs" in kinds(model)


def test_labels_that_contradict_each_other():
    x, y = X.copy(), Y.copy()
    x[7] = x[3]
    found = kinds(network(), x, y)
    assert set(found) == {"contradicting labels"}
    assert "rows 4 and 8 have the same inputs" in found["contradicting labels"].text


class Point(nn.Module):
    """Two numbers, of which the loss is a function."""

    def __init__(self, a, b):
        super().__init__()
        self.at = nn.Parameter(ss.tensor([a, b]))

    def forward(self, x):
        return self.at


PLACES = {
    "minimum": ((1.0, 1.0), lambda p, y: ((p - 1.0) ** 2).sum() + 1.0),
    "saddle": ((0.0, 0.0), lambda p, y: p[0] * p[0] - p[1] * p[1] + 1.0),
    "slope": ((3.0, 1.0), lambda p, y: (p * p).sum()),
    "plateau": ((30.0, 30.0), lambda p, y: 1.0 - ss.exp(-(p * p).sum())),
}


@pytest.mark.parametrize("place", PLACES)
def test_places(place):
    at, loss = PLACES[place]
    found = diagnose(Point(*at), loss, [X], Y)
    assert found.place == place
    assert found.gradient >= 0.0


def test_eigenvalues_are_those_of_the_whole_matrix():
    matrix = RNG.normal(size=(20, 20))
    matrix = matrix + matrix.T
    found = extreme_curvature(lambda v: matrix @ v, 20)
    expected = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose([found.least, found.largest], expected[[0, -1]], rtol=1e-8)
    image = matrix @ found.direction
    np.testing.assert_allclose(image, found.least * found.direction, atol=1e-8)


def test_nothing_of_the_network_changes():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    model.train()
    before = {name: x.numpy().copy() for name, x in model.state_dict().items()}
    diagnose(model, F.mse_loss, [X], Y)
    assert model.training
    for name, x in model.state_dict().items():
        np.testing.assert_array_equal(x.numpy(), before[name])
    assert all(p.grad is None for p in model.parameters())
