"""Nothing warns of what is not finite, whatever filters of warnings are set; compiled nor eager."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim

EXTREMES = [0.0, -0.0, 1e30, -1e30, 3e38, np.inf, -np.inf, np.nan, 1e-40, -1.0, 2.0, 1000.0]
OTHERS = {"train", "resume", "load", "Trainer", "Run", "compile"}
FUNCTIONS = [
    getattr(module, name)
    for module in (ss, nn.functional)
    for name in module.__all__
    if callable(getattr(module, name)) and name not in OTHERS
]


def _extreme(dtype: str) -> ss.Tensor:
    return ss.tensor(np.array(EXTREMES, dtype), requires_grad=True)


def _calls(function: Callable[..., Any], dtype: str) -> Iterator[Callable[[], Any]]:
    x, y = _extreme(dtype), _extreme(dtype)
    square, turned = x.reshape((3, 4)), y.reshape((4, 3))
    yield lambda: function(x)
    yield lambda: function(x, y)
    yield lambda: function(x, y, x)
    yield lambda: function(x, 2.5)
    yield lambda: function(x, 0)
    yield lambda: function(square, axis=0)
    yield lambda: function(square, turned)
    yield lambda: function(ss.zeros((0, 3)))
    yield lambda: function(ss.tensor([0, 5, -3]), ss.tensor([0, 0, 2]))


def _tried(call: Callable[[], Any]) -> None:
    """Call, and go back; what is refused is not the matter here."""
    # As test runners and users do it, after Schuss was imported.
    warnings.simplefilter("error")
    try:
        found = call()
        if isinstance(found, ss.Tensor) and found.node is not None:
            found.sum().backward()
    except RuntimeWarning:
        raise
    except Exception:
        pass


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions_are_silent(function: Any) -> None:
    for dtype in ("float32", "float64"):
        for call in _calls(function, dtype):
            _tried(call)


@pytest.mark.parametrize("name", [n for n in dir(ss.Tensor) if not n.startswith("_")])
def test_methods_are_silent(name: str) -> None:
    for call in _calls(lambda x, *more, **o: getattr(x, name)(*more, **o), "float32"):
        _tried(call)


def test_making_tensors_is_silent() -> None:
    _tried(lambda: ss.tensor([1e300]))
    _tried(lambda: ss.tensor(np.array([1e300]), dtype="float32"))
    _tried(lambda: ss.tensor(np.array([np.nan]), dtype="int64"))
    _tried(lambda: ss.full((2,), 1e300))
    _tried(lambda: ss.arange(0.0, 1e300, 1e299))
    _tried(lambda: _extreme("float32") * 1e300)
    _tried(lambda: _extreme("float64").astype("float32"))


@pytest.mark.parametrize(
    "rule", [n for n in optim.__all__ if n in ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop")]
)
def test_optimizers_are_silent(rule: str) -> None:
    parameter = nn.Parameter([1e30, 0.0, 1.0])
    optimizer = getattr(optim, rule)([parameter], lr=1e10)
    for gradient in ([1e38, -1e38, np.nan], [np.inf, 0.0, 1e-40], [3e38] * 3):
        parameter.grad = ss.tensor(gradient)
        optim.clip_grad_norm_([parameter], 1.0)
        _tried(optimizer.step)


def test_whoever_asks_numpy_is_told() -> None:
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        ss.log(ss.zeros(2))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        np.log(np.zeros(2))
        ss.log(ss.zeros(2))
        np.log(np.zeros(2))
    assert len(seen) == 2
    warnings.resetwarnings()
    assert np.isinf(ss.log(ss.zeros(2)).numpy()).all()


@pytest.mark.parametrize("eager", [True, False])
def test_training_is_silent(eager: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)) * [1.0, 1e300, 1e-300]
    y = np.where(x[:, 0] > 0, 1e200, -1e200)
    options: dict[str, Any] = {"epochs": 3, "eager": eager, "quiet": True, "lr": 5.0}
    for task, target in (("regression", y), ("classification", np.where(y > 0, "a", "b"))):
        warnings.simplefilter("error")
        run = ss.train((x, target), task=task, out=tmp_path / task, **options)
        warnings.simplefilter("error")
        run.evaluate((x, target))
        run.predict(x)
