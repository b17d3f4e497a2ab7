"""The average of the weights: its formula, and that the model trains on untouched."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.training.descent.weight_average import WeightAverage


def weights(layer: nn.Linear) -> list[float]:
    return layer.weight.array[0].tolist()


def test_is_the_mean_at_first_and_then_exponential() -> None:
    layer = nn.Linear(2, 1)
    average = WeightAverage(layer, 3)
    for epoch, w in enumerate([1.0, 2.0, 6.0, 9.0], start=1):
        layer.weight.assign(np.array([[w, -w]], np.float32))
        average.update(epoch)
    # (1 + 2 + 6) / 3 = 3, then a third of the way to 9.
    with average.in_place():
        assert weights(layer) == [5.0, -5.0]
    assert weights(layer) == [9.0, -9.0]


def test_comes_back_after_an_error() -> None:
    layer = nn.Linear(2, 1)
    average = WeightAverage(layer, 2)
    average.update(1)
    layer.weight.assign(np.array([[7.0, 8.0]], np.float32))
    with pytest.raises(RuntimeError, match="on the way"), average.in_place():
        raise RuntimeError("on the way")
    assert weights(layer) == [7.0, 8.0]


def test_none_leaves_the_model_alone() -> None:
    layer = nn.Linear(2, 1)
    average = WeightAverage(layer, None)
    average.update(1)
    before = weights(layer)
    with average.in_place():
        assert weights(layer) == before
    assert average.state_dict() == {}


def test_goes_on_from_its_state() -> None:
    layer = nn.Linear(2, 1)
    first, second = WeightAverage(layer, 2), WeightAverage(layer, 2)
    first.update(1)
    second.load_state_dict(first.state_dict())
    layer.weight.assign(np.array([[1.0, 2.0]], np.float32))
    first.update(2)
    second.update(2)
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name].array, value.array)


def test_a_trainer_keeps_the_average_of_its_last_epochs() -> None:
    x = np.linspace(-1.0, 1.0, 40, dtype=np.float32)[:, None]
    seen: list[float] = []

    def trained(epochs: int | None) -> float:
        ss.manual_seed(0)
        model = nn.Linear(1, 1)
        trainer = ss.Trainer(
            model,
            "mse",
            lr=0.1,
            epochs=6,
            average_epochs=epochs,
            callbacks=[lambda figures: seen.append(model.weight.item())],
            progress=False,
        )
        trainer.fit((x, 3.0 * x[:, 0]))
        return model.weight.item()

    trained(None)
    last = seen[-6:]
    # The loss still falls in each epoch, so the last average is the best.
    assert trained(6) == pytest.approx(np.mean(last), rel=1e-5)
