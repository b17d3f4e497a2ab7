"""Ctrl-C and kill -9: what is on disk loads, and resuming ends where nobody had stopped it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from schuss.errors import UsageError
from schuss.training import Callback, load, resume, train
from schuss.training.runs.folder import RunFolder

EPOCHS = 60
# Checkpoints as often as the loop allows, so that a kill may well fall into the writing of one.
PROGRAM = (
    "import sys, schuss; schuss.train('iris', out=sys.argv[1], "
    f"epochs={EPOCHS}, checkpoint_seconds=0.0, quiet=True)"
)


def model(run: Path) -> dict[str, bytes]:
    return {name: value.array.tobytes() for name, value in load(run).model.state_dict().items()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run that nobody stops, and how long its process takes."""
    run = tmp_path_factory.mktemp("unbroken") / "run"
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", PROGRAM, str(run)], check=True)
    return run, time.monotonic() - begin


def killed(run: Path, seconds: float) -> None:
    """Start the program and kill it without a warning after some time."""
    started = subprocess.Popen([sys.executable, "-c", PROGRAM, str(run)])
    try:
        started.wait(seconds)
    except subprocess.TimeoutExpired:
        started.send_signal(signal.SIGKILL)
        started.wait()


def check_kill(run: Path, unbroken: tuple[Path, float], moment: float) -> None:
    expected, seconds = unbroken
    killed(run, moment * seconds)
    if not run.exists():
        # It had not begun; nothing stands in the way of beginning again.
        subprocess.run([sys.executable, "-c", PROGRAM, str(run)], check=True)
    load(run).predict([[5.1, 3.5, 1.4, 0.2]])
    # Killed again while it goes on.
    code = f"import schuss; schuss.resume({str(run)!r}, checkpoint_seconds=0.0, quiet=True)"
    going_on = subprocess.Popen([sys.executable, "-c", code])
    try:
        going_on.wait(0.7 * seconds)
    except subprocess.TimeoutExpired:
        going_on.kill()
        going_on.wait()
    load(run)
    found = resume(run, quiet=True)
    assert found.finished
    assert model(run) == model(expected)
    whole = load(expected)
    assert found.test == whole.test
    assert found.validation == whole.validation
    drop = ("seconds",)
    for one, other in zip(found.history, whole.history, strict=True):
        assert {k: v for k, v in one.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }
    assert not [path for path in run.parent.rglob(".*") if run in path.parents]


@pytest.mark.parametrize("number", range(3))
def test_killed_runs_end_alike(number: int, unbroken: tuple[Path, float], tmp_path: Path) -> None:
    check_kill(tmp_path / "run", unbroken, (0.6, 0.75, 0.9)[number])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_killed_at_random(number: int, unbroken: tuple[Path, float], tmp_path: Path) -> None:
    check_kill(tmp_path / "run", unbroken, random.SystemRandom().random())


def wait_for_epochs(run: Path, count: int) -> None:
    metrics = run / "metrics.jsonl"
    for _ in range(3000):
        if metrics.exists() and metrics.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.01)
    raise AssertionError("the run did not get so far")


def test_ctrl_c_saves_and_says_how_to_go_on(schuss, start, tmp_path: Path) -> None:
    whole = schuss("train", "iris", "--epochs", 100, "--out", "whole", "--json").json
    started = start("train", "iris", "--epochs", 100, "--out", "run", "--json")
    wait_for_epochs(tmp_path / "run", 3)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("schuss train: stopped in epoch ")
    assert last.endswith(" of 100; go on with: python -m schuss resume run")
    assert "Traceback" not in err
    assert schuss("evaluate", "run", "iris").status == 0

    done = schuss("resume", "run", "--json")
    assert done.status == 0
    assert model(tmp_path / "run") == model(tmp_path / "whole")
    for name in ("task", "epochs", "best_epoch", "validation", "test"):
        assert done.json[name] == whole[name]

    again = schuss("resume", "run")
    assert again.status == 0
    assert again.err == "run: had ended already; nothing is left to do.\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_end_saves_too(schuss, start, tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    started = start("train", "iris", "--epochs", 5000, "--out", "run")
    wait_for_epochs(tmp_path / "run", 3)
    started.send_signal(number)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 128 + number
    assert "; go on with: python -m schuss resume run" in err.splitlines()[-1]
    done = (tmp_path / "run" / "metrics.jsonl").read_bytes().count(b"\n")
    assert RunFolder(tmp_path / "run").read_checkpoint()[0][1]["epoch"] == done

    # A program of one's own ends likewise, and may have its own way with signals.
    program = PROGRAM.replace(str(EPOCHS), "5000")
    for more, status in (("", 128 + number), (f"import signal; signal.signal({number}, 1); ", 0)):
        process = subprocess.Popen(
            [sys.executable, "-c", more + program.replace("5000", "60" if more else "5000"), name],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
        )
        wait_for_epochs(tmp_path / name, 3)
        process.send_signal(number)
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == status
        shutil.rmtree(tmp_path / name)


