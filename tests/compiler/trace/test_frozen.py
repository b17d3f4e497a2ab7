"""Parameters that are frozen and train again between compiled steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import optim
from schuss.compiler import compile

pytestmark = pytest.mark.usefixtures("natively_and_in_plain_python")


def history(turns: str, *, compiled: bool, sets_none: bool) -> list[Any]:
    """Return a parameter and the sum of its gradient after each turn.

    s: a step; a: gradients are added; p: and applied; f: frozen or not; h: gradients are halved.
    """
    a, b = (ss.tensor(np.array([1.0, x]), requires_grad=True) for x in (2.0, 6.0))
    optimizer = optim.SGD([a, b], lr=0.1, weight_decay=0.1)

    def add() -> Any:
        loss = (a * a).sum() + (b * b).sum()
        loss.backward()
        return loss

    def apply() -> None:
        optimizer.step()
        optimizer.zero_grad()

    def step() -> Any:
        optimizer.zero_grad(set_to_none=sets_none)
        loss = add()
        optimizer.step()
        return loss

    def freeze() -> None:
        b.requires_grad_(not b.requires_grad)

    def halve() -> None:
        for p in (a, b):
            if p.grad is not None:
                p.grad *= 0.5

    wrap: Any = compile if compiled else lambda function: function
    calls = {"s": wrap(step), "a": wrap(add), "p": wrap(apply), "f": freeze, "h": halve}
    found: list[Any] = []
    for turn in turns:
        calls[turn]()
        found += [b.tolist(), None if b.grad is None else b.grad.sum().item()]
    return found


@pytest.mark.parametrize(
    "turns", ["apsfssfs", "sfssfss", "fssfsfs", "apsfsapsfs", "fpafpp", "ahpfaph"]
)
@pytest.mark.parametrize("sets_none", [False, True])
def test_they_are_as_eager_ones(turns: str, sets_none: bool) -> None:
    eager, compiled = (history(turns, compiled=c, sets_none=sets_none) for c in (False, True))
    assert len(eager) == len(compiled)
    for wanted, got in zip(eager, compiled, strict=True):
        assert (got is None) is (wanted is None)
        if wanted is not None:
            np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_gradients_that_come_to_what_is_frozen_are_applied() -> None:
    p = ss.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    step = compile(optimizer.step)
    p.requires_grad_(False)
    step()
    p.grad = ss.tensor([1.0, 1.0])
    step()
    np.testing.assert_allclose(p.tolist(), [0.9, 1.9], rtol=1e-6)
    p.grad = None
    step()
    np.testing.assert_allclose(p.tolist(), [0.9, 1.9], rtol=1e-6)
