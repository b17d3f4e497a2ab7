"""The recipe for tables: schedules, groups and losses against the published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss.nn.tabular import TabularMLP
from schuss.optim.schedules import cosine_log_cycles, flat_then_cosine
from schuss.training.tables.recipe import VALUE_LOSSES, TabularRecipe, tabular_recipe


def test_learning_rate_makes_four_waves_each_twice_as_long() -> None:
    for wave in range(4):
        start, end = (2**wave - 1) / 15, (2 ** (wave + 1) - 1) / 15
        assert cosine_log_cycles(start) == pytest.approx(0.0, abs=1e-12)
        assert cosine_log_cycles(end) == pytest.approx(0.0, abs=1e-12)
        top = (2 ** (wave + 0.5) - 1) / 15
        assert cosine_log_cycles(top) == pytest.approx(1.0)
    assert cosine_log_cycles(0.5) == pytest.approx(
        0.5 * (1 - math.cos(2 * math.pi * math.log2(8.5)))
    )


def test_decay_is_flat_and_then_half_a_cosine() -> None:
    figures = [flat_then_cosine(t) for t in (0.0, 0.25, 0.5, 0.625, 0.75, 1.0)]
    expected = [1.0, 1.0, 1.0, 0.5 + 0.25 * math.sqrt(2), 0.5, 0.0]
    np.testing.assert_allclose(figures, expected, atol=1e-12)


def test_published_defaults() -> None:
    classes, values = tabular_recipe("classification"), tabular_recipe("regression")
    for recipe in (classes, values):
        assert (recipe.epochs, recipe.batch_size, recipe.hidden) == (256, 256, (256, 256, 256))
        assert (recipe.weight_decay, recipe.betas, recipe.dropout) == (0.02, (0.9, 0.95), 0.15)
    assert (classes.lr, classes.activation) == (0.04, "selu")
    assert (values.lr, values.activation) == (0.2, "mish")


def test_probabilities_are_not_smoothed_and_choose_the_epoch() -> None:
    classes, values = tabular_recipe("classification"), tabular_recipe("regression")
    assert classes.label_smoothing == values.label_smoothing == 0.0
    assert (classes.metric, values.metric) == ("log_loss", "rmse")


def test_changes_and_unknown_tasks() -> None:
    recipe = tabular_recipe("classification", epochs=3, lr=None)
    assert (recipe.epochs, recipe.lr) == (3, 0.04)
    with pytest.raises(ValueError, match="classification or regression, got 'ranking'"):
        tabular_recipe("ranking")


def test_groups_carry_the_published_factors() -> None:
    recipe = TabularRecipe("classification", lr=1.0, weight_decay=1.0)
    options = recipe.network_options()
    network = TabularMLP(3, 2, cardinalities=[10], embedded=2, **options)
    names = {id(p): name for name, p in network.named_parameters()}
    factors = {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in recipe.param_groups(network)
        for p in group["params"]
    }
    assert set(factors) == set(names.values())
    for name, found in factors.items():
        if name == "scale.scale":
            assert found == (6.0, 6.0)
        elif name.startswith(("numbers.", "activations.")):
            assert found == (0.1, 0.1)
        elif name.endswith(".bias"):
            assert found == (0.1, 0.0)
        else:
            assert name.startswith(("linears.", "head.", "categories."))
            assert found == (1.0, 1.0)
    group = recipe.param_groups(network)[0]
    assert group["initial_lr"] == group["lr"]
    assert group["initial_weight_decay"] == group["weight_decay"]


def test_loss_smooths_labels_and_weighs_rows() -> None:
    recipe = tabular_recipe("classification", label_smoothing=0.1)
    logits = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    y = np.array([0, 2])
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    smooth = 0.9 * np.eye(3)[y] + 0.1 / 3
    each = -(smooth * logs).sum(axis=1)
    found = recipe.loss(ss.tensor(logits), ss.tensor(y)).item()
    assert found == pytest.approx(each.mean())
    weights = np.array([1.0, 3.0])
    found = recipe.loss(ss.tensor(logits), ss.tensor(y), ss.tensor(weights)).item()
    assert found == pytest.approx((each * weights).sum() / 4.0)


def test_loss_of_values_is_the_mean_squared_error() -> None:
    outputs, y = ss.tensor([[1.0], [3.0]]), ss.tensor([0.0, 1.0])
    assert tabular_recipe("regression").loss(outputs, y).item() == pytest.approx(2.5)


def test_losses_of_values_are_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    predicted, y, weights = draw.normal(size=9) * 3, draw.normal(size=9), draw.random(9)
    gap = y - predicted
    size = np.abs(gap)
    expected = {
        "mse": gap**2,
        "mae": size,
        "huber": np.where(size <= 1.0, 0.5 * gap**2, size - 0.5),
        "quantile": np.where(gap > 0.0, 0.9 * gap, -0.1 * gap),
    }
    assert expected.keys() == VALUE_LOSSES.keys()
    for name, each in expected.items():
        recipe = tabular_recipe("regression", value_loss=name, quantile=0.9)
        given = ss.tensor(predicted[:, None]), ss.tensor(y)
        assert recipe.loss(*given).item() == pytest.approx(each.mean())
        found = recipe.loss(*given, ss.tensor(weights)).item()
        assert found == pytest.approx((each * weights).sum() / weights.sum())
        assert ss.check_gradients(lambda p, r=recipe, t=given[1]: r.loss(p, t), given[0])


def test_loss_of_members_is_the_mean_of_their_losses() -> None:
    draws = np.random.default_rng(0).normal(size=(3, 4, 2))
    y, weights = ss.tensor([0, 1, 1, 0]), ss.tensor([1.0, 2.0, 0.5, 3.0])
    recipe = tabular_recipe("classification")
    for given in (None, weights):
        each = [recipe.loss(ss.tensor(d), y, given).item() for d in draws]
        found = recipe.loss(ss.tensor(draws), y, given).item()
        assert found == pytest.approx(np.mean(each), rel=1e-6)


def test_learns_a_curve_better_than_a_line() -> None:
    ss.manual_seed(0)
    recipe = tabular_recipe("regression", epochs=40, hidden=(32, 32))
    x = np.random.default_rng(0).uniform(-2.0, 2.0, size=(256, 2)).astype(np.float32)
    y = np.sin(3.0 * x[:, 0]) * x[:, 1]
    y = (y - y.mean()) / y.std()
    network = TabularMLP(2, 1, **recipe.network_options())
    inputs, target = ss.tensor(x), ss.tensor(y)
    network.start_from(inputs, target=target)
    optimizer = recipe.optimizer(network)
    for step in range(120):
        factors = {name: curve(step / 120) for name, curve in recipe.schedules.items()}
        for group in optimizer.param_groups:
            for name in ("lr", "weight_decay"):
                group[name] = group[f"initial_{name}"] * factors[name]
        network.dropout.p = recipe.dropout * factors["dropout"]
        loss = recipe.loss(network(inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert recipe.loss(network.eval()(inputs), target).item() < 0.1