def test_another_process_does_not_replace_a_run_that_is_trained(start, tmp_path: Path) -> None:
    started = start("train", "iris", "--epochs", 5000, "--out", "run")
    wait_for_epochs(tmp_path / "run", 3)
    with pytest.raises(UsageError, match="another process is training this run"):
        train("iris", out=tmp_path / "run", overwrite=True, epochs=2, quiet=True)
    (tmp_path / "run").rename(tmp_path / "moved")
    _, err = started.communicate(timeout=60)
    assert started.returncode == 2
    assert "run: the run's folder was removed or replaced in the meantime" in err.splitlines()[-1]
    assert load(tmp_path / "moved").predict([[5.1, 3.5, 1.4, 0.2]]).shape == (1,)


def test_whoever_reads_the_progress_may_go_away(start, tmp_path: Path) -> None:
    read, write = os.pipe()
    command = [sys.executable, "-m", "schuss", "train", "iris", "--epochs", "300", "--out", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=write, stderr=write)
    os.close(write)
    wait_for_epochs(tmp_path / "run", 3)
    os.close(read)
    assert process.wait(timeout=60) == 0
    assert load(tmp_path / "run").finished


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    for words in ("train iris --epochs 3 --out run", "evaluate run iris --json", "doctor"):
        command = f"{sys.executable} -m schuss {words} {closed}"
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"bug in Schuss" not in done.stderr
    assert load(tmp_path / "run").finished


def test_a_program_may_have_no_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert train("iris", epochs=2, out=tmp_path / "run").finished
    assert capsys.readouterr().out == ""


def test_a_damaged_history_costs_no_checkpoint(
    unbroken: tuple[Path, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schuss.training.loop.checkpoints._COST_SHARE", 0.0)

    class Stop(Callback):
        def on_epoch(self, loop: Any) -> None:
            if loop.epoch == 40:
                raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(
            "iris", epochs=EPOCHS, quiet=True, checkpoint_seconds=0.0, out=run, callbacks=[Stop()]
        )
    best = RunFolder(run).read_checkpoint()[0][1]["best_epoch"]
    file = run / "metrics.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b":", b";", 1)
    lines[best - 1] = b"\n"
    file.write_bytes(b"".join(lines))
    seen: list[int] = []
    found = resume(run, quiet=True, callbacks=[lambda record: seen.append(record["epoch"])])
    assert seen[0] >= 39
    some = ", ".join(map(str, sorted([3, best])))
    assert found.notes[-1] == f"{file}: damaged in line {some}; the history lacks that"
    assert [r["epoch"] for r in found.history] == [n for n in range(1, EPOCHS + 1) if n != 3]
    assert model(run) == model(unbroken[0])
    assert found.validation == load(unbroken[0]).validation
    assert len(load(run).history) == EPOCHS - 1


def test_a_table_that_changed_cannot_be_resumed(schuss, start, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    lines = [f"{k % 7},{'ab'[k % 7 > 3]}" for k in range(300)]
    table.write_text("x,y\n" + "\n".join(lines) + "\n")
    started = start("train", "t.csv", "--target", "y", "--epochs", 5000, "--out", "run")
    wait_for_epochs(tmp_path / "run", 2)
    started.send_signal(signal.SIGINT)
    started.communicate(timeout=60)
    table.write_text("x,y\n" + "\n".join(lines[1:]) + "\n")
    done = schuss("resume", "run")
    assert done.status == 2
    assert "has changed since the run began (300 rows then, 299 now)" in done.err
    table.unlink()
    done = schuss("resume", "run")
    assert done.status == 2
    assert "t.csv: there is no such file" in done.err
    assert done.err.count("\n") == 1


def test_ctrl_c_before_anything_is_learned(start, tmp_path: Path) -> None:
    started = start("train", "iris")
    time.sleep(0.15)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode in (130, -signal.SIGINT)
    if started.returncode == 130:
        assert "Traceback" not in err
