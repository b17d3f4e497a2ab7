"""Batching rules: what a primitive becomes when some of its inputs have one more axis in front.

A rule is `rule(primitive, size, batched, inputs, attributes) -> Tensor`. Inputs that are batched
have a first axis of length `size` that the operation does not know of, and so has the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from schuss.core import Tensor, leaf
from schuss.primitives.base import REGISTRY, apply
from schuss.primitives.index_template import ARRAY

__all__ = ["BatchRule", "aligned", "batch_elementwise", "batch_gather", "batch_joined"]
__all__ += ["batch_one_by_one", "batch_product", "batch_scatter", "expanded", "prefixed", "shifted"]

BatchRule: TypeAlias = Callable[[Any, int, Sequence[bool], Sequence[Any], dict[str, Any]], Tensor]


def _reshaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.shape == shape else apply(REGISTRY["reshape"], (x,), {"shape": shape})


def _logical_rank(x: Any, is_batched: bool) -> int:
    return x.ndim - is_batched if isinstance(x, Tensor) else 0


def _widened(x: Tensor, rank: int) -> Tensor:
    """Put axes of length 1 behind the batch's until `rank` others are there."""
    return _reshaped(x, (x.shape[0], *(1,) * (rank + 1 - x.ndim), *x.shape[1:]))


def aligned(batched: Sequence[bool], inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return inputs that broadcast as they do without the batch."""
    rank = max(map(_logical_rank, inputs, batched), default=0)
    return tuple(
        _widened(x, rank) if is_batched else x
        for x, is_batched in zip(inputs, batched, strict=True)
    )


def expanded(size: int, batched: Sequence[bool], inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return inputs that all have the batch's axis."""
    return tuple(
        x if is_batched else apply(REGISTRY["broadcast_to"], (x,), {"shape": (size, *x.shape)})
        for x, is_batched in zip(inputs, batched, strict=True)
    )


def batch_elementwise(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch an operation on single elements, which broadcasts."""
    return apply(primitive, aligned(batched, inputs), attributes)


def _moved(value: Any) -> Any:
    return tuple(a + 1 for a in value) if isinstance(value, tuple) else value + 1


def shifted(name: str, *, first: bool = False) -> BatchRule:
    """Return the rule of an operation of one input whose attribute `name` counts axes.

    Args:
        name: of the attribute.
        first: whether all axes are named, so that the batch's comes before them.
    """

    def rule(
        primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
    ) -> Tensor:
        axes = _moved(attributes[name])
        return apply(primitive, tuple(inputs), {**attributes, name: (0, *axes) if first else axes})

    return rule


def prefixed(**values: Any) -> BatchRule:
    """Return the rule of an operation of one input with attributes that have an item an axis.

    Args:
        values: for each attribute the item for the batch's axis, None for its length.
    """

    def rule(
        primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
    ) -> Tensor:
        more = {
            name: (size if item is None else item, *attributes[name])
            for name, item in values.items()
        }
        (x,) = inputs
        if primitive.name == "broadcast_to":
            x = _widened(x, len(attributes["shape"]))
        return apply(primitive, (x,), attributes | more)

    return rule


def batch_joined(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch an operation that joins its inputs along an axis."""
    return apply(primitive, expanded(size, batched, inputs), {"axis": attributes["axis"] + 1})


def batch_product(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch an operation on the matrices of the last two axes, which broadcasts over the others."""
    x, y = aligned(batched, inputs)
    if primitive.name == "matmul" and y.ndim == 2 < x.ndim:
        # One large product instead of a small one for each of the leading indices.
        rows = _reshaped(x, (math.prod(x.shape[:-1]), x.shape[-1]))
        return _reshaped(apply(primitive, (rows, y), attributes), (*x.shape[:-1], y.shape[-1]))
    return apply(primitive, (x, y), attributes)


def _places(size: int, rank: int) -> Tensor:
    """Return the numbers of the batch, with axes to broadcast over `rank` others."""
    return leaf(np.arange(size).reshape(size, *(1,) * rank))


def _is_leading(attributes: dict[str, Any]) -> bool:
    """Whether index arrays stand for the first axes, and nothing else is in the index."""
    return all(item is ARRAY for item in attributes["template"])


def batch_gather(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch a gather: the batch's own numbers are one more index."""
    if not _is_leading(attributes):
        return batch_one_by_one(primitive, size, batched, inputs, attributes)
    x, *indices = inputs
    in_order, *by_index = batched
    if not any(by_index):
        return apply(primitive, (x, *indices), {"template": (slice(None), *attributes["template"])})
    found = aligned(by_index, indices)
    if in_order:
        rank = max(map(_logical_rank, indices, by_index))
        found = (_places(size, rank), *found)
    return apply(primitive, (x, *found), {"template": (ARRAY,) * len(found)})


def batch_scatter(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch a sum of what goes to each place: the batch's own numbers are one more index."""
    if not _is_leading(attributes):
        return batch_one_by_one(primitive, size, batched, inputs, attributes)
    g, *indices = inputs
    (g,) = expanded(size, batched[:1], [g])
    found = aligned(batched[1:], indices)
    rank = max(map(_logical_rank, indices, batched[1:]))
    places = (_places(size, rank), *found)
    more = {"template": (ARRAY,) * len(places), "shape": (size, *attributes["shape"])}
    return apply(primitive, (g, *places), more)


def batch_one_by_one(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch any operation: apply it for each of the batch alone."""
    if not size:
        raise ValueError(f"vmap: expected at least one element for {primitive.name}, got none.")
    results = [
        apply(
            primitive,
            tuple(
                apply(REGISTRY["slice"], (x,), {"template": (n,)}) if is_batched else x
                for x, is_batched in zip(inputs, batched, strict=True)
            ),
            attributes,
        )
        for n in range(size)
    ]
    return apply(REGISTRY["stack"], tuple(results), {"axis": 0})
