"""Whose meaning a call has is decided by its spelling, and what has neither is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import array_api as xp
from schuss.spelling.table import FUNCTIONS, METHODS

X = ss.tensor([[1.0, 3.0, 2.0], [6.0, 5.0, 4.0]])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_line_is_a_function_with_its_arguments(name: str) -> None:
    function = getattr(ss, name)
    assert function is getattr(ss.pytorch, name)
    assert function.__name__ == name
    assert function.__doc__
    assert "others" in inspect.signature(function).parameters


@pytest.mark.parametrize("name", METHODS)
def test_every_line_is_a_method(name: str) -> None:
    assert callable(getattr(ss.Tensor, name))
    assert callable(getattr(X, name))


@pytest.mark.parametrize(
    ("standard", "torch"),
    [
        (lambda: X.max(axis=1), lambda: X.max(1)[0]),
        (lambda: ss.min(X, axis=0, keepdims=True), lambda: X.min(0, keepdim=True)[0]),
        (lambda: X.std(axis=0), lambda: X.std(0, correction=0)),
        (lambda: ss.var(X, axis=1, correction=1), lambda: X.var(1)),
        (lambda: ss.sort(X, axis=0, descending=True), lambda: X.sort(0, True)[0]),
        (lambda: X.repeat(2, axis=0), lambda: X.repeat_interleave(2, 0)),
        (lambda: ss.take(X, ss.tensor([1]), axis=1), lambda: X[:, 1:2]),
        (lambda: X.sum(axis=0, keepdims=True), lambda: X.sum(0, True)),
        (lambda: ss.roll(X, shift=1, axis=1), lambda: X.roll(1, 1)),
        (lambda: ss.zeros(shape=(2,)), lambda: ss.zeros(2)),
        (lambda: ss.linspace(0, stop=1, num=3), lambda: ss.linspace(0, end=1, steps=3)),
        (lambda: ss.flip(X, axis=0), lambda: ss.flip(X, dims=(0,))),
        (lambda: xp.max(X, axis=1), lambda: X.amax(1)),
        (lambda: xp.std(X), lambda: X.std(unbiased=False)),
        (lambda: xp.nonzero(X)[0], lambda: X.nonzero()[:, 0]),
        (lambda: ss.concat([X, X], axis=1), lambda: ss.cat([X, X], dim=1)),
    ],
)
def test_the_standard_in_its_own_spelling(
    standard: Callable[[], Any], torch: Callable[[], Any]
) -> None:
    assert standard().tolist() == torch().tolist()


@pytest.mark.parametrize(
    "call",
    [
        lambda: X.max(1, keepdims=True), lambda: ss.std(X, 0, keepdims=True),
        lambda: ss.sort(X, 1, axis=1), lambda: X.min(dim=1, axis=1),
        lambda: X.std(axis=0, unbiased=False),
    ],
)  # fmt: skip
def test_a_mix_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="expected one spelling, PyTorch's or the array API"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss.sum(X, dim=0, axis=0), "sum: expected dim once, got it as axis, too"),
        (lambda: ss.exp(X, foo=1), "exp: unexpected argument 'foo', expected some of input"),
        (lambda: ss.logsumexp(X, dims=1), "logsumexp: unexpected argument 'dims'"),
        (lambda: X.max(foo=1), "max: unexpected argument 'foo'"),
        (lambda: X.logcumsumexp(), "logcumsumexp: expected an argument 'dim', got none"),
        (lambda: ss.zeros(2, device="cuda"), "zeros: expected device 'cpu', the only one"),
        (lambda: X.to("cuda"), "to: expected device 'cpu', the only one"),
        (lambda: ss.matmul(X, X), "matmul: .*(2, 3)"),
        (lambda: ss.exp(X, out=ss.zeros(5)), r"exp: expected out of shape \(2, 3\)"),
        (lambda: ss.exp(X, out=ss.tensor([1])), "exp: expected out of a dtype that holds float32"),
        (lambda: ss.gather(X, 1, X), "gather: expected an integer index"),
        (lambda: ss.device("disk"), "device: expected one of cpu, cuda"),
    ],
)
def test_errors_say_what_was_expected(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_arguments_that_cannot_matter() -> None:
    made = ss.ones(2, device=ss.device("cpu"), requires_grad=True, pin_memory=False)
    assert made.requires_grad
    assert ss.tensor([1.0], device="cpu", requires_grad=True).requires_grad
    assert ss.zeros_like(X, memory_format=None).shape == X.shape
    assert X.to(memory_format=ss.channels_last) is X
    assert X.contiguous(memory_format=ss.contiguous_format).shape == X.shape
    assert X.clone(memory_format=ss.preserve_format).shape == X.shape
    assert ss.nn.Linear(2, 1).to(memory_format=ss.channels_last_3d).weight.shape == (1, 2)
    assert isinstance(ss.channels_last, ss.memory_format)
    assert X.device == "cpu" == X.device.type
    assert not ss.cuda.is_available()


def test_out() -> None:
    out, places = ss.zeros(2), ss.zeros(2, dtype=ss.int64)
    assert ss.max(X, 1, out=(out, places)).values is out
    assert (out.tolist(), places.tolist()) == ([3.0, 6.0], [1, 0])
    grown = ss.empty(0)
    assert ss.add(X, X, out=grown) is grown
    assert grown.shape == (2, 3)


def test_numbers_of_numpy_and_of_tensors() -> None:
    assert X.sum(np.int64(0)).tolist() == X.sum(ss.tensor(0)).tolist() == [7.0, 8.0, 6.0]
    assert ss.zeros(np.int32(2), ss.tensor(3)).shape == (2, 3)
    assert X.topk(ss.tensor(1), np.int8(0)).values.tolist() == [[6.0, 5.0, 4.0]]


def test_a_size_is_a_number_and_can_be_called() -> None:
    assert X.size == 6
    assert X.size() == (2, 3)
    assert X.size(-1) == 3
    with pytest.raises(IndexError, match=r"size: expected an axis of shape \(2, 3\), got 2"):
        X.size(2)


def test_data_is_read_and_assigned() -> None:
    p = ss.nn.Parameter(ss.zeros(2))
    assert not p.data.requires_grad
    p.data = ss.ones(2)
    assert p.requires_grad
    assert p.tolist() == [1.0, 1.0]
    p.data = ss.ones(3)
    assert p.shape == (3,)


def test_generators_draw_apart() -> None:
    a, b = (ss.Generator().manual_seed(5) for _ in range(2))
    before = ss.rand(2, generator=a)
    ss.manual_seed(0)
    first = ss.rand(3)
    ss.manual_seed(0)
    assert ss.rand(2, generator=b).tolist() == before.tolist()
    assert ss.rand(3).tolist() == first.tolist()


def test_draws_have_pytorch_s_arguments() -> None:
    assert ss.randint(10, (3,)).shape == (3,)
    assert ss.randint(0, 5, size=(2,), dtype=ss.int32).dtype == ss.int32
    assert ss.normal(0.0, ss.ones(4)).shape == (4,)
    assert set(ss.bernoulli(ss.full((50,), 0.5)).tolist()) == {0.0, 1.0}
    chances = ss.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 0.0]])
    drawn = ss.multinomial(chances, 2000, replacement=True)
    assert set(drawn[1].tolist()) == {0}
    assert abs(drawn[0].float().mean().item() - 1.75) < 0.05
    assert sorted(ss.multinomial(ss.ones(4), 4).tolist()) == [0, 1, 2, 3]
    filled = ss.zeros(2000).normal_(3.0, 2.0)
    assert abs(filled.mean().item() - 3.0) < 0.3
    assert float(ss.zeros(50).uniform_(2, 3).min()) >= 2.0


def test_modes_and_settings() -> None:
    w = ss.ones(1, requires_grad=True)
    with ss.inference_mode():
        assert not (w * 2).requires_grad
    with ss.set_grad_enabled(False):
        assert not (w * 2).requires_grad
    assert (w * 2).requires_grad
    assert ss.get_default_dtype() == ss.float
    with pytest.raises(AttributeError, match="no dtype 'float16'"):
        _ = ss.float16


@pytest.mark.parametrize(
    "call",
    [
        lambda: ss.maximum(X, 2), lambda: X.maximum(2.0), lambda: ss.hypot(X, other=2),
        lambda: ss.logical_and(True, X > 1), lambda: ss.eq(2, X), lambda: ss.fmod(2, X),
        lambda: ss.isclose(X, 1.0), lambda: ss.pow(2, 3), lambda: ss.bitwise_or(1, 2),
        lambda: ss.clamp_min(2, X), lambda: ss.xlogy(0.5, 2.0), lambda: ss.heaviside(X, 1.0),
        lambda: ss.rsub(1, X), lambda: ss.max(2, X),
    ],
)  # fmt: skip
def test_a_number_where_pytorch_wants_a_tensor_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"expected a tensor as \w+, got the number"):
        call()


def test_a_number_may_stand_beside_a_tensor() -> None:
    assert ss.pow(2, X).tolist() == ss.pow(ss.tensor(2.0), X).tolist()
    assert ss.xlogy(1.0, X).tolist() == ss.log(X).tolist()
    assert X.eq(2.0).sum().item() == 1
    # The array API standard allows them.
    assert xp.maximum(X, 2.0).tolist() == X.clamp(min=2.0).tolist()


def test_out_that_does_not_fit_is_refused() -> None:
    wide = ss.zeros((2, 3), dtype=ss.float64)
    assert ss.add(X, X, out=wide) is wide
    with pytest.raises(TypeError, match="gather: expected out of float32, got float64"):
        ss.gather(X, 1, ss.tensor([[0, 1, 2], [0, 1, 2]]), out=wide)
    with pytest.raises(ValueError, match="cat: expected out to have memory of its own"):
        ss.cat([X[:1], X[1:]], out=X)
    row = ss.tensor([1.0, 2.0])
    ss.mul(row, row, out=row)
    assert row.tolist() == [1.0, 4.0]
