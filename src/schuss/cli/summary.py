"""What the commands print about a run: its columns, its metrics, and what to do next."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schuss.cli.parser import command_name
from schuss.messages import is_terminal, printable, say

if TYPE_CHECKING:
    from schuss.training import Run

__all__ = [
    "confusion_table",
    "figures_table",
    "print_json",
    "print_lines",
    "result_json",
    "show_result",
    "show_start",
]

_MOST_LINES = 40
# So many classes are shown beside each other, by so many letters of their names.
_MOST_CLASSES, _FEW_CLASSES, _SHORT, _LONGEST = 20, 10, 4, 16


def show_start(run: Run) -> None:
    """Print what was inferred, on standard error: what there is, the target, the shares."""
    if run.taken_for:
        say(printable(run.taken_for))
    *lines, target = run.description()
    shown = [*lines[:_MOST_LINES], target]
    say(_aligned([[printable(word) for word in row] for row in shown]))
    if len(lines) > _MOST_LINES:
        say(f"  and {len(lines) - _MOST_LINES:,} more columns")
    said = {f"{first}: {last}" for first, _, last in shown}
    for note in run.notes:
        if note not in said:
            say(f"note: {printable(note)}")
    say(printable(run.shares_text()))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Put rows of words below each other, the last word wrapped to the terminal's width."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    edge = sum(widths) + 2 * len(widths) + 2
    whole = shutil.get_terminal_size().columns if is_terminal(sys.stderr) else None
    lines = []
    for *first, last in rows:
        padded = [f"{word:<{width}}" for word, width in zip(first, widths, strict=True)]
        line = "  " + "  ".join([*padded, last])
        if whole is not None and len(line) > whole > edge + 20:
            line = textwrap.fill(line, whole, subsequent_indent=" " * edge)
        lines.append(line.rstrip())
    return "\n".join(lines)


def show_result(run: Run, *, quiet: bool = False, as_json: bool = False) -> None:
    """Print the final figures, where the run is, and what can be done with it."""
    shares = {"validation": run.validation, "test": run.test}
    lines = []
    if not (quiet and as_json):
        lines.append(figures_table({name: figures for name, figures in shares.items() if figures}))
        lines += confusion_table([str(c) for c in run.classes], run.confusion)
        lines.append(f"\nrun: {printable(str(run.folder))}")
    if not quiet and not as_json:
        schuss, folder = command_name(), shlex.quote(printable(str(run.folder)))
        new, test = run.next_data
        lines.append(f"next: {schuss} predict {folder} {new} -o out.csv")
        lines.append(f"      {schuss} evaluate {folder} {test}")
    print_lines(*lines)
    if as_json:
        print_json(result_json(run))


def result_json(run: Run) -> dict[str, Any]:
    """Return what came of a training, as JSON can hold it."""
    return {
        "run": str(run.folder),
        "task": run.task,
        "target": run.target_name,
        "seconds": round(run.seconds, 3),
        "epochs": run.epochs,
        "best_epoch": run.best_epoch,
        "rows": run.shares,
        **run.goal,
        "validation": run.validation or None,
        "test": run.test or None,
    }


def figures_table(shares: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return figures by name, a column for each share of the rows.

    >>> print(figures_table({"test": {"accuracy": 0.93333, "auc": None}}))
                test
    accuracy  0.9333
    auc            -
    """
    shares = {printable(title): figures for title, figures in shares.items()}
    names = list(dict.fromkeys(name for figures in shares.values() for name in figures))
    cells = {
        title: [_figure(figures.get(name)) for name in names] for title, figures in shares.items()
    }
    first = max(map(len, names), default=0)
    widths = {title: max(map(len, [title, *texts])) for title, texts in cells.items()}
    lines = [" " * first + "".join(f"  {title:>{width}}" for title, width in widths.items())]
    for row, name in enumerate(names):
        values = "".join(f"  {cells[title][row]:>{width}}" for title, width in widths.items())
        lines.append(f"{name.replace('_', ' '):<{first}}{values}")
    return "\n".join(lines)


def confusion_table(classes: Sequence[str], counts: Sequence[Sequence[int]] | None) -> list[str]:
    r"""Return lines that show which class was taken for which; none where there are too many.

    Args:
        classes: their names.
        counts: how many examples of each class (a row) were taken for each (a column); or None.

    >>> print(*confusion_table(["cat", "dog"], [[8, 1], [0, 9]]), sep="\n")
    <BLANKLINE>
    taken for  cat  dog
    cat          8    1
    dog          .    9
    """
    if counts is None or not 2 <= len(classes) <= _MOST_CLASSES:
        return []
    names = [_shortened(printable(name)) for name in classes]
    first = max(map(len, ["taken for", *names]))
    # Many columns have short names.
    heads = [name[:_SHORT] if len(names) > _FEW_CLASSES else name for name in names]
    widths = [
        max(len(head), *(len(f"{row[k]:,}") for row in counts)) for k, head in enumerate(heads)
    ]
    top = "".join(f"  {head:>{width}}" for head, width in zip(heads, widths, strict=True))
    lines = ["", f"{'taken for':<{first}}{top}"]
    for name, row in zip(names, counts, strict=True):
        cells = [f"{n:,}" if n else "." for n in row]
        shown = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{name:<{first}}{shown}")
    return lines


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if abs(value) >= 1000 or 0 < abs(value) < 0.001 else f"{value:.4f}"


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, as the last line of standard output."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Escaped are also those characters that a terminal obeys and that are none of Unicode's.
    print_lines("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def print_lines(*lines: str) -> None:
    """Print lines on standard output, if there is one and somebody reads it.

    What they are about is done by then and lies in files.
    """
    if sys.stdout is not None:
        for line in lines:
            say(line, sys.stdout)
