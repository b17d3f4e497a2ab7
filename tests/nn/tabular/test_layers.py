"""The layers of the network for tables, each against its equation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss.core import no_grad
from schuss.gradcheck import check_gradients
from schuss.nn.tabular.layers import (
    CategoryEmbedding,
    FeatureScale,
    NTKLinear,
    ParametricActivation,
    PeriodicEmbedding,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    ss.manual_seed(0)


def normal(*shape: int, seed: int = 0) -> ss.Tensor:
    return ss.tensor(np.random.default_rng(seed).normal(size=shape))


class TestPeriodicEmbedding:
    def test_is_its_equation_column_by_column(self) -> None:
        layer = PeriodicEmbedding(3, waves=5, size=4, dtype="float64")
        x = normal(7, 3)
        w, b = layer.frequency.array[:, 0], layer.phase.array[:, 0]
        v, c = layer.weight.array, layer.bias.array[:, 0]
        learned = [
            np.cos(2 * np.pi * x.array[:, i : i + 1] * w[i] + b[i]) @ v[i] + c[i] for i in range(3)
        ]
        expected = np.concatenate([*learned, x.array], axis=1)
        np.testing.assert_allclose(layer(x).array, expected, rtol=1e-12)

    def test_starts_as_published(self) -> None:
        layer = PeriodicEmbedding(2000)
        assert layer.frequency.array.std() == pytest.approx(0.1, rel=0.02)
        assert np.abs(layer.phase.array).max() <= np.float32(math.pi)
        assert layer.phase.array.std() == pytest.approx(math.pi / math.sqrt(3), rel=0.02)
        assert 0.24 < np.abs(layer.weight.array).max() <= 0.25
        assert 0.24 < np.abs(layer.bias.array).max() <= 0.25

    def test_gradients(self) -> None:
        layer = PeriodicEmbedding(2, waves=3, dtype="float64")
        check_gradients(layer, normal(4, 2))


class TestCategoryEmbedding:
    def test_looks_up_each_column_in_its_own_rows(self) -> None:
        layer = CategoryEmbedding([3, 2], 4)
        codes = ss.tensor([[0, 1], [2, 0]])
        table = layer.weight.array
        expected = np.stack([np.r_[table[0], table[4]], np.r_[table[2], table[3]]])
        np.testing.assert_array_equal(layer(codes).array, expected)

    def test_unknown_starts_in_the_middle(self) -> None:
        table = CategoryEmbedding([3, 2], 4).weight.array
        assert not table[[0, 3]].any()
        assert (table[[1, 2, 4]] != 0.0).all()

    def test_learns_only_what_it_looked_up(self) -> None:
        layer = CategoryEmbedding([3, 2], 2)
        layer(ss.tensor([[2, 1], [2, 0]])).sum().backward()
        np.testing.assert_array_equal(
            layer.weight.grad.array, [[0, 0], [0, 0], [2, 2], [1, 1], [1, 1]]
        )


class TestNTKLinear:
    def test_is_its_equation(self) -> None:
        layer, x = NTKLinear(5, 3, dtype="float64"), normal(4, 5)
        layer.bias.assign(np.array([1.0, 2.0, 3.0]))
        expected = x.array @ layer.weight.array.T / math.sqrt(5) + [1.0, 2.0, 3.0]
        np.testing.assert_allclose(layer(x).array, expected, rtol=1e-12)

    def test_start_gives_outputs_of_deviation_one_around_the_rows(self) -> None:
        layer, x = NTKLinear(6, 40, dtype="float64"), normal(500, 6) * 7.0 + 2.0
        layer.start_from(x)
        with no_grad():
            outputs = layer(x).array
        np.testing.assert_allclose(outputs.std(axis=0), 1.0, rtol=1e-9)
        # The bias is minus a convex combination of the outputs: zero lies within their range.
        assert (outputs.min(axis=0) < 0.0).all()
        assert (outputs.max(axis=0) > 0.0).all()
        assert layer.bias.array.std() > 0.1

    def test_start_from_inputs_that_do_not_vary(self) -> None:
        layer = NTKLinear(2, 3)
        layer.start_from(ss.tensor(np.ones((4, 2), np.float32)))
        assert np.isfinite(layer.weight.array).all()
        assert np.isfinite(layer.bias.array).all()


class TestParametricActivation:
    @pytest.mark.parametrize("name", ["selu", "mish"])
    def test_is_pytorchs_at_strength_one_and_the_identity_at_zero(self, name: str) -> None:
        torch = pytest.importorskip("torch")
        x = np.r_[np.linspace(-60.0, 60.0, 241), [-1e4, 1e4, 0.0]][:, None]
        layer = ParametricActivation(1, name, dtype="float64")
        expected = getattr(torch.nn.functional, name)(torch.tensor(x)).numpy()
        np.testing.assert_allclose(layer(ss.tensor(x)).array, expected, rtol=1e-9, atol=1e-9)
        layer.strength.assign(np.zeros(1))
        np.testing.assert_array_equal(layer(ss.tensor(x)).array, x)

    @pytest.mark.parametrize("name", ["selu", "mish"])
    def test_gradients(self, name: str) -> None:
        layer = ParametricActivation(3, name, dtype="float64")
        layer.strength.assign(np.array([0.5, 1.0, 2.0]))
        check_gradients(layer, normal(5, 3) * 3.0)

    @pytest.mark.parametrize("name", ["selu", "mish"])
    def test_far_out_stays_finite(self, name: str) -> None:
        layer = ParametricActivation(1, name)
        x = ss.tensor(np.array([[1e4], [-1e4]], np.float32), requires_grad=True)
        layer(x).sum().backward()
        assert np.isfinite(x.grad.array).all()

    def test_refuses_an_unknown_activation(self) -> None:
        with pytest.raises(ValueError, match=r"one of \('selu', 'mish'\), got 'relu'"):
            ParametricActivation(1, "relu")


def test_feature_scale_multiplies_columns() -> None:
    layer = FeatureScale(2)
    layer.scale.assign(np.array([2.0, -1.0], np.float32))
    assert layer(ss.tensor([[1.0, 3.0]])).tolist() == [[2.0, -3.0]]


def test_members_take_rows_of_their_own() -> None:
    x = normal(3, 4, 2)
    codes = ss.tensor(np.random.default_rng(1).integers(0, 5, (3, 4, 2)))
    numbers = PeriodicEmbedding(2, members=3, dtype="float64")
    table = CategoryEmbedding([5, 6], 4, members=3, dtype="float64")
    for layer, rows in ((numbers, x), (table, codes)):
        found = layer(rows).array
        for member in range(3):
            alone = layer(ss.tensor(rows.array[member])).array[member]
            np.testing.assert_allclose(found[member], alone, rtol=1e-12)
