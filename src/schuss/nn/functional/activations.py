"""Activation functions."""

from __future__ import annotations

import numpy.typing as npt

from schuss import functions as ops
from schuss import random
from schuss.core import Tensor
from schuss.functions import activations
from schuss.functions.inplace import changing_in_place, replaced
from schuss.nn.functional._checks import require_floating
from schuss.pytorch import reductions

# Klambauer et al., 2017: the fixed point of mean 0 and variance 1.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the rectified linear unit, max(x, 0); its derivative at 0 is 0.

    Args:
        input: float tensor of any shape.
        inplace: whether the input becomes the result, too.

    Returns:
        A tensor of the same shape and dtype.

    >>> import schuss as ss
    >>> relu(ss.tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 2.0]
    """
    return replaced("relu_", input, ops.relu) if inplace else ops.relu(input)


@changing_in_place
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return min(max(x, 0), 6).

    >>> import schuss as ss
    >>> relu6(ss.tensor([-1.0, 2.0, 9.0])).tolist()
    [0.0, 2.0, 6.0]
    """
    return hardtanh(input, 0.0, 6.0)


@changing_in_place
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, and negative_slope * x elsewhere.

    Args:
        input: float tensor of any shape.
        negative_slope: slope below (and at) 0.
        inplace: whether the input becomes the result, too.

    >>> import schuss as ss
    >>> leaky_relu(ss.tensor([-1.0, 2.0]), 0.5).tolist()
    [-0.5, 2.0]
    """
    return activations.leaky_relu(input, negative_slope)


@changing_in_place
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8.0,
    upper: float = 1.0 / 3.0,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return x where x > 0, and elsewhere a slope times x that is drawn anew for each element.

    Xu et al., 2015, arXiv 1505.00853.

    Args:
        input: float tensor of any shape.
        lower: lowest slope.
        upper: highest slope; where it does not train, the slope is the mean of both.
        training: whether to draw slopes.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if lower is above upper.

    >>> import schuss as ss
    >>> rrelu(ss.tensor([-1.0, 2.0]), 0.25, 0.75).tolist()
    [-0.5, 2.0]
    """
    if not lower <= upper:
        raise ValueError(f"rrelu: expected lower up to upper, got {lower} and {upper}.")
    if not training:
        return activations.leaky_relu(input, (lower + upper) / 2.0)
    slope = random.rand(input.shape, dtype=input.array.dtype) * (upper - lower) + lower
    return ops.where(input > 0, input, input * slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x where x > 0, and weight * x elsewhere, with a learned weight.

    Args:
        input: float tensor; axis 1 holds the channels where the weight has several numbers.
        weight: tensor of shape (1,) or (channels,).

    Raises:
        ValueError: if the weight fits neither shape.

    >>> import schuss as ss
    >>> prelu(ss.tensor([[-1.0, -1.0]]), ss.tensor([0.5, 0.25])).tolist()
    [[-0.5, -0.25]]
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ValueError(
            f"prelu: expected weight of shape (1,) or ({channels},), got {weight.shape}; "
            "axis 1 of the input holds the channels."
        )
    if weight.size > 1 and input.ndim > 2:
        weight = weight.reshape((channels,) + (1,) * (input.ndim - 2))
    elif input.ndim == 0:
        weight = weight.reshape(())
    above = input > 0
    # Above 0 a weight that is no number is not seen.
    return ops.where(above, input, ops.where(above, 0.0, input) * weight)


@changing_in_place
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere.

    Clevert, Unterthiner and Hochreiter, 2016, arXiv 1511.07289.

    >>> import schuss as ss
    >>> elu(ss.tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return activations.exponential_unit(input, alpha)


@changing_in_place
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the self-normalising unit, scale * elu(x, alpha) with the paper's two constants.

    Klambauer et al., 2017, arXiv 1706.02515.

    >>> import schuss as ss
    >>> [round(v, 4) for v in selu(ss.tensor([-1.0, 1.0])).tolist()]
    [-1.1113, 1.0507]
    """
    return elu(input, _SELU_ALPHA) * _SELU_SCALE


@changing_in_place
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, and alpha * (exp(x / alpha) - 1) elsewhere.

    Barron, 2017, arXiv 1704.07483.

    Raises:
        ValueError: if alpha is 0.

    >>> import schuss as ss
    >>> [round(v, 4) for v in celu(ss.tensor([-2.0, 1.0]), 2.0).tolist()]
    [-1.2642, 1.0]
    """
    if alpha == 0:
        raise ValueError("celu: expected alpha other than 0, got 0.")
    return activations.exponential_unit(input, alpha, 1.0 / alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x * Phi(x), with Phi the cumulative distribution of the standard normal.

    gelu(x) = x / 2 * (1 + erf(x / sqrt(2))), or with approximate="tanh"
    x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).

    Hendrycks and Gimpel, 2016, arXiv 1606.08415.

    Args:
        input: float tensor of any shape.
        approximate: "none" or "tanh".

    Raises:
        ValueError: if `approximate` is something else.

    >>> import schuss as ss
    >>> [round(v, 4) for v in gelu(ss.tensor([-1.0, 1.0])).tolist()]
    [-0.1587, 0.8413]
    """
    return ops.gelu(input, approximate)


@changing_in_place
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * sigmoid(x), also called swish.

    >>> import schuss as ss
    >>> [round(v, 4) for v in silu(ss.tensor([-1.0, 1.0])).tolist()]
    [-0.2689, 0.7311]
    """
    return activations.silu(input)


@changing_in_place
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * tanh(softplus(x)) = x * n / (n + 2), with n = e^x * (e^x + 2).

    Misra, 2019, arXiv 1908.08681.

    >>> import schuss as ss
    >>> [round(v, 4) for v in mish(ss.tensor([-1.0, 1.0])).tolist()]
    [-0.3034, 0.8651]
    """
    return activations.mish(input)


def sigmoid(input: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)).

    >>> import schuss as ss
    >>> sigmoid(ss.tensor([0.0, 1000.0])).tolist()
    [0.5, 1.0]
    """
    return ops.sigmoid(input)


def logsigmoid(input: Tensor) -> Tensor:
    """Return log(1 / (1 + exp(-x))), without overflow for any x.

    >>> import schuss as ss
    >>> logsigmoid(ss.tensor([-1000.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """
    return activations.logsigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """Return the hyperbolic tangent.

    >>> import schuss as ss
    >>> tanh(ss.tensor([0.0, 100.0])).tolist()
    [0.0, 1.0]
    """
    return ops.tanh(input)


@changing_in_place
def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return x limited to [min_val, max_val]; the derivative is 0 at and beyond both ends.

    Raises:
        ValueError: if min_val is above max_val.

    >>> import schuss as ss
    >>> hardtanh(ss.tensor([-3.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    if not min_val <= max_val:
        raise ValueError(
            f"hardtanh: expected min_val at most max_val, got {min_val} and {max_val}."
        )
    if input.array.dtype.kind == "i":
        return ops.clip(input, int(min_val), int(max_val))
    return activations.hardtanh(input, low=float(min_val), high=float(max_val))


@changing_in_place
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return (x + 3) / 6 limited to [0, 1].

    >>> import schuss as ss
    >>> hardsigmoid(ss.tensor([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    # Limited first and divided then, so that no rounding moves the ends.
    return hardtanh(input + 3.0, 0.0, 6.0) / 6.0


@changing_in_place
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * hardsigmoid(x).

    Howard et al., 2019, arXiv 1905.02244.

    >>> import schuss as ss
    >>> hardswish(ss.tensor([-4.0, 0.0, 4.0])).tolist()
    [-0.0, 0.0, 4.0]
    """
    return input * hardsigmoid(input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * x)) / beta, a smooth relu.

    Args:
        input: float tensor of any shape.
        beta: sharpness, not 0.
        threshold: where beta * x is above it, x itself is returned.

    Raises:
        ValueError: if beta is 0.

    >>> import schuss as ss
    >>> [round(v, 4) for v in softplus(ss.tensor([-1.0, 0.0, 1000.0])).tolist()]
    [0.3133, 0.6931, 1000.0]
    """
    if beta == 0:
        raise ValueError("softplus: expected beta other than 0, got 0.")
    scaled = input if beta == 1.0 else input * beta
    smooth = ops.softplus(scaled)
    if beta != 1.0:
        smooth = smooth * (1.0 / beta)
    # From 20 on the two differ by less than 1e-10 of the value.
    return smooth if threshold >= 20.0 else ops.where(scaled > threshold, input, smooth)


def softsign(input: Tensor) -> Tensor:
    """Return x / (1 + |x|).

    >>> import schuss as ss
    >>> softsign(ss.tensor([-1.0, 0.0, 3.0])).tolist()
    [-0.5, 0.0, 0.75]
    """
    return activations.softsign(input)


@changing_in_place
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return x where x > threshold, and `value` elsewhere.

    >>> import schuss as ss
    >>> threshold(ss.tensor([-1.0, 2.0]), 1.0, 7.0).tolist()
    [7.0, 2.0]
    """
    return ops.where(input <= threshold, value, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x where |x| > lambd, and 0 elsewhere.

    >>> import schuss as ss
    >>> hardshrink(ss.tensor([-1.0, 0.5])).tolist()
    [-1.0, 0.0]
    """
    return ops.where(ops.abs(input) <= lambd, 0.0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x drawn towards 0 by lambd, and 0 where |x| <= lambd.

    Raises:
        ValueError: if lambd is negative.

    >>> import schuss as ss
    >>> softshrink(ss.tensor([-1.0, 0.25])).tolist()
    [-0.5, 0.0]
    """
    if not lambd >= 0:
        raise ValueError(f"softshrink: expected lambd >= 0, got {lambd}.")
    return ops.where(ops.abs(input) <= lambd, 0.0, input - ops.sign(input) * lambd)


def tanhshrink(input: Tensor) -> Tensor:
    """Return x - tanh(x).

    >>> import schuss as ss
    >>> tanhshrink(ss.tensor([0.0])).tolist()
    [0.0]
    """
    return input - ops.tanh(input)


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: npt.DTypeLike | None = None
) -> Tensor:
    """Return exp(x) / sum(exp(x)) along `dim`.

    Args:
        input: float tensor.
        dim: the axis that sums to 1; where none is given the first of inputs with 1 or 3 axes, the
            second of others, as in PyTorch.
        dtype: to compute in; by default the input's.

    Raises:
        TypeError: if the input is not a float tensor.

    >>> import schuss as ss
    >>> softmax(ss.tensor([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    if dtype is None:
        require_floating("softmax", "input", input)
    return reductions.softmax(input, _along(dim, input), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: npt.DTypeLike | None = None
) -> Tensor:
    """Return softmax(-x) along `dim`; see `softmax`."""
    return softmax(-input, dim, dtype=dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: npt.DTypeLike | None = None
) -> Tensor:
    """Return x - log(sum(exp(x))) along `dim`, without overflow; see `softmax`.

    Raises:
        TypeError: if the input is not a float tensor.

    >>> import schuss as ss
    >>> log_softmax(ss.tensor([[0.0, 1000.0]])).tolist()
    [[-1000.0, 0.0]]
    """
    if dtype is None:
        require_floating("log_softmax", "input", input)
    return reductions.log_softmax(input, _along(dim, input), dtype)


def _along(dim: int | None, x: Tensor) -> int:
    if dim is not None:
        return dim
    return 0 if x.ndim in (0, 1, 3) else 1
