"""Progress display: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import monotonic
from typing import IO, Any, cast

from schuss.messages import SafeStream, is_terminal, printable

__all__ = ["Display", "Lines", "make_display"]

_SECONDS_BETWEEN_LINES = 2.0
# From here on, a person wants to know at the start how long it takes.
_LONG_SECONDS = 10.0
# From this share of dead units on, a person should know.
_MANY_DEAD = 0.1


class Display:
    """What a trainer tells while it runs; this one shows nothing, others override it."""

    def begin(self, epochs: int, done: int, steps: int) -> None:
        """Training starts: epochs in all, those done before, steps of an epoch."""

    def step(self, epoch: int, step: int) -> None:
        """A step of an epoch is done, both counted from 0."""

    def epoch(self, record: Mapping[str, Any]) -> None:
        """An epoch is done."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def end(self, summary: str) -> None:
        """Training is over; an empty summary where it broke off."""


def figures(record: Mapping[str, Any], monitor: str, *, brief: bool = False) -> str:
    """Return an epoch's figures as a person reads them.

    Args:
        record: the figures.
        monitor: the one that decides which epoch is best.
        brief: whether they have to fit beside a bar.
    """
    labels = {"train_loss": "loss", "validation_loss": "val." if brief else "validation"}
    labels.setdefault(f"validation_{monitor}", monitor.replace("_", " "))
    parts = []
    for name, label in labels.items():
        if name in record:
            value = record[name]
            parts.append(f"{label} {'undefined' if value is None else f'{value:.4g}'}")
    if not brief and record.get("gradient_norm") is not None:
        parts.append(f"gradient {record['gradient_norm']:.3g}")
    if (record.get("dead_units") or 0.0) >= _MANY_DEAD:
        parts.append(f"dead {record['dead_units']:.0%}" + ("" if brief else " of the units"))
    return (" " if brief else ", ").join(parts)


def clock(seconds: float) -> str:
    """Return a duration as a person reads it.

    >>> clock(3.21), clock(75), clock(7322)
    ('3.2 s', '1:15', '2:02:02')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Lines(Display):
    """Plain lines, at most one every two seconds, and then ever rarer.

    Args:
        stream: where to.
        monitor: the figure that decides which epoch is best.
    """

    def __init__(self, stream: IO[str], monitor: str = "loss") -> None:
        # Training goes on where nobody reads how far it is.
        self.stream = SafeStream(stream)
        self.monitor = monitor
        self.epochs = self.steps = 0
        self._start = self._last = monotonic()
        self._first: tuple[int, float] | None = None
        self._told = False

    def _print(self, text: str) -> None:
        print(printable(text), file=self.stream, flush=True)

    def begin(self, epochs: int, done: int, steps: int) -> None:
        """Remember the start."""
        self.epochs, self.steps = epochs, steps
        self._start = self._last = monotonic()

    def step(self, epoch: int, step: int) -> None:
        """Say once about how long it takes, if that is long."""
        if self._told:
            return
        now, done = monotonic(), epoch * self.steps + step + 1
        if self._first is None:
            # The first steps took as long as compiling them.
            self._first = done, now
            return
        if now - self._first[1] < _SECONDS_BETWEEN_LINES:
            return
        self._told = True
        left = (self.epochs * self.steps - done) * (now - self._first[1]) / (done - self._first[0])
        if left > _LONG_SECONDS:
            self._print(
                f"all {self.epochs} epochs of {self.steps:,} steps take about "
                f"{clock(now - self._start + left)}"
            )

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Print a line if the last one is long enough ago."""
        now = monotonic()
        # A long run prints fewer lines: one in every twentieth of the time so far.
        if now - self._last < max(_SECONDS_BETWEEN_LINES, 0.05 * (now - self._start)):
            return
        self._last = now
        done = record["epoch"]
        self._print(
            f"epoch {done} of {self.epochs}: {figures(record, self.monitor)} "
            f"({clock(now - self._start)})"
        )

    def note(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def end(self, summary: str) -> None:
        """Print it."""
        if summary:
            self._print(summary)


class Bar(Display):
    """A bar by rich, with losses, the metric, the time gone and the time left.

    Args:
        stream: the terminal.
        monitor: the figure that decides which epoch is best.
    """

    def __init__(self, stream: IO[str], monitor: str = "loss") -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.monitor = monitor
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(file=cast(IO[str], SafeStream(stream))),
            transient=True,
            refresh_per_second=8,
        )
        self._steps = 1

    def begin(self, epochs: int, done: int, steps: int) -> None:
        """Show the bar."""
        self._steps = steps
        self._task = self._bar.add_task(
            "", total=epochs * steps, completed=done * steps, epoch=done, epochs=epochs, figures=""
        )
        self._bar.start()

    def step(self, epoch: int, step: int) -> None:
        """Move it on."""
        self._bar.update(self._task, completed=epoch * self._steps + step + 1)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Show the newest figures."""
        shown = figures(record, self.monitor, brief=True)
        self._bar.update(self._task, epoch=record["epoch"], figures=shown)

    def note(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(printable(text), highlight=False, markup=False)

    def end(self, summary: str) -> None:
        """Take the bar away and print the summary."""
        self._bar.stop()
        if summary:
            self._bar.console.print(printable(summary), highlight=False, markup=False)


def make_display(progress: bool | Display, monitor: str = "loss") -> Display:
    """Return what shows the progress.

    Args:
        progress: False for nothing; True for a bar where standard error is a terminal, plain
            lines elsewhere, and nothing where there is none; or a display of your own.
        monitor: the figure that decides which epoch is best.
    """
    if progress is False or (progress is True and sys.stderr is None):
        return Display()
    if progress is not True:
        return progress
    if is_terminal(sys.stderr):
        return Bar(sys.stderr, monitor)
    return Lines(sys.stderr, monitor)
