from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn, optim
from schuss.errors import UsageError
from schuss.training import Trainer


def _rows(count: int = 256, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 3))
    return x, scale * np.sin(x @ np.array([1.0, -2.0, 0.5]))


def _model() -> nn.Module:
    manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1)
    )


def _fit(model: nn.Module, **options: Any) -> tuple[Trainer, Any]:
    given = {"epochs": 30, "batch_size": 16, "progress": False} | options
    trainer = Trainer(model, "mse", **given)
    return trainer, trainer.fit(_rows())


def _weights(model: nn.Module) -> list[np.ndarray]:
    return [t.array for t in model.state_dict().values()]


@pytest.mark.parametrize("eager", [True, False])
def test_the_search_leaves_no_trace(eager: bool) -> None:
    model, other = _model(), _model()
    trainer, fit = _fit(model, optimizer="adam", eager=eager)
    rate = trainer.optimizer.param_groups[0]["initial_lr"]
    assert fit.notes[0].startswith(f"learning rate {rate:.2g} with Adam (")
    _fit(other, optimizer="adam", lr=rate, schedule="warm_cosine", eager=eager)
    for one, two in zip(_weights(model), _weights(other), strict=True):
        assert np.array_equal(one, two)


def test_the_same_seed_finds_the_same_rate() -> None:
    rates = {_fit(_model())[0].optimizer.param_groups[0]["initial_lr"] for _ in range(3)}
    assert len(rates) == 1


@pytest.mark.parametrize("wrong", [1e-4, 1e4])
@pytest.mark.parametrize("rule", [optim.Adam, optim.SGD])
def test_a_start_that_is_far_off_does_no_harm(rule: Any, wrong: float) -> None:
    losses = []
    for factor in (1.0, wrong):
        model = _model()
        groups = [
            {"params": [p for p in model.parameters() if p.ndim > 1], "lr": 0.01 * factor},
            {"params": [p for p in model.parameters() if p.ndim == 1], "lr": 0.02 * factor},
        ]
        optimizer = rule(groups, lr=0.01)
        _, fit = _fit(model, optimizer=optimizer, lr="auto", eager=False)
        losses.append(fit.best["validation_loss"])
        first, second = (group["initial_lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(2.0 * first)
    assert losses[1] <= 1.25 * losses[0] + 0.01


def test_an_optimizer_with_a_rate_of_its_own_keeps_it() -> None:
    model = _model()
    trainer, fit = _fit(model, optimizer=optim.SGD(model.parameters(), lr=0.03))
    assert trainer.optimizer.param_groups[0]["lr"] == 0.03
    assert fit.notes == []
    own, _ = _fit(_model(), optimizer=lambda parameters: optim.SGD(parameters, lr=0.04))
    assert own.optimizer.param_groups[0]["lr"] == 0.04


def test_a_time_budget_is_kept() -> None:
    _, fit = _fit(_model(), epochs=100_000, time_budget=1.5, eager=False)
    assert fit.stopped == "time"
    assert "learning rate" in fit.notes[0]


def test_rows_that_are_gathered_by_python_are_searched_by_too() -> None:
    x, y = _rows()

    class Pairs:
        def __len__(self) -> int:
            return len(x)

        def __getitem__(self, i: int) -> Any:
            return x[i], y[i]

    model = _model()
    fit = Trainer(model, "mse", epochs=30, progress=False).fit(Pairs())
    assert "learning rate" in fit.notes[0]


def test_a_scheduler_has_rates_of_its_own() -> None:
    model = _model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    with pytest.raises(UsageError, match="beside a scheduler"):
        Trainer(model, "mse", optimizer=optimizer, lr="auto", schedule=scheduler)
