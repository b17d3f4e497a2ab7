"""A network in words: a tree with the output shapes that are known and parameter counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias

__all__ = ["Part", "tree"]

Row: TypeAlias = tuple[str, str, str]


class Part(Protocol):
    """What is asked of a module to show it."""

    _output_shape: tuple[int, ...] | None

    def named_children(self) -> Iterable[tuple[str, Any]]:
        """Yield (name, module) of the direct parts."""

    def parameters(self, recurse: bool = True) -> Iterable[Any]:
        """Yield the parameters."""

    def extra_repr(self) -> str:
        """Return what is shown between the parentheses."""


def tree(module: Part, usual: Callable[[Any], str]) -> str:
    """Return one line a part: its name and options, last output shape, number of parameters.

    Args:
        module: what is shown.
        usual: the `__repr__` that shows modules so; parts with another are shown by theirs.

    >>> from schuss import nn
    >>> nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    Sequential
    ├─ 0: Linear(in_features=4, out_features=16, bias=True)   80
    ├─ 1: ReLU()
    └─ 2: Linear(in_features=16, out_features=3, bias=True)   51
    131 parameters
    """
    rows = list(_rows(module, usual))
    total = sum(p.size for p in module.parameters())
    if len(rows) == 1:
        return f"{rows[0][0]}  {_counted(module, total)}" if total else rows[0][0]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for label, shape, count in rows:
        line = label.ljust(widths[0])
        if widths[1]:
            line += "  " + shape.ljust(widths[1])
        if widths[2]:
            line += "   " + count.rjust(widths[2])
        lines.append(line.rstrip())
    return "\n".join([*lines, _counted(module, total)])


def _rows(
    module: Part, usual: Callable[[Any], str], lead: str = "", branch: str = "", name: str = ""
) -> Iterator[Row]:
    children = list(module.named_children())
    title = type(module).__name__
    options = module.extra_repr()
    lines: list[str] = []
    own_words = bool(branch) and type(module).__repr__ is not usual
    if own_words:
        title, *lines = repr(module).splitlines() or [""]
        children = []
    elif options or not children:
        title += f"({options})"
    # A part's own parameters only: its parts have lines of their own.
    own = sum(p.size for p in module.parameters(recurse=own_words))
    shape = "" if module._output_shape is None else f"-> {module._output_shape}"
    yield f"{branch}{name}{': ' if name else ''}{title}", shape, f"{own:,}" if own else ""
    yield from ((lead + line, "", "") for line in lines)
    for position, (child_name, child) in enumerate(children):
        last = position == len(children) - 1
        below, beside = ("   ", "└─ ") if last else ("│  ", "├─ ")
        yield from _rows(child, usual, lead + below, lead + beside, child_name)


def _counted(module: Part, total: int) -> str:
    trainable = sum(p.size for p in module.parameters() if p.requires_grad)
    text = f"{total:,} parameter{'' if total == 1 else 's'}"
    return text if trainable == total else f"{text}, {trainable:,} of them trainable"
