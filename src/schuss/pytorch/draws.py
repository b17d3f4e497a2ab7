"""Random tensors, with PyTorch's arguments; see `schuss.random`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss import functions as F
from schuss import random
from schuss.core import Array, Tensor, TensorLike, float32, float64, int64
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.checks import Condition, ValueCheck, require
from schuss.pytorch.arguments import whole

__all__: list[str] = []


class Generator:
    """A source of random numbers of its own.

    >>> a, b = Generator().manual_seed(3), Generator().manual_seed(3)
    >>> bool((rand(2, generator=a) == rand(2, generator=b)).all())
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        self._key = random.new_key()

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from `seed`, any integer."""
        with self.drawing():
            random.manual_seed(seed)
        return self

    def initial_seed(self) -> int:
        """Return the seed."""
        return int(self._key.array[0])

    def get_state(self) -> Tensor:
        """Return what `set_state` takes."""
        return as_tensor(self._key.array.copy())

    def set_state(self, state: TensorLike) -> Generator:
        """Go back to a state that `get_state` returned."""
        with self.drawing():
            random.set_state(as_tensor(state))
        return self

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Let this generator be drawn from within a block."""
        with random.drawing_from(self._key):
            yield


@contextmanager
def _from(generator: Generator | None) -> Iterator[None]:
    if generator is None:
        yield
    else:
        with generator.drawing():
            yield


