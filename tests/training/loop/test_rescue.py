"""Networks of any size that are stuck get going again while they descend."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.training import Callback, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 4)).astype(np.float32)
Y = np.tanh(X[:, 0] * X[:, 1] + X[:, 2]).astype(np.float32)


def zeros():
    """Return a network on the saddle between all orders of its units."""
    model = nn.Sequential(nn.Linear(4, 128), nn.Tanh(), nn.Linear(128, 1))
    for parameter in model.parameters():
        parameter.assign(np.zeros(parameter.shape, np.float32))
    return model


def half_dead():
    ss.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 1))
    bias = model[0].bias.numpy().copy()
    bias[:120] = -100.0
    model[0].bias.assign(bias)
    return model


def fit(model, validation=None, **options):
    trainer = Trainer(model, "mse", progress=False, **{"epochs": 50} | options)
    return trainer.fit((X, Y), validation)


def dead(model):
    return int((model[0](ss.tensor(X)).numpy() <= 0.0).all(axis=0).sum())


@pytest.mark.parametrize("validation", [None, "auto"])
def test_a_symmetric_saddle_is_left(validation):
    stuck, escaped = (fit(zeros(), validation, escape=escape) for escape in (False, "auto"))
    figure = "train_loss" if validation is None else "validation_loss"
    assert stuck.best[figure] > 0.2
    assert escaped.best[figure] < 0.7 * stuck.best[figure]
    assert "was stuck: in epoch 5 dead or duplicate: 128 of 128 units" in escaped.notes[-1]
    assert "before and" in escaped.notes[-1]


def test_dead_units_come_back():
    models = half_dead(), half_dead()
    stuck, escaped = (
        fit(model, escape=escape) for model, escape in zip(models, (False, "auto"), strict=True)
    )
    assert dead(models[0]) >= 120
    assert dead(models[1]) < 20
    assert escaped.best["train_loss"] < 0.8 * stuck.best["train_loss"]
    assert "of 128 units of layer 0 drawn anew; training loss" in escaped.notes[-1]


def test_descents_that_are_given_are_taken():
    found = fit(half_dead(), lr=1e-3)
    assert not any("was stuck" in note for note in found.notes)


def test_weights_from_before_stay_where_nothing_better_comes():
    class Stop(Callback):
        """Ends the training right after the repair."""

        def on_epoch(self, loop):
            if loop.state.rescues:
                loop.stop()

    model = half_dead()
    found = fit(model, callbacks=[Stop()])
    assert found.best_epoch == 5
    assert found.notes[-1].endswith("no later epoch is better, and the weights of epoch 5 are kept")
    assert dead(model) >= 120
    predicted = model(ss.tensor(X)).numpy()[:, 0]
    assert ((predicted - Y) ** 2).mean() < found.best["train_loss"]


class StopError(Exception):
    pass


@pytest.mark.parametrize("at", [9, 60, 90])
def test_resuming_gives_the_same_weights(tmp_path, at):
    class Kill(Callback):
        def on_step(self, loop):
            if loop.step == at:
                raise StopError

    options = {"checkpoint_seconds": 0.0, "batch_size": 16}
    whole, broken = zeros(), zeros()
    expected = fit(whole, **options)
    with pytest.raises(StopError):
        fit(broken, callbacks=[Kill()], folder=tmp_path / "run", **options)
    trainer = Trainer(broken, "mse", progress=False, epochs=50, folder=tmp_path / "run", **options)
    found = trainer.fit((X, Y), None, resume=True)
    assert found.notes == expected.notes
    for one, other in zip(broken.parameters(), whole.parameters(), strict=True):
        np.testing.assert_array_equal(one.array, other.array)
