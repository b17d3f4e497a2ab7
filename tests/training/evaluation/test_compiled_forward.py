"""Outputs by native code: those of the model, on any number of rows, while it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn
from schuss.errors import TraceError
from schuss.training import Callback, Trainer, train
from schuss.training.evaluation import cost
from schuss.training.evaluation.compiled_forward import CompiledForward
from schuss.training.evaluation.evaluate import evaluate, outputs
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.metrics import METRICS
from schuss.training.evaluation.objective import Objective

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1100, 5))
Y = RNG.integers(0, 3, 1100)


def _network() -> nn.Module:
    manual_seed(0)
    return nn.Sequential(
        nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
    ).double()


def test_equals_the_model_on_any_number_of_rows() -> None:
    model = _network()
    forward = CompiledForward(model)
    for rows in (600, 1100, 5, 600, 1):
        given = Examples.of((X[:rows], Y[:rows]), dtype=np.float64)
        found = outputs(model, given, forward=forward)
        assert model.training
        np.testing.assert_allclose(found, outputs(model, given), rtol=1e-12)
    # The weights are read anew each time.
    model[4].bias.assign(np.ones(3))
    given = Examples.of((X, Y), dtype=np.float64)
    np.testing.assert_allclose(
        outputs(model, given, forward=forward), outputs(model, given), rtol=1e-12
    )


def test_figures_are_those_of_eager_evaluation() -> None:
    model, objective = _network(), Objective("cross_entropy")
    metrics = {name: METRICS[name] for name in ("accuracy", "log_loss", "auc")}
    for weight in (None, RNG.uniform(0.0, 2.0, 1100)):
        given = Examples.of((X, Y), weight=weight, dtype=np.float64)
        found = evaluate(model, objective, given, metrics, forward=CompiledForward(model))
        assert found == pytest.approx(evaluate(model, objective, given, metrics), rel=1e-9)


def test_several_inputs_with_codes_among_them() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(7, 4)
            self.linear = nn.Linear(9, 2)

        def forward(self, x: Any, codes: Any) -> Any:
            from schuss import concat

            return self.linear(concat([x, self.table(codes)], axis=-1))

    model = Two()
    given = Examples.of(((X, RNG.integers(0, 7, 1100)), Y))
    found = outputs(model, given, forward=CompiledForward(model))
    np.testing.assert_allclose(found, outputs(model, given), rtol=1e-5, atol=1e-6)


def test_what_is_no_single_tensor_is_left_to_the_model() -> None:
    class Pair(nn.Linear):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return y, y.mean()

    pair = Pair(5, 3).double()
    objective = Objective(lambda output, y: output[0].mean() + output[1])
    forward, given = CompiledForward(pair), Examples.of((X, Y), dtype=np.float64)
    assert evaluate(pair, objective, given, {}, forward=forward) == evaluate(
        pair, objective, given, {}
    )
    total = CompiledForward(nn.Sequential(nn.Linear(5, 3).double(), nn.Flatten(0)))
    assert total(given) is None


def test_a_model_that_cannot_be_traced_names_the_remedy() -> None:
    class Branches(nn.Linear):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return y if self.training or y.sum().item() > 0 else -y

    model = Branches(5, 3).double().eval()
    with pytest.raises(
        TraceError, match=r"test_compiled_forward.py:\d+ needs .*train with eager=True"
    ):
        CompiledForward(model)(Examples.of((X, Y), dtype=np.float64))


def _trained(monkeypatch: pytest.MonkeyPatch, *, native: bool, **options: Any) -> Any:
    monkeypatch.setattr(cost, "outputs_are_worth_compiling", lambda *_: native)
    model = _network()
    given: dict[str, Any] = {"epochs": 4, "batch_size": 64, "progress": False, "eager": False}
    resume = options.pop("resume", False)
    trainer = Trainer(model, "cross_entropy", metrics=["accuracy"], **{**given, **options})
    fit = trainer.fit((X, Y), 0.3, resume=resume)
    return [np.array(value.array) for value in model.state_dict().values()], fit.history


@pytest.mark.parametrize("average", [None, 2])
def test_native_validation_leaves_training_as_it_is(
    monkeypatch: pytest.MonkeyPatch, average: int | None
) -> None:
    weights, history = _trained(monkeypatch, native=True, average_epochs=average)
    expected, its_history = _trained(monkeypatch, native=False, average_epochs=average)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(history, its_history, strict=True):
        assert a["train_loss"] == b["train_loss"]
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], rel=1e-9)
        assert a["validation_accuracy"] == b["validation_accuracy"]


def test_a_resumed_run_with_native_validation_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class StopAt(Callback):
        def on_step(self, loop: Any) -> None:
            if loop.step == 17:
                raise KeyError

    options: dict[str, Any] = {"native": True, "checkpoint_seconds": 0.0, "overwrite": True}
    weights, history = _trained(monkeypatch, **options)
    with pytest.raises(KeyError):
        _trained(monkeypatch, folder=tmp_path / "run", callbacks=[StopAt()], **options)
    resumed, its_history = _trained(monkeypatch, folder=tmp_path / "run", resume=True, **options)
    for a, b in zip(resumed, weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(its_history, history, strict=True):
        assert a | {"seconds": 0} == b | {"seconds": 0}


def test_a_run_predicts_many_rows_by_native_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = train("iris", epochs=2, quiet=True, eager=True, out=tmp_path / "run")
    rows = np.tile([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], (400, 1))
    expected = run.predict_proba(rows)
    assert run._forward is None
    monkeypatch.setattr(cost, "outputs_are_worth_compiling", lambda *_: True)
    np.testing.assert_allclose(run.predict_proba(rows), expected, rtol=1e-5)
    assert run._forward is not None
    np.testing.assert_array_equal(run.predict_proba(rows[:1]), run.predict_proba(rows[2:3]))


def test_few_rows_are_not_worth_compiling() -> None:
    model = _network()
    assert not cost.outputs_are_worth_compiling(model, 30, 256)
    assert cost.outputs_are_worth_compiling(model, 1000, 1000)
    assert cost.outputs_are_worth_compiling(model, 1_000_000, 1)


class Rows:
    """Inputs that are made when they are asked for."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(len(np.atleast_1d(rows)))
        return self.values[rows]


