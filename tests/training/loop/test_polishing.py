from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn
from schuss.core import Tensor
from schuss.training import Callback, Interrupted, Trainer

X = np.linspace(-1.0, 1.0, 48)[:, None]
Y = np.sin(3.0 * X[:, 0])


def _trainer(*extra: nn.Module, **options: Any) -> Trainer:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), *extra, nn.Linear(8, 1))
    given: dict[str, Any] = {"epochs": 200, "batch_size": 48, "progress": False, "escape": False}
    return Trainer(model, "mse", **(given | options))


def _is_polished(fit: Any) -> bool:
    return any("L-BFGS" in note for note in fit.notes)


@pytest.mark.parametrize("eager", [True, False])
def test_a_descent_on_all_rows_at_once_ends_by_lbfgs(eager: bool) -> None:
    trainer = _trainer(eager=eager)
    fit = trainer.fit((X, Y), None)
    assert _is_polished(fit)
    assert 150 < fit.epochs == len(fit.history) <= 200
    losses = [record["train_loss"] for record in fit.history]
    assert all(one >= other for one, other in pairwise(losses[150:]))
    assert losses[-1] < 0.1 * losses[149]
    assert trainer.evaluate((X, Y))["loss"] == pytest.approx(losses[-1], rel=1e-4)
    assert all(p.grad is None for p in trainer.model.parameters())


def test_what_it_finds_is_kept_where_it_is_better_on_validation_rows() -> None:
    draw = np.random.default_rng(0)
    noisy = (X[::4], Y[::4] + draw.normal(size=12)), (X, Y)
    smooth = (X, Y), (X[1::2] + 0.01, np.sin(3.0 * (X[1::2, 0] + 0.01)))
    for data, better in ((noisy, False), (smooth, True)):
        trainer = _trainer()
        fit = trainer.fit(*data)
        assert _is_polished(fit) is better
        found = trainer.evaluate(data[1])["loss"]
        assert found == pytest.approx(fit.best["validation_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ((nn.Dropout(0.1),), {}),
        ((nn.BatchNorm1d(8),), {}),
        ((), {"batch_size": 16}),
        ((), {"optimizer": "adam"}),
        ((), {"lr": 0.01}),
        ((), {"epochs": 60}),
    ],
)
def test_noise_few_epochs_and_rules_of_ones_own_leave_no_room_for_it(
    extra: tuple[nn.Module, ...], options: dict[str, Any]
) -> None:
    fit = _trainer(*extra, **options).fit((X, Y), None)
    assert not _is_polished(fit)
    assert fit.epochs == options.get("epochs", 200)


def test_a_loss_that_cannot_be_lowered_changes_nothing() -> None:
    class Kinked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = nn.Parameter(Tensor(np.array([0.0], np.float32)))

        def forward(self, x: Any) -> Any:
            return x * 0.0 + self.at * 0.0 + 1.0

    model = Kinked()
    fit = Trainer(
        model, "mse", epochs=100, batch_size=48, progress=False, escape=False, eager=True
    ).fit((X, Y), None)
    assert not _is_polished(fit)
    assert fit.epochs == 75
    assert model.at.item() == 0.0


def test_a_resumed_run_is_polished_like_the_unbroken_one(tmp_path: Path) -> None:
    class Press(Callback):
        def on_step(self, loop: Any) -> None:
            if loop.step == 90:
                os.kill(os.getpid(), signal.SIGINT)

    whole = _trainer(folder=tmp_path / "whole", eager=False)
    whole.fit((X, Y), None)
    with pytest.raises(Interrupted):
        _trainer(folder=tmp_path / "run", eager=False, callbacks=[Press()]).fit((X, Y), None)
    resumed = _trainer(folder=tmp_path / "run", eager=False)
    fit = resumed.fit((X, Y), None, resume=True)
    assert _is_polished(fit)
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert np.array_equal(one.array, other.array)
    again = _trainer(folder=tmp_path / "run", eager=False)
    assert again.fit((X, Y), None, resume=True).epochs == fit.epochs
