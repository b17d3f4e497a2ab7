"""Each thing that keeps a network stuck is mended, and the function stays where it can."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.inspect import diagnose
from schuss.training.escape.repairs import repair
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.objective import Objective

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1]).astype(np.float32)
ROWS = Examples.of((X, Y), dtype=np.dtype("float32"))


def network(activation=nn.ReLU):
    ss.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 10), activation(), nn.Dropout(0.5), nn.Linear(10, 1))


def change(parameter, index, values):
    array = parameter.numpy().copy()
    array[index] = values
    parameter.assign(array)


def mended(model, has_learned=True, loss="mse"):
    with ss.random.fork_rng():
        return repair(model, Objective(loss), ROWS, has_learned=has_learned)


def outputs(model):
    return model.eval()(ss.tensor(X)).numpy()


def kinds(model):
    objective = Objective("mse")
    return {f.kind for f in diagnose(model, objective, [X], Y).findings}


def test_dead_units_come_back_and_the_function_stays():
    model = network()
    change(model[0].bias, slice(5), -100.0)
    before = outputs(model)
    assert mended(model) == "dead or duplicate: 5 of 10 units of layer 0 drawn anew"
    np.testing.assert_array_equal(outputs(model), before)
    active = (model[0](ss.tensor(X)).numpy() > 0).mean(axis=0)
    assert (active > 0).all()
    np.testing.assert_array_equal(model[3].weight.numpy()[0, :5], 0.0)
    assert (model[3].weight.numpy()[0, 5:] != 0.0).all()


def test_duplicates_become_one_unit_and_fresh_ones():
    model = network(nn.Tanh)
    for unit in (3, 7):
        change(model[0].weight, unit, model[0].weight.numpy()[1])
        change(model[0].bias, unit, model[0].bias.numpy()[1])
    before = outputs(model)
    passed = model[3].weight.numpy()[0].copy()
    assert "duplicate units" in kinds(model)
    assert mended(model) == "dead or duplicate: 2 of 10 units of layer 0 drawn anew"
    np.testing.assert_allclose(outputs(model), before, rtol=1e-5, atol=1e-6)
    assert "duplicate units" not in kinds(model)
    now = model[3].weight.numpy()[0]
    assert now[1] == pytest.approx(passed[[1, 3, 7]].sum(), rel=1e-5)


def test_units_stay_where_the_function_could_not():
    class Doubled(nn.Module):
        """Passes units on, beside the layer that comes next."""

        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            h = ss.tanh(self.inner(x))
            return self.outer(h) + h.sum(1, keepdim=True)

    ss.manual_seed(0)
    model = Doubled()
    change(model.inner.weight, 1, model.inner.weight.numpy()[0])
    change(model.inner.bias, 1, model.inner.bias.numpy()[0])
    before = {name: x.numpy().copy() for name, x in model.state_dict().items()}
    assert mended(model) == ""
    for name, x in model.state_dict().items():
        np.testing.assert_array_equal(x.numpy(), before[name])


def test_a_healthy_network_is_left_alone():
    model = network(nn.Tanh).train()
    before = outputs(model)
    model.train()
    assert mended(model, has_learned=False) == ""
    assert model.training
    np.testing.assert_array_equal(outputs(model), before)


class Factors(nn.Module):
    """A product of sums, whose derivative is 0 where all weights are."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(ss.zeros(4)), nn.Parameter(ss.zeros(4))

    def forward(self, x):
        return (x @ self.a) * (x @ self.b)


def test_a_saddle_is_left_downward():
    model = Factors()
    before = float((Y**2).mean())
    assert mended(model) == ""
    done = mended(model, has_learned=False)
    assert done.startswith("on a saddle: a step along the curvature of -")
    after = float(((outputs(model) - Y) ** 2).mean())
    assert after < 0.9 * before
    assert done.endswith(f"loss {before:.4g} to {after:.4g}")


def test_a_plateau_is_left_for_other_weights():
    model = nn.Sequential(network(), nn.Sigmoid())
    change(model[0][3].bias, 0, -200.0)
    assert mended(model, has_learned=True) == ""
    assert mended(model, has_learned=False) == "on a plateau: all weights drawn anew"
    assert outputs(model).std() > 1e-3
