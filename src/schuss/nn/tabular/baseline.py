"""LinearBaseline: ridge regression beside the network for tables."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from schuss import functions as F
from schuss.core import Tensor
from schuss.nn.module import Module

__all__ = ["LinearBaseline", "ridge"]

Array = npt.NDArray[np.float64]

# The line is kept where it leaves over at most this share of the target's variance. Where it
# explains less, the network does as well without it.
MOST_LEFT_OVER = 0.1
MOST_COLUMNS = 1000
# So many times the range of the training rows beyond them a line goes on.
REACH = 10.0


class LinearBaseline(Module):
    r"""A ridge regression beside the network, which then learns what the line leaves over.

    .. math:: y = z w + b, \qquad z = x / \sqrt{1 - (x / 3)^2}

    Numbers come clipped smoothly to (-3, 3), which hides how far out an outlier lies; z is the
    number before that. Where a target follows its inputs in proportion, far out too, a line is
    what extrapolates. Ten times the training rows' range beyond them z is held, so that a slip of
    the pen does not run away.

    Args:
        features: columns of numbers.
        dtype: float32 (default) or float64.

    >>> import schuss as ss
    >>> LinearBaseline(2)(ss.tensor([[0.0, 1.0]])).tolist()
    [[0.0]]
    """

    _shown = "{0.features}"

    def __init__(self, features: int, *, dtype: npt.DTypeLike | None = None) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("weight", F.zeros((features, 1), dtype=dtype))
        self.register_buffer("bias", F.zeros((1,), dtype=dtype))
        self.register_buffer("low", F.zeros((features,), dtype=dtype))
        self.register_buffer("high", F.zeros((features,), dtype=dtype))
        self.register_buffer("remainder", F.ones((), dtype=dtype))

    @property
    def in_use(self) -> bool:
        """Whether there is a line, that is, `fit` has found one that explains enough."""
        return bool(self.weight.array.any())

    def forward(self, x: Tensor) -> Tensor:
        """Return the line's values at x, (batch, features) to (batch, 1)."""
        inside = F.minimum(F.maximum(_unclip(x), self.low), self.high)
        line: Tensor = inside @ self.weight + self.bias
        return line

    def fit(self, x: Tensor, target: Tensor) -> None:
        """Fit the line, with the penalty that predicts each row best from all the others.

        A line that leaves over more than a tenth of the target's variance is dropped, and so is
        one over more than 1,000 columns, which would take long to find.

        Args:
            x: numbers, (rows, features).
            target: standardised values, (rows,).
        """
        if self.features > MOST_COLUMNS:
            return
        z = _unclip(x).array.astype(np.float64)
        low, high = z.min(axis=0), z.max(axis=0)
        low, high = low - REACH * (high - low), high + REACH * (high - low)
        center, spread = z.mean(axis=0), z.std(axis=0)
        spread = np.where(spread > 1e-9, spread, 1.0)
        y = target.array.astype(np.float64)
        weight, error = ridge((z - center) / spread, y - y.mean())
        if error > MOST_LEFT_OVER * y.var():
            return
        dtype = self.weight.dtype
        weight = weight / spread
        self.weight.assign(weight[:, None].astype(dtype))
        self.bias.assign(np.array([y.mean() - center @ weight], dtype))
        self.low.assign(low.astype(dtype))
        self.high.assign(high.astype(dtype))
        self.remainder.assign(np.array(max(math.sqrt(error), 1e-3), dtype))


def _unclip(x: Tensor) -> Tensor:
    """Undo the preprocessing's smooth clip, up to about 95 times the quartiles' distance."""
    return x / F.sqrt(F.maximum(1.0 - x * x * (1.0 / 9.0), 1e-3))


def ridge(x: Array, y: Array) -> tuple[Array, float]:
    """Return the weights of a ridge regression and its mean squared leave-one-out error.

    With the singular values s of x = U s V', each penalty's fit is U h U' y, h = s^2 / (s^2 + p),
    and row i predicted without itself is off by its residual over 1 - 1/n - U_i h U_i'.
    """
    rows = len(y)
    u, s, v = np.linalg.svd(x, full_matrices=False)
    shares = u.T @ y
    weight, least = np.zeros(x.shape[1]), math.inf
    for penalty in rows * np.logspace(-7.0, 2.0, 28):
        h = s * s / (s * s + penalty)
        room = np.maximum(1.0 - 1.0 / rows - (u * u) @ h, 1e-3)
        error = float(np.mean(((y - u @ (h * shares)) / room) ** 2))
        if error < least:
            weight, least = v.T @ (s / (s * s + penalty) * shares), error
    return weight, least
