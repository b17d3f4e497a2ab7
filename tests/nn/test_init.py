"""Starting values: ranges, moments and PyTorch's distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss import nn

init = nn.init


@pytest.fixture(autouse=True)
def seed():
    ss.manual_seed(11)


def filled(name, *args, shape=(200, 300), **options):
    tensor = ss.zeros(shape)
    result = getattr(init, name)(tensor, *args, **options)
    assert result is tensor
    assert tensor.dtype == np.float32
    return tensor.numpy().astype(np.float64)


FAN_IN, FAN_OUT = 300, 200
UNIFORM = [
    ("uniform_", (-2.0, 3.0), {}, -2.0, 3.0),
    ("xavier_uniform_", (), {"gain": 2.0}, None, 2 * math.sqrt(6 / 500)),
    ("kaiming_uniform_", (), {"a": math.sqrt(5)}, None, 1 / math.sqrt(FAN_IN)),
    ("kaiming_uniform_", (), {"nonlinearity": "relu"}, None, math.sqrt(6 / FAN_IN)),
    ("kaiming_uniform_", (), {"mode": "fan_out"}, None, math.sqrt(6 / 1 / FAN_OUT)),
]
NORMAL = [
    ("normal_", (1.0, 0.5), {}, 1.0, 0.5),
    ("xavier_normal_", (), {}, 0.0, math.sqrt(2 / 500)),
    ("kaiming_normal_", (), {"nonlinearity": "relu"}, 0.0, math.sqrt(2 / FAN_IN)),
    ("kaiming_normal_", (), {"mode": "fan_out", "nonlinearity": "tanh"}, 0.0, 5 / 3 / 200**0.5),
]


@pytest.mark.parametrize(("name", "args", "options", "low", "high"), UNIFORM)
def test_uniform(name, args, options, low, high):
    values = filled(name, *args, **options)
    low = -high if low is None else low
    tolerance = 1e-3 * (high - low)
    assert low - 1e-6 <= values.min() < low + tolerance
    assert high - tolerance < values.max() <= high + 1e-6
    assert abs(values.mean() - (low + high) / 2) < 5 * (high - low) / math.sqrt(12 * values.size)
    assert values.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.01)


@pytest.mark.parametrize(("name", "args", "options", "mean", "std"), NORMAL)
def test_normal(name, args, options, mean, std):
    values = filled(name, *args, **options)
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(values.size)
    assert values.std() == pytest.approx(std, rel=0.01)
    inside = (abs(values - mean) < std).mean()
    assert inside == pytest.approx(0.6827, abs=0.01)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, 0, 1.5), (0, 1, 3, 4), (0, 1, -9, -5), (2, 1, -6, 8)],
)
def test_truncated_normal_has_its_distribution(mean, std, a, b):
    values = filled("trunc_normal_", mean, std, a, b)
    assert a <= values.min()
    assert values.max() <= b

    def below(x: float) -> float:
        # From the side with the smaller tail, which keeps its digits.
        z, low, high = (x - mean) / std, (a - mean) / std, (b - mean) / std
        tail = lambda t: math.erfc(t / math.sqrt(2))  # noqa: E731
        if low > 0:
            return (tail(low) - tail(z)) / (tail(low) - tail(high))
        return (tail(-z) - tail(-low)) / (tail(-high) - tail(-low))

    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert below(float(np.quantile(values, share))) == pytest.approx(share, abs=0.01)


def test_normal_quantile_inverts_the_distribution():
    from statistics import NormalDist

    shares = np.array([1e-12, 1e-6, 0.01, 0.3, 0.5, 0.6, 0.975, 1 - 1e-9])
    expected = [NormalDist().inv_cdf(p) for p in shares]
    np.testing.assert_allclose(init._normal_quantile(shares), expected, rtol=2e-4, atol=1e-12)
    np.testing.assert_allclose(init._normal_quantile(shares[2:7]), expected[2:7], atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (6, 2, 3)])
def test_orthogonal(shape):
    matrix = filled("orthogonal_", 2.0, shape=shape).reshape(shape[0], -1)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_fixed_values():
    assert (filled("ones_") == 1).all()
    assert (filled("zeros_") == 0).all()
    assert (filled("constant_", 0.5) == 0.5).all()
    assert (filled("eye_", shape=(2, 3)) == np.eye(2, 3)).all()


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains_equal_pytorchs(name):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    expected = torch.nn.init.calculate_gain("leaky_relu", 0.3)
    assert init.calculate_gain("leaky_relu", 0.3) == pytest.approx(expected)


def test_layers_start_as_pytorchs():
    layer = nn.Linear(300, 200)
    bound = 1 / math.sqrt(300)
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    rows = nn.Embedding(300, 200).weight.numpy()
    assert rows.std() == pytest.approx(1, rel=0.01)
    for norm in (nn.LayerNorm(4), nn.BatchNorm1d(4)):
        assert norm.weight.tolist() == [1] * 4
        assert norm.bias.tolist() == [0] * 4


def test_the_seed_decides():
    ss.manual_seed(1)
    first = nn.Linear(3, 4).weight.numpy()
    second = nn.Linear(3, 4).weight.numpy()
    ss.manual_seed(1)
    assert (nn.Linear(3, 4).weight.numpy() == first).all()
    assert (first != second).any()


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"two axes or more, got shape \(3,\)"):
        init.kaiming_uniform_(ss.zeros((3,)))
    with pytest.raises(ValueError, match="expected mode 'fan_in' or 'fan_out', got 'fan'"):
        init.kaiming_normal_(ss.zeros((3, 3)), mode="fan")
    with pytest.raises(ValueError, match="calculate_gain: expected linear"):
        init.calculate_gain("gelu")
    with pytest.raises(ValueError, match="expected a below b and std above 0"):
        init.trunc_normal_(ss.zeros((3,)), a=1.0, b=1.0)
    with pytest.raises(ValueError, match="eye_: expected a matrix"):
        init.eye_(ss.zeros((3,)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 3, 3), (4, 5, 2, 3), (4, 2, 1, 3, 4)])
def test_dirac_is_pytorchs(shape, groups):
    torch = pytest.importorskip("torch")
    ours = nn.init.dirac_(ss.ones(shape), groups)
    theirs = torch.nn.init.dirac_(torch.ones(shape), groups)
    assert np.array_equal(ours.array, theirs.numpy())
    with pytest.raises(ValueError, match="expected 3 to 5 axes"):
        nn.init.dirac_(ss.ones((4, 3)))
