"""Programs write in place what they own, also while other programs read it."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime import ownership

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


def test_an_array_that_somebody_else_keeps_stays_as_it_is() -> None:
    model, step, read = _made()
    step(X, Y)
    read(X)
    kept = model.weight.array
    before = kept.copy()
    step(X, Y)
    np.testing.assert_array_equal(kept, before)
    assert model.weight.array is not kept
    expected = X.array @ model.weight.array.T + model.bias.array
    np.testing.assert_allclose(read(X).array, expected, rtol=1e-12)


def test_a_reading_program_follows_a_tensor_to_another_array() -> None:
    model, step, read = _made()
    read(X)
    step(X, Y)
    for _ in range(2):
        model.weight.assign(RNG.normal(size=(1, 4)))
        expected = X.array @ model.weight.array.T + model.bias.array
        np.testing.assert_allclose(read(X).array, expected, rtol=1e-12)
    held = len(ownership._READERS)
    del read
    gc.collect()
    assert len(ownership._READERS) == held - 2
