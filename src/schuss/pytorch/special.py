"""Special functions with PyTorch's arguments, where those differ."""

from __future__ import annotations

import math

from schuss import functions as F
from schuss.core import Tensor, TensorLike
from schuss.functions import special
from schuss.functions.reductions import as_float
from schuss.primitives.custom import with_slope
from schuss.pytorch.arguments import as_pair, whole

__all__: list[str] = []


def polygamma(n: int, input: TensorLike) -> Tensor:
    """Return the n-th derivative of `digamma`, elementwise."""
    return special.polygamma(whole(n), input)


def method_polygamma(input: TensorLike, n: int) -> Tensor:
    """Return the n-th derivative of `digamma`, elementwise."""
    return special.polygamma(whole(n), input)


@with_slope(lambda g, y, x: g * F.negative(F.log(x) + 1.0))
def entr(input: TensorLike) -> Tensor:
    """Return -x log(x), 0 at 0, and minus infinity below it, elementwise."""
    x = as_float(input)
    above = x > 0
    found = F.where(above, F.negative(x * F.log(F.where(above, x, 1.0))), -math.inf)
    return F.where(F.isnan(x), x, F.where(F.equal(x, 0), 0.0, found))


def xlog1py(input: TensorLike, other: TensorLike) -> Tensor:
    """Return input * log1p(other), and 0 where input is 0."""
    x, y = map(as_float, as_pair(input, other))
    nothing = F.equal(x, 0) & (F.less_equal(y, -1) | F.equal(y, math.inf))
    return F.where(nothing, 0.0, x * F.log1p(F.where(nothing, 0.0, y)))
