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

import numpy as np
import pytest

import schuss as ss
from schuss import manual_seed, nn
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.nn.serialization import load_safetensors
from schuss.training import Callback, Interrupted, Trainer, load, resume, train

OPTIONS: dict[str, Any] = {"hidden": [16], "epochs": 12, "batch_size": 16, "quiet": True}


class KilledError(Exception):
    pass


class KillAt(Callback):
    """Ends the process's work at a step, or after an epoch's figures were written."""

    def __init__(self, step: int | None = None, epoch: int | None = None) -> None:
        self.at_step = step
        self.at_epoch = epoch

    def on_step(self, loop: Any) -> None:
        if loop.step == self.at_step:
            raise KilledError

    def on_epoch(self, loop: Any) -> None:
        if loop.epoch == self.at_epoch:
            raise KilledError


def _arrays(folder: Path) -> dict[str, np.ndarray]:
    return {name: t.array for name, t in load_safetensors(folder / "model.safetensors").items()}


def _assert_same(folder: Path, whole: Path) -> None:
    found, expected = _arrays(folder), _arrays(whole)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    a, b = load(folder), load(whole)
    for one, other in zip(a.history, b.history, strict=True):
        one.pop("seconds"), other.pop("seconds")
        assert one == other
    assert (a.test, a.validation, a.best_epoch) == (b.test, b.validation, b.best_epoch)
    optimizers = [load_safetensors(place / "optimizer.safetensors") for place in (folder, whole)]
    for name, value in optimizers[0].items():
        assert np.array_equal(value.array, optimizers[1][name].array)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that nobody stopped."""
    place = tmp_path_factory.mktemp("whole") / "run"
    train("iris", out=place, **OPTIONS)
    return place


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1000.0])
def test_a_run_killed_at_any_step_ends_like_the_unbroken_one(
    tmp_path: Path, whole: Path, checkpoint_seconds: float
) -> None:
    draw = random.Random(int(checkpoint_seconds))
    for number, step in enumerate([1, *draw.sample(range(2, 72), 3)]):
        place = tmp_path / f"run-{number}"
        options = OPTIONS | {"checkpoint_seconds": checkpoint_seconds, "out": place}
        with pytest.raises(KilledError):
            train("iris", callbacks=[KillAt(step)], **options)
        assert not load(place).finished
        # KilledError a second time on the way.
        again = draw.randrange(step + 1, 73)
        if again < 72:
            with pytest.raises(KilledError):
                resume(place, quiet=True, callbacks=[KillAt(again)])
        run = resume(place, quiet=True)
        assert run.finished
        assert run.epochs == 12
        _assert_same(place, whole)


def test_a_kill_between_figures_and_checkpoint_repeats_no_line(tmp_path: Path, whole: Path) -> None:
    place = tmp_path / "run"
    with pytest.raises(KilledError):
        train("iris", out=place, callbacks=[KillAt(epoch=5)], **OPTIONS)
    assert len(load(place).history) == 5
    resume(place, quiet=True)
    _assert_same(place, whole)


def test_a_kill_after_the_last_epoch_leaves_only_the_figures_to_do(
    tmp_path: Path, whole: Path
) -> None:
    class KillAtTheEnd(Callback):
        def on_end(self, loop: Any) -> None:
            raise KilledError

    place = tmp_path / "run"
    with pytest.raises(KilledError):
        train("iris", out=place, callbacks=[KillAtTheEnd()], **OPTIONS)
    assert not load(place).finished
    resume(place, quiet=True, callbacks=[KillAt(step=72)])
    _assert_same(place, whole)


def test_a_file_that_was_read_in_a_way_of_its_own_is_read_so_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    rows = [f"{k % 7}^{'yes' if k % 3 else 'no'}^{k % 10}.50" for k in range(90)]
    path.write_bytes("\n".join(["size^ok^nr.é", *rows]).encode("latin-1"))
    reading = {"sep": "^", "encoding": "latin-1", "na_values": 3, "kinds": {"nr.é": "category"}}
    place = tmp_path / "run"
    with pytest.raises(KilledError):
        train(path, "ok", out=place, callbacks=[KillAt(epoch=1)], **OPTIONS, **reading)
    run = resume(place, quiet=True)
    assert run.finished
    assert run.kinds["nr.é"].kind == "category"


SCRIPT = """
import sys
import schuss as ss
from schuss.training import Callback

