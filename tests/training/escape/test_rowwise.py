"""The loss of a network as a function of one vector, against the network itself."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.core import leaf
from schuss.training.escape.rowwise import RowwiseProblem, Unsuited
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.objective import Objective


def make(model, loss, x, y, weight=None):
    examples = Examples.of((x, y), weight=weight, dtype=next(model.parameters()).dtype)
    return RowwiseProblem(model, Objective(loss), examples.without_zero_weights())


def small(outputs=1):
    ss.manual_seed(3)
    return nn.Sequential(
        nn.Linear(2, 3, dtype=np.float64), nn.Tanh(), nn.Linear(3, outputs, dtype=np.float64)
    )


ROWS = np.random.default_rng(0).normal(size=(7, 2))
CASES = {
    "mse": (1, np.arange(7.0)),
    "binary_cross_entropy": (1, np.arange(7.0) % 2),
    "cross_entropy": (3, np.arange(7) % 3),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", CASES)
def test_loss_and_slope_are_those_of_the_network(loss, weighted):
    outputs, y = CASES[loss]
    model = small(outputs)
    weight = np.arange(1.0, 8.0) if weighted else None
    problem = make(model, loss, ROWS, y, weight)
    value, slope, _ = problem.expansion_at(leaf(problem.vector()), leaf(problem.weight))
    examples = Examples.of((ROWS, y), weight=weight, dtype=np.float64).without_zero_weights()
    inputs, targets, weights = examples.batch(slice(None))
    whole = Objective(loss)(model(*inputs), targets, weights)
    whole.backward()
    assert value.item() == pytest.approx(whole.item(), rel=1e-9)
    expected = np.concatenate([p.grad.array.ravel() for p in model.parameters()])
    np.testing.assert_allclose(slope.array, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", CASES)
def test_matrix_is_the_hessian_with_the_network_linear(loss):
    outputs, y = CASES[loss]
    model = nn.Linear(2, outputs, dtype=np.float64)
    problem = make(model, loss, ROWS, y)
    at, weight = problem.vector(), leaf(problem.weight)
    _, _, matrix = problem.expansion_at(leaf(at), weight)

    def slope(t):
        return problem.expansion_at(leaf(t), weight)[1].array

    step = 1e-6
    for i, unit in enumerate(np.eye(len(at))):
        column = (slope(at + step * unit) - slope(at - step * unit)) / (2 * step)
        np.testing.assert_allclose(matrix.array[:, i], column, rtol=1e-5, atol=1e-8)


def test_best_constant_costs_what_the_mean_does():
    y = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    share = y.mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    for loss, expected in (("binary_cross_entropy", entropy), ("mse", y.var())):
        problem = make(small(), loss, ROWS, y)
        found = problem.weight @ problem.constant_row_losses(problem.weight)
        assert found == pytest.approx(expected, rel=1e-4)


def test_vectors_are_placed_where_they_came_from():
    model = small()
    problem = make(model, "mse", ROWS, np.arange(7.0))
    vector = problem.vector()
    problem.place(vector * 2.0)
    np.testing.assert_array_equal(problem.vector(), vector * 2.0)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(2, 2)
        self.other = nn.Linear(2, 2)
        self.other.weight = self.one.weight

    def forward(self, x):
        return self.other(self.one(x))


class Centred(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 1)

    def forward(self, x):
        return self.inner(x - x.mean(dim=0))


UNSUITED = {
    "not the mean of its rows": Centred(),
    "BatchNorm": nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)),
    "row by row it fails": nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1)),
    "too many": nn.Sequential(nn.Linear(2, 300), nn.Tanh(), nn.Linear(300, 1)),
    "shares parameters": Tied(),
}


@pytest.mark.parametrize("reason", UNSUITED)
def test_networks_that_do_not_fit_are_refused(reason):
    model = UNSUITED[reason]
    before = {name: value.array.copy() for name, value in model.state_dict().items()}
    y = np.arange(14.0).reshape(7, 2) if reason == "shares parameters" else np.arange(7.0)
    with pytest.raises(Unsuited, match=reason):
        make(model, "mse", ROWS.astype(np.float32), y)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.array, before[name])


def test_losses_that_are_no_means_are_refused():
    with pytest.raises(Unsuited, match="not the mean"):
        make(small(), lambda o, y: ((o - y) ** 2).sum(), ROWS, np.arange(7.0))
