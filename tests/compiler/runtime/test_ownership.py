"""Programs write in place what they own, also while other programs read it."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime import ownership
from schuss.core import leaf
from schuss.native import cpython

RNG = np.random.default_rng(0)
X = ss.tensor(RNG.normal(size=(8, 4)))
Y = ss.tensor(RNG.normal(size=(8, 1)))


def _made() -> tuple[nn.Linear, Any, Any]:
    ss.manual_seed(0)
    model = nn.Linear(4, 1).double()
    rule = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        loss = ((model(x) - y) ** 2).mean()
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss.detach()

    return model, compile(step), compile(lambda x: model(x))


@pytest.mark.skipif(not cpython.layout_is_known(), reason="needs the objects' layout")
def test_a_program_that_reads_makes_no_copies_of_what_another_writes() -> None:
    model, step, read = _made()
    read(X)
    step(X, Y)
    step(X, Y)
    arrays = [p.array for p in model.parameters()]
    addresses = [a.ctypes.data for a in arrays]
    del arrays
    for _ in range(3):
        expected = X.array @ model.weight.array.T + model.bias.array
        np.testing.assert_allclose(read(X).array, expected, rtol=1e-12)
        step(X, Y)
        assert [p.array.ctypes.data for p in model.parameters()] == addresses
    # It is as good as alone when the reading program is gone, too.
    del read
    gc.collect()
    step(X, Y)
    assert [p.array.ctypes.data for p in model.parameters()] == addresses


@pytest.mark.usefixtures("natively_and_in_plain_python")
@pytest.mark.parametrize("keep", [lambda a: a, lambda a: a[:, 1:].T[1:], memoryview])
def test_an_array_that_somebody_else_keeps_goes_on_with_the_tensor(keep: Any) -> None:
    model, step, read = _made()
    step(X, Y)
    read(X)
    kept = keep(model.weight.array)
    before = np.array(kept)
    step(X, Y)
    assert not np.array_equal(kept, before)
    np.testing.assert_array_equal(kept, keep(model.weight.array))
    assert np.shares_memory(model.weight.array, np.asarray(kept))
    expected = X.array @ model.weight.array.T + model.bias.array
    np.testing.assert_allclose(read(X).array, expected, rtol=1e-12)


@pytest.mark.skipif(not cpython.layout_is_known(), reason="needs the objects' layout")
def test_only_an_array_that_nobody_else_refers_to_is_owned() -> None:
    tensor = leaf(np.zeros(3))
    assert not ownership.is_owned(tensor)
    ownership.give_ownership(tensor, ownership.aligned((3,), np.dtype(np.float64)))
    assert ownership.is_owned(tensor)
    view = tensor.array[1:]
    assert not ownership.is_owned(tensor)
    assert view.base is tensor.array
    del view
    borrowed = ownership.BorrowedArrays(1)
    borrowed.borrow(0, tensor.array)
    assert ownership.is_owned(tensor)
    tensor.array = np.zeros(3)
    assert not ownership.is_owned(tensor)


def test_nothing_is_owned_in_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpython, "unknown_layout", lambda: "it is switched off")
    tensor = leaf(np.zeros(3))
    ownership.give_ownership(tensor, ownership.aligned((3,), np.dtype(np.float64)))
    assert not ownership.is_owned(tensor)


@pytest.mark.usefixtures("natively_and_in_plain_python")
def test_a_reading_program_follows_a_tensor_to_another_array() -> None:
    model, step, read = _made()
    read(X)
    step(X, Y)
    for _ in range(2):
        model.weight.assign(RNG.normal(size=(1, 4)))
        expected = X.array @ model.weight.array.T + model.bias.array
        np.testing.assert_allclose(read(X).array, expected, rtol=1e-12)
    gc.collect()
    held = len(ownership._BORROWERS)
    del read
    gc.collect()
    assert len(ownership._BORROWERS) == held - 2
