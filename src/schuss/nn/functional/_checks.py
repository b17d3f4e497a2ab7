"""What the functions of this folder ask of their arguments, and how they sum a loss up."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from schuss import functions as ops
from schuss.core import TRACER, Array, Tensor
from schuss.primitives.checks import ValueCheck, outside, require
from schuss.values.indices import within

if TYPE_CHECKING:
    from collections.abc import Sequence


def require_tensors(owner: str, **given: object) -> None:
    """Raise TypeError unless every argument is a tensor."""
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{owner}: expected {name} to be a tensor, got {type(value).__name__}; "
                f"use schuss.tensor({name})."
            )


def require_floating(owner: str, name: str, x: Tensor) -> None:
    """Raise TypeError unless `x` is float32 or float64."""
    if x.array.dtype.kind != "f":
        raise TypeError(
            f"{owner}: expected {name} of dtype float32 or float64, "
            f"got {x.array.dtype}; "
            f"convert it with {name}.astype(schuss.float32)."
        )


def require_same_dtype(owner: str, name: str, x: Tensor, weight: Tensor) -> None:
    """Raise TypeError unless `x` has the dtype of the layer's weights."""
    if x.array.dtype != weight.array.dtype:
        way_out = f"convert it with {name}.astype(schuss.{weight.array.dtype})"
        if x.array.dtype.kind == "f":
            way_out += f" or the network with model.astype(schuss.{x.array.dtype})"
        raise TypeError(
            f"{owner}: expected {name} of dtype {weight.array.dtype} like the weights, "
            f"got {x.array.dtype}; "
            f"{way_out}."
        )


def require_same_shape(owner: str, x: Tensor, target: Tensor) -> None:
    """Raise ValueError unless prediction and target have one shape (no silent broadcasting)."""
    if x.shape != target.shape:
        way_out = "give both the same shape"
        if x.size == target.size:
            way_out = f"use target.reshape({', '.join(map(str, x.shape))})"
        raise ValueError(
            f"{owner}: expected target of shape {x.shape} like the input, got {target.shape}; "
            f"{way_out}."
        )


@dataclass(frozen=True)
class _Indices(ValueCheck):
    """Integers have to be in [0, count), save for the value `ignored`."""

    owner: str
    name: str
    count: int
    ignored: int | None

    def require(self, *arrays: Array) -> None:
        """Raise IndexError with the first one that is not."""
        (array,) = arrays
        wrong = (array < 0) | (array >= self.count)
        if self.ignored is not None:
            wrong &= array != self.ignored
        if not wrong.any():
            return
        where = tuple(int(axis[0]) for axis in np.nonzero(wrong))
        place = f" at {self.name}[{', '.join(map(str, where))}]" if where else ""
        raise IndexError(
            f"{self.owner}: expected {self.name} from 0 to {self.count - 1}, got "
            f"{int(array[where])}{place}; give the network as many outputs (or rows) as there are "
            "classes, counted from 0."
        )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return which are not."""
        (x,) = tensors
        wrong = outside(x, 0, self.count)
        if self.ignored is None or 0 <= self.ignored < self.count:
            return wrong
        return ops.logical_and(wrong, x != self.ignored)


def require_indices(
    owner: str, name: str, indices: Tensor, count: int, *, ignored: int | None = None
) -> bool:
    """Check that `indices` are integers in [0, count), save for the value `ignored`.

    Returns:
        Whether the ignored value may occur; True where the values cannot be looked at.

    Raises:
        TypeError: if the dtype is not an integer one.
        IndexError: if a value is out of range.
    """
    array = indices.array
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{owner}: expected {name} of dtype int64 or int32, got {indices.array.dtype}; "
            f"convert it with {name}.astype(schuss.int64)."
        )
    if TRACER.get() is None and within(array, count):
        return ignored is not None and 0 <= ignored < count
    require(_Indices(owner, name, count, ignored), indices)
    return ignored is not None


@dataclass(frozen=True)
class _Probabilities(ValueCheck):
    """Numbers have to be from 0 to 1."""

    owner: str

    def require(self, *arrays: Array) -> None:
        """Raise ValueError with the smallest and the largest one if any is not."""
        (array,) = arrays
        if array.size and not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(
                f"{self.owner}: expected input from 0 to 1, got values from {array.min()} to "
                f"{array.max()}; give logits to binary_cross_entropy_with_logits instead."
            )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return which are not; nan is none."""
        (x,) = tensors
        return ops.logical_not(ops.logical_and(x >= 0.0, x <= 1.0))


def require_probabilities(owner: str, x: Tensor) -> None:
    """Raise ValueError unless all numbers are from 0 to 1."""
    require(_Probabilities(owner), x)


def reduced(owner: str, loss: Tensor, reduction: str) -> Tensor:
    """Return the loss as it is ("none"), its mean or its sum."""
    if reduction == "mean":
        return ops.mean(loss)
    if reduction == "sum":
        return ops.sum(loss)
    require_reduction(owner, reduction)
    return loss


def require_reduction(
    owner: str, reduction: str, allowed: Sequence[str] = ("none", "mean", "sum")
) -> None:
    """Raise ValueError unless the reduction is one of `allowed`."""
    if reduction not in allowed:
        names = ", ".join(repr(name) for name in allowed)
        raise ValueError(f"{owner}: expected reduction to be one of {names}, got {reduction!r}.")


def check_pair(owner: str, x: Tensor, target: Tensor, *, floats: bool = True) -> Tensor:
    """Check prediction and target against each other; return the target in the input's dtype."""
    if not (isinstance(x, Tensor) and isinstance(target, Tensor)):
        require_tensors(owner, input=x, target=target)
    if floats:
        require_floating(owner, "input", x)
    require_same_shape(owner, x, target)
    if target.array.dtype == x.array.dtype:
        return target
    if target.array.dtype.kind == "f":
        require_same_dtype(owner, "target", target, x)
    return ops.astype(target, x.array.dtype)


def check_regression(owner: str, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Check prediction and target; broadcast them with a warning where only that makes a pair."""
    require_tensors(owner, input=x, target=target)
    if x.shape != target.shape:
        try:
            shape = np.broadcast_shapes(x.shape, target.shape)
        except ValueError:
            require_same_shape(owner, x, target)
            raise
        warnings.warn(
            f"Using a target size ({_shown(target)}) that is different to the input size "
            f"({_shown(x)}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=5,
        )
        x, target = ops.broadcast_to(x, shape), ops.broadcast_to(target, shape)
    return x, check_pair(owner, x, target)


def _shown(x: Tensor) -> str:
    return f"torch.Size({list(x.shape)})"


def check_broadcast(
    owner: str, x: Tensor, *, floats: bool = True, **others: Tensor
) -> list[Tensor]:
    """Check tensors that are broadcast against each other; return the others in x's dtype."""
    require_tensors(owner, input=x, **others)
    if floats:
        require_floating(owner, "input", x)
    try:
        np.broadcast_shapes(x.shape, *(other.shape for other in others.values()))
    except ValueError:
        shown = ", ".join(f"{name} {other.shape}" for name, other in others.items())
        raise ValueError(
            f"{owner}: expected shapes that can be broadcast, got input {x.shape}, {shown}."
        ) from None
    for name, other in others.items():
        if other.array.dtype.kind == "f":
            require_same_dtype(owner, name, other, x)
    return [ops.astype(other, x.array.dtype) for other in others.values()]
