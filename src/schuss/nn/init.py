"""Starting values of parameters. Each function fills a tensor in place and returns it."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from schuss import random
from schuss.core import Array, Tensor, leaf, supported_dtype

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

T = TypeVar("T", bound=Tensor)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return a float tensor to be filled.

    Raises:
        TypeError: if `dtype` is not float32 or float64.
    """
    wanted = supported_dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"dtype: expected float32 or float64 for a layer, got {wanted}.")
    return leaf(np.zeros(shape, wanted))


def constant_(tensor: T, val: float) -> T:
    """Fill with one value.

    >>> from schuss import nn, zeros
    >>> nn.init.constant_(zeros((2,)), 0.5).tolist()
    [0.5, 0.5]
    """
    tensor.fill_(val)
    return tensor


def zeros_(tensor: T) -> T:
    """Fill with zeros.

    >>> from schuss import nn, ones
    >>> nn.init.zeros_(ones((2,))).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0)


def ones_(tensor: T) -> T:
    """Fill with ones.

    >>> from schuss import nn, zeros
    >>> nn.init.ones_(zeros((2,))).tolist()
    [1.0, 1.0]
    """
    return constant_(tensor, 1)


def eye_(tensor: T) -> T:
    """Fill a matrix with ones on its diagonal, zeros elsewhere.

    Raises:
        ValueError: if the tensor is not a matrix.

    >>> from schuss import nn, zeros
    >>> nn.init.eye_(zeros((2, 3))).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got shape {tensor.shape}.")
    tensor.assign(np.eye(*tensor.shape, dtype=tensor.array.dtype))
    return tensor