class Slow(Callback):
    def on_step(self, loop):
        import time
        time.sleep(0.01)

ss.train("iris", out=sys.argv[1], hidden=[16], epochs=12, batch_size=16, quiet=True,
         checkpoint_seconds=float(sys.argv[2]), callbacks=[Slow()])
"""


def _started(place: Path, seconds: str) -> subprocess.Popen[bytes]:
    source = str(Path(ss.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(place), seconds], env=environment)


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments_leaves_what_loads_and_goes_on(
    tmp_path: Path, whole: Path, kills: int
) -> None:
    draw = random.Random(kills)
    for number in range(kills):
        place = tmp_path / f"run-{number}"
        process = _started(place, ["0", "1000"][number % 2])
        while not place.exists():
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(draw.random() * 0.8)
        process.kill()
        process.wait()
        assert load(place).predict([5.1, 3.5, 1.4, 0.2]).shape == (1,)
        resume(place, quiet=True)
        _assert_same(place, whole)
        assert not list(place.rglob(".*"))


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, whole: Path) -> None:
    class Press(Callback):
        def on_step(self, loop: Any) -> None:
            if loop.step == 20:
                os.kill(os.getpid(), signal.SIGINT)

    place = tmp_path / "run"
    with pytest.raises(Interrupted, match="epoch 3 of 12; go on with: schuss resume") as caught:
        train("iris", out=place, callbacks=[Press()], **OPTIONS)
    assert caught.value.folder == place
    assert isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    steps: list[int] = []

    class See(Callback):
        def on_step(self, loop: Any) -> None:
            steps.append(loop.step)

    resume(place, quiet=True, callbacks=[See()])
    assert steps[0] == 21
    _assert_same(place, whole)


def test_a_finished_run_comes_back_as_it_is(whole: Path) -> None:
    before = (whole / "model.safetensors").read_bytes()
    run = resume(whole, quiet=True)
    assert run.finished
    assert (whole / "model.safetensors").read_bytes() == before


def _stopped(place: Path, data: Any = "iris", **options: Any) -> Path:
    with pytest.raises(KilledError):
        train(
            data, out=place, callbacks=[KillAt(40)], checkpoint_seconds=0.0, **(OPTIONS | options)
        )
    return place


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, whole: Path) -> None:
    stopped = _stopped(tmp_path / "stopped")
    newest, before = sorted((stopped / "checkpoints").iterdir(), reverse=True)
    content = newest.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for number, damaged in enumerate([b"", content[:7], content[:100], content[:-1], flipped]):
        place = tmp_path / f"run-{number}"
        shutil.copytree(stopped, place)
        (place / "checkpoints" / newest.name).write_bytes(damaged)
        run = resume(place, quiet=True)
        assert newest.name in run.notes[-2]
        assert before.name in run.notes[-1]
        _assert_same(place, whole)


def test_without_a_whole_checkpoint_the_run_begins_again(tmp_path: Path, whole: Path) -> None:
    place = _stopped(tmp_path / "run")
    for path in (place / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-10])
    run = resume(place, quiet=True)
    assert run.notes[-1] == "no checkpoint is whole, so the run begins again"
    _assert_same(place, whole)


def test_damaged_figures_cost_lines_of_history(tmp_path: Path, whole: Path) -> None:
    stopped = _stopped(tmp_path / "stopped")
    content = (stopped / "metrics.jsonl").read_bytes()
    expected = {record["epoch"]: record for record in load(whole).history}
    for number, damaged in enumerate([b"", content[: len(content) // 2], b"x" + content]):
        place = tmp_path / f"run-{number}"
        shutil.copytree(stopped, place)
        (place / "metrics.jsonl").write_bytes(damaged)
        run = resume(place, quiet=True)
        found, right = _arrays(place), _arrays(whole)
        assert all(np.array_equal(found[name], right[name]) for name in right)
        history = load(place).history
        # How many there were depends on when the last checkpoint was written.
        assert len(history) == len(expected) or "metrics.jsonl: " in run.notes[-1]
        for record in history:
            one, other = dict(record), dict(expected[record["epoch"]])
            one.pop("seconds"), other.pop("seconds")
            assert one == other


def test_a_damaged_model_is_written_anew(tmp_path: Path, whole: Path) -> None:
    place = _stopped(tmp_path / "run")
    (place / "model.safetensors").write_bytes(b"")
    with pytest.raises(FileFormatError):
        load(place)
    resume(place, quiet=True)
    _assert_same(place, whole)


def test_changed_or_missing_data_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    rows = [f"{k % 7},{k % 3},{'ab'[k % 2]}" for k in range(60)]
    file.write_text("x,z,y\n" + "\n".join(rows) + "\n")
    place = _stopped(tmp_path / "run", file, target="y", batch_size=4)
    whole = file.read_text()
    file.write_text(whole.replace("3,0,b", "9,0,b"))
    with pytest.raises(DataError, match=r"has changed since the run began \(60 rows then, 60 now"):
        resume(place, quiet=True)
    file.unlink()
    with pytest.raises(DataError, match=r"the run's data cannot be read again: .*table.csv"):
        resume(place, quiet=True)
    moved = tmp_path / "moved.csv"
    moved.write_text(whole)
    assert resume(place, moved, quiet=True).finished


def test_data_from_memory_is_given_again(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 2))
    y = np.where(x[:, 0] > 0, "up", "down")
    place = _stopped(tmp_path / "run", (x, y), batch_size=4)
    with pytest.raises(UsageError, match="data was in memory, not in a file; give it again"):
        resume(place, quiet=True)
    with pytest.raises(DataError, match="has changed"):
        resume(place, (x + 1.0, y), quiet=True)
    run = resume(place, (x, y), quiet=True)
    unbroken = train((x, y), out=tmp_path / "whole", **(OPTIONS | {"batch_size": 4}))
    assert np.array_equal(run.predict_proba(x), unbroken.predict_proba(x))


def test_what_cannot_be_resumed_is_said(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(DataError, match="there is no such run"):
        resume(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"not a run, it has no config.json"):
        resume(tmp_path / "empty")
    saved = tmp_path / "iris.schuss"
    load(whole).save(saved)
    with pytest.raises(UsageError, match="expected a run folder"):
        resume(saved)
    with pytest.raises(UsageError, match="expected a run folder"):
        resume(load(saved))
    own = tmp_path / "own"
    x = np.zeros((8, 2))
    Trainer(nn.Linear(2, 1), "mse", epochs=1, folder=own, progress=False).fit((x, x[:, 0]))
    with pytest.raises(UsageError, match="made by a Trainer"):
        resume(own)
    with pytest.raises(UsageError, match=r"a Trainer; load its model.safetensors"):
        load(own)


def test_a_trainers_own_run_goes_on_with_schedulers_and_buffers(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(50, 3)).astype(np.float32)
    y = x[:, 0] * 2.0

    def trainer(place: Path, *callbacks: Callback) -> Trainer:
        from schuss import optim

        manual_seed(0)
        model = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1)
        )
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5)
        return Trainer(
            model,
            "mse",
            optimizer=optimizer,
            schedule=scheduler,
            epochs=8,
            batch_size=8,
            patience=6,
            folder=place,
            checkpoint_seconds=0.0,
            callbacks=callbacks,
            progress=False,
        )

    unbroken = trainer(tmp_path / "whole")
    expected = unbroken.fit((x, y))
    assert len({record["lr"] for record in expected.history}) > 1
    with pytest.raises(KilledError):
        trainer(tmp_path / "run", KillAt(23)).fit((x, y))
    resumed = trainer(tmp_path / "run")
    found = resumed.fit((x, y), resume=True)
    assert found.best_epoch == expected.best_epoch
    other = resumed.model.state_dict()
    for name, value in unbroken.model.state_dict().items():
        assert np.array_equal(value.array, other[name].array)
    wrong = trainer(tmp_path / "run")
    wrong.plan = type(wrong.plan)(**{**vars(wrong.plan), "epochs": 9})
    with pytest.raises(FileFormatError, match="with other epochs"):
        wrong.fit((x, y), resume=True)


def test_a_trainers_run_without_a_checkpoint_begins_with_its_own_weights(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def trainer(seed: int, place: Path, *callbacks: Callback) -> Trainer:
        manual_seed(seed)
        model = nn.Linear(3, 1)
        options: dict[str, Any] = {"epochs": 3, "batch_size": 8, "progress": False}
        return Trainer(model, "mse", folder=place, callbacks=callbacks, **options)

    whole = trainer(0, tmp_path / "whole")
    whole.fit((x, x[:, 0]))
    with pytest.raises(KilledError):
        trainer(0, tmp_path / "run", KillAt(2)).fit((x, x[:, 0]))
    resumed = trainer(1, tmp_path / "run")
    resumed.fit((x, x[:, 0]), resume=True)
    assert np.array_equal(resumed.model.weight.array, whole.model.weight.array)


@pytest.mark.parametrize(
    "rule", ["prodigy", "dadaptsgd", "adamwschedulefree", "soap", "muon", "sam"]
)
def test_what_rules_have_beside_averages_is_saved_too(tmp_path: Path, rule: str) -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)

    def trainer(seed: int, place: Path, *callbacks: Callback) -> Trainer:
        manual_seed(seed)
        options: dict[str, Any] = {"epochs": 3, "batch_size": 8, "checkpoint_seconds": 0.0}
        return Trainer(
            nn.Linear(3, 2), "mse", optimizer=rule, folder=place, callbacks=callbacks,
            progress=False, **options,
        )  # fmt: skip

    whole = trainer(0, tmp_path / "whole")
    whole.fit((x, x[:, :2]))
    for step in (1, 3, 5):
        place = tmp_path / f"run-{step}"
        with pytest.raises(KilledError):
            trainer(0, place, KillAt(step)).fit((x, x[:, :2]))
        resumed = trainer(1, place)
        resumed.fit((x, x[:, :2]), resume=True)
        for mine, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
            assert np.array_equal(mine.array, theirs.array)


def test_two_processes_do_not_train_the_same_run(tmp_path: Path) -> None:
    place = tmp_path / "run"
    process = _started(place, "0")
    try:
        while not place.exists():
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(0.2)
        with pytest.raises(UsageError, match="another process is training this run"):
            resume(place, quiet=True)
    finally:
        process.kill()
        process.wait()
    assert resume(place, quiet=True).finished


class InterruptAt(Callback):
    """Presses Ctrl-C after a step, so that there is a checkpoint of it."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, loop: Any) -> None:
        if loop.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


