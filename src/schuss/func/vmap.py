"""vmap: a function of single elements becomes one of batches of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import TRACER, Tensor
from schuss.func.batcher import Batcher
from schuss.functions import broadcast_to, concat, moveaxis
from schuss.primitives.base import as_tensor
from schuss.trees import leaves, mapped

__all__ = ["vmap"]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return the function that gives func's results for each element of a batch.

    Every operation is done once, for the whole batch. It may be nested, and be within or around
    `grad`, `jvp` and `compile`.

    Args:
        func: takes and returns tensors, or nested containers of them.
        in_dims: the axis of each argument along which the batch lies, None for an argument that is
            the same for all; nested as the arguments are, or one for all below it.
        out_dims: likewise for the results.
        randomness: whether elements draw random numbers that are "different" or the "same";
            "error" for a function that draws none.
        chunk_size: how many elements are computed at once, which bounds the memory.

    Tensors among keyword arguments have the batch along their first axis.

    Raises:
        ValueError: for axes that the arguments do not have, or batches of different sizes.

    >>> from schuss import func, ones, tensor
    >>> func.vmap(lambda x, w: x @ w, in_dims=(0, None))(ones((3, 2)), tensor([1.0, 2.0]))
    tensor([3., 3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"vmap: expected randomness 'error', 'different' or 'same', got {randomness!r}."
        )

    @wraps(func)
    def wrapped(*args: Any, **options: Any) -> Any:
        if isinstance(in_dims, tuple | list) and len(in_dims) != len(args):
            raise ValueError(
                f"vmap: expected in_dims for each of {len(args)} arguments, got {len(in_dims)}."
            )
        dims = tuple(in_dims) if isinstance(in_dims, list) else in_dims
        places = mapped(lambda _, dim: dim, args, dims)
        size = _size(args, places)
        moved = mapped(_to_front, args, places)
        if chunk_size is None or chunk_size >= size:
            return _once(func, size, moved, places, options, out_dims, randomness)
        results = []
        for start in range(0, size, chunk_size):
            part = slice(start, min(start + chunk_size, size))
            given = mapped(partial(_part, part), moved, places)
            named = mapped(partial(_part, part), options)
            count = part.stop - start
            results.append(_once(func, count, given, places, named, out_dims, randomness))
        joined = mapped(lambda _, dim: dim, results[0], out_dims)
        return mapped(lambda dim, *parts: concat(parts, axis=dim), joined, *results)

    return wrapped


def _part(part: slice, x: Any, dim: int | None = 0) -> Any:
    """Return some of a batch that lies in front."""
    return x[part] if isinstance(x, Tensor) and dim is not None else x


def _to_front(x: Any, dim: int | None) -> Any:
    if dim is None:
        return x
    x = as_tensor(x)
    return x if dim == 0 else moveaxis(x, dim, 0)


def _size(args: Any, places: Any) -> int:
    """Return the size of the batch, once all agree on it."""
    sizes = set()
    for x, dim in zip(leaves(args), leaves(places), strict=True):
        if dim is None:
            continue
        shape = as_tensor(x).shape
        if not -len(shape) <= dim < len(shape):
            raise ValueError(f"vmap: expected in_dims within the axes of shape {shape}, got {dim}.")
        sizes.add(shape[dim])
    if len(sizes) != 1:
        raise ValueError(f"vmap: expected batches of one size, got {sorted(sizes) or 'none'}.")
    return int(sizes.pop())


def _once(
    func: Callable[..., Any],
    size: int,
    args: Any,
    places: Any,
    options: dict[str, Any],
    out_dims: Any,
    randomness: str,
) -> Any:
    """Return func's results for a batch whose arguments have it in front."""
    batcher = Batcher(size, randomness)
    given = mapped(lambda x, dim: x if dim is None else batcher.batch(x), args, places)
    named = mapped(lambda x: batcher.batch(x) if isinstance(x, Tensor) else x, options)
    token = TRACER.set(batcher)
    try:
        results = func(*given, **named)
    finally:
        TRACER.reset(token)

    def outside(y: Any, dim: int | None) -> Any:
        if not isinstance(y, Tensor):
            raise ValueError(f"vmap: expected tensors as results, got {type(y).__name__}.")
        whole = batcher.whole(y)
        if dim is None:
            if whole is not None:
                raise ValueError("vmap: expected out_dims for a result that differs in the batch.")
            return y
        if whole is None:
            whole = broadcast_to(y, (size, *y.shape))
        return whole if dim == 0 else moveaxis(whole, 0, dim)

    return mapped(outside, results, out_dims)