def test_inputs_that_are_made_when_they_are_asked_for() -> None:

    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    x = np.random.default_rng(0).normal(size=(70, 5)).astype(np.float32)
    made, y = Rows(x), np.zeros(70, np.int64)
    wanted = outputs(model, Examples((x,), y))
    found = CompiledForward(model, batch=32)(Examples((made,), y))
    assert found is not None
    assert np.allclose(found, wanted, atol=1e-6)
    assert made.asked == [32, 32, 32]
    # A row's output does not depend on the others, to the last bit.
    forward = CompiledForward(model, batch=32)
    alone = [forward(Examples((Rows(x[k : k + 1]),), y[:1])) for k in range(3)]
    assert np.array_equal(np.concatenate(alone), found[:3])  # type: ignore[arg-type]


def test_layers_that_go_over_positions_are_worth_compiling() -> None:

    small = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    assert cost.goes_over_positions(small)
    assert not cost.goes_over_positions(nn.Linear(4, 2))
    assert cost.outputs_are_worth_compiling(small, 500, 1)
    assert cost.steps_are_worth_compiling(small, 8, 20)
    assert not cost.steps_are_worth_compiling(small, 8, 1)
    few, many = np.zeros((600, 9), np.float32), np.zeros((600, 64, 64, 3), np.float32)
    y = np.zeros(600, np.int64)
    assert cost.rows_at_a_time(Examples((few,), y)) == 512
    assert cost.rows_at_a_time(Examples((many,), y)) == 21
