"""Compiled steps in the trainer: the numbers of eager ones, in chunks of any size."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn, optim
from schuss.errors import TraceError
from schuss.training import Callback, DivergenceError, Trainer, load, resume, train
from schuss.training.descent import steppers
from schuss.training.evaluation import cost

RNG = np.random.default_rng(0)
X = RNG.normal(size=(61, 5))
Y = RNG.integers(0, 3, 61)
VALUES = X[:, 0] - 2.0 * X[:, 1]
WEIGHTS = RNG.uniform(0.5, 2.0, 61)


def _network(outputs: int = 3) -> nn.Module:
    manual_seed(0)
    return nn.Sequential(
        nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, outputs)
    ).double()


class Watch(Callback):
    """Forces one step a call."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_step(self, loop: Any) -> None:
        self.steps.append(loop.step)


CASES: dict[str, dict[str, Any]] = {
    "classes": {},
    "values": {"loss": "mse", "y": VALUES},
    "sample weights": {"weight": WEIGHTS},
    "class weights": {"class_weight": "balanced"},
    "clipped norm": {"clip_norm": 0.3},
    "clipped values": {"clip_value": 0.05},
    "curves": {"schedule": {"lr": "one_cycle", "weight_decay": "cosine", "dropout": "linear"}},
    "own loss": {"loss": lambda output, y: ((output.sum(axis=1) - y) ** 2).mean()},
    "scheduler": {"steps": True},
}


def _trained(case: str, **options: Any) -> tuple[nn.Module, Any]:
    given = {**CASES[case], **options}
    y = given.pop("y", Y)
    model = _network(1 if y is VALUES else 3)
    weight = given.pop("weight", None)
    if given.pop("steps", False):
        rule = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        scheduler = optim.lr_scheduler.ExponentialLR(rule, gamma=0.97)
        given |= {"optimizer": rule, "schedule": scheduler, "schedule_every": "step"}
    else:
        given |= {"optimizer": "adamw", "lr": 0.02}
    trainer = Trainer(
        model, given.pop("loss", "cross_entropy"), epochs=4, batch_size=8, progress=False, **given
    )
    return model, trainer.fit((X, y), 0.2, sample_weight=weight)


def _weights(model: nn.Module) -> list[np.ndarray]:
    return [np.array(value.array) for value in model.state_dict().values()]