class Poison(Callback):
    """Makes a weight infinite, or far too large, after a step."""

    def __init__(self, step: int, value: float) -> None:
        self.step, self.value = step, value
        self.done = False

    def on_step(self, loop: Any) -> None:
        if loop.step == self.step and not self.done:
            self.done = True
            bias = loop.model[2].bias
            bias.assign(np.full(bias.shape, self.value, np.float32))


@pytest.mark.parametrize("value", [np.inf, 1e4])
@pytest.mark.parametrize("rule", ["adam", "prodigy"])
def test_a_resumed_run_that_fails_goes_back_to_where_the_unbroken_one_does(
    tmp_path: Path, value: float, rule: str
) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(80, 3)).astype(np.float32)
    rows = (x, x[:, 0] * 2.0)

    def trainer(place: Path, *callbacks: Callback) -> Trainer:
        manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        lr = {} if rule == "prodigy" else {"lr": 0.01}
        options: dict[str, Any] = {"optimizer": rule, "average_epochs": 3, **lr}
        return Trainer(
            model,
            "mse",
            epochs=40,
            batch_size=16,
            folder=place,
            progress=False,
            checkpoint_seconds=0.0,
            callbacks=list(callbacks),
            **options,
        )

    # Good states are kept every 64 steps; 4 steps are an epoch.
    fits = [trainer(tmp_path / "whole", Poison(90, value)).fit(rows)]
    assert "went back" in " ".join(fits[0].notes)
    with pytest.raises(Interrupted):
        trainer(tmp_path / "run", InterruptAt(81)).fit(rows)
    with pytest.raises(Interrupted):
        trainer(tmp_path / "run", InterruptAt(87)).fit(rows, resume=True)
    fits.append(trainer(tmp_path / "run", Poison(90, value)).fit(rows, resume=True))
    assert fits[0].notes == fits[1].notes
    for one, other in zip(fits[0].history, fits[1].history, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    found, expected = _arrays(tmp_path / "run"), _arrays(tmp_path / "whole")
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
