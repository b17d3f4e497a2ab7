"""Changes in place do what PyTorch does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.functions import inplace

X = np.array([[1.5, -2.0], [0.5, 4.0]])
CALLS: dict[str, Any] = {
    "copy_": lambda x, y: x.copy_(y),
    "add_": lambda x, y: x.add_(y, alpha=-0.5),
    "clamp_": lambda x, y: x.clamp_(min=0.0, max=2.0),
    "div_": lambda x, y: x.div_(y),
    "mul_": lambda x, y: x.mul_(2),
    "pow_": lambda x, y: x.pow_(2),
    "sub_": lambda x, y: x.sub_(y, alpha=3),
}


def plus(x: Any, y: Any) -> Any:
    x += y
    return x


def minus(x: Any, y: Any) -> Any:
    x -= y
    return x


def times(x: Any, y: Any) -> Any:
    x *= y
    return x


def over(x: Any, y: Any) -> Any:
    x /= y
    return x


def power(x: Any, y: Any) -> Any:
    x **= 2
    return x


SIGNS = (plus, minus, times, over, power)


def test_every_name_has_a_call() -> None:
    assert set(CALLS) == set(inplace.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_methods_equal_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    x, theirs = ss.tensor(X), torch.tensor(X)
    assert CALLS[name](x, ss.tensor(X[0])) is x
    CALLS[name](theirs, torch.tensor(X[0]))
    np.testing.assert_array_equal(x.numpy(), theirs.numpy())


@pytest.mark.parametrize("change", SIGNS)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_signs_change_the_tensor_itself_inside_no_grad(change: Any, requires_grad: bool) -> None:
    x = ss.tensor(X, requires_grad=requires_grad)
    expected = change(np.array(X), X[0])
    with ss.no_grad():
        assert change(x, ss.tensor(X[0])) is x
    assert x.requires_grad is requires_grad
    np.testing.assert_array_equal(x.numpy(), expected)


@pytest.mark.parametrize("change", SIGNS)
def test_signs_are_recorded_but_for_parameters(change: Any) -> None:
    x = ss.tensor(X, requires_grad=True)
    with pytest.raises(ValueError, match="inside no_grad"):
        change(x, 2.0)
    np.testing.assert_array_equal(x.numpy(), X)
    y = x * 1.0
    assert change(y, 2.0) is y
    ss.check_gradients(lambda x: change(x * 1.0, 2.0), x)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_step_of_descent_by_hand(compiled: bool) -> None:
    ss.manual_seed(0)
    model = nn.Linear(2, 1)
    before = [parameter.numpy().copy() for parameter in model.parameters()]
    x, y = ss.tensor([[1.0, 2.0], [3.0, 5.0]]), ss.tensor([[1.0], [2.0]])

    def step(x: ss.Tensor, y: ss.Tensor) -> ss.Tensor:
        model.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        with ss.no_grad():
            for parameter in model.parameters():
                parameter -= 0.01 * parameter.grad
        return loss.detach()

    run = ss.compile(step) if compiled else step
    losses = [run(x, y).item() for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]
    for parameter, start in zip(model.parameters(), before, strict=True):
        assert not np.array_equal(parameter.numpy(), start)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.add_(1.0), ValueError, "^add_: .* inside no_grad"),
        (lambda x: x[0].sub_(1.0), ValueError, "^sub_: .* takes part in differentiation"),
        (lambda x: ss.no_grad(ss.Tensor.mul_)(x * 2, 2.0), ValueError, "^mul_: .* takes part in"),
        (lambda x: ss.ones(2).expand(3, 2).mul_(2.0), ValueError, "^mul_: .*expand"),
        (lambda x: (x * 1).expand(3, 2, 2)[1].fill_(2.0), ValueError, "expand"),
        (
            lambda x: ss.compile(lambda y: (y * 1).expand(3, 2)[1].fill_(2.0))(x[0].detach()),
            ValueError,
            "expand",
        ),
        (lambda x: ss.tensor([1.0]).add_([1.0, 2.0]), ValueError, r"of shape \(1,\), got \(2,\)"),
        (lambda x: ss.tensor([1]).add_(0.5), TypeError, "that int64 holds, got float32"),
    ],
)
def test_what_cannot_be_changed(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(ss.tensor(X, requires_grad=True))


def test_signs_keep_shape_and_dtype() -> None:
    with ss.no_grad():
        with pytest.raises(ValueError, match=r"^\+=: expected a result of shape \(1,\)"):
            plus(ss.tensor([1.0]), ss.tensor([1.0, 2.0]))
        with pytest.raises(TypeError, match="^/=: expected a result that int64 holds"):
            over(ss.tensor([1]), 2)


def test_a_loss_noted_after_its_backward_pass_is_a_number() -> None:
    x, history = ss.tensor(X, requires_grad=True), ss.zeros(3)
    for step in range(3):
        loss = (x * x).sum()
        loss.backward()
        history[step] = loss
    assert not history.requires_grad
    assert history.tolist() == [loss.item()] * 3


def test_numbers_are_written_with_all_digits() -> None:
    # They are no float32 on their way.
    x = ss.tensor([0.0, 0.0], "float64")
    x[0] = 16777217.0
    x[1].copy_(0.1, non_blocking=True)
    assert x.tolist() == [16777217.0, 0.1]
    whole = ss.tensor([0, 0])
    whole[0] = 2**53 + 1
    assert whole.tolist() == [2**53 + 1, 0]


def test_what_a_mask_of_none_picks_can_be_written_to() -> None:
    y = ss.ones(2, 3)
    y[:, ss.tensor([False] * 3)] *= 2
    assert y.tolist() == [[1.0] * 3] * 2
    value = ss.ones(2, 1, requires_grad=True)
    z = y * 1
    z[:, ss.tensor([False] * 3)] = value * 3
    (z.sum() + value.sum()).backward()
    assert z.tolist() == y.tolist()
    assert value.grad.tolist() == [[1.0], [1.0]]
    with pytest.raises(ValueError, match=r"expected a value of shape \(2, 0\), got \(3, 1\)"):
        z[:, ss.tensor([False] * 3)] = ss.ones(3, 1, requires_grad=True) * 1
