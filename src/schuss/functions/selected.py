"""What a boolean mask picks while a function is traced, where nobody knows how much it is.

`x[mask] += 1`, `y[mask] = x[mask] * 2` and `loss[mask].mean()` need not know: all elements are
computed, and those that the mask does not hold for go nowhere. They are computed as the first one
that it holds for, so that nothing comes of them that is not in the others: 0 times an infinity
would be no number, in derivatives as well.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn

from schuss.core import TRACER, Tensor
from schuss.data_type import dtype
from schuss.errors import TraceError
from schuss.functions.shapes import moveaxis
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
        mask: booleans, for its axes before the last `after`.
        after: how many axes follow the mask's.
        reason: why it is refused where the number is asked for.
    """

    __slots__ = ("after", "mask", "mask_read", "reason", "values")

    def __init__(self, values: Tensor, mask: Tensor, after: int, reason: str) -> None:
        self.values = values
        self.mask = mask
        self.after = after
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
        return spread("index", other, self.mask, self.after) if isinstance(other, Tensor) else other

    def where_it_is(self, mask: Tensor, after: int) -> Tensor:
        """Return the values, picked by this mask, with so many axes after it.

        Raises:
            TraceError: if it is another one, or elsewhere.
        """
        if after != self.after:
            self._refuse()
        if TRACER.get().read(mask) is not self.mask_read:
            raise TraceError(
                "compile: what one boolean mask picked goes together with what another one does, "
                "and whether these are as many depends on values; use one mask, or schuss.where."
            )
        return self.values

    def sum(self) -> Tensor:
        """Return the sum of the elements."""
        return sum(where(_like(self.mask, self.after), self.values, 0))

    def mean(self) -> Tensor:
        """Return the mean of the elements."""
        each = math.prod(self.values.shape) / builtins.max(math.prod(self.mask.shape), 1)
        return self.sum() / (sum(astype(self.mask, self.values.array.dtype)) * each)


def _elementwise(function: Callable[..., Tensor]) -> Callable[..., Selected]:
    def method(self: Selected, *others: Any, **options: Any) -> Selected:
        found = function(self.values, *map(self.beside, others), **options)
        return Selected(found, self.mask, self.after, self.reason)

    return method


def _reflected(function: Callable[..., Any]) -> Callable[..., Selected]:
    def method(self: Selected, other: Any) -> Selected:
        found = function(self.beside(other), self.values)
        return Selected(found, self.mask, self.after, self.reason)

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


def _like(mask: Tensor, after: int) -> Tensor:
    return reshape(mask, (*mask.shape, *[1] * after))


def select(x: Tensor, mask: Tensor, axis: int, reason: str) -> Selected:
    """Return the elements of a traced `x` where a mask of its axes from one on holds.

    Raises:
        IndexError: for a mask of other lengths.
    """
    own = x.shape[axis : axis + mask.ndim]
    if mask.shape != own:
        raise IndexError(
            f"index: expected a mask of shape {own}, got {mask.shape} (shape {x.shape})."
        )
    after = x.ndim - mask.ndim - axis
    if not mask.size:
        return Selected(x, mask, after, reason)
    first = argmax(astype(reshape(mask, (-1,)), "int32"))
    before, rest = x.shape[:axis], x.shape[x.ndim - after :]
    rows = moveaxis(reshape(detach(x), (*before, -1, *rest)), axis, 0)
    one = reshape(gather(rows, (first,)), (*before, *[1] * mask.ndim, *rest))
    return Selected(where(_like(mask, after), x, one), mask, after, reason)


def spread(owner: str, values: Tensor, mask: Tensor, after: int) -> Tensor:
    """Return values, one for each place where a mask holds, at these places; others elsewhere.

    Args:
        owner: whom errors name.
        values: with one axis for what the mask picks, before the last `after`; those with fewer
            axes, or a length of 1 there, are the same for all.
        mask: the mask.
        after: how many axes follow the mask's.
    """
    if isinstance(values, Selected):
        return values.where_it_is(mask, after)
    axis = values.ndim - after - 1
    if axis < 0:
        return values
    n, before, rest = values.shape[axis], values.shape[:axis], values.shape[axis + 1 :]
    if n == 1:
        return reshape(values, (*before, *[1] * mask.ndim, *rest))
    message = f"{owner}: expected a mask that holds at as many places as there are values, {n}."
    counts = cumulative_sum(astype(reshape(mask, (-1,)), "int64"), axis=0)
    require(Condition(IndexError, message, lambda held: held.sum() == n), mask)
    if not n:
        return reshape(sum(values, axis), (*before, *[1] * mask.ndim, *rest))
    places = (counts - 1).clamp(0, n - 1)
    found = moveaxis(gather(moveaxis(values, axis, 0), (places,)), 0, axis)
    return reshape(found, (*before, *mask.shape, *rest))