@pytest.mark.parametrize("case", CASES)
def test_compiled_steps_equal_eager_ones_however_they_are_cut(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager, expected = _trained(case, eager=True)
    model, fit = _trained(case, eager=False)
    for a, b in zip(_weights(model), _weights(eager), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    for one, other in zip(fit.history, expected.history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-7)
        assert one["lr"] == other["lr"]
        for name in ("gradient_norm", "largest_gradient_norm"):
            assert one[name] == pytest.approx(other[name], rel=1e-6)
    watch = Watch()
    single, _ = _trained(case, eager=False, callbacks=[watch])
    assert watch.steps == list(range(1, fit.history[-1]["step"] + 1))
    monkeypatch.setattr(steppers.CompiledStepper, "steps_per_call", lambda self, left: min(left, 3))
    chopped, again = _trained(case, eager=False)
    for other in (single, chopped):
        for a, b in zip(_weights(other), _weights(model), strict=True):
            np.testing.assert_array_equal(a, b)
    for name in ("train_loss", "gradient_norm", "largest_gradient_norm"):
        first, second = ([record[name] for record in f.history] for f in (fit, again))
        assert first == second


@pytest.mark.parametrize("eager", [True, False])
def test_the_norm_of_the_gradients_is_that_before_clipping(eager: bool) -> None:
    model = nn.Linear(5, 1, bias=False).double()
    model.weight.assign(np.zeros((1, 5)))
    rule = optim.SGD(model.parameters(), lr=0.1)
    options = {"batch_size": 61, "epochs": 1, "clip_norm": 1e-3, "eager": eager}
    trainer = Trainer(model, "mse", optimizer=rule, **options)
    (record,) = trainer.fit((X, VALUES[:, None]), validation=0).history
    by_hand = np.linalg.norm(-2.0 * X.T @ VALUES / 61)
    assert record["gradient_norm"] == pytest.approx(by_hand, rel=1e-9)
    assert record["largest_gradient_norm"] == record["gradient_norm"]


def test_rows_that_are_no_array_are_gathered_by_python() -> None:
    class Rows:
        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, rows: Any) -> np.ndarray:
            return X[rows]

    found = []
    for inputs in (X, Rows()):
        model = _network()
        options: dict[str, Any] = {"epochs": 3, "batch_size": 8, "progress": False, "eager": False}
        Trainer(model, "cross_entropy", **options).fit((inputs, Y), None)
        found.append(_weights(model))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_cannot_be_traced_names_the_remedy() -> None:
    class Branches(nn.Linear):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return y if y.sum().item() > 0 else -y

    def trainer(**options: Any) -> Trainer:
        manual_seed(0)
        return Trainer(Branches(5, 3), "cross_entropy", epochs=1, progress=False, **options)

    with pytest.raises(
        TraceError,
        match=r"test_steppers.py:\d+ needs .*train with eager=True \(schuss train: --eag",
    ):
        trainer(eager=False).fit((X, Y), None)
    assert trainer(eager=True).fit((X, Y), None).epochs == 1


def test_steps_that_cannot_be_traced_are_taken_one_by_one_unless_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.drop, self.last = nn.Linear(5, 8), nn.Dropout(0.3), nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            # Random numbers are drawn before the value that no trace knows.
            y = self.last(self.drop(self.first(x)))
            return y if y.sum().item() > 0 else y * 2.0

    found = []
    monkeypatch.setattr(cost, "steps_are_worth_compiling", lambda *_: True)
    monkeypatch.setattr(cost, "outputs_are_worth_compiling", lambda *_: True)
    for eager in (True, None):
        manual_seed(0)
        model = Branches()
        options: dict[str, Any] = {"epochs": 3, "batch_size": 8, "progress": False, "eager": eager}
        trainer = Trainer(model, "cross_entropy", lr=0.01, schedule="linear", **options)
        said = nullcontext() if eager else pytest.warns(UserWarning, match="taken eagerly")
        with said:
            fit = trainer.fit((X, Y), 0.2)
        found.append((_weights(model), [one["validation_loss"] for one in fit.history]))
        assert trainer.predict(X).shape == (len(X), 3)
    for a, b in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[0][1] == found[1][1]


def test_divergence_in_the_middle_of_a_call_names_step_and_rate() -> None:
    messages = []
    for eager in (True, False):
        manual_seed(0)
        trainer = Trainer(
            nn.Linear(5, 1),
            "mse",
            optimizer="sgd",
            lr=1e6,
            schedule="linear",
            epochs=1,
            batch_size=2,
            progress=False,
            eager=eager,
        )
        with pytest.raises(DivergenceError) as caught:
            trainer.fit((X, VALUES), None)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_small_jobs_are_not_compiled() -> None:
    model = _network()
    assert not cost.steps_are_worth_compiling(model, 32, 100)
    assert cost.steps_are_worth_compiling(model, 32, 1000)
    assert cost.steps_are_worth_compiling(nn.Linear(2000, 2000), 512, 10)
    assert math.isfinite(_trained("classes")[1].history[-1]["train_loss"])


def test_a_compiled_run_goes_on_bit_for_bit(tmp_path: Any) -> None:
    class StopAt(Callback):
        def on_epoch(self, loop: Any) -> None:
            if loop.epoch == 5:
                raise KeyError

    options: dict[str, Any] = {
        "hidden": [16], "epochs": 9, "batch_size": 16, "quiet": True, "eager": False
    }  # fmt: skip
    whole = train("iris", out=tmp_path / "whole", **options)
    with pytest.raises(KeyError):
        train("iris", out=tmp_path / "run", callbacks=[StopAt()], checkpoint_seconds=0.0, **options)
    found = resume(tmp_path / "run", quiet=True)
    assert load(tmp_path / "run").test == whole.test
    for a, b in zip(_weights(found.model), _weights(whole.model), strict=True):
        np.testing.assert_array_equal(a, b)
