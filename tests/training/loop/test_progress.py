from __future__ import annotations

import io

import pytest

from schuss.training.loop import progress
from schuss.training.loop.progress import Bar, Display, Lines, figures, make_display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


RECORD = {"epoch": 3, "train_loss": 0.51234, "validation_loss": 0.6, "validation_log_loss": None}


def test_figures_as_a_person_reads_them() -> None:
    assert figures(RECORD, "loss") == "loss 0.5123, validation 0.6"
    assert figures(RECORD, "log_loss") == "loss 0.5123, validation 0.6, log loss undefined"
    assert figures({"train_loss": 2.0}, "loss") == "loss 2"
    health = RECORD | {"gradient_norm": 0.12345, "dead_units": 0.25}
    assert figures(health, "loss").endswith("0.6, gradient 0.123, dead 25% of the units")
    assert figures(health, "loss", brief=True) == "loss 0.5123 val. 0.6 dead 25%"
    fine = RECORD | {"gradient_norm": None, "dead_units": 0.01}
    assert figures(fine, "loss") == figures(RECORD, "loss")


def test_plain_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = Lines(stream)
    lines.begin(1000, 0, 10)
    for epoch in range(1000):
        now[0] += 0.5
        lines.step(epoch, 0)
        lines.epoch(RECORD | {"epoch": epoch + 1})
    lines.end("trained 1000 epochs")
    printed = stream.getvalue().splitlines()
    assert printed[0] == "epoch 4 of 1000: loss 0.5123, validation 0.6 (2.0 s)"
    assert printed[1] == "all 1000 epochs of 10 steps take about 8:20"
    assert printed[-1] == "trained 1000 epochs"
    assert 20 < len(printed) < 100
    lines.end("")
    assert stream.getvalue().endswith("trained 1000 epochs\n")


def test_a_short_training_is_not_told_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = Lines(stream)
    lines.begin(10, 0, 4)
    for step in range(40):
        # Compiling takes four of the seconds.
        now[0] += 0.1 if step else 4.0
        lines.step(step // 4, step % 4)
    assert stream.getvalue() == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    bar = Bar(stream)
    bar.begin(4, 1, 10)
    bar.step(1, 0)
    bar.epoch(RECORD)
    bar.note("a [note] with marks")
    bar.end("done")
    shown = stream.getvalue()
    assert "epoch 3/4" in shown
    assert "loss 0.5123" in shown
    assert "a [note] with marks" in shown
    assert shown.rstrip().endswith("done")


def test_what_is_shown_depends_on_where(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_display(False), Display)
    own = Display()
    assert make_display(own) is own
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(make_display(True), Lines)
    monkeypatch.setattr("sys.stderr", Terminal())
    assert isinstance(make_display(True), Bar)
