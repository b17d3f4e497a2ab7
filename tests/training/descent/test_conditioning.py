from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn
from schuss.training import Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 3)).astype(np.float32)
Y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]


def _fit(
    inputs: float = 1.0, targets: float = 1.0, *, first: Any = None, **options: Any
) -> tuple[nn.Module, Any]:
    manual_seed(0)
    body = [nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1)]
    model = nn.Sequential(*([first] if first is not None else []), *body)
    given = {"epochs": 20, "batch_size": 32, "progress": False, "escape": False} | options
    loss = given.pop("loss", "mse")
    fit = Trainer(model, loss, **given).fit((X * np.float32(inputs), Y * targets))
    return model, fit


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_inputs_of_any_size_are_learned_as_those_of_size_one(scale: float, eager: bool) -> None:
    model, clean = _fit(eager=eager)
    other, fit = _fit(scale, eager=eager)
    said = "; the first layer's weights and their rate are set for that"
    assert fit.notes[0].startswith("the inputs are about ")
    assert fit.notes[0].endswith(said)
    assert fit.best["validation_loss"] == pytest.approx(clean.best["validation_loss"], rel=1e-4)
    np.testing.assert_allclose(other[0].weight.array * scale, model[0].weight.array, rtol=1e-2)


@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("scale", [2.0**-20, 2.0**26])
def test_targets_of_any_size_are_learned_as_those_of_size_one(scale: float, loss: str) -> None:
    _, clean = _fit(loss=loss)
    _, fit = _fit(targets=scale, loss=loss)
    power = 2.0 if loss == "mse" else 1.0
    assert "the last layer is set for that" in fit.notes[0]
    found = fit.best["validation_loss"] / scale**power
    assert found == pytest.approx(clean.best["validation_loss"], rel=1e-3)


def test_what_is_given_or_fits_already_is_left_alone() -> None:
    _, fit = _fit()
    assert not any("in size" in note for note in fit.notes)
    model, fit = _fit(1e4, lr=1e-3)
    assert "divide them by that" in fit.notes[0]
    assert np.abs(model[0].weight.array).max() > 1e-2
    # A layer that suits such inputs, as a trained one does, and one that does not see them.
    _, fit = _fit(2.0**13, first=nn.LayerNorm(3))
    assert "divide them by that" in fit.notes[0]
    manual_seed(0)
    trained = nn.Sequential(nn.Linear(3, 1))
    trained[0].weight.assign(trained[0].weight.array / np.float32(1e4))
    trainer = Trainer(trained, "mse", epochs=1, batch_size=32, progress=False)
    fit = trainer.fit((X * np.float32(1e4), Y))
    assert "divide them by that" in fit.notes[0]
    assert len(trainer.optimizer.param_groups) == 2


def test_labels_and_losses_of_a_scale_of_their_own_have_no_last_layer_to_set() -> None:
    _, fit = _fit(targets=1e6, loss="huber")
    assert not any("last layer" in note for note in fit.notes)


def test_a_resumed_run_has_the_same_groups(tmp_path: Any) -> None:
    manual_seed(0)
    rows = (X * np.float32(1e5), Y * 1e6)

    def trainer(epochs: int, place: Any) -> Trainer:
        manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        return Trainer(model, "mse", epochs=epochs, batch_size=32, folder=place, progress=False)

    whole = trainer(4, tmp_path / "run")
    whole.fit(rows)
    again = trainer(4, tmp_path / "run")
    again.fit(rows, resume=True)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert np.array_equal(one.array, other.array)
    assert [g["lr"] for g in again.optimizer.param_groups] == [
        g["lr"] for g in whole.optimizer.param_groups
    ]
