from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss import Tensor, float64, manual_seed, nn, optim, random
from schuss.errors import DataError, UsageError
from schuss.nn import functional as F
from schuss.training import Callback, DivergenceError, Trainer
from schuss.training.descent.learner import OPTIMIZERS


def _line(rows: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 3)).astype(np.float32)
    return x, (x @ np.array([1.0, -2.0, 0.5], np.float32) + 0.3).astype(np.float32)


def _blobs(rows: int = 90, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    y = np.arange(rows) % classes
    return draw.normal(size=(rows, 2)) + 3.0 * np.stack([y == 1, y == 2], axis=1), y


def _linear(seed: int = 0, outputs: int = 1, inputs: int = 3) -> nn.Module:
    manual_seed(seed)
    return nn.Linear(inputs, outputs)


def _weights(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.array.copy() for name, value in model.state_dict().items()}


def _same(a: nn.Module, b: nn.Module) -> bool:
    other = _weights(b)
    return all(np.array_equal(value, other[name]) for name, value in _weights(a).items())


def _fit(model: nn.Module, data: Any, validation: Any = 0.25, **options: Any) -> Any:
    given = {
        "loss": "mse",
        "optimizer": "adam",
        "lr": 0.05,
        "epochs": 5,
        "batch_size": 8,
        "progress": False,
    } | options
    return Trainer(model, given.pop("loss"), **given).fit(data, validation)


def test_it_learns_classes_and_measures_them() -> None:
    model = _linear(outputs=3, inputs=2)
    fit = _fit(
        model,
        _blobs(),
        loss="cross_entropy",
        epochs=30,
        metrics=["accuracy", "auc", "log_loss"],
        monitor="accuracy",
    )
    assert fit.best["validation_accuracy"] > 0.9
    assert fit.best["validation_auc"] > 0.95
    assert set(fit.history[0]) == {
        "epoch",
        "step",
        "seconds",
        "lr",
        "train_loss",
        "gradient_norm",
        "largest_gradient_norm",
        "largest_update",
        "dead_units",
        "nonfinite_gradients",
        "validation_loss",
        "validation_accuracy",
        "validation_auc",
        "validation_log_loss",
    }
    assert [record["epoch"] for record in fit.history] == list(range(1, 31))
    # 90 rows, of which 22 are held out: 68 are 8 batches of 8 and one of 4.
    assert fit.history[-1]["step"] == 30 * 9


def test_one_logit_for_two_classes() -> None:
    x, y = _blobs(classes=2)
    fit = _fit(
        _linear(inputs=2),
        (x, y),
        loss="binary_cross_entropy",
        epochs=30,
        metrics=["accuracy", "auc", "log_loss"],
    )
    assert fit.best["validation_accuracy"] > 0.9
    assert fit.best["validation_auc"] > 0.95
    # The loss of a logit and the metric of its probability are the same figure.
    assert fit.best["validation_log_loss"] == pytest.approx(fit.best["validation_loss"], rel=1e-5)


def test_steps_equal_a_loop_by_hand() -> None:
    x, y = _line(32)
    batches: list[np.ndarray] = []

    class Seen(nn.Linear):
        def forward(self, rows: Tensor) -> Tensor:
            if self.training:
                batches.append(rows.array.copy())
            return super().forward(rows)

    manual_seed(0)
    model = Seen(3, 1)
    by_hand = _linear()
    _fit(model, (x, y), None, epochs=2, clip_norm=0.5, weight_decay=0.1, eager=True)
    assert [len(b) for b in batches] == [8] * 8
    optimizer = optim.Adam(by_hand.parameters(), lr=0.05, weight_decay=0.1)
    for rows in batches:
        target = y[[int(np.flatnonzero((x == r).all(axis=1))[0]) for r in rows]]
        optimizer.zero_grad()
        F.mse_loss(by_hand(Tensor(rows)), Tensor(target[:, None])).backward()
        optim.clip_grad_norm_(by_hand.parameters(), 0.5)
        optimizer.step()
    assert _same(model, by_hand)


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    def trained(seed: int) -> nn.Module:
        manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
        _fit(model, _line(), seed=seed)
        return model

    assert _same(trained(1), trained(1))
    assert not _same(trained(1), trained(2))


def test_the_random_key_outside_is_left_alone() -> None:
    model = nn.Sequential(_linear(outputs=4), nn.Dropout(0.5), nn.Linear(4, 1))
    manual_seed(5)
    before = random.get_state()
    _fit(model, _line())
    assert np.array_equal(before, random.get_state())


@pytest.mark.parametrize("ties", ["first", "last"])
def test_the_best_epochs_weights_come_back(ties: str) -> None:
    # Which figure an epoch has is decided here; the weights of each epoch are kept beside.
    figures = iter([3.0, 1.0, 2.0, 1.0, 4.0])
    kept: list[dict[str, np.ndarray]] = []

    class Keep(Callback):
        def on_epoch(self, loop: Any) -> None:
            kept.append(_weights(loop.model))

    model = _linear()
    fit = _fit(
        model,
        _line(),
        metrics={"figure": lambda y, output, weight: next(figures)},
        monitor="figure",
        ties=ties,
        callbacks=[Keep()],
    )
    best = {"first": 2, "last": 4}[ties]
    assert fit.best_epoch == best
    for name, value in _weights(model).items():
        assert np.array_equal(value, kept[best - 1][name])
        assert not np.array_equal(value, kept[-1][name])


def test_patience_stops_and_keeps_the_best() -> None:
    figures = iter([3.0, 2.0, 2.5, 2.0, 2.6, 2.7])
    fit = _fit(
        _linear(),
        _line(),
        metrics={"figure": lambda y, output, weight: next(figures)},
        monitor="figure",
        ties="last",
        patience=3,
        epochs=50,
    )
    # A tie may be the best but is no progress.
    assert (fit.epochs, fit.best_epoch, fit.stopped) == (5, 4, "patience")


def test_an_average_of_the_weights_is_validated_and_kept() -> None:
    kept: list[dict[str, np.ndarray]] = []

    class Keep(Callback):
        def on_epoch(self, loop: Any) -> None:
            kept.append(_weights(loop.model))

    for validation in (None, _line(9, seed=4)):
        kept.clear()
        model = _linear()
        fit = _fit(model, _line(), validation, epochs=3, average_epochs=3, callbacks=[Keep()])
        assert fit.best_epoch == 3
        mean = np.mean([weights["weight"] for weights in kept], axis=0)
        assert _weights(model)["weight"] == pytest.approx(mean, rel=1e-5)
        if validation is not None:
            x, y = validation
            expected = F.mse_loss(model(Tensor(x)), Tensor(y[:, None])).item()
            assert fit.best["validation_loss"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UsageError, match="average_epochs 'auto' or a whole number .*, got 0"):
        _fit(_linear(), _line(), average_epochs=0)


def test_the_better_one_of_weights_and_average_is_kept() -> None:
    x, y = _line(40)
    y = y + np.random.default_rng(5).normal(size=40).astype(np.float32)
    fits = {}
    for average in (None, 4, "auto"):
        model = _linear()
        options: dict[str, Any] = {"epochs": 24, "batch_size": 4, "lr": None, "optimizer": "sgd"}
        fits[average] = _fit(
            model, (x[:30], y[:30]), (x[30:], y[30:]), average_epochs=average, **options
        )
        output = model(Tensor(x[30:]))
        found = F.mse_loss(output, Tensor(y[30:, None])).item()
        assert fits[average].best["validation_loss"] == pytest.approx(found, rel=1e-5)
    for one, own, both in zip(fits[None].history, fits[4].history, fits["auto"].history):  # noqa: B905  # equally long
        expected = min(one["validation_loss"], own["validation_loss"])
        assert both["validation_loss"] == pytest.approx(expected, rel=1e-6)
    kept = [
        {record["validation_loss"] for record in fits[a].history}
        & {b["validation_loss"] for b in fits["auto"].history}
        for a in (None, 4)
    ]
    assert all(kept)  # each has been better at times


def test_without_validation_the_last_epoch_counts() -> None:
    model = _linear()
    fit = _fit(model, _line(), None)
    assert (fit.best_epoch, fit.stopped) == (5, "epochs")
    assert "validation_loss" not in fit.history[0]
    with pytest.raises(UsageError, match="patience needs validation rows"):
        _fit(_linear(), _line(), None, patience=2)


def test_given_validation_rows_are_used_in_batches_without_learning_from_them() -> None:
    x, y = _line(10)
    held = _line(5000, seed=1)
    model = _linear()
    trainer = Trainer(model, "mse", epochs=1, progress=False)
    shown = "Trainer(Linear of 4 parameters, NAdam, lr=auto, batch_size=auto, epochs=1)"
    assert repr(trainer) == shown
    fit = trainer.fit((x, y), validation=held)
    expected = F.mse_loss(model(Tensor(held[0])), Tensor(held[1][:, None])).item()
    assert fit.best["validation_loss"] == pytest.approx(expected, rel=1e-5)
    assert trainer.evaluate(held)["loss"] == pytest.approx(expected, rel=1e-5)
    assert np.allclose(trainer.predict(held[0]), model(Tensor(held[0])).array, rtol=1e-5)


def test_sample_weights_count_like_repetitions() -> None:
    x, y = _line(12)
    times = np.array([1, 2, 3] * 4)
    many = np.repeat(np.arange(12), times)
    held = _line(6, seed=2)
    options: dict[str, Any] = {"optimizer": "sgd", "batch_size": 100, "epochs": 20}
    weighted, repeated = _linear().to(float64), _linear().to(float64)
    trainer = Trainer(weighted, "mse", lr=0.05, progress=False, **options)
    fit = trainer.fit((x, y), held, sample_weight=times)
    other = _fit(repeated, (x[many], y[many]), held, **options)
    for name, value in _weights(weighted).items():
        assert value == pytest.approx(_weights(repeated)[name], rel=1e-9)
    assert fit.history[-1]["train_loss"] == pytest.approx(other.history[-1]["train_loss"])


def test_weighted_validation_figures_count_like_repetitions() -> None:
    x, y = _blobs(30)
    times = np.array([1, 2, 3] * 10)
    many = np.repeat(np.arange(30), times)
    trainer = Trainer(
        _linear(outputs=3, inputs=2), "cross_entropy", metrics=["accuracy"], progress=False
    )
    weighted = trainer.evaluate((x, y, times))
    assert weighted == pytest.approx(trainer.evaluate((x[many], y[many])), rel=1e-6)


def test_rows_of_weight_zero_are_as_if_left_out() -> None:
    x, y = _line(16)
    weight = np.array([1.0, 0.0] * 8)
    a, b = _linear(), _linear()
    _fit(a, (x, y, weight), None)
    _fit(b, (x[::2], y[::2]), None)
    assert _weights(a)["weight"] == pytest.approx(_weights(b)["weight"], rel=1e-6)


def test_balanced_classes_count_the_same() -> None:
    x, y = _blobs(60, classes=2)
    kept = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:5]])
    x, y = x[kept], y[kept]
    options: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 100, "optimizer": "sgd"}
    a, b = _linear(outputs=2, inputs=2), _linear(outputs=2, inputs=2)
    _fit(a, (x, y), None, class_weight="balanced", **options)
    many = np.repeat(np.arange(len(y)), np.where(y == 0, 1, 6))
    _fit(b, (x[many], y[many]), None, **options)
    assert _weights(a)["weight"] == pytest.approx(_weights(b)["weight"], rel=1e-4)


