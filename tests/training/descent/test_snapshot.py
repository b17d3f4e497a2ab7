from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim, random
from schuss.compiler import compiled
from schuss.training.descent.snapshot import Snapshot


def _state(model: nn.Module, optimizer: optim.Optimizer) -> list[np.ndarray]:
    held = [v for s in optimizer.state.values() for v in s.values() if isinstance(v, ss.Tensor)]
    common = [value for numbers in optimizer.common for value in numbers.values()]
    tensors = [*model.parameters(), *model.buffers(), *held, *common]
    return [t.array.copy() for t in tensors] + [np.array(random.get_state())]


def _step(model: nn.Module, optimizer: optim.Optimizer) -> None:
    loss = (model(ss.randn(16, 3)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


RULES: list[Callable[[Any], optim.Optimizer]] = [
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: optim.Adam(p, lr=0.1),
    lambda p: optim.NAdam(p, lr=0.1),
    lambda p: optim.ASGD(p, lr=0.1),
    lambda p: optim.Rprop(p, lr=0.1),
    lambda p: optim.Prodigy(p, d0=0.1),
    lambda p: optim.DAdaptSGD(p, d0=0.1),
    lambda p: optim.SOAP(p, lr=0.1),
    lambda p: optim.Lookahead(optim.Adam(p, lr=0.1), k=2),
]


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("make", RULES)
def test_going_back_leaves_nothing_of_the_steps_since(
    make: Callable[[Any], optim.Optimizer], steps: int
) -> None:
    random.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = make(model.parameters())
    for _ in range(steps):
        _step(model, optimizer)
    rate = optimizer.param_groups[0]["lr"]
    snapshot = Snapshot(model, optimizer)
    for _ in range(5):
        _step(model, optimizer)
    expected = _state(model, optimizer)
    optimizer.param_groups[0]["lr"] = 7.0
    snapshot.restore()
    assert optimizer.param_groups[0]["lr"] == rate
    # The same steps once more: they are the same only if everything was.
    for _ in range(5):
        _step(model, optimizer)
    for found, value in zip(_state(model, optimizer), expected, strict=True):
        assert np.array_equal(found, value)


def test_a_compiled_step_goes_on_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = []
    trace_call = compiled.trace_call

    def counted(*args: Any, **options: Any) -> Any:
        traced.append(1)
        return trace_call(*args, **options)

    monkeypatch.setattr(compiled, "trace_call", counted)
    model = nn.Linear(3, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        loss = (model(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    x = ss.randn(8, 3)
    snapshot = Snapshot(model, optimizer)
    first = [step(x).item() for _ in range(4)]
    count = len(traced)
    snapshot.restore()
    assert [step(x).item() for _ in range(4)] == first
    assert len(traced) == count
