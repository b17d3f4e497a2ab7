"""Small networks that a single descent leaves stuck, and when a race is and is not taken."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.errors import UsageError
from schuss.training import Trainer

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def parity(bits):
    x = (np.arange(2**bits)[:, None] >> np.arange(bits)) & 1
    return x.astype(np.float32), (x.sum(axis=1) % 2).astype(np.float32)


def network(*widths, activation="tanh", seed=0):
    ss.manual_seed(seed)
    layers = []
    for inner, outer in pairwise(widths):
        layers += [nn.Linear(inner, outer), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def wrong(model, x, y):
    return int(((model(ss.tensor(x)).array[:, 0] > 0) != (y > 0.5)).sum())


@pytest.mark.parametrize("validation", [None, "auto"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_xor_is_learned_from_any_start(activation, validation):
    x, y = parity(2)
    for seed in range(3):
        model = network(2, 2, 1, activation=activation, seed=seed)
        names = list(model.state_dict())
        trainer = Trainer(model, "binary_cross_entropy", progress=False, seed=seed)
        fit = trainer.fit((x, y), validation)
        assert wrong(model, x, y) == 0
        assert trainer.model is model
        assert list(model.state_dict()) == names
        assert fit.stopped == "escaped"
        assert fit.escape.solved
        assert fit.escape.starts >= 16
        assert fit.best["train_loss"] < 0.05


@pytest.mark.parametrize(("scale", "shift"), [(1e3, 0.0), (1e-3, 1.0), (6.5, 20.0)])
def test_inputs_of_any_scale_are_learned(scale, shift):
    x, y = parity(2)
    x = x * np.float32(scale) + np.float32(shift)
    for seed in range(3):
        model = network(2, 2, 1, seed=seed)
        Trainer(model, "binary_cross_entropy", progress=False, seed=seed).fit((x, y), None)
        assert wrong(model, x, y) == 0


def test_spirals_of_three_turns_are_learned():
    number = np.arange(97)
    radius, angle = 6.5 * (104 - number) / 104, number * np.pi / 16
    arm = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    x, y = np.concatenate([arm, -arm]).astype(np.float32), np.repeat(np.float32([0, 1]), 97)
    model = network(2, 8, 8, 1)
    fit = Trainer(model, "binary_cross_entropy", progress=False).fit((x, y), None)
    assert wrong(model, x, y) == 0
    assert fit.escape.solved


def test_parity_is_learned_with_two_outputs():
    x, y = parity(4)
    model = network(4, 4, 2)
    Trainer(model, "cross_entropy", progress=False).fit((x, y.astype(np.int64)), None)
    assert (model(ss.tensor(x)).array.argmax(axis=1) == y).all()


class Product(nn.Module):
    """Parameters of its own, two inputs, and no layer that can draw its weights anew."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(ss.randn(3))
        self.b = nn.Parameter(ss.randn(3))

    def forward(self, x, z):
        return ss.sin(x * self.a).sum(1) + ss.cos(z * self.b).sum(1)


def test_modules_of_any_kind_are_raced():
    ss.manual_seed(1)
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 60, 3)).astype(np.float32)
    y = np.sin(x * [1.0, 2.0, -1.0]).sum(1) + np.cos(z * [0.5, 1.5, 1.0]).sum(1)
    trainer = Trainer(Product(), "mse", progress=False, escape=True)
    fit = trainer.fit(((x, z), y), None)
    assert fit.best["train_loss"] < 1e-6


def test_same_seed_gives_the_same_weights():
    x, y = parity(4)
    found = []
    for _ in range(2):
        model = network(4, 4, 1)
        ss.manual_seed(len(found))
        Trainer(model, "binary_cross_entropy", progress=False, seed=5).fit((x, y), None)
        found.append(np.concatenate([p.array.ravel() for p in model.parameters()]))
    np.testing.assert_array_equal(*found)


def noisy(rows):
    """Classes that overlap, so that learning every row is learning noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2)).astype(np.float32)
    return x, (x[:, 0] + rng.normal(size=rows) > 0).astype(np.float32)


def test_weights_that_learned_noise_are_not_taken():
    x, y = noisy(200)
    trainer = Trainer(network(2, 12, 1), "binary_cross_entropy", progress=False)
    fit = trainer.fit((x, y))
    assert fit.escape is not None
    assert not fit.escape.taken
    assert fit.stopped == "epochs"
    assert fit.best["validation_loss"] < 0.6
    assert "none is better on the validation rows" in fit.notes[-1]


@pytest.mark.parametrize(
    "options",
    [{"lr": 0.01}, {"optimizer": "sgd"}, {"epochs": 5}, {"clip_norm": 1.0}, {"escape": False}],
    ids=str,
)
def test_descents_that_are_given_are_taken(options):
    x, y = parity(2)
    options = {"epochs": 60, "progress": False} | options
    fit = Trainer(network(2, 2, 1), "binary_cross_entropy", **options).fit((x, y), None)
    assert fit.escape is None
    assert fit.stopped == "epochs"


def test_asking_for_a_race_that_cannot_be_says_why():
    x, y = parity(2)
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1)).eval()
    fit = Trainer(model, "binary_cross_entropy", progress=False, escape=True).fit((x, y), None)
    assert fit.escape is None
    assert fit.notes[0].startswith("no race from many starts: row by row it fails")
    with pytest.raises(UsageError, match="escape 'auto', True or False, got 'always'"):
        Trainer(model, "mse", escape="always")


@pytest.mark.parametrize("validation", [None, "auto"])
def test_resuming_a_race_ends_with_the_same_weights(tmp_path, validation):
    x, y = parity(4)
    found = []
    for resume in (False, True):
        model = network(4, 4, 1)
        trainer = Trainer(model, "binary_cross_entropy", progress=False, folder=tmp_path / "run")
        fit = trainer.fit((x, y), validation, resume=resume)
        found.append((fit.history[-1]["train_loss"], fit.epochs, len(fit.history)))
        assert wrong(model, x, y) == 0
    assert found[0] == found[1]


def test_callbacks_see_the_passes():
    x, y = parity(2)
    seen = []
    trainer = Trainer(
        network(2, 2, 1), "binary_cross_entropy", progress=False, callbacks=[seen.append]
    )
    fit = trainer.fit((x, y), None)
    assert [record["epoch"] for record in seen] == list(range(1, fit.epochs + 1))
    losses = [record["train_loss"] for record in seen]
    assert losses == sorted(losses, reverse=True)
