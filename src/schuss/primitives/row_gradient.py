"""Sparse gradients: the few rows of a table that an error arrives at, and what arrives there."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, leaf, new_object, next_stamp
from schuss.counts import Size
from schuss.data_type import dtype
from schuss.native.cpython import reference_count
from schuss.primitives.base import REGISTRY, apply
from schuss.primitives.deferred import DeferredArray, DeferredTensor, defer, materialize
from schuss.primitives.elementwise import add, multiply
from schuss.primitives.index_template import ROWS_BY_INDEX
from schuss.primitives.movement import concat, reshape

__all__ = ["RowGradient", "assign_rows", "has_rows", "row_gradient"]


class RowGradient(DeferredTensor):
    """A gradient that knows its rows; whoever asks for its array sees the whole table.

    Attributes:
        rows: integers of any shape, the row that each of `values` goes to, or None after the
            gradient was assigned to; a row may come more than once.
        values: of shape (*rows.shape, *shape[1:]).
    """

    __slots__ = ("_shape", "rows", "values")

    rows: Tensor | None
    values: Tensor
    _shape: tuple[int, ...]

    @property
    def array(self) -> Array:
        """The whole table."""
        return materialize(self)

    @array.setter
    def array(self, value: Any) -> None:
        self.rows = None
        defer(self, value)

    @property
    def shape(self) -> Size:
        """Lengths of the axes of the table."""
        return Size(self._shape)

    @property
    def dtype(self) -> dtype:
        """Type of the elements."""
        return self.values.dtype

    def __add__(self, other: Any) -> Tensor:
        if type(other) is not RowGradient or self.rows is None or other.rows is None:
            return add(self, other)
        rows = concat([reshape(self.rows, (-1,)), reshape(other.rows, (-1,))])
        values = [reshape(g.values, (-1, *self.shape[1:])) for g in (self, other)]
        return row_gradient(concat(values), rows, self.shape)

    def __mul__(self, other: Any) -> Tensor:
        if self.rows is None or getattr(other, "shape", ()) != ():
            return multiply(self, other)
        return row_gradient(multiply(self.values, other), self.rows, self.shape)

    def __rmul__(self, other: Any) -> Tensor:
        return self.__mul__(other)

    def __neg__(self) -> Tensor:
        return self.__mul__(-1.0)

    def __reduce__(self) -> Any:
        return leaf, (np.array(self.array),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return leaf(np.array(self.array))

    def coalesced(self) -> tuple[Array, Array]:
        """Return the rows, each once and in their order, and the sums of what goes to them."""
        assert self.rows is not None
        places = self.rows.array.reshape(-1) % self.shape[0]
        values = self.values.array.reshape(places.size, *self.shape[1:])
        if not places.size:
            return places, values
        order = np.argsort(places, kind="stable")
        places = places[order]
        starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
        return places[starts], np.add.reduceat(values[order], starts, axis=0)

    def marks(self) -> Tensor:
        """Return for each element of the table whether its row is one of `rows`."""
        lists = apply(REGISTRY["segment_lists"], (self.rows,), {"rows": self.shape[0]})
        return apply(REGISTRY["row_marks"], (lists,), {"shape": self.shape})


def row_gradient(values: Tensor, rows: Tensor, shape: tuple[int, ...]) -> RowGradient:
    """Return the gradient of a table of this shape that is zero but for these rows."""
    made: RowGradient = new_object(RowGradient)
    made.rows, made.values = rows, values
    made._shape = shape
    made.requires_grad = False
    made.grad = made.node = None
    made.stamp = 0
    if TRACER.get() is None:
        defer(made, DeferredArray(lambda: _table(values, rows, shape).array))
    else:
        defer(made, _table(values, rows, shape).array)
    return made


def _table(values: Tensor, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    attributes = {"template": ROWS_BY_INDEX, "shape": shape}
    return apply(REGISTRY["scatter_add"], (values, rows), attributes)


def has_rows(gradient: Any) -> bool:
    """Whether a gradient says which rows it has."""
    return type(gradient) is RowGradient and gradient.rows is not None


def assign_rows(tensor: Tensor, rows: Array, values: Array) -> None:
    """Change rows of a tensor, in place unless somebody else holds its array."""
    mine = tensor.array.base is None and tensor.array.flags.writeable
    if not mine or reference_count(id(tensor.array)) != 1:
        tensor.array = np.array(tensor.array)
    tensor.array[rows] = values
    tensor.stamp = next_stamp()