def rand(*size: Any, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Return uniform numbers in [0, 1), float32 by default."""
    with _from(generator):
        return random.rand(*size, dtype=dtype)


def randn(*size: Any, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Return normal numbers of mean 0 and variance 1, float32 by default."""
    with _from(generator):
        return random.randn(*size, dtype=dtype)


def randint(
    low: Any,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return integers (int64) in [low, high), or in [0, low) where there is no `high`.

    Args:
        low: the smallest, or the end where `high` is left out.
        high: one more than the largest.
        size: lengths of the axes.
        dtype: of the result.
        generator: drawn from.
    """
    if isinstance(high, (tuple, list)) and size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    with _from(generator):
        found = random.randint(whole(low), whole(high), () if size is None else size)
    return found if dtype is None else astype(found, dtype)


def randperm(n: int, dtype: Any = None, generator: Generator | None = None) -> Tensor:
    """Return the integers 0 to n - 1 (int64) in random order."""
    if whole(n) < 0:
        raise ValueError(f"randperm: expected n >= 0, got {n}.")
    with _from(generator):
        found = random.randperm(whole(n))
    return found if dtype is None else astype(found, dtype)


def rand_like(input: TensorLike, dtype: Any = None) -> Tensor:
    """Return uniform numbers in [0, 1) of input's shape and dtype."""
    x = as_tensor(input)
    return random.rand(x.shape, dtype=_floating("rand_like", x, dtype))


def randn_like(input: TensorLike, dtype: Any = None) -> Tensor:
    """Return normal numbers of input's shape and dtype."""
    x = as_tensor(input)
    return random.randn(x.shape, dtype=_floating("randn_like", x, dtype))


def _floating(owner: str, x: Tensor, dtype: Any) -> Any:
    kind = np.dtype(x.array.dtype if dtype is None else dtype)
    if kind.kind != "f":
        raise TypeError(f"{owner}: expected floats, got {kind}; give dtype=.")
    return kind


def randint_like(input: TensorLike, low: Any, high: Any = None, *, dtype: Any = None) -> Tensor:
    """Return integers in [low, high), of input's shape and dtype."""
    x = as_tensor(input)
    return randint(low, high, x.shape, dtype=x.array.dtype if dtype is None else dtype)


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
) -> Tensor:
    """Return normal numbers of means and standard deviations, one for each, or of `size`."""
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if size is None:
        size = np.broadcast_shapes(*[x.shape for x in tensors])
        dtype = tensors[0].array.dtype if tensors else dtype
    message = "normal: expected std >= 0, got others."
    require(Condition(ValueError, message, lambda x: x >= 0), as_tensor(std))
    with _from(generator):
        drawn: Tensor = random.randn(size, dtype=dtype) * std + mean
        return drawn


def bernoulli(
    input: TensorLike, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Return 1 with the probabilities that input says, or `p`, and else 0, in input's dtype."""
    x = as_tensor(input)
    chance = x if p is None else p
    message = "bernoulli: expected probabilities from 0 to 1, got others."
    require(Condition(ValueError, message, lambda x: (x >= 0) & (x <= 1)), as_tensor(chance))
    with _from(generator):
        drawn = random.rand(x.shape, dtype=x.array.dtype if x.array.dtype.kind == "f" else float32)
    return astype(F.less(drawn, chance), x.array.dtype)


def multinomial(
    input: TensorLike,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Return positions (int64) drawn with the chances in each row of input.

    Args:
        input: one row, or rows, of numbers from 0 on; what they add up to is their own.
        num_samples: how many are drawn from each.
        replacement: whether one can be drawn again.
        generator: drawn from.
    """
    x, count = as_tensor(input), whole(num_samples)
    if x.array.dtype.kind != "f" or x.ndim not in (1, 2):
        raise ValueError(f"multinomial: expected rows of floats, got {x.shape} of {x.array.dtype}.")
    require(_Chances(count, replacement), x)
    with _from(generator):
        if replacement:
            drawn = random.rand((*x.shape[:-1], count), dtype=float64)
        else:
            drawn = random.rand(x.shape, dtype=float64)
    chances = astype(x, float64)
    if not replacement:
        # The first of races whose speeds are the chances (exponential clocks).
        arrival = F.where(F.equal(chances, 0.0), math.inf, -F.log1p(-drawn) / chances)
        return F.argsort(arrival, -1)[..., :count]
    ends = F.cumulative_sum(chances, axis=-1)
    place = drawn * ends[..., -1:]
    below = F.expand_dims(ends, -2) <= F.expand_dims(place, -1)
    return F.minimum(F.sum(below, -1), x.shape[-1] - 1)


@dataclass(frozen=True)
class _Chances(ValueCheck):
    """Chances have to be finite and from 0 on, with so many of a row above 0 as are drawn."""

    count: int
    replacement: bool

    def require(self, *arrays: Array) -> None:
        """Raise ValueError where they are not."""
        (array,) = arrays
        if not (np.isfinite(array) & (array >= 0)).all() or not (array.sum(-1) > 0).all():
            raise ValueError(
                "multinomial: expected finite chances from 0 on, not all 0, got others."
            )
        most = int((array > 0).sum(-1).min()) if array.size else 0
        if self.count < 1 or (not self.replacement and self.count > most):
            raise ValueError(
                f"multinomial: expected from 1 to {most} samples without replacement, got "
                f"{self.count}."
            )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return of which rows they are not."""
        (x,) = tensors
        enough = 1 if self.replacement else max(self.count, 1)
        few = F.sum(x > 0, -1) < (enough if self.count > 0 else x.shape[-1] + 1)
        return F.any(F.logical_not(F.isfinite(x) & (x >= 0)), -1) | few


# What `x.normal_()` and the like fill a tensor with.


def _like(x: Tensor) -> Any:
    return x.array.dtype if x.array.dtype.kind == "f" else float32


def filled_normal(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers of a mean and a standard deviation."""
    return normal(
        mean, std, input.shape, generator=generator, dtype=_floating("normal_", input, None)
    )


def filled_uniform(
    input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    if from_ > to:
        raise ValueError(f"uniform_: expected from <= to, got {from_} and {to}.")
    return (
        rand(input.shape, dtype=_floating("uniform_", input, None), generator=generator)
        * (to - from_)
        + from_
    )


def filled_bernoulli(input: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1, with a probability, and else 0."""
    with _from(generator):
        return astype(F.less(random.rand(input.shape, dtype=float64), p), input.array.dtype)


def filled_exponential(
    input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with exponential numbers of mean 1 / lambd."""
    if lambd <= 0:
        raise ValueError(f"exponential_: expected lambd > 0, got {lambd}.")
    drawn = rand(input.shape, dtype=_floating("exponential_", input, None), generator=generator)
    return -F.log1p(-drawn) / lambd


def filled_random(
    input: Tensor, from_: int = 0, to: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Fill with integers in [from, to), or [0, from) where there is no `to`."""
    if to is None:
        largest = {"b": 2, "i": 2**31, "f": 2**24}[input.array.dtype.kind]
        low, high = (0, from_) if from_ else (0, largest)
    else:
        low, high = from_, to
    drawn = randint(low, high, input.shape, generator=generator)
    return astype(drawn, input.array.dtype if input.array.dtype != int64 else int64)
