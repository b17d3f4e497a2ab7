"""`gradcheck` and `gradgradcheck` take PyTorch's arguments and give its verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import autograd

X = np.array([[0.3, -0.7], [1.2, 0.4]])


class Wrong(autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * x * 2.1


def wanting(lib: Any, array: Any = X) -> Any:
    return lib.tensor(array, dtype=lib.float64, requires_grad=True)


def test_right_ones() -> None:
    torch = pytest.importorskip("torch")
    for lib in (ss, torch):
        x, y = wanting(lib), lib.tensor(X, dtype=lib.float64)
        for f in (
            lambda x, y: x @ y,
            lambda x, y: (x.exp(), (x * y).sum()),
            lambda x, y: x.clamp(0.0, 1.0),
            lambda x, y: x.logsumexp(1),
        ):
            assert lib.autograd.gradcheck(f, (x, y), eps=1e-6, atol=1e-4) is True
            assert lib.autograd.gradgradcheck(f, (x, y)) is True
        assert lib.autograd.gradcheck(lambda x: x**3, wanting(lib), fast_mode=True)


def test_wrong_ones() -> None:
    with pytest.raises(autograd.GradcheckError, match="Jacobian of output 0 by input 0"):
        autograd.gradcheck(Wrong.apply, (wanting(ss),))
    assert autograd.gradcheck(Wrong.apply, (wanting(ss),), raise_exception=False) is False
    assert autograd.gradcheck(Wrong.apply, (wanting(ss),), rtol=0.1)
    with pytest.raises(ValueError, match="expected at least one input with requires_grad=True"):
        autograd.gradcheck(lambda x: x, ss.tensor(X))


def test_wrong_second_derivatives() -> None:
    class Once(Wrong):
        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * x.detach() * 2.0

    assert autograd.gradcheck(Once.apply, wanting(ss))
    assert not autograd.gradgradcheck(Once.apply, wanting(ss), raise_exception=False)