def test_label_smoothing_and_optimizers_of_ones_own() -> None:
    model = _linear(outputs=3, inputs=2)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
    fit = _fit(
        model,
        _blobs(),
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=optimizer,
        lr=None,
        schedule=scheduler,
    )
    assert [r["lr"] for r in fit.history] == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])
    made = Trainer(
        _linear(), "mse", optimizer=lambda params: optim.Adagrad(params, lr=0.5), progress=False
    )
    assert made.optimizer.param_groups[0]["lr"] == 0.5


def test_schedules_follow_the_progress_of_all_steps() -> None:
    seen: list[float] = []

    class See(Callback):
        def on_step(self, loop: Any) -> None:
            seen.append(loop.optimizer.param_groups[0]["lr"])

    _fit(_linear(), _line(16), None, epochs=2, schedule=lambda t: 1.0 - t, callbacks=[See()])
    assert seen == pytest.approx([0.05, 0.0375, 0.025, 0.0125])


def test_callbacks_are_called_and_can_stop() -> None:
    class Stop(Callback):
        calls: list[str]

        def __init__(self) -> None:
            self.calls = []

        def on_begin(self, loop: Any) -> None:
            self.calls.append("begin")

        def on_step(self, loop: Any) -> None:
            self.calls.append(f"step {loop.step}")

        def on_epoch(self, loop: Any) -> None:
            self.calls.append(f"epoch {loop.epoch}")
            loop.stop()

        def on_end(self, loop: Any) -> None:
            self.calls.append("end")

    stop, records = Stop(), []
    fit = _fit(_linear(), _line(16), None, callbacks=[stop, records.append])
    assert stop.calls == ["begin", "step 1", "step 2", "epoch 1", "end"]
    assert (fit.epochs, fit.stopped) == (1, "callback")
    assert records == fit.history
    with pytest.raises(TypeError, match="got int"):
        _fit(_linear(), _line(16), callbacks=[3])


