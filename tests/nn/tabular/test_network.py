"""The network for tables, against PyTorch and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss import functions as F
from schuss.nn.tabular import TabularMLP


@pytest.fixture(autouse=True)
def _seed() -> None:
    ss.manual_seed(0)


def normal(*shape: int, seed: int = 0) -> ss.Tensor:
    return ss.tensor(np.random.default_rng(seed).normal(size=shape))


def clipped(z: np.ndarray) -> np.ndarray:
    return z / np.sqrt(1.0 + (z / 3.0) ** 2)


class TestTabularMLP:
    def network(self, **options: object) -> TabularMLP:
        settings = {"cardinalities": [4, 5], "embedded": 2, "hidden": (8, 6), "dtype": "float64"}
        return TabularMLP(3, 2, **(settings | options)).eval()  # type: ignore[arg-type]

    @pytest.mark.parametrize("activation", ["selu", "mish"])
    def test_equals_the_same_network_in_pytorch(self, activation: str) -> None:
        torch = pytest.importorskip("torch")
        network, x = self.network(activation=activation), normal(9, 3)
        codes = ss.tensor(np.random.default_rng(1).integers(0, 4, (9, 2)))
        network.start_from(x, codes)
        for parameter in network.parameters():
            noise = np.random.default_rng(2).normal(size=parameter.shape)
            parameter.assign(parameter.array + 0.1 * noise)
        state = {k: torch.tensor(v.array) for k, v in network.state_dict().items()}
        numbers, c = torch.tensor(x.array), torch.tensor(codes.array)
        waves = torch.einsum("bi,iw->biw", numbers[:, :2], state["numbers.frequency"][:, 0])
        waves = torch.cos(2 * math.pi * waves + state["numbers.phase"][:, 0])
        learned = torch.einsum("biw,iwo->bio", waves, state["numbers.weight"])
        learned = (learned + state["numbers.bias"][:, 0]).reshape(9, -1)
        vectors = state["categories.weight"][c + torch.tensor([0, 4])].reshape(9, -1)
        h = torch.cat([learned, numbers, vectors], dim=1) * state["scale.scale"]
        bend = getattr(torch.nn.functional, activation)
        for k in range(2):
            w = state[f"linears.{k}.weight"]
            h = h @ w.T / math.sqrt(w.shape[1]) + state[f"linears.{k}.bias"]
            h = h + state[f"activations.{k}.strength"] * (bend(h) - h)
        expected = h @ state["head.weight"].T / math.sqrt(6) + state["head.bias"]
        np.testing.assert_allclose(network(x, codes).array, expected.numpy(), rtol=1e-9)

    def test_gradients_of_every_parameter(self) -> None:
        network, x = self.network(hidden=(4,)), normal(6, 3)
        codes = ss.tensor([[0, 1], [1, 4], [2, 0], [3, 2], [1, 1], [0, 3]])
        network.start_from(x, codes)
        parameters = list(network.parameters())

        def loss(*values: ss.Tensor) -> ss.Tensor:
            held = [p.array.copy() for p in parameters]
            for parameter, value in zip(parameters, values, strict=True):
                parameter.assign(value.array)
            y = (network(x, codes) ** 2).sum()
            y.backward()
            result = y.item()
            for parameter, value in zip(parameters, held, strict=True):
                parameter.assign(value)
            return result

        loss(*parameters)
        gradients = [p.grad.array.copy() for p in parameters]
        rng, step = np.random.default_rng(4), 1e-6
        for k, gradient in enumerate(gradients):
            direction = rng.normal(size=gradient.shape)
            moved = [
                loss(*(p + s * step * direction if i == k else p for i, p in enumerate(parameters)))
                for s in (1.0, -1.0)
            ]
            slope = (moved[0] - moved[1]) / (2.0 * step)
            assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-7)

    @pytest.mark.parametrize(
        ("numeric", "embedded", "cardinalities"),
        [(3, None, []), (3, 0, []), (3, 1, [4]), (0, None, [4, 4]), (2, 2, [4])],
    )
    def test_takes_any_mixture_of_columns(
        self, numeric: int, embedded: int | None, cardinalities: list[int]
    ) -> None:
        network = TabularMLP(numeric, 2, cardinalities=cardinalities, embedded=embedded)
        x = ss.tensor(np.random.default_rng(0).normal(size=(5, numeric)).astype(np.float32))
        codes = ss.tensor(np.zeros((5, len(cardinalities)), np.int64))
        network.start_from(x, codes)
        assert network(x, codes).shape == (5, 2)
        assert network(x, codes).dtype == ss.float32

    def test_start_gives_every_layer_outputs_of_deviation_one(self) -> None:
        network, x = self.network(cardinalities=[]), normal(200, 3)
        network.start_from(x)
        h = network.inputs(x)
        for linear, activation in zip(network.linears, network.activations, strict=True):
            np.testing.assert_allclose(linear(h).array.std(axis=0), 1.0, rtol=1e-9)
            h = activation(linear(h))
        np.testing.assert_allclose(network(x).array.std(axis=0), 1.0, rtol=1e-9)

    def test_state_crosses_to_another_network(self) -> None:
        first, second = self.network(baseline=True), self.network(baseline=True)
        x, codes = normal(9, 3), ss.tensor(np.zeros((9, 2), np.int64))
        first.start_from(x, codes, target=x[:, 0] * 2.0)
        second.load_state_dict(first.state_dict())
        np.testing.assert_array_equal(second(x, codes).array, first(x, codes).array)

    def test_learns_what_the_line_leaves_over(self) -> None:
        network = TabularMLP(2, 1, baseline=True, hidden=(8,), dtype="float64").eval()
        z = np.random.default_rng(5).normal(size=(300, 2))
        x, y = ss.tensor(clipped(z)), ss.tensor(z @ [1.0, -1.0])
        network.start_from(x, target=y)
        gap = network(x).array[:, 0] - y.array
        assert gap.std() == pytest.approx(network.baseline.remainder.item(), rel=0.01)
        assert gap.std() < 0.01

    def test_dropout_only_while_training(self) -> None:
        network, x = self.network(cardinalities=[]), normal(50, 3)
        still = network(x).array
        np.testing.assert_array_equal(network(x).array, still)
        network.train()
        assert not np.array_equal(network(x).array, still)

    def test_refuses_a_network_without_inputs(self) -> None:
        with pytest.raises(ValueError, match="at least one input column, got none"):
            TabularMLP(0, 2)
        with pytest.raises(ValueError, match="embedded between 0 and 2"):
            TabularMLP(2, 2, embedded=3)


class TestMembers:
    def networks(self, out: int = 2) -> tuple[TabularMLP, list[TabularMLP]]:
        """Return a network of three members, and each of them as a network of its own."""
        settings = {"cardinalities": [4, 5], "embedded": 2, "hidden": (8, 6), "dropout": 0.0}
        several = TabularMLP(3, out, members=3, dtype="float64", **settings)  # type: ignore[arg-type]
        several.start_from(normal(20, 3), self.codes(20))
        alone = []
        for k in range(3):
            one = TabularMLP(3, out, dtype="float64", **settings)  # type: ignore[arg-type]
            shapes = {name: value.shape for name, value in one.state_dict().items()}
            one.load_state_dict(
                {
                    name: ss.tensor(value.array[k].reshape(shapes[name]))
                    for name, value in several.state_dict().items()
                }
            )
            alone.append(one)
        return several, alone

    def codes(self, rows: int) -> ss.Tensor:
        return ss.tensor(np.random.default_rng(1).integers(0, 4, (rows, 2)))

    def test_are_networks_side_by_side(self) -> None:
        several, alone = self.networks()
        x, codes = normal(7, 3, seed=3), self.codes(7)
        expected = np.stack([one(x, codes).array for one in alone])
        np.testing.assert_allclose(several(x, codes).array, expected, rtol=1e-12)
        assert np.ptp(expected, axis=0).min() > 1e-3

    def test_average_their_probabilities_or_values(self) -> None:
        x, codes = normal(7, 3, seed=3), self.codes(7)
        several, alone = self.networks()
        chances = [np.exp(F.log_softmax(one(x, codes)).array) for one in alone]
        found = several.eval()(x, codes).array
        np.testing.assert_allclose(np.exp(found), np.mean(chances, axis=0), rtol=1e-12)
        several, alone = self.networks(out=1)
        values = [one(x, codes).array for one in alone]
        found = several.eval()(x, codes).array
        np.testing.assert_allclose(found, np.mean(values, axis=0), rtol=1e-12)

    def test_leave_out_their_fold(self) -> None:
        several, alone = self.networks()
        x, codes, folds = normal(4, 3, seed=3), self.codes(4), ss.tensor([2, 0, 1, 0])
        each = np.stack([one(x, codes).array for one in alone])
        learned = several(x, codes, folds).array
        others = {0: [1, 2], 1: [0, 2], 2: [0, 1]}
        expected = np.stack([each[others[f], k] for k, f in enumerate([2, 0, 1, 0])], axis=1)
        np.testing.assert_allclose(learned, expected, rtol=1e-12)
        held = several.eval()(x, codes, folds).array
        np.testing.assert_allclose(held, each[[2, 0, 1, 0], np.arange(4)], rtol=1e-12)
        compiled = ss.compile(several)(x, codes, folds).array
        np.testing.assert_allclose(compiled, held, rtol=1e-12)
        # A member without rows, and all rows of one member.
        held = several(x, codes, ss.tensor([1, 1, 1, 1])).array
        np.testing.assert_allclose(held, each[1], rtol=1e-12)

    def test_do_not_learn_from_their_fold(self) -> None:
        several, _ = self.networks()
        (several(normal(2, 3), self.codes(2), ss.tensor([1, 1])) ** 2.0).sum().backward()
        for name, parameter in several.named_parameters():
            assert not parameter.grad.array[1].any(), name
        assert several.head.weight.grad.array[[0, 2]].all()

    def test_refuses_a_single_one(self) -> None:
        with pytest.raises(ValueError, match="members of at least 2, got 1"):
            TabularMLP(3, 2, members=1)
