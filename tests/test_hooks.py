from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import TraceError


def test_a_hook_sees_all_of_the_error_and_changes_it() -> None:
    x = ss.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    seen: list[Any] = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    handle = h.register_hook(lambda g: g * 10)
    (h * h + h).sum().backward(retain_graph=True)
    assert seen == [[7, 13]]
    assert x.grad.tolist() == [210, 390]  # type: ignore[union-attr]
    handle.remove()
    handle.remove()
    x.grad = None
    (h.sum()).backward()
    assert x.grad.tolist() == [3, 3]  # type: ignore[attr-defined]


def test_hooks_of_leaves_and_roots() -> None:
    torch = pytest.importorskip("torch")
    found = []
    for m in (ss, torch):
        w = m.tensor([1.0, -2.0], dtype=m.float64, requires_grad=True)
        w.register_hook(lambda g: g.clamp(min=0))
        loss = (w * w * w * m.tensor([1.0, -1.0], dtype=m.float64)).sum()
        loss.register_hook(lambda g: g * 2)
        loss.backward()
        found.append(w.grad.numpy())
    np.testing.assert_array_equal(*found)


def test_hooks_run_for_autograd_grad() -> None:
    x = ss.tensor(2.0, requires_grad=True)
    x.register_hook(lambda g: g + 1)
    assert ss.autograd.grad(x * x, x)[0].item() == 5


def test_retained_gradients() -> None:
    x = ss.tensor(2.0, requires_grad=True)
    h = x * x
    h.retain_grad()
    h.register_hook(lambda g: g * 2)
    (h * 3).backward(retain_graph=True)
    assert h.grad.item() == 6  # type: ignore[union-attr]
    (h * 3).backward()
    assert h.grad.item() == 12  # type: ignore[union-attr]
    x.retain_grad()


def test_after_a_gradient_was_added_to() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)
    optimizer = ss.optim.SGD([w], lr=0.5)

    def step(p: ss.Tensor) -> None:
        optimizer.step()
        optimizer.zero_grad()

    handle = w.register_post_accumulate_grad_hook(step)
    (w * w).sum().backward()
    assert w.tolist() == [0, 0]
    assert w.grad is None
    handle.remove()
    (w + 1).sum().backward()
    assert w.tolist() == [0, 0]


def test_with_a_handle() -> None:
    x = ss.tensor(2.0, requires_grad=True)
    with x.register_hook(lambda g: g * 0):
        (x * x).backward()
    (x * x).backward()
    assert x.grad.item() == 4  # type: ignore[union-attr]


def test_errors() -> None:
    x = ss.tensor([2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="requires a gradient, got one without"):
        ss.ones(2).register_hook(print)
    with pytest.raises(RuntimeError, match="expected a leaf"):
        (x * 2).register_post_accumulate_grad_hook(print)
    x.register_hook(lambda g: 3)
    with pytest.raises(ValueError, match=r"a tensor of shape \(1,\) or None, got int"):
        (x * 2).sum().backward()


@pytest.mark.parametrize("when", ["before", "after"])
def test_compiled_steps_call_hooks_of_parameters(when: str) -> None:
    """Also those that came after the first call, and no longer those that went."""
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @ss.compile
    def step(x: Any) -> Any:
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss

    x = ss.tensor([1.0, 3.0])
    if when == "after":
        for _ in range(3):
            step(x)
        assert w.grad.tolist() == [1, 3]  # type: ignore[union-attr]
    handle = w.register_hook(lambda g: g * 2)
    for _ in range(3):
        step(x)
        assert w.grad.tolist() == [2, 6]  # type: ignore[union-attr]
    handle.remove()
    for _ in range(3):
        step(x)
        assert w.grad.tolist() == [1, 3]  # type: ignore[union-attr]


def test_hooks_of_results_within_a_compiled_function() -> None:
    @ss.compile
    def slope(x: Any) -> Any:
        h = x * x
        h.register_hook(lambda g: g.clip(max=1.5))
        return ss.autograd.grad((h * h).sum(), x)[0]

    x = ss.tensor([0.5, 2.0], requires_grad=True)
    assert slope(x).tolist() == [0.5, 6]


def test_a_compiled_function_hooks_on_nothing_from_outside() -> None:
    w = ss.tensor(1.0, requires_grad=True)

    @ss.compile
    def step(x: Any) -> Any:
        w.register_hook(lambda g: g)
        return w * x

    with pytest.raises(TraceError, match=r"register_hook\(\) of a tensor from outside"):
        step(ss.ones(2))
