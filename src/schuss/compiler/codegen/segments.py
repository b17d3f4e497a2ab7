"""Segments of a step: it comes back at each barrier, so that one thread can play all of them."""

from __future__ import annotations

from schuss.lowering.ir_builder import Function

__all__ = ["Segments"]


class Segments:
    """Writes returns where a step has barriers, and ways to go on after each of them."""

    def __init__(self) -> None:
        self._count = 0
        self._begin = 0
        self._control = ""

    def begin(self, f: Function, control: str) -> None:
        """Begin the first segment; what was computed so far is computed for each."""
        self._begin, self._control = len(f.lines), control
        f.label("%segment0")

    def barrier(self, f: Function, control: str) -> None:
        """End a segment, and begin the next one."""
        self._count += 1
        f.emit(f"store i64 {self._count}, ptr {control}")
        f.emit("call void @restore(i64 %mode)")
        f.emit("ret void")
        f.label(f"%segment{self._count}")

    @staticmethod
    def last(control: str) -> str:
        """Return what says that no segment follows."""
        return f"store i64 0, ptr {control}"

    def end(self, f: Function) -> None:
        """End the last segment."""
        f.emit(self.last(self._control))
        ways = " ".join(f"i64 {i}, label %segment{i}" for i in range(1, self._count + 1))
        f.lines.insert(self._begin, f"  switch i64 %segment, label %segment0 [{ways}]")