def test_float64_models_and_batch_norm_of_a_last_single_row() -> None:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).to(float64)
    _fit(model, _line(17), None)
    assert all(value.dtype == float64 for value in model.parameters())


def test_a_loss_that_is_not_finite_is_said() -> None:
    x, y = _line()
    with pytest.raises(DivergenceError, match=r"the loss became inf.*epoch 1.*lower lr"):
        _fit(_linear(), (x, y * 1e30), None)


def test_after_a_divergence_the_best_weights_are_kept() -> None:
    class Break(Callback):
        def on_step(self, loop: Any) -> None:
            if loop.step == 6:
                weight = loop.model.weight
                weight.assign(np.full(weight.shape, np.inf, np.float32))

    model = _linear()
    fit = _fit(model, _line(16), _line(8, seed=1), callbacks=[Break()])
    assert fit.stopped == "diverged"
    assert fit.best_epoch in (1, 2)
    assert "the weights of epoch" in fit.notes[-1]
    assert np.isfinite(model.state_dict()["weight"].array).all()


def test_all_wrong_options_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Trainer(_linear(), "mse", batch_size=0, epochs=0, clip_norm=-1.0, monitor="auc", ties="x")
    for part in ("batch_size", "epochs", "clip_norm", "monitor", "ties"):
        assert part in str(caught.value)
    with pytest.raises(UsageError, match="no optimizer 'adm'; did you mean 'adam'"):
        Trainer(_linear(), "mse", optimizer="adm")
    with pytest.raises(UsageError, match="expected lr"):
        Trainer(_linear(), "mse", lr=-1.0)
    with pytest.raises(UsageError, match="a number or 'auto'"):
        Trainer(_linear(), "mse", lr="fast")
    model = _linear()
    with pytest.raises(UsageError, match="inside the optimizer given"):
        Trainer(model, "mse", optimizer=optim.SGD(model.parameters(), lr=0.1), lr=0.1)
    own = Trainer(_linear(), lambda output, y: (output - y).sum(), progress=False)
    with pytest.raises(UsageError, match="cannot weigh rows"):
        own.fit(_line(), sample_weight=np.ones(40))
    with pytest.raises(DataError, match="got 2 targets for 40 rows"):
        _fit(_linear(), (_line()[0], np.zeros(2)))
    with pytest.raises(UsageError, match="a folder to resume from"):
        Trainer(_linear(), "mse", progress=False).fit(_line(), resume=True)


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    place = tmp_path / "run"
    _fit(_linear(), _line(), folder=place)
    assert sorted(p.name for p in place.iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "optimizer.safetensors",
    ]
    with pytest.raises(UsageError, match="there is a run already"):
        _fit(_linear(), _line(), folder=place)
    _fit(_linear(), _line(), folder=place, overwrite=True)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_rule_by_its_name(name: str) -> None:
    model = _linear()
    x, y = _line(64)
    trainer = Trainer(
        model, "mse", optimizer=name, epochs=30, batch_size=16, progress=False, eager=False
    )
    history = trainer.fit((x, y), None).history
    # The rules that find their step size begin with steps of almost nothing.
    assert history[-1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.parametrize("eager", [True, False])
def test_the_average_of_a_schedule_free_rule_is_validated_and_kept(eager: bool) -> None:
    x, y = _line(32)
    model, by_hand = _linear(), _linear()
    options = {"optimizer": "sgdschedulefree", "batch_size": 32, "schedule": "constant"}
    run = _fit(model, (x, y), (x, y), epochs=3, eager=eager, patience=9, **options)
    optimizer = optim.SGDScheduleFree(by_hand.parameters(), lr=0.05)
    losses = []
    for _ in range(3):
        optimizer.train()
        optimizer.zero_grad()
        F.mse_loss(by_hand(Tensor(x)), Tensor(y[:, None])).backward()
        optimizer.step()
        optimizer.eval()
        losses.append(F.mse_loss(by_hand(Tensor(x)), Tensor(y[:, None])).item())
    assert [r["validation_loss"] for r in run.history] == pytest.approx(losses, rel=1e-5)
    for name, value in _weights(by_hand).items():
        np.testing.assert_allclose(_weights(model)[name], value, rtol=1e-5)


@pytest.mark.parametrize("eager", [True, False])
def test_sam_takes_its_gradients_uphill(eager: bool) -> None:
    x, y = _line(32)
    model, by_hand = _linear(), _linear()
    options = {"optimizer": "sam", "batch_size": 32, "clip_norm": 0.5}
    _fit(model, (x, y), None, epochs=3, eager=eager, **options)
    optimizer = optim.SAM(by_hand.parameters(), optim.SGD, lr=0.05, momentum=0.9)

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = F.mse_loss(by_hand(Tensor(x)), Tensor(y[:, None]))
        found.backward()
        optim.clip_grad_norm_(list(by_hand.parameters()), 0.5)
        return found

    for _ in range(3):
        loss()
        optimizer.step(loss)
    for name, value in _weights(by_hand).items():
        np.testing.assert_allclose(_weights(model)[name], value, rtol=1e-5)


@pytest.mark.parametrize("name", ["prodigy", "dadaptadam", "adamwschedulefree"])
@pytest.mark.parametrize("lr", [None, "auto"])
def test_rules_with_a_pace_of_their_own_keep_their_rate(name: str, lr: str | None) -> None:
    x, y = _line(32)
    trainer = Trainer(_linear(), "mse", optimizer=name, lr=lr, epochs=3, progress=False)
    run = trainer.fit((x, y), None)
    usual = OPTIMIZERS[name](_linear().parameters()).param_groups[0]["lr"]
    assert [record["lr"] for record in run.history] == [usual] * 3
