"""What a boolean mask picks while a function is traced, where nobody knows how much it is.

`x[mask] += 1`, `y[mask] = x[mask] * 2` and `loss[mask].mean()` need not know: all elements are
computed, and those that the mask does not hold for go nowhere. They are computed as the first one
that it holds for, so that nothing comes of them that is not in the others: 0 times an infinity
would be no number, in derivatives as well.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn

from schuss.core import TRACER, Tensor
from schuss.data_type import dtype
from schuss.errors import TraceError
from schuss.primitives.base import astype
from schuss.primitives.checks import Condition, require
from schuss.primitives.indexing import gather
from schuss.primitives.logic import where
from schuss.primitives.movement import reshape
from schuss.primitives.reduction import argmax, cumulative_sum, sum
from schuss.primitives.views import detach

__all__ = ["Selected", "select", "spread"]


class Selected(Tensor):
    """The elements where a mask holds, of which any function but these asks for the number.

    Args:
        values: what is computed, of the shape of what the mask picks from.
        mask: booleans, for its first axes.
        reason: why it is refused where the number is asked for.
    """

    __slots__ = ("mask", "mask_read", "reason", "values")

    def __init__(self, values: Tensor, mask: Tensor, reason: str) -> None:
        self.values = values
        self.mask = mask
        self.mask_read = TRACER.get().read(mask)
        self.reason = reason
        self.grad = self.node = None
        self.stamp = 0

    def __repr__(self) -> str:
        return "<what a mask picks>"

    def _refuse(self) -> NoReturn:
        raise TraceError(self.reason)

    array = property(_refuse)  # there is none
    requires_grad = property(_refuse)  # nor is this known by itself

    @property
    def dtype(self) -> dtype:
        """Type of the elements."""
        return self.values.dtype

    def beside(self, other: Any) -> Any:
        """Return what goes with the values of each element: of as many others, or of all."""
        if isinstance(other, Selected):
            return other.where_it_is(self.mask)
        if isinstance(other, Tensor) and other.ndim > self.values.ndim - self.mask.ndim:
            return spread("index", other, self.mask)
        return other

    def where_it_is(self, mask: Tensor) -> Tensor:
        """Return the values, picked by this mask.

        Raises:
            TraceError: if it is another one.
        """
        if TRACER.get().read(mask) is not self.mask_read:
            raise TraceError(
                "compile: what one boolean mask picked goes together with what another one does, "
                "and whether these are as many depends on values; use one mask, or schuss.where."
            )
        return self.values

    def sum(self) -> Tensor:
        """Return the sum of the elements."""
        return sum(where(_like(self.mask, self.values), self.values, 0))

    def mean(self) -> Tensor:
        """Return the mean of the elements."""
        each = math.prod(self.values.shape[self.mask.ndim :])
        return self.sum() / (sum(astype(self.mask, self.values.array.dtype)) * float(each))


def _elementwise(function: Callable[..., Tensor]) -> Callable[..., Selected]:
    def method(self: Selected, *others: Any, **options: Any) -> Selected:
        found = function(self.values, *map(self.beside, others), **options)
        return Selected(found, self.mask, self.reason)

    return method


def _reflected(function: Callable[..., Any]) -> Callable[..., Selected]:
    def method(self: Selected, other: Any) -> Selected:
        found = function(self.beside(other), self.values)
        return Selected(found, self.mask, self.reason)

    return method


def _in_place(function: Callable[..., Any]) -> Callable[..., Selected]:
    def method(self: Selected, other: Any) -> Selected:
        self.values = astype(function(self.values, self.beside(other)), self.values.array.dtype)
        return self

    return method


def _method(name: str) -> Callable[..., Any]:
    return lambda x, *others, **options: getattr(x, name)(*others, **options)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _operator = getattr(operator, _name)
    setattr(Selected, f"__{_name}__", _elementwise(_operator))
    setattr(Selected, f"__r{_name}__", _reflected(_operator))
    setattr(Selected, f"__i{_name}__", _in_place(_operator))
for _name in ("abs", "neg", "lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Selected, f"__{_name}__", _elementwise(getattr(operator, _name)))
for _name in (
    "abs", "clamp", "detach", "double", "exp", "float", "log", "log1p", "long", "pow", "relu",
    "sigmoid", "sqrt", "square", "tanh",
):  # fmt: skip
    setattr(Selected, _name, _elementwise(_method(_name)))


def _like(mask: Tensor, x: Tensor) -> Tensor:
    return reshape(mask, (*mask.shape, *[1] * (x.ndim - mask.ndim)))


def select(x: Tensor, mask: Tensor, reason: str) -> Selected:
    """Return the elements of a traced `x` where a mask of its first axes holds; see `Selected`.

    Raises:
        IndexError: for a mask of other lengths.
    """
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(
            f"index: expected a mask of shape {x.shape[: mask.ndim]}, got {mask.shape} "
            f"(shape {x.shape})."
        )
    if not mask.size:
        return Selected(x, mask, reason)
    first = argmax(astype(reshape(mask, (-1,)), "int32"))
    one = gather(detach(reshape(x, (-1, *x.shape[mask.ndim :]))), (first,))
    return Selected(where(_like(mask, x), x, one), mask, reason)


def spread(owner: str, values: Tensor, mask: Tensor) -> Tensor:
    """Return values, one for each place where a mask holds, at these places; others elsewhere."""
    n, rest = values.shape[0], values.shape[1:]
    if n == 1:
        return reshape(values, rest)
    message = f"{owner}: expected a mask that holds at as many places as there are values, {n}."
    counts = cumulative_sum(astype(reshape(mask, (-1,)), "int64"), axis=0)
    require(Condition(IndexError, message, lambda held: held.sum() == n), mask)
    if not n:
        return reshape(sum(values, 0), rest)
    places = (counts - 1).clamp(0, n - 1)
    return reshape(gather(values, (places,)), (*mask.shape, *rest))
