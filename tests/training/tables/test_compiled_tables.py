"""Tables with categories of few and of many values, trained by native code and by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss.training import Callback, load, resume, train

RNG = np.random.default_rng(0)
ROWS = 160


def _table(task: str) -> dict[str, Any]:
    city = RNG.integers(0, 14, ROWS)
    colour = RNG.integers(0, 3, ROWS)
    x = RNG.normal(size=ROWS)
    value = x + 0.3 * city - colour + 0.1 * RNG.normal(size=ROWS)
    y = np.where(value > np.median(value), "high", "low") if task == "classification" else value
    names = np.array([f"city {k}" for k in range(14)])
    return {"x": x, "city": names[city], "colour": np.array(["r", "g", "b"])[colour], "y": y}


CASES = {
    "folds of classes": ("classification", {}),
    "folds of values": ("regression", {}),
    "one network for classes": ("classification", {"validation_share": 0.2, "hidden": [32]}),
    "one network for values": ("regression", {"validation_share": 0.2, "hidden": [32]}),
    "another rule, balanced": (
        "classification",
        {"optimizer": "sgd", "lr": 0.05, "class_weight": "balanced", "validation_share": 0.2},
    ),
}


def _weights(run: Any) -> dict[str, np.ndarray]:
    return {name: np.array(value.array) for name, value in run.model.state_dict().items()}


@pytest.mark.parametrize("case", CASES)
def test_native_and_eager_training_agree(case: str, tmp_path: Any) -> None:
    task, options = CASES[case]
    table = _table(task)
    given: dict[str, Any] = {"epochs": 3, "batch_size": 32, "quiet": True, **options}
    runs = [
        train(table, "y", out=tmp_path / str(eager), eager=eager, **given)
        for eager in (True, False)
    ]
    eager, native = runs
    assert native.model.categories is not None
    assert native.model.numeric_features > native.model.embedded
    for name, value in _weights(eager).items():
        np.testing.assert_allclose(
            _weights(native)[name], value, rtol=2e-3, atol=2e-4, err_msg=name
        )
    for one, other in zip(eager.history, native.history, strict=True):
        assert one.keys() == other.keys()
        for name in ("train_loss", "gradient_norm", "largest_update", "validation_loss"):
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-5)
    assert native.test["loss"] == pytest.approx(eager.test["loss"], rel=1e-3, abs=1e-5)


def test_a_native_run_with_categories_goes_on_bit_for_bit(tmp_path: Any) -> None:
    class StopAt(Callback):
        def on_step(self, loop: Any) -> None:
            if loop.step == 14:
                raise KeyError

    table = _table("classification")
    given: dict[str, Any] = {"epochs": 5, "batch_size": 32, "quiet": True, "eager": False}
    whole = train(table, "y", out=tmp_path / "whole", **given)
    with pytest.raises(KeyError):
        train(
            table, "y", out=tmp_path / "run", callbacks=[StopAt()], checkpoint_seconds=0.0, **given
        )
    found = resume(tmp_path / "run", table, quiet=True)
    assert load(tmp_path / "run").test == whole.test
    for name, value in _weights(whole).items():
        np.testing.assert_array_equal(_weights(found)[name], value)
    for one, other in zip(found.history, whole.history, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
