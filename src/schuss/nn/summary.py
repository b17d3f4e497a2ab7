"""A network in words: a tree with the output shapes that are known and parameter counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schuss.nn.module import Module

    Row = tuple[str, str, str]


def tree(module: Module) -> str:
    """Return one line a part: its name and options, last output shape, number of parameters.

    >>> from schuss import nn
    >>> nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    Sequential
    ├─ 0: Linear(in_features=4, out_features=16, bias=True)   80
    ├─ 1: ReLU()
    └─ 2: Linear(in_features=16, out_features=3, bias=True)   51
    131 parameters
    """
    rows = list(_rows(module))
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


def _rows(module: Module, lead: str = "", branch: str = "", name: str = "") -> Iterator[Row]:
    children = list(module.named_children())
    title = type(module).__name__
    options = module.extra_repr()
    if options or not children:
        title += f"({options})"
    # A part's own parameters only: its parts have lines of their own.
    own = sum(p.size for p in module.parameters(recurse=False))
    shape = "" if module._output_shape is None else f"-> {module._output_shape}"
    yield f"{branch}{name}{': ' if name else ''}{title}", shape, f"{own:,}" if own else ""
    for position, (child_name, child) in enumerate(children):
        last = position == len(children) - 1
        yield from _rows(
            child,
            lead + ("   " if last else "│  "),
            lead + ("└─ " if last else "├─ "),
            child_name,
        )


def _counted(module: Module, total: int) -> str:
    trainable = sum(p.size for p in module.parameters() if p.requires_grad)
    text = f"{total:,} parameter{'' if total == 1 else 's'}"
    return text if trainable == total else f"{text}, {trainable:,} of them trainable"