def dirac_(tensor: T, groups: int = 1) -> T:
    """Fill a convolution's weight so that each group's channels go through it as they are.

    Args:
        tensor: shape (outputs, channels / groups, kernel along one to three axes).
        groups: of channels that see each other.

    Raises:
        ValueError: if the tensor has other axes, or the outputs are not a multiple of the groups.

    >>> from schuss import nn, zeros
    >>> nn.init.dirac_(zeros((2, 2, 3))).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    if tensor.ndim not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(
            f"dirac_: expected 3 to 5 axes, the first one a multiple of {groups}, got shape "
            f"{tensor.shape}."
        )
    found = np.zeros(tensor.shape, tensor.array.dtype)
    each = tensor.shape[0] // groups
    centre = [n // 2 for n in tensor.shape[2:]]
    for channel in range(min(each, tensor.shape[1])):
        place: Any = (slice(channel, None, each), channel, *centre)
        found[place] = 1.0
    tensor.assign(found)
    return tensor


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0) -> T:
    """Fill with uniform draws from [a, b).

    >>> from schuss import nn, zeros
    >>> bool((nn.init.uniform_(zeros((9,)), 2.0, 3.0) >= 2.0).all())
    True
    """
    draws = random.rand(*tensor.shape, dtype=tensor.array.dtype).array
    tensor.assign(draws * (b - a) + a)
    return tensor


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0) -> T:
    """Fill with normal draws.

    >>> from schuss import nn, zeros
    >>> nn.init.normal_(zeros((3,)), 5.0, 0.0).tolist()
    [5.0, 5.0, 5.0]
    """
    tensor.assign(random.randn(*tensor.shape, dtype=tensor.array.dtype).array * std + mean)
    return tensor


def trunc_normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> T:
    """Fill with normal draws, those outside of [a, b] left out.

    The inverse of the cumulative distribution is applied to uniform draws, so that the number of
    draws never depends on their values.

    Args:
        tensor: float tensor to fill.
        mean: mean of the normal distribution before it is cut.
        std: standard deviation before it is cut, above 0.
        a: smallest value.
        b: largest value, above a.

    Raises:
        ValueError: if a is not below b, or std is not above 0.

    >>> from schuss import nn, zeros
    >>> bool((abs(nn.init.trunc_normal_(zeros((99,)))) <= 2.0).all())
    True
    """
    if not (a < b and std > 0):
        raise ValueError(
            f"trunc_normal_: expected a below b and std above 0, got a={a}, b={b}, std={std}."
        )
    low, high = (a - mean) / std, (b - mean) / std
    if low > 0:  # mirrored: the distribution function has no precision left near 1
        mirrored = _truncated(-high, -low, tensor.shape)
        draws = -mirrored
    else:
        draws = _truncated(low, high, tensor.shape)
    tensor.assign(np.clip(draws * std + mean, a, b).astype(tensor.array.dtype))
    return tensor


def _truncated(low: float, high: float, shape: tuple[int, ...]) -> Array:
    bottom, top = (0.5 * math.erfc(-z / math.sqrt(2.0)) for z in (low, high))
    shares = bottom + (top - bottom) * random.rand(*shape, dtype=np.float64).array
    return _normal_quantile(np.clip(shares, 1e-300, 1.0 - 2.0**-53))


def _normal_quantile(p: Array) -> Array:
    """Return z with P(normal <= z) = p, to 1e-15: a start, and three of Halley's steps.

    The start is formula 26.2.23 of Abramowitz and Stegun (off by at most 4.5e-4).
    """
    from schuss.functions import erf

    tail = np.minimum(p, 1.0 - p)
    t = np.sqrt(-2.0 * np.log(tail))
    start = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
        1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    )
    z = -start
    for _ in range(3):
        density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        # In the far tail 1 + erf cancels; the start is good enough for starting values there.
        error = 0.5 * (1.0 + erf(leaf(z / math.sqrt(2.0))).array) - tail
        ratio = np.where(z > -5.0, error / density, 0.0)
        z = z - ratio / (1.0 + 0.5 * z * ratio)
    return np.where(p < 0.5, z, -z)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs feed an output and how many outputs an input feeds."""
    if tensor.ndim < 2:
        raise ValueError(
            f"init: expected a tensor of two axes or more, got shape {tensor.shape}; "
            "use uniform_ or normal_ for a vector."
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance of what passes a nonlinearity.

    1 for "linear" and "sigmoid", 5/3 for "tanh", sqrt(2) for "relu", 3/4 for "selu", and
    sqrt(2 / (1 + param^2)) for "leaky_relu" (param 0.01 by default).

    Raises:
        ValueError: for another name.

    >>> from schuss import nn
    >>> round(nn.init.calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity.startswith(("linear", "conv")) or nonlinearity == "sigmoid":
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else float(param)
        return math.sqrt(2.0 / (1.0 + slope * slope))
    gains = {"tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}
    if nonlinearity not in gains:
        raise ValueError(
            "calculate_gain: expected linear, sigmoid, tanh, relu, leaky_relu or selu, got "
            f"{nonlinearity!r}."
        )
    return gains[nonlinearity]


def xavier_uniform_(tensor: T, gain: float = 1.0) -> T:
    """Fill uniformly in +-gain * sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio, 2010.

    Raises:
        ValueError: if the tensor has fewer than two axes.

    >>> from schuss import nn, zeros
    >>> bool((abs(nn.init.xavier_uniform_(zeros((3, 3)))) <= 1.0).all())
    True
    """
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: T, gain: float = 1.0) -> T:
    """Fill with normal draws of standard deviation gain * sqrt(2 / (fan_in + fan_out)).

    Glorot and Bengio, 2010.

    Raises:
        ValueError: if the tensor has fewer than two axes.

    >>> from schuss import nn, zeros
    >>> nn.init.xavier_normal_(zeros((3, 5))).shape
    (3, 5)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: expected mode 'fan_in' or 'fan_out', got {mode!r}.")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> T:
    """Fill uniformly in +-gain * sqrt(3 / fan).

    He et al., 2015, arXiv 1502.01852.

    Args:
        tensor: float tensor of two axes or more.
        a: negative slope of the leaky relu that follows.
        mode: "fan_in" keeps the variance forward, "fan_out" backward.
        nonlinearity: what follows; see `calculate_gain`.

    Raises:
        ValueError: if the tensor has fewer than two axes, or a name is unknown.

    >>> from schuss import nn, zeros
    >>> bool((abs(nn.init.kaiming_uniform_(zeros((3, 6)))) <= 1.0).all())
    True
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> T:
    """Fill with normal draws of standard deviation gain / sqrt(fan).

    He et al., 2015, arXiv 1502.01852; for the arguments see `kaiming_uniform_`.

    Raises:
        ValueError: if the tensor has fewer than two axes, or a name is unknown.

    >>> from schuss import nn, zeros
    >>> nn.init.kaiming_normal_(zeros((3, 6))).shape
    (3, 6)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def orthogonal_(tensor: T, gain: float = 1.0) -> T:
    """Fill with a random matrix of orthonormal rows (or columns, the fewer), times gain.

    Saxe, McClelland and Ganguli, 2013, arXiv 1312.6120. Axes after the first are taken as one.

    Raises:
        ValueError: if the tensor has fewer than two axes.

    >>> from schuss import nn, zeros
    >>> w = nn.init.orthogonal_(zeros((2, 3)))
    >>> [[round(abs(v), 3) for v in row] for row in (w @ w.T).tolist()]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    _fans(tensor)
    rows = tensor.shape[0]
    columns = tensor.size // max(rows, 1)
    draws = random.randn(max(rows, columns), min(rows, columns), dtype=np.float64).array
    q, r = np.linalg.qr(draws)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # makes the distribution uniform
    matrix = q if rows >= columns else q.T
    tensor.assign((gain * matrix).reshape(tensor.shape).astype(tensor.array.dtype))
    return tensor
