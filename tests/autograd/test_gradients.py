from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import autograd


def leaves(*values: Any) -> list[ss.Tensor]:
    return [ss.tensor(v, dtype="float64", requires_grad=True) for v in values]


def test_gradients_leave_grad_alone() -> None:
    x, y = leaves([1.0, 2.0], [3.0, 5.0])
    found = autograd.grad((x * y).sum(), (x, y))
    assert [g.tolist() for g in found] == [[3, 5], [1, 2]]
    assert x.grad is None
    assert not found[0].requires_grad


def test_by_results_on_the_way_and_what_lies_behind_them() -> None:
    (x,) = leaves([1.0, 2.0])
    h = x * x
    y = (h * x).sum()
    by_h, by_x = autograd.grad(y, [h, x])
    assert by_h.tolist() == [1, 2]
    assert by_x.tolist() == [3, 12]
    assert autograd.grad((x * 3).sum(), x)[0].tolist() == [3, 3]


def test_by_itself() -> None:
    (x,) = leaves(2.0)
    y = x * x
    assert [g.item() for g in autograd.grad(y, [y, x])] == [1, 4]


def test_higher_orders() -> None:
    (x,) = leaves([1.0, 2.0])
    (first,) = autograd.grad((x**4).sum(), x, create_graph=True)
    (second,) = autograd.grad(first.sum(), x, create_graph=True)
    (third,) = autograd.grad(second.sum(), x)
    assert third.tolist() == [24, 48]


def test_several_outputs_and_their_errors() -> None:
    (x,) = leaves([1.0, 2.0])
    errors = [ss.tensor([1.0, 10.0]), None]
    assert autograd.grad([x * 2, x.sum()], x, errors)[0].tolist() == [3, 21]
    with pytest.raises(ValueError, match="a gradient for each of 2 outputs, got 1"):
        autograd.grad([x * 2, x.sum()], x, [ss.ones(2)])
    with pytest.raises(ValueError, match="expected one element or a gradient"):
        autograd.grad(x * 2, x)


def test_what_has_no_part() -> None:
    x, y = leaves(1.0, [1.0, 2.0])
    z = ss.tensor(1.0)
    with pytest.raises(RuntimeError, match=r"shape \(2,\) that has none; allow_unused=True"):
        autograd.grad(x * 2, [x, y])
    assert autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    assert autograd.grad(x * 2, [x, y], materialize_grads=True)[1].tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="expected inputs that require a gradient"):
        autograd.grad(x * z, z)
    with pytest.raises(RuntimeError, match="depends on none"):
        autograd.grad(z * 2, x)


def test_a_graph_is_freed_unless_it_is_kept() -> None:
    (x,) = leaves(3.0)
    y = x * x
    autograd.grad(y, x, retain_graph=True)
    autograd.grad(y, x)
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        autograd.grad(y, x)


def test_only_inputs() -> None:
    x = ss.tensor([1.0, 2.0], requires_grad=True)
    # By position as PyTorch has it: grad_outputs, retain_graph, create_graph, only_inputs.
    assert autograd.grad((x * x).sum(), x, None, False, False, True)[0].tolist() == [2, 4]
    with pytest.raises(ValueError, match="expected only_inputs=True"):
        autograd.grad((x * x).sum(), x, only_inputs=False)


def test_a_batch_of_errors() -> None:
    (x,) = leaves([1.0, 2.0])
    (found,) = autograd.grad(x * x, x, ss.asarray(np.eye(2)), is_grads_batched=True)
    assert found.tolist() == [[2, 0], [0, 4]]


def test_backward_of_several_and_into_inputs_alone() -> None:
    x, y = leaves(2.0, 3.0)
    h = x * y
    autograd.backward([h * x, h], inputs=[x, h])
    assert (x.grad.item(), h.grad.item(), y.grad) == (15, 3, None)  # type: ignore[union-attr]
    (x * x * y).backward(inputs=x)
    assert x.grad.item() == 15 + 12  # type: ignore[union-attr]


def test_backward_with_create_graph() -> None:
    (x,) = leaves(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad is not None
    assert x.grad.requires_grad
    penalty = x.grad**2
    x.grad = None
    penalty.backward()
    assert x.grad.item() == 2 * 12 * 12  # type: ignore[attr-defined]


def test_compiled_gradient_penalty() -> None:
    def penalty(x: Any, w: Any) -> Any:
        y = (x @ w).tanh().sum()
        (slope,) = autograd.grad(y, x, create_graph=True)
        loss = ((slope**2).sum() - 1) ** 2
        return autograd.grad(loss, w)[0]

    ss.manual_seed(0)
    x = ss.randn(3, 2, dtype="float64").requires_grad_()
    w = ss.randn(2, 4, dtype="float64").requires_grad_()
    eager = penalty(x, w)
    compiled = ss.compile(penalty)(x, w)
    np.testing.assert_allclose(compiled.numpy(), eager.numpy(), rtol=1e-12)
    torch = pytest.importorskip("torch")
    tx, tw = (torch.tensor(t.detach().numpy(), requires_grad=True) for t in (x, w))
    (slope,) = torch.autograd.grad((tx @ tw).tanh().sum(), tx, create_graph=True)
    (expected,) = torch.autograd.grad(((slope**2).sum() - 1) ** 2, tw)
    np.testing.assert_allclose(eager.numpy(), expected.numpy(), rtol=1e-12)


def test_variable() -> None:
    assert autograd.Variable(ss.ones(2), requires_grad=True).requires_grad
    assert not autograd.Variable([1.0]).requires_grad


def test_only_inputs_is_taken_in_its_place() -> None:
    x = ss.tensor([3.0], requires_grad=True)
    found = autograd.grad(x * x, x, ss.ones(1), True, False, True, True)
    assert found[0].tolist() == [6.0]
    with pytest.raises(ValueError, match="grad: expected only_inputs=True"):
        autograd.grad(x * x, x, only_inputs=False)
