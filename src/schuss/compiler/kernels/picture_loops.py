"""Loops over pictures: which rows of the result read what, by tables in working memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels.convolution_geometry import Phase
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import F32, kind_of
from schuss.lowering.vectors import SUFFIX

__all__ = ["PictureLoops", "Scratch", "Tables", "call_library", "plan_tables", "write_zeros"]

# Entries of a table, at most; and rows that several small pictures are joined to.
_TABLE, _ROWS = 65_536, 96


class Scratch:
    """Parts of a thread's working memory, one after the other."""

    def __init__(self) -> None:
        self.nbytes = 0

    def take(self, nbytes: int) -> int:
        """Return where a part of so many bytes begins, aligned to 64."""
        start = self.nbytes
        self.nbytes += -(-nbytes // 64) * 64
        return start


@dataclass(frozen=True)
class Tables:
    """Where a phase's tables are in working memory.

    Args:
        phase: whose.
        table: of taps.
        places: of rows.
        chunk: rows along the first axis that they are made for at once.
    """

    phase: Phase
    table: int
    places: int
    chunk: int

    @property
    def is_whole(self) -> bool:
        """Whether they are made once, for a whole picture."""
        return self.chunk >= self.phase.axes[0].rows

    @property
    def inner(self) -> int:
        """Rows for each one along the first axis."""
        return math.prod(a.rows for a in self.phase.axes[1:])


def plan_tables(
    phases: Sequence[Phase], pictures: int, scratch: Scratch
) -> tuple[tuple[Tables, ...], int]:
    """Return the tables of all phases, and how many pictures are computed together."""
    together = max(min(_ROWS // max(sum(p.rows for p in phases), 1), pictures), 1)
    found = []
    for phase in phases:
        rows = phase.axes[0].rows
        inner = math.prod(a.rows for a in phase.axes[1:])
        fitting = _TABLE // max(inner * phase.taps, 1)
        chunk = rows if together > 1 else max(min(fitting, rows), 1)
        entries = together * chunk * inner
        table, places = scratch.take(4 * entries * phase.taps), scratch.take(4 * entries)
        found.append(Tables(phase, table, places, chunk))
    return tuple(found), together


def write_zeros(k: KernelEmitter) -> None:
    """Write the result of sums over nothing."""
    with k.f.loop(0, k.node.size) as i:
        k.f.store(k.f.number(0, kind_of(k.node.dtype)), k.pointer(k.node), i)


def call_library(f: Function, name: str, kind: str, *arguments: str | Scalar | int) -> None:
    """Call a function of a library; whole numbers are i64, texts pointers."""
    given = [f.number(a) if isinstance(a, int) else a for a in arguments]
    kinds = [a.kind if isinstance(a, Scalar) else "ptr" for a in given]
    name = f"@{name}_{SUFFIX[kind]}"
    f.declare(name, "void", kinds)
    values = [a.typed if isinstance(a, Scalar) else f"ptr {a}" for a in given]
    f.emit(f"call void {name}({', '.join(values)})")


class PictureLoops:
    """The loops over the pictures of a thread, their phases, and chunks of rows.

    Args:
        k: what is written with.
        tables: of all phases.
        together: pictures that are computed together.
    """

    def __init__(self, k: KernelEmitter, tables: Sequence[Tables], together: int) -> None:
        self.f = k.f
        self._k = k
        self._tables = tables
        self._together = together
        self._sizes = [math.prod(node.shape[1:]) for node in (k.node.inputs[0], k.node)]

    def scratch(self, place: int) -> str:
        """Return the address of a part of working memory."""
        return self.f.address("%scratch", place // 4, F32)

    def write(
        self, pictures: tuple[Scalar, Scalar], rows: Callable[[Tables, Scalar, Scalar], None]
    ) -> None:
        """Write the loops.

        Args:
            pictures: the first one, and after the last.
            rows: writes so many rows of one phase, from a picture on, as its tables say.
        """
        f = self.f
        for tables in self._tables:
            if tables.is_whole:
                self._write(tables, f.number(0), self._first_axis(tables), self._together)
        low, high = pictures
        with f.loop(low, high, self._together) as picture:
            count = (high - picture).minimum(self._together)
            for tables in self._tables:
                if tables.is_whole:
                    if self._together > 1:
                        with f.when(count.ne(self._together)):
                            self._write(tables, f.number(0), self._first_axis(tables), count)
                    rows(tables, picture, count * tables.phase.rows)
                    continue
                total = tables.phase.axes[0].rows
                with f.loop(0, total, tables.chunk) as first:
                    end = (first + tables.chunk).minimum(total)
                    self._write(tables, first, end, self._together)
                    rows(tables, picture, (end - first) * tables.inner)
            if self._k.has_epilogue:
                end = picture + count
                f.emit(f"call void %epilogue(ptr %table, {picture.typed}, {end.typed})")

    def _first_axis(self, tables: Tables) -> Scalar:
        return self.f.number(tables.phase.axes[0].rows)

    def _write(self, tables: Tables, low: Scalar, high: Scalar, count: Scalar | int) -> None:
        places = self.scratch(tables.table), self.scratch(tables.places)
        pictures = (count, self._sizes[0], self._sizes[1])
        tables.phase.write_table(self.f, *places, pictures, (low, high), by_positions=True)

    def picture(self, view: Strided, picture: Scalar) -> str:
        """Return where a picture of an input, or of the result, begins.

        What an input is a view of may have other axes.
        """
        at = picture * math.prod(view.shape[1:]) + view.offset
        return self.f.address(self._k.pointer(view.root), at, kind_of(view.root.dtype))
