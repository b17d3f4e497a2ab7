from __future__ import annotations

from typing import Any

import pytest

from schuss import nn, optim
from schuss.errors import UsageError
from schuss.optim.schedules import BY_PROGRESS
from schuss.training.descent.schedule import HyperparameterSchedule


def _pair() -> tuple[nn.Module, optim.Optimizer]:
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.4), nn.Linear(3, 1))
    groups: list[dict[str, Any]] = [
        {"params": list(model[0].parameters()), "lr": 0.1},
        {"params": list(model[2].parameters()), "lr": 0.2, "weight_decay": 0.5},
    ]
    return model, optim.AdamW(groups, weight_decay=0.1)


def test_curves_multiply_what_each_group_had_at_the_start() -> None:
    model, optimizer = _pair()
    curves = {"lr": lambda t: 1.0 - t, "weight_decay": lambda t: t, "dropout": lambda t: t / 2.0}
    descent = HyperparameterSchedule(curves, optimizer, model)
    for progress in (0.0, 0.25, 0.5):
        descent.before_step(progress)
        first, second = optimizer.param_groups
        assert first["lr"] == pytest.approx(0.1 * (1.0 - progress))
        assert second["lr"] == pytest.approx(0.2 * (1.0 - progress))
        assert first["weight_decay"] == pytest.approx(0.1 * progress)
        assert second["weight_decay"] == pytest.approx(0.5 * progress)
        assert model[1].p == pytest.approx(0.4 * progress / 2.0)
    assert descent.lr == pytest.approx(0.05)
    descent.finish()
    assert model[1].p == 0.4


def test_a_curve_or_its_name_is_for_the_learning_rate() -> None:
    for given in ("cosine", BY_PROGRESS["cosine"]):
        model, optimizer = _pair()
        descent = HyperparameterSchedule(given, optimizer, model)
        descent.before_step(0.5)
        assert descent.lr == pytest.approx(0.05)


def test_named_curves_begin_and_end_where_they_should() -> None:
    ends = {name: (curve(0.0), curve(1.0)) for name, curve in BY_PROGRESS.items()}
    assert ends["constant"] == (1.0, 1.0)
    assert ends["linear"] == (1.0, 0.0)
    assert ends["cosine"] == (1.0, pytest.approx(0.0))
    assert ends["warm_cosine"] == (0.0, pytest.approx(0.0))
    assert ends["one_cycle"] == (pytest.approx(0.04), pytest.approx(4e-6))
    assert BY_PROGRESS["one_cycle"](0.3) == pytest.approx(1.0)


def test_schedulers_step_by_epoch_or_by_step() -> None:
    for every, expected in (("epoch", 0.05), ("step", 0.1 * 0.5**3)):
        model, optimizer = _pair()
        scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        descent = HyperparameterSchedule(scheduler, optimizer, model, every=every)
        for _ in range(3):
            descent.before_step(0.0)
            descent.after_step()
        descent.after_epoch(1.0)
        assert descent.lr == pytest.approx(expected)


def test_a_plateau_is_told_by_the_monitored_figure() -> None:
    model, optimizer = _pair()
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.1)
    descent = HyperparameterSchedule(scheduler, optimizer, model)
    for value in (1.0, 1.0, None, 1.0):
        descent.after_epoch(value)
    assert descent.lr == pytest.approx(0.01)
    state = descent.state_dict()
    other_model, other = _pair()
    again = HyperparameterSchedule(
        optim.lr_scheduler.ReduceLROnPlateau(other, patience=1), other, other_model
    )
    again.load_state_dict(state)
    assert again.lr == pytest.approx(0.01)


def test_wrong_schedules_are_named() -> None:
    model, optimizer = _pair()
    with pytest.raises(UsageError, match="no schedule 'cosin'; did you mean 'cosine'"):
        HyperparameterSchedule("cosin", optimizer, model)
    with pytest.raises(UsageError, match="names 'momentum', which AdamW does not have"):
        HyperparameterSchedule({"momentum": "cosine"}, optimizer, model)
    with pytest.raises(UsageError, match="'epoch' or 'step', got 'batch'"):
        HyperparameterSchedule(None, optimizer, model, every="batch")
    with pytest.raises(UsageError, match="got int"):
        HyperparameterSchedule(3, optimizer, model)
    other = optim.lr_scheduler.StepLR(_pair()[1], step_size=1)
    with pytest.raises(UsageError, match="scheduler to belong to the optimizer"):
        HyperparameterSchedule(other, optimizer, model)
