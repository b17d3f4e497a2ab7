"""An interrupt finds a compiled step done or not begun: weights and gradients belong together."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile


def interrupted(run: Callable[[], object], number: int) -> list[str]:
    """Raise KeyboardInterrupt where a function of Python's begins or ends for the n-th time.

    Returns:
        The names of these functions.
    """
    met: list[str] = []

    def look(frame: Any, event: str, argument: Any) -> None:
        # One that ends a generator which is left would be lost.
        if event in ("call", "return") and "<genexpr>" not in frame.f_code.co_name:
            met.append(frame.f_code.co_name)
            if len(met) == number:
                raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        run()
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(before)
    return met


class Job:
    """A training step, with what it has and leaves."""

    def __init__(self, scans: bool) -> None:
        ss.manual_seed(0)
        self.model = nn.Linear(3, 2)
        optimizer = optim.SGD(self.model.parameters(), lr=0.1)
        # A view of the weights: the program works on a copy of them.
        self.view = self.model.bias.detach()[:1]
        self.x = ss.ones(4, 3)

        def step(x: Any) -> Any:
            loss = (self.model(x) ** 2.0).mean()
            loss.backward()
            optimizer.step()
            return loss

        self._step = compile(step)
        self._scans = scans

    def forget(self) -> None:
        """Have no gradients."""
        for p in self.model.parameters():
            p.grad = None

    def run(self) -> None:
        """Do one step."""
        if self._scans:
            self._step.scan(self.x, [[0, 1, 2, 3]])
        else:
            self._step(self.x)

    def seen(self) -> list[np.ndarray]:
        """Return weights, their gradients, and what lies in the same memory."""
        values = [p.numpy().copy() for p in self.model.parameters()]
        found = [p.grad for p in self.model.parameters()]
        slopes = [np.zeros(0) if g is None else g.numpy().copy() for g in found]
        return [*values, *slopes, self.view.numpy().copy()]


def _equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("scans", [False, True])
def test_weights_and_gradients_belong_together(scans: bool) -> None:
    wanted, job = Job(scans), Job(scans)
    for one in (wanted, job):
        one.run()
        one.run()
    done: list[bool] = []
    met = [""]
    while len(met) >= len(done):
        job.forget()
        wanted.forget()
        before = job.seen()
        wanted.run()
        after = wanted.seen()
        met = interrupted(job.run, len(done) + 1)
        done.append(not _equal(job.seen(), before))
        if not done[-1]:
            job.run()
        assert _equal(job.seen(), after), met[-3:]
    # There were interrupts before the native code ran, and after.
    assert len(done) > 10
    assert not done[0]
    assert done[-2]
