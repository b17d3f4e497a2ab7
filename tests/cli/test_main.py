"""What a command's end means: exit status and one line, whatever happened."""

from __future__ import annotations

import signal
import sys

import pytest

import schuss.cli.doctor
from schuss.cli import main, uninterrupted
from schuss.errors import DataError, SchussError, UsageError

BUG = "this is a bug in Schuss; SCHUSS_DEBUG=1 shows where."


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("no\n such  thing."), 2, "no such thing."),
        (DataError("t.csv: broken."), 2, "t.csv: broken."),
        (DataError('t.csv: give task="regression".'), 2, "t.csv: give --task regression."),
        (DataError("t.csv: leave out kinds={'a': 'text'}."), 2, "t.csv: leave out --kind a=text."),
        (DataError("say what they are with kinds=."), 2, "say what they are with --kind."),
        (DataError("give validation_share=0."), 2, "give --validation-share 0."),
        (UsageError("prepare_table: expected less."), 2, "expected less."),
        (SchussError("it went wrong."), 1, "it went wrong."),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (OSError(13, "Permission denied", "a.csv"), 1, "Permission denied: a.csv"),
        (MemoryError(), 1, "not enough memory; take a smaller --batch-size or fewer rows."),
        (RuntimeError("odd"), 1, f"RuntimeError: odd; {BUG}"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C."),
        (
            KeyboardInterrupt("stopped; go on with: schuss resume runs/a-1"),
            130,
            "stopped; go on with: python -m schuss resume runs/a-1",
        ),
    ],
)
def test_endings(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    line: str,
) -> None:
    def run(_: object) -> int:
        raise error

    monkeypatch.setattr(schuss.cli.doctor, "run", run)
    monkeypatch.setattr(sys, "argv", ["/somewhere/schuss/__main__.py"])
    monkeypatch.delenv("SCHUSS_DEBUG", raising=False)
    assert main(["doctor"]) == status
    assert capsys.readouterr() == ("", f"schuss doctor: {line}\n")
    monkeypatch.setenv("SCHUSS_DEBUG", "1")
    assert main(["doctor"]) == status
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith(f"schuss doctor: {line}\n")


def test_ctrl_c_waits_for_the_end_of_loading() -> None:
    loaded = []

    def load() -> None:
        signal.raise_signal(signal.SIGINT)
        loaded.append(True)

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(load)
    assert loaded
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    uninterrupted(lambda: loaded.append(True))
    assert len(loaded) == 2


def test_doctor_fails_where_a_test_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ValueError("not so")

    tests = {"one": lambda: None, "two": lambda: "1 is not 2", "three": broken}
    monkeypatch.setattr(schuss.cli.doctor, "SELF_TESTS", tests)
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    results = [line.split("  ", 1)[1].strip() for line in out.splitlines()[-3:]]
    assert [text.rpartition(" (")[0] for text in results] == [
        "passed",
        "1 is not 2",
        "ValueError: not so",
    ]
    assert err == "schuss doctor: failed here: two, three.\n"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("", "known: calls are checked natively"),
        ("the interpreter is pypy", "unknown, since the interpreter is pypy: a call of a compiled"),
    ],
)
def test_doctor_says_whether_calls_are_checked_natively(
    reason: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schuss.cli.doctor, "SELF_TESTS", {})
    monkeypatch.setattr("schuss.native.cpython.unknown_layout", lambda: reason)
    assert main(["doctor"]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("object layout")]
    assert said in line


@pytest.mark.parametrize("name", sorted(schuss.cli.doctor.SELF_TESTS))
def test_doctors_tests_pass(name: str) -> None:
    assert schuss.cli.doctor.SELF_TESTS[name]() is None


def test_doctor_notices_a_wrong_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    from schuss.primitives.base import REGISTRY

    tanh = REGISTRY["tanh"]
    monkeypatch.setattr(tanh, "derivative", (lambda g, y, x: g * (1.0 - y),))
    with pytest.raises(Exception, match=r"tanh|derivative|gradient"):
        schuss.cli.doctor.SELF_TESTS["gradients of primitives"]()
