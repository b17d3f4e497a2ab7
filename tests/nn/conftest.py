"""What the tests of layers hold to PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss

Call = Callable[..., Any]


def _several(found: Any) -> list[Any]:
    return [x for x in found if x is not None] if isinstance(found, (tuple, list)) else [found]


def _with_gradients(library: Any, call: Call, tensors: tuple[Any, ...]) -> list[Any]:
    """Return the results of a call, and the gradients of a weighted sum of them."""
    marked = [x.detach() for x in tensors]
    for x in marked:
        if "float" in str(x.dtype):
            x.requires_grad_()
    found = _several(call(library, *marked))
    total: Any = 0.0
    for y in found:
        if y.requires_grad:
            weights = np.cos(np.arange(np.prod(y.shape))).reshape(tuple(y.shape))
            total = total + (y * library.tensor(weights)).sum()
    if found[0].requires_grad:
        total.backward()
    return [*found, *[x.grad for x in marked if x.grad is not None]]


def _arrays(found: list[Any]) -> list[np.ndarray]:
    return [np.asarray(x.detach().numpy()) for x in found]


@pytest.fixture
def same_as_pytorch() -> Callable[..., None]:
    """Return what holds a call to PyTorch's results and gradients, eager and compiled.

    The call takes the library and a tensor for each array; floats are float64, and compared to a
    relative 1e-9.
    """
    torch = pytest.importorskip("torch")

    def check(call: Call, *arrays: Any, compiled: bool | None = None) -> None:
        wanted = _arrays(_with_gradients(torch, call, tuple(map(torch.tensor, arrays))))
        for is_compiled in (False, True) if compiled is None else (compiled,):
            run: Call = lambda *xs: _with_gradients(ss, call, xs)  # noqa: E731  # compiled or not
            found = _arrays((ss.compile(run) if is_compiled else run)(*map(ss.tensor, arrays)))
            assert [x.shape for x in found] == [x.shape for x in wanted]
            for mine, theirs in zip(found, wanted, strict=True):
                assert mine.dtype == theirs.dtype
                np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)

    return check
