"""Random tensors: counter-based, so that eager and compiled runs draw the same numbers."""

from __future__ import annotations

import math
import operator
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import (
    TRACER,
    Array,
    Tensor,
    TensorLike,
    float32,
    int64,
    leaf,
    next_stamp,
    supported_dtype,
)
from schuss.primitives.base import asarray
from schuss.primitives.elementwise import cos, log1p, sin, sqrt
from schuss.primitives.indexing import argsort
from schuss.primitives.movement import concat, reshape
from schuss.primitives.random import random_uniform, uniform_value

__all__ = [
    "bernoulli",
    "copied_key",
    "drawing_from",
    "fork_rng",
    "get_rng_state",
    "get_state",
    "initial_seed",
    "manual_seed",
    "new_key",
    "normal",
    "rand",
    "randint",
    "randn",
    "randperm",
    "seed",
    "separate_draws",
    "set_rng_state",
    "set_state",
    "start_separate",
    "uniform",
]

# The seed and the number of draws so far: the whole state of the generator.
_SHARED = leaf(np.array([0, 0], int64))
_KEY: ContextVar[Tensor] = ContextVar("schuss_random_key", default=_SHARED)
_SEPARATE = threading.Lock()
_NEXT = np.array([0, 1], int64)


def _key_of(seed: int) -> Array:
    wrapped = operator.index(seed) & (2**64 - 1)
    return np.array([wrapped - 2**64 if wrapped >= 2**63 else wrapped, 0], int64)


def start_separate(seed: int) -> None:
    """Give the thread that runs this a generator of its own, started from `seed`."""
    _KEY.set(leaf(_key_of(seed)))


def manual_seed(seed: int) -> None:
    """Start the generator anew from `seed`, any integer.

    >>> manual_seed(0); a = rand(2)
    >>> manual_seed(0); b = rand(2)
    >>> bool((a == b).all())
    True
    """
    _KEY.get().assign(_key_of(seed))


def get_state() -> Array:
    """Return the generator's state: int64, shape (2,)."""
    return _KEY.get().array.copy()


def set_state(state: TensorLike) -> None:
    """Put the generator back into a state that `get_state` returned.

    Raises:
        ValueError: for anything but two integers.
    """
    array = np.asarray(state)
    if array.shape != (2,) or array.dtype.kind != "i":
        raise ValueError(f"set_state: expected int64 of shape (2,), got {array.shape}.")
    _KEY.get().assign(array.astype(int64))


def initial_seed() -> int:
    """Return the seed that the generator was started from."""
    return int(_KEY.get().array[0])


def seed() -> int:
    """Start the generator anew from a seed of the system's, and return that."""
    found = secrets.randbits(63)
    manual_seed(found)
    return found


def get_rng_state() -> Tensor:
    """Return the generator's state, for `set_rng_state`: int64, shape (2,).

    >>> state = get_rng_state(); a = rand(2)
    >>> set_rng_state(state); bool((rand(2) == a).all())
    True
    """
    return leaf(get_state())


set_rng_state = set_state


@contextmanager
def fork_rng(devices: Any = (), enabled: bool = True, device_type: str = "cpu") -> Iterator[None]:
    """Put the generator back, at the end of a block, to where it was before."""
    state = get_state()
    try:
        yield
    finally:
        if enabled:
            set_state(state)


def new_key(seed: int = 0) -> Tensor:
    """Return the state of a generator of its own, for `drawing_from`."""
    return leaf(_key_of(seed))


def copied_key() -> Tensor:
    """Return a copy of the generator's state, for `drawing_from`; also in a trace."""
    return _KEY.get().clone()


@contextmanager
def drawing_from(key: Tensor) -> Iterator[None]:
    """Draw from another generator within a block."""
    token = _KEY.set(key)
    try:
        yield
    finally:
        _KEY.reset(token)


@contextmanager
def separate_draws() -> Iterator[None]:
    """Keep what is drawn within a block apart from what others draw, before, after and beside it.

    After the block the generator is as it was. In all threads but the main one, and within another
    such block, it is a generator of its own, so that threads draw what they would draw alone.
    """
    alone = threading.current_thread() is threading.main_thread()
    if not alone or not _SEPARATE.acquire(blocking=False):
        token = _KEY.set(leaf(get_state()))
        try:
            yield
        finally:
            _KEY.reset(token)
        return
    outer = get_state()
    try:
        yield
    finally:
        set_state(outer)
        _SEPARATE.release()


def _shape(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    sizes = tuple([n if type(n) is int else operator.index(n) for n in shape])
    if min(sizes, default=0) < 0:
        raise ValueError(f"rand: expected lengths of axes of at least 0, got {sizes}.")
    return sizes


def rand(*shape: Any, dtype: Any = None) -> Tensor:
    """Return uniform numbers in [0, 1).

    Args:
        shape: lengths of the axes, or one tuple of them.
        dtype: float32 by default, or float64.
    """
    sizes = _shape(shape)
    if TRACER.get() is None:
        return leaf(draw(sizes, supported_dtype(dtype)))
    key = _KEY.get()
    drawn = random_uniform(key, sizes, dtype)
    key.assign(key + asarray(_NEXT))
    return drawn


def draw(shape: tuple[int, ...], dtype: np.dtype[Any] = float32) -> Array:
    """Return what `rand` returns outside of a trace, as an array."""
    key = _KEY.get()
    drawn: Array = uniform_value(key.array, shape=shape, dtype=dtype)
    # What assign does, without its checks.
    key.array = key.array + _NEXT
    key.stamp = next_stamp()
    return drawn


def randn(*shape: Any, dtype: Any = None) -> Tensor:
    """Return normal numbers of mean 0 and variance 1 (Box and Muller, 1958).

    >>> randn(2, 3).shape
    (2, 3)
    """
    sizes = _shape(shape)
    count = math.prod(sizes)
    half = (count + 1) // 2
    u = rand(2, half, dtype=dtype)
    radius = sqrt(-2.0 * log1p(-u[0]))
    angle = u[1] * (2 * math.pi)
    return reshape(concat([radius * cos(angle), radius * sin(angle)])[:count], sizes)


def uniform(low: float, high: float, shape: Any, *, dtype: Any = None) -> Tensor:
    """Return uniform numbers in [low, high)."""
    return rand(shape, dtype=dtype) * (high - low) + low


def normal(mean: float, std: float, shape: Any, *, dtype: Any = None) -> Tensor:
    """Return normal numbers of the given mean and standard deviation."""
    return randn(shape, dtype=dtype) * std + mean


def randint(low: int, high: int, shape: Any = ()) -> Tensor:
    """Return integers (int64) in [low, high), each equally likely."""
    if high <= low or high - low > 2**53:
        raise ValueError(
            f"randint: expected low < high (apart by at most 2**53), got {low}, {high}."
        )
    return (rand(shape, dtype="float64") * (high - low)).astype(int64) + low


def bernoulli(p: float, shape: Any) -> Tensor:
    """Return booleans that are true with probability `p`, 0 to 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"bernoulli: expected p from 0 to 1, got {p}.")
    return rand(shape, dtype=float32) < p


def randperm(n: int) -> Tensor:
    """Return the integers 0 to n - 1 (int64) in random order."""
    return argsort(rand(n, dtype="float64"))
