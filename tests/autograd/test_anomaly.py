"""Derivatives that are nan are named where `detect_anomaly` asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import schuss as ss
from schuss import autograd


def slope_of_zero(x: Any) -> Any:
    (x.sqrt() * 0.0).sum().backward()


@pytest.mark.parametrize("run", [lambda f: f, ss.compile])
def test_the_operation_is_named(run: Callable[[Any], Any]) -> None:
    w = ss.tensor([0.0, 1.0], requires_grad=True)

    def step() -> None:
        w.grad = None
        slope_of_zero(w)

    call = run(step)
    call()
    with (
        autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match="got nan from the derivative of sqrt for its argument 0"),
    ):
        call()
    call()
    with autograd.detect_anomaly(check_nan=False):
        call()


def test_what_is_set_stays_until_it_is_set_back() -> None:
    w = ss.tensor(0.0, requires_grad=True)
    autograd.set_detect_anomaly(True)
    try:
        with pytest.raises(RuntimeError, match="derivative of sqrt"):
            slope_of_zero(w)
        with autograd.set_detect_anomaly(False):
            slope_of_zero(w)
        with pytest.raises(RuntimeError, match="derivative of sqrt"):
            slope_of_zero(w)
    finally:
        autograd.set_detect_anomaly(False)
    slope_of_zero(w)
