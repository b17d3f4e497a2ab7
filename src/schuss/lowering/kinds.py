"""Kinds of lowering: how a primitive says what its native code is.

A lowering describes; the compiler turns descriptions into loops. This module imports nothing of
Schuss, so that the primitives can use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "HOST_CALL",
    "RESULT",
    "SEGMENT_SUM",
    "VIEW",
    "WIDE_SUM",
    "Elementwise",
    "HostCall",
    "Kernel",
    "Lowering",
    "Reduction",
    "Regions",
    "Result",
    "SegmentSum",
    "View",
]


@dataclass(frozen=True)
class Elementwise:
    """One element of the result from the elements at the same place in the inputs.

    Args:
        expression: takes the typed scalars of `schuss.lowering.ir_builder`, all cast to the inputs'
            common dtype, and returns one.
        uncast: number of leading inputs that keep their own dtype.
        cost: about how many additions one element costs; cheap ones may be computed twice.
    """

    expression: Callable[..., Any]
    uncast: int = 0
    cost: int = 1


@dataclass(frozen=True)
class View:
    """The same elements at other places: the primitive's own NumPy value gives the strides."""


@dataclass(frozen=True)
class Reduction:
    """An associative combination of the elements along the attribute `axes`.

    Args:
        start: `start(dtype)` returns the number to begin with.
        combine: takes two scalars and returns one.
        widen: whether long float32 reductions are accumulated in float64.
    """

    start: Callable[[Any], float]
    combine: Callable[[Any, Any], Any]
    widen: bool = False


@dataclass(frozen=True)
class Kernel:
    """A kernel of its own, as `schuss.compiler.kernels.registry` lists it under this name.

    Args:
        name: of the kernel.
        is_row_major: whether the primitive's own value lies row by row however its inputs lie.
    """

    name: str
    is_row_major: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Regions(Kernel):
    """The kernel of results that are put together from copies of the inputs.

    Args:
        parts: `parts(shapes, **attributes)` returns, for each input, the basic index of the
            result that it fills.
        fill: `fill(**attributes)` returns the number everywhere else, or None when the parts
            cover the whole result.
    """

    name: str = field(default="regions", init=False)
    parts: Callable[..., list[tuple[Any, ...]]]
    fill: Callable[..., float | None]


@dataclass(frozen=True)
class HostCall(Kernel):
    """The primitive's own NumPy value, called from the program.

    For what has no native code and costs much more than a call of Python's: decompositions of
    matrices, Fourier transforms. Its attributes have to be numbers, texts, or tuples of them.
    """

    name: str = field(default="host_call", init=False)


@dataclass(frozen=True)
class Result:
    """One of several results of the kernel that its only input stands for, which writes it."""


@dataclass(frozen=True)
class SegmentSum:
    """Rows that are each a sum of some of the first input's, as the second one lists them.

    With the lists alone, whether they name a row at all. A loop that reads such rows computes them
    on its way, a block of them at a time; see `schuss.compiler.kernels.segment_sum`.
    """


VIEW = View()
HOST_CALL = HostCall()
RESULT = Result()
SEGMENT_SUM = SegmentSum()
Lowering = Elementwise | View | Reduction | Kernel | Result | SegmentSum


# From this count on, float32 sums are accumulated in float64, as they are in NumPy's definition.
WIDE_SUM = 1024
