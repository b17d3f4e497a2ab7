"""Where convolutions read and write: axes as arithmetic progressions, and tables made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from schuss.compiler.graph.views import contiguous
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I32
from schuss.values.convolution import Geometry

__all__ = ["Axis", "Phase", "backward_phases", "forward_phase"]


@dataclass(frozen=True)
class Axis:
    """Rows along one axis, and what they read.

    Row j is position first + j * step of the result. Tap m of it, which is tap
    tap + m * tap_step of the kernel, reads position j * scale + shift + m * shift_step of the
    source, which has `size` of them.
    """

    rows: int
    first: int
    step: int
    taps: int
    tap: int
    tap_step: int
    scale: int
    shift: int
    shift_step: int
    size: int


@dataclass(frozen=True)
class Phase:
    """Rows of the result that read by the same taps.

    Args:
        axes: the spatial ones.
        source: the strides of these in the source, in elements.
        target: in the result.
    """

    axes: tuple[Axis, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of one picture."""
        return math.prod(a.rows for a in self.axes)

    @property
    def taps(self) -> int:
        """Taps of a row."""
        return math.prod(a.taps for a in self.axes)

    def kernel_taps(self, kernel: tuple[int, ...]) -> list[int]:
        """Return the number of each tap in the kernel, in row-major order."""
        steps = contiguous(kernel)
        along = [range(a.tap, a.tap + a.taps * a.tap_step, a.tap_step) for a in self.axes]
        return [sum(k * s for k, s in zip(tap, steps, strict=True)) for tap in product(*along)]

    def write_table(
        self, f: Function, table: str, places: str, pictures: tuple[Scalar | int, int, int],
        bounds: Bounds, *, by_positions: bool = False,
    ) -> None:  # fmt: skip
        """Write where each row's taps begin (-1: nowhere), and where the row goes.

        Args:
            f: what it is written into.
            table: of the rows' taps, of i32.
            places: of the rows, of i32.
            pictures: how many, and the elements of a picture of the source and the result.
            bounds: of the rows along the first axis.
            by_positions: whether the same position of all pictures comes before the next one, so
                that rows side by side are outside by the same taps.
        """
        low, high = bounds
        many, source_size, target_size = pictures
        inner = math.prod(a.rows for a in self.axes[1:])
        each = (high - low) * inner
        with f.loop(0, many) as picture:
            start, step = (picture, many) if by_positions else (picture * each, 1)
            self._rows(
                f, table, places, (start, step), (picture * source_size, picture * target_size),
                [], bounds,
            )  # fmt: skip

    def _rows(
        self, f: Function, table: str, places: str, row: tuple[Scalar, Scalar | int],
        origin: tuple[Scalar, Scalar], index: list[Scalar], bounds: Bounds,
    ) -> None:  # fmt: skip
        """Write the rows at an index of the first axes."""
        depth = len(index)
        if depth == len(self.axes):
            f.store(origin[1].to(I32), places, row[0])
            self._taps(f, table, row[0] * self.taps, origin[0], f.number(1, "i1"), index, [])
            return
        axis = self.axes[depth]
        low, high = bounds if depth == 0 else (f.number(0), f.number(axis.rows))
        inner = math.prod(a.rows for a in self.axes[depth + 1 :])
        with f.loop(low, high) as j:
            to = origin[1] + (j * axis.step + axis.first) * self.target[depth]
            here = row[0] + (j - low) * inner * row[1], row[1]
            self._rows(f, table, places, here, (origin[0], to), [*index, j], bounds)

    def _taps(
        self, f: Function, table: str, at: Scalar, place: Scalar, inside: Scalar,
        index: list[Scalar], taps: list[Scalar],
    ) -> None:  # fmt: skip
        """Write where the taps of a row begin."""
        depth = len(taps)
        if depth == len(self.axes):
            f.store(inside.where(place, -1).to(I32), table, at)
            return
        axis = self.axes[depth]
        inner = math.prod(a.taps for a in self.axes[depth + 1 :])
        with f.loop(0, axis.taps) as m:
            read = index[depth] * axis.scale + (m * axis.shift_step + axis.shift)
            is_inside = inside & read.ge(0) & read.lt(axis.size)
            there = place + read * self.source[depth]
            self._taps(f, table, at + m * inner, there, is_inside, index, [*taps, m])


Bounds = tuple[Scalar, Scalar]


def forward_phase(geometry: Geometry, inputs: int, outputs: int) -> Phase:
    """Return how the output of so many channels reads the input of so many."""
    g = geometry
    axes = tuple(
        Axis(o, 0, 1, k, 0, 1, s, -p, d, n)
        for n, k, o, s, p, d in zip(
            g.size, g.kernel, g.out, g.stride, g.padding, g.dilation, strict=True
        )
    )
    return Phase(axes, _strides(g.size, inputs), _strides(g.out, outputs))


def backward_phases(geometry: Geometry, inputs: int, outputs: int) -> list[Phase]:
    """Return how the gradient of the input reads that of the output, for each phase of a stride."""
    g = geometry
    along = [
        [_backward_axis(first, *axis) for first in range(min(axis[3], axis[0]))]
        for axis in zip(g.size, g.kernel, g.out, g.stride, g.padding, g.dilation, strict=True)
    ]
    source, target = _strides(g.out, outputs), _strides(g.size, inputs)
    return [Phase(axes, source, target) for axes in product(*along)]


def _backward_axis(
    first: int, size: int, kernel: int, out: int, stride: int, padding: int, dilation: int
) -> Axis:
    # Position first + j * stride meets tap k where (first + padding - k * dilation) is a multiple
    # of the stride: for every so many taps.
    period = stride // math.gcd(stride, dilation)
    meeting = [
        k for k in range(min(period, kernel)) if (first + padding - k * dilation) % stride == 0
    ]
    rows = -(-(size - first) // stride)
    if not meeting:
        return Axis(rows, first, stride, 0, 0, 1, 1, 0, 0, out)
    (tap,) = meeting
    taps = -(-(kernel - tap) // period)
    shift = (first + padding - tap * dilation) // stride
    return Axis(
        rows, first, stride, taps, tap, period, 1, shift, -(period * dilation // stride), out
    )


def _strides(size: tuple[int, ...], channels: int) -> tuple[int, ...]:
    return tuple(s * channels for s in contiguous(size))
