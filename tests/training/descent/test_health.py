"""The figures of a step's health: as NumPy has them, eager and compiled, resumed and unbroken."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss import functions as ops
from schuss import manual_seed, nn, optim
from schuss.training import Callback, Trainer
from schuss.training.descent import health
from schuss.training.descent.health import measured_steps, summary, tally

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 5))
Y = RNG.normal(size=(50, 1))
FIGURES = (
    "gradient_norm",
    "largest_gradient_norm",
    "largest_update",
    "dead_units",
    "nonfinite_gradients",
)


def _network() -> nn.Sequential:
    manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)).double()


def _by_hand(model: nn.Sequential, x: Any, y: Any) -> dict[str, np.ndarray]:
    """The gradients of the mean squared error, by the parameters' names."""
    held = {name: np.array(p.array) for name, p in model.named_parameters()}
    inner = x @ held["0.weight"].T + held["0.bias"]
    hidden = np.maximum(inner, 0.0)
    error = 2.0 * (hidden @ held["2.weight"].T + held["2.bias"] - y) / len(x)
    back = error @ held["2.weight"] * (inner > 0.0)
    return {
        "0.weight": back.T @ x,
        "0.bias": back.sum(axis=0),
        "2.weight": error.T @ hidden,
        "2.bias": error.sum(axis=0),
    }


@pytest.mark.parametrize("eager", [True, False])
def test_figures_are_those_worked_by_hand(eager: bool) -> None:
    model = _network()
    # Three of the nine units never fire.
    bias = np.array(model[0].bias.array)
    bias[[1, 4, 6]] = -100.0
    model[0].bias.assign(bias)
    gradients = _by_hand(model, X, Y)
    weights = {
        name: np.array(model[int(name[0])].weight.array) for name in ("0.weight", "2.weight")
    }
    rule = optim.SGD(model.parameters(), lr=0.1)
    # Clipping comes after the norm is taken, and before the update.
    options: dict[str, Any] = {"batch_size": 50, "epochs": 1, "clip_norm": 0.1, "progress": False}
    trainer = Trainer(model, "mse", optimizer=rule, eager=eager, **options)
    (record,) = trainer.fit((X, Y), None).history
    norm = math.sqrt(sum((g * g).sum() for g in gradients.values()))
    updates = []
    for name, old in weights.items():
        change = 0.1 * gradients[name] * 0.1 / (norm + 1e-6)
        updates.append(np.linalg.norm(change) / np.linalg.norm(old - change))
    assert norm > 0.1
    assert record["gradient_norm"] == pytest.approx(norm, rel=1e-9)
    assert record["largest_gradient_norm"] == record["gradient_norm"]
    assert record["largest_update"] == pytest.approx(max(updates), rel=1e-9)
    assert record["dead_units"] == pytest.approx(3 / 9)
    assert record["nonfinite_gradients"] == 0


def _trained(places: Any = None, **options: Any) -> tuple[nn.Module, Any]:
    model = _network()
    given: dict[str, Any] = {"batch_size": 2, "epochs": 3, "lr": 0.01, "progress": False}
    trainer = Trainer(model, "mse", **{**given, **options})
    return model, trainer.fit((X, Y), None, resume=bool(places))


def test_eager_and_compiled_steps_have_the_same_figures() -> None:
    (_, one), (_, other) = _trained(eager=True), _trained(eager=False)
    for a, b in zip(one.history, other.history, strict=True):
        assert a["step"] > 2 * 16 * a["epoch"] - 40
        for name in FIGURES:
            assert a[name] == pytest.approx(b[name], rel=1e-6)


@pytest.mark.parametrize("eager", [True, False])
def test_what_is_measured_changes_no_weight(eager: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for every in (1, 16, 1000):
        monkeypatch.setattr(health, "_EVERY", every)
        model, fit = _trained(eager=eager)
        found.append((model, fit))
    for model, fit in found[1:]:
        for a, b in zip(model.parameters(), found[0][0].parameters(), strict=True):
            np.testing.assert_array_equal(a.array, b.array)
        assert [r["train_loss"] for r in fit.history] == [
            r["train_loss"] for r in found[0][1].history
        ]


class _StopAt(Callback):
    """Breaks off after a step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, loop: Any) -> None:
        if loop.step == self.step:
            raise KeyError


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("step", [26, 41, 42])
def test_a_resumed_epoch_has_the_figures_of_an_unbroken_one(
    tmp_path: Path, eager: bool, step: int
) -> None:
    options: dict[str, Any] = {"eager": eager, "overwrite": True, "checkpoint_seconds": 0.0}
    _, whole = _trained(**options)
    with pytest.raises(KeyError):
        _trained(folder=tmp_path / "run", callbacks=[_StopAt(step)], **options)
    _, resumed = _trained(True, folder=tmp_path / "run", **options)
    for a, b in zip(resumed.history, whole.history, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {
            k: v for k, v in b.items() if k != "seconds"
        }


@pytest.mark.parametrize("eager", [True, False])
def test_gradients_that_are_not_finite_are_said_once(eager: bool) -> None:
    class Unused(nn.Module):
        """A root at zero, whose derivative is infinite, beside what is learned."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(5, 1)
            self.other = nn.Parameter(np.zeros(1))

        def forward(self, x: Any) -> Any:
            return self.inner(x) + ops.sqrt(self.other.detach() + self.other * 0.0)

    manual_seed(0)
    model = Unused().double()
    # The weights stay finite: the rule never reads that gradient.
    rule = optim.SGD(list(model.parameters()), lr=0.0)
    options: dict[str, Any] = {"batch_size": 50, "epochs": 1, "progress": False}
    fit = Trainer(model, "mse", optimizer=rule, eager=eager, **options).fit((X, Y), None)
    (note,) = fit.notes
    assert note == (
        "the gradients became infinite or not a number in epoch 1, at a learning rate of 0; "
        "lower lr, scale the inputs, or clip the gradients (a Trainer's clip_norm=1.0)."
    )
    assert fit.history[0]["nonfinite_gradients"] == 1
    assert fit.history[0]["gradient_norm"] is None


def test_an_epochs_figures_are_means_and_extremes_of_those_measured() -> None:
    assert measured_steps(0, 33).nonzero()[0].tolist() == [0, 16, 32]
    sums: dict[str, float] = {}
    for figures in ([1.0, 0.5, 0.25, 0.0], [3.0, 0.125, 0.75, 2.0]):
        sums = tally(sums, figures)
    assert summary(sums) == {
        "gradient_norm": 2.0,
        "largest_gradient_norm": 3.0,
        "largest_update": 0.5,
        "dead_units": 0.5,
        "nonfinite_gradients": 2,
    }
    broken = summary(tally(sums, [math.nan, math.inf, math.nan, 1.0]))
    assert [broken[name] for name in FIGURES] == [None, None, None, None, 3]


def test_a_network_without_units_has_updates_and_no_dead_ones() -> None:
    model = nn.LayerNorm(5).double()
    options: dict[str, Any] = {"batch_size": 50, "epochs": 1, "progress": False, "lr": 0.1}
    fit = Trainer(model, lambda output, y: ((output - y) ** 2).mean(), **options).fit((X, Y), None)
    assert fit.history[0]["dead_units"] is None
    assert fit.history[0]["largest_update"] == pytest.approx(1.0)
