"""LLVM modules of a program, as text, and what else there is to know to run it."""

from __future__ import annotations

from dataclasses import dataclass, field

from schuss.native.target import vector_bytes

__all__ = ["Module", "Part"]

# Longer text is compiled in pieces, side by side.
_LONG_TEXT, _MOST_TEXTS = 25_000, 8


@dataclass
class Module:
    """A module's text and what it needs.

    Args:
        loops: modules of the stages whose loops LLVM makes vectors of.
        plain: modules of the step, and of the stages that are written as they should run.
        scan: the function that runs the step many times, as a module of its own.
        symbols: functions of other libraries that the step calls.
        scratch: bytes of working memory that each thread needs.
        stages: for each stage, its function's name and how many partitions it has.
        has_checks: whether values may turn out to be refused.
        flops: about how many operations a step takes.
        is_parallel: whether threads may run it together; without, the text has no barriers.
    """

    loops: list[str]
    plain: list[str]
    scan: str
    symbols: list[str]
    scratch: int
    stages: list[tuple[str, int]] = field(default_factory=list)
    has_checks: bool = False
    flops: int = 0
    is_parallel: bool = False


@dataclass
class Part:
    """A module: what is declared in it, and its functions, by name."""

    declared: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Characters of the functions."""
        return sum(map(len, self.functions.values()))

    def text(self) -> str:
        """Return it in LLVM's text form."""
        common = f'nounwind "prefer-vector-width"="{vector_bytes() * 8}" "no-trapping-math"="true"'
        lines = [line for name, line in self.declared.items() if name not in self.functions]
        ends = [
            f"attributes #0 = {{ noinline {common} }}",
            f"attributes #1 = {{ {common} }}",
            "attributes #2 = { noinline optnone nounwind }",
        ]
        return "\n".join([*lines, *self.functions.values(), *ends])

    def texts(self) -> list[str]:
        """Return it as modules of about equal lengths, to be compiled side by side."""
        count = max(min(self.length // _LONG_TEXT, _MOST_TEXTS), min(len(self.functions), 1))
        parts = [Part(self.declared) for _ in range(count)]
        for name in sorted(self.functions, key=lambda n: -len(self.functions[n])):
            shortest = min(parts, key=lambda part: part.length)
            shortest.functions[name] = self.functions[name]
        return [part.text() for part in parts]

    @property
    def symbols(self) -> list[str]:
        """The functions of other libraries that it calls."""
        found = self.declared.items()
        return [name[1:] for name, line in found if _is_foreign(name, line)]


def _is_foreign(name: str, line: str) -> bool:
    """Whether a declaration names a function of another library."""
    ours = name.startswith(("@llvm.", "@stage_", "@epilogue_")) or name == "@schuss_barrier"
    return line.startswith("declare") and not ours
