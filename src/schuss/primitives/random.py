"""The random primitive: counter-based uniform numbers from a key and a count of draws."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, float32, supported_dtype
from schuss.lowering.kinds import Kernel
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive, apply

_EIGHT, _UNIT = np.array(8, np.uint32), np.array(2.0**-24, float32)


class _Generator:
    """A generator with the state that it is put into."""

    def __init__(self) -> None:
        self.bits = np.random.Philox()
        self.key, self.counter = np.zeros(2, np.uint64), np.zeros(4, np.uint64)
        self.state: Any = {
            "bit_generator": "Philox",
            "state": {"key": self.key, "counter": self.counter},
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }


# Each thread's own: to make one costs many times what it costs to put it into a state.
_own = threading.local()


def uniform_value(key: Array, *, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Philox4x64-10 (Salmon et al., 2011), keyed by the seed; draw d counts from (0, d, 0, 0)."""
    size = math.prod(shape)
    own: _Generator | None = getattr(_own, "generator", None)
    if own is None:
        own = _own.generator = _Generator()
    own.key[0], own.counter[1] = key.view(np.uint64)
    bits = own.bits
    bits.state = own.state
    if dtype == float32:
        halves = bits.random_raw((size + 1) // 2).astype("<u8", copy=False).view("<u4")[:size]
        # The upper 24 bits: every multiple of 2**-24 in [0, 1) equally often.
        return np.multiply((halves >> _EIGHT).astype(float32), _UNIT).reshape(shape)
    return ((bits.random_raw(size) >> np.uint64(11)) * 2.0**-53).reshape(shape)


_random_uniform = Primitive(
    "random_uniform",
    value=uniform_value,
    shape=lambda key, *, shape, dtype: (shape, dtype),
    derivative=NOT_DIFFERENTIABLE,
    lower=Kernel("random_uniform"),
)


def random_uniform(key: Tensor, shape: tuple[int, ...], dtype: Any = float32) -> Tensor:
    """Return uniform numbers in [0, 1) that depend on `key` alone.

    Args:
        key: int64, shape (2,): the seed and the number of the draw.
        shape: of the result.
        dtype: float32 (multiples of 2**-24) or float64 (multiples of 2**-53).
    """
    return apply(_random_uniform, (key,), {"shape": shape, "dtype": supported_dtype(dtype)})


random_uniform.primitive = _random_uniform  # type: ignore[attr-defined]
