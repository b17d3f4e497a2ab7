"""Pickling and deep copies, as libraries that send work to other processes do it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.training import Callback, Trainer

MODULES = (ss, nn, nn.functional, optim, optim.lr_scheduler, ss.functions, ss.random, ss.training)


class Stop(Callback):
    """Does nothing; a class that pickle finds."""


@ss.compile
def doubled(x: Any) -> Any:
    return x * 2.0


def _by_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _by_cloudpickle(value: Any) -> Any:
    return pickle.loads(cloudpickle.dumps(value))


WAYS = pytest.mark.parametrize("way", [_by_pickle, _by_cloudpickle, copy.deepcopy])


def test_every_public_function_and_class_is_pickled_by_its_name() -> None:
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                assert _by_pickle(value) is value, name
                assert _by_cloudpickle(value) is value, name


def test_a_function_that_uses_the_package_can_be_sent() -> None:
    # Such as one of a notebook, whose module nobody can import.
    program = (
        "import pickle, sys, cloudpickle\n"
        "import schuss as ss\n"
        "from schuss import nn, optim\n"
        "@ss.compile\n"
        "def compiled(x): return ss.exp(x) * 2.0\n"
        "def work(x):\n"
        "    layer = nn.Linear(1, 1)\n"
        "    optim.Adam(layer.parameters()); nn.functional.relu(ss.tensor(x))\n"
        "    return compiled(ss.tensor(x)).tolist()\n"
        "compiled(ss.tensor([0.0]))\n"
        "assert pickle.loads(pickle.dumps(compiled))(ss.tensor([0.0])).tolist() == [2.0]\n"
        "sys.stdout.buffer.write(cloudpickle.dumps(work))\n"
    )
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    other = "import sys, pickle; print(pickle.load(sys.stdin.buffer)([0.0, 0.0]))"
    found = subprocess.run(
        [sys.executable, "-c", other], input=made.stdout, capture_output=True, check=True
    )
    assert found.stdout.decode().strip() == "[2.0, 2.0]"


@WAYS
def test_tensors_and_networks(way: Any) -> None:
    x = ss.tensor([1.0, 2.0], requires_grad=True)
    x.grad = ss.tensor([3.0, 4.0])
    twin = way(x)
    assert twin.tolist() == [1.0, 2.0]
    assert twin.requires_grad
    assert twin.grad.tolist() == [3.0, 4.0]
    assert twin is not x
    (twin * twin).sum().backward()

    model = nn.Sequential(nn.Embedding(5, 4, sparse=True), nn.BatchNorm1d(4), nn.ReLU())
    model(ss.tensor([1, 2, 3])).sum().backward()
    again = way(model)
    assert isinstance(again[0].weight, nn.Parameter)
    for name, value in model.state_dict().items():
        assert np.array_equal(again.state_dict()[name].array, value.array)
    if way is copy.deepcopy:
        # As PyTorch has it.
        assert again[0].weight.grad is None
    else:
        assert np.array_equal(again[0].weight.grad.array, model[0].weight.grad.array)


@WAYS
def test_optimizers_and_schedulers_go_on_alike(way: Any) -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)

    def step(model: Any, optimizer: Any, scheduler: Any) -> None:
        optimizer.zero_grad()
        (model(ss.tensor([[1.0, 2.0]])) ** 2).sum().backward()
        optimizer.step()
        scheduler.step()

    step(model, optimizer, scheduler)
    twins = way((model, optimizer, scheduler))
    assert twins[1].param_groups[0]["params"][0] is twins[0].weight
    for _ in range(3):
        step(model, optimizer, scheduler)
        step(*twins)
    assert np.array_equal(twins[0].weight.array, model.weight.array)
    assert twins[1].param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


@WAYS
def test_trainers_and_runs(way: Any, tmp_path: Path) -> None:
    x = np.linspace(-1.0, 1.0, 40, dtype=np.float32)[:, None]
    options: dict[str, Any] = {"schedule": "one_cycle", "metrics": ["rmse"], "clip_norm": 1.0}
    model = nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.1), nn.Linear(4, 1))
    trainer = Trainer(model, "mse", epochs=3, lr=0.1, callbacks=[Stop()], progress=False, **options)
    trainer.fit((x, x[:, 0]))
    twin = way(trainer)
    assert repr(twin) == repr(trainer)
    first, second = trainer.fit((x, x[:, 0])), way(twin).fit((x, x[:, 0]))
    drop = ("seconds",)
    assert [{k: v for k, v in r.items() if k not in drop} for r in first.history] == [
        {k: v for k, v in r.items() if k not in drop} for r in second.history
    ]
    run = ss.train("iris", epochs=1, quiet=True, out=tmp_path / "run")
    again = way(run)
    assert np.array_equal(again.predict_proba("iris"), run.predict_proba("iris"))
    assert again.test == run.test


@WAYS
def test_compiled_functions_are_their_functions(way: Any) -> None:
    assert way(doubled) is doubled
    x = ss.tensor([1.0, 2.0])
    for function in (ss.compile(ss.exp), ss.compile(nn.Linear(2, 2))):
        expected = function(x).tolist()
        assert way(function)(x).tolist() == expected
