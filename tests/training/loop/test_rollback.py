from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn
from schuss.training import Callback, DivergenceError, Trainer
from schuss.training.loop.rollback import TRIES


def _rows(count: int = 256) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    return x, (x @ np.array([1.0, -2.0, 0.5])).astype(np.float32)


def _fit(data: Any = None, validation: Any = 0.2, **options: Any) -> tuple[nn.Module, Any]:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    given = {"optimizer": "sgd", "lr": 0.05, "epochs": 8, "batch_size": 16, "progress": False}
    trainer = Trainer(model, "mse", **(given | options))
    return model, trainer.fit(_rows() if data is None else data, validation)


@pytest.mark.parametrize("eager", [True, False])
def test_a_rate_that_is_far_too_large_shrinks_until_it_works(eager: bool) -> None:
    model, fit = _fit(lr=20.0, eager=eager)
    assert fit.stopped == "epochs"
    assert fit.best["validation_loss"] < 0.2
    assert len(fit.history) == 8
    assert fit.history[-1]["lr"] < 1.5
    assert "the loss became" in fit.notes[0]
    assert "on rows" in fit.notes[0]
    assert all(np.isfinite(p.array).all() for p in model.parameters())


def test_it_gives_up_after_the_tries_and_names_step_and_rows() -> None:
    with pytest.raises(DivergenceError, match=rf"and at {TRIES} smaller ones before.*lower lr"):
        _fit(lr=1e12)


def test_a_loss_that_rises_far_is_taken_back() -> None:
    class Kick(Callback):
        done = False

        def on_step(self, loop: Any) -> None:
            if loop.step == 100 and not self.done:
                self.done = True
                last = loop.model[2].weight
                last.assign(last.array * 0.0 + 50.0)

    kick = Kick()
    _, fit = _fit(callbacks=[kick], epochs=30, optimizer="adam", lr=1e-4, eager=True)
    (note,) = [note for note in fit.notes if "the loss rose to" in note]
    assert "2.weight changed most" in note
    assert fit.history[-1]["lr"] == pytest.approx(2.5e-5)
    assert fit.history[-1]["train_loss"] < 8.0
    assert [record["epoch"] for record in fit.history] == list(range(1, 31))


class Rows:
    """Rows that a trainer does not look through before it begins."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self.shape = x.shape

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.x[rows]


def test_rows_that_no_step_size_helps_are_named_and_left_out() -> None:
    x, y = _rows()
    x[[7, 100]] = np.nan
    clean = np.delete(x, [7, 100], axis=0), np.delete(y, [7, 100])
    _, fit = _fit((Rows(x), y), clean, eager=True)
    named = " ".join(fit.notes)
    assert "left out row 8" in named
    assert "left out row 101" in named
    assert "it began in layer 0 (Linear)" in named
    assert fit.best["validation_loss"] < 0.05
    assert fit.history[-1]["lr"] == 0.05


def test_a_layer_that_is_not_finite_for_any_row_stops_it_with_the_cause_named() -> None:
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            return x / 0.0

    model = nn.Sequential(nn.Linear(3, 1), Broken())
    trainer = Trainer(model, "mse", lr=0.1, epochs=3, progress=False, eager=True)
    with pytest.raises(DivergenceError, match=r"it began in layer 1 \(Broken\), on rows .*before"):
        trainer.fit(_rows(64))


def test_figures_of_epochs_that_were_taken_back_are_gone(tmp_path: Path) -> None:
    class Poison(Callback):
        done = False

        def on_epoch(self, loop: Any) -> None:
            if loop.epoch == 4 and not self.done:
                self.done = True
                bias = loop.model[0].bias
                bias.assign(np.full(bias.shape, np.inf, np.float32))

    # Epochs of 2 steps: the last good state lies some epochs before.
    _, fit = _fit(_rows(40), None, callbacks=[Poison()], folder=tmp_path / "run", epochs=6)
    written = tmp_path / "run" / "metrics.jsonl"
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    epochs = [line["epoch"] for line in lines if "epoch" in line]
    assert epochs == [record["epoch"] for record in fit.history] == [1, 2, 3, 4, 5, 6]
    assert all(math.isfinite(record["train_loss"]) for record in fit.history)
    assert fit.history[0]["lr"] == 0.0125


def test_a_batch_of_hard_rows_is_no_explosion() -> None:
    x, y = _rows(64)
    # The first batch has a loss of almost nothing by chance.
    y = y * 100.0
    _, fit = _fit((x, y), None, batch_size=1, optimizer="adam", lr=1e-5, epochs=3)
    assert fit.notes == []
