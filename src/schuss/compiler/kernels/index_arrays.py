"""Index arrays: where the elements that a gather reads, or a scatter adds to, lie in x."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from schuss.compiler.graph.views import Strided, region
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import I64
from schuss.primitives.index_template import ARRAY

__all__ = ["IndexedPlaces", "expanded"]


class IndexedPlaces:
    """Where an element of a gather's result comes from in x."""

    def __init__(self, k: KernelEmitter, x: Strided, indices: list[Strided], template: Any) -> None:
        items = expanded(template, len(x.shape))
        advanced = [item is ARRAY or isinstance(item, int) for item in items]
        places = [i for i, a in enumerate(advanced) if a]
        joined = places == list(range(places[0], places[-1] + 1))
        plain = tuple(slice(None) if a else item for item, a in zip(items, advanced, strict=True))
        source = region(x.root, x, lambda array: array[plain])
        assert source is not None  # a basic index is always a view
        self.source = source
        rank = max(len(i.shape) for i in indices)
        first = places[0] if joined else 0
        self.arrays = iter(indices)
        self.k = k
        self.rank = rank
        self.first = first
        # For each axis of the source: an axis of the result, an index array, or a number.
        self.axes: list[int | Strided | tuple[int]] = []
        position = 0 if joined else rank
        for item, is_advanced in zip(items, advanced, strict=True):
            if is_advanced:
                self.axes.append(next(self.arrays) if item is ARRAY else (int(item),))
                if joined and len([a for a in self.axes if not isinstance(a, int)]) == 1:
                    position += rank
            else:
                self.axes.append(position)
                position += 1

    def row(self, shape: tuple[int, ...]) -> int:
        """Return how many elements follow each other in the source after the indexed axes."""
        bound = self.first + self.rank
        count = len(shape) - bound
        if self.axes[len(self.axes) - count :] != list(range(bound, len(shape))):
            # A slice between indices: what follows them in the result lies before one in x.
            return 1
        view = self.source
        last = Strided(view.root, 0, view.shape[-count:], view.strides[-count:])
        return math.prod(shape[bound:]) if bound and count and last.strides_fit() else 1

    @contextmanager
    def loops(
        self,
        shape: tuple[int, ...],
        *,
        shared: bool,
        columns: tuple[Scalar, Scalar] | None = None,
        whole_rows: bool = False,
    ) -> Iterator[_Visit]:
        """Run the body for every index of the result, with the index of the source.

        The index arrays are read outside of the loops that they do not depend on.
        With `columns`, the last axis, which no index array may pick from, runs between these.
        With `whole_rows`, only the first element of each row is visited.
        """
        bound = self.first + self.rank
        with self.k.loops(shape[:bound], shared=shared and bound > 0) as outer:
            named = self._named(outer[self.first :])
            rest = shape[bound:] if columns is None else shape[bound:-1]
            if whole_rows:
                rest = (1,) * len(rest)
            with ExitStack() as stack:
                inner = stack.enter_context(self.k.loops(rest, shared=shared and bound == 0))
                if columns is not None:
                    inner = [*inner, stack.enter_context(self.k.f.loop(*columns))]
                index = [*outer, *inner]
                source = [
                    index[axis] if isinstance(axis, int) else named[i]
                    for i, axis in enumerate(self.axes)
                ]
                yield _Visit(index, source)

    def _named(self, shared: list[Scalar]) -> dict[int, Scalar]:
        """Return the index of each axis of the source that an array or a number gives."""
        f = self.k.f
        found = {}
        for place, (axis, n) in enumerate(zip(self.axes, self.source.shape, strict=True)):
            if isinstance(axis, int):
                continue
            if isinstance(axis, tuple):
                i = f.number(axis[0])
            else:
                own = shared[self.rank - len(axis.shape) :]
                at = [f.number(0) if m == 1 else o for o, m in zip(own, axis.shape, strict=True)]
                i = self.k.load(axis, at).to(I64)
            found[place] = self.k.from_start(i, n)
        return found


@dataclass
class _Visit:
    """An index of a gather's result, and the one of its source."""

    index: list[Scalar]
    source: list[Scalar]


def expanded(template: Any, ndim: int) -> list[Any]:
    """Return the template with a slice for each axis that it leaves out."""
    items = list(template)
    named = sum(item is not None and item is not Ellipsis for item in items)
    missing = [slice(None)] * (ndim - named)
    if Ellipsis in [i for i in items if i is Ellipsis]:
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        return items[:at] + missing + items[at + 1 :]
    return items + missing
