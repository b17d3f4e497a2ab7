"""Guards: what a program relies on, and what becomes of it when it changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime.guards import MemoryGuard
from schuss.core import leaf
from schuss.native import cpython
from schuss.native.cpython import refcount_address, reference_count, slot_address
from schuss.nn import functional as F


@pytest.mark.skipif(not cpython.layout_is_known(), reason="needs the objects' layout")
def test_a_guard_sees_slots_and_references() -> None:
    tensor = leaf(np.zeros(3))
    guard = MemoryGuard()
    assert not guard.holds()

    def guard_slots() -> None:
        names = ("array", "grad")
        guard.set([(slot_address(tensor, name), id(getattr(tensor, name))) for name in names])

    guard_slots()
    assert guard.holds()
    tensor.grad = leaf(np.zeros(3))
    assert not guard.holds()
    guard_slots()
    assert guard.holds()
    before = tensor.array
    tensor.array = np.zeros(3)
    assert not guard.holds()
    tensor.array = before
    assert guard.holds()
    count = reference_count(id(before))
    assert count == 2
    guard.set([(refcount_address(id(before)), count)])
    assert guard.holds()
    alias = before
    assert not guard.holds()
    del alias
    assert guard.holds()


def test_a_guard_without_an_address_does_not_hold() -> None:
    guard = MemoryGuard()
    guard.set([(None, 0)])
    assert not guard.holds()


def test_no_guard_holds_in_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpython, "unknown_layout", lambda: "it is switched off")
    guard = MemoryGuard()
    for words in ([], [(np.zeros(1).ctypes.data, 0)]):
        guard.set(words)
        assert not guard.holds()


@pytest.mark.usefixtures("natively_and_in_plain_python")
def test_changes_from_outside_are_noticed() -> None:
    rng = np.random.default_rng(0)
    x = ss.tensor(rng.normal(size=(8, 4)).astype("f4"))
    y = ss.tensor(rng.integers(0, 3, 8))
    results = []
    for wrap in (lambda f: f, compile):
        ss.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3))
        rule = optim.Adam(model.parameters(), lr=0.1)

        def step(x: Any, y: Any, model: Any = model, rule: Any = rule) -> Any:
            loss = F.cross_entropy(model(x), y)
            rule.zero_grad()
            loss.backward()
            rule.step()
            return loss

        run = wrap(step)
        weight = next(iter(model.parameters()))
        seen = [run(x, y).item() for _ in range(3)]
        held = weight.array
        before = held.copy()
        seen.append(run(x, y).item())
        assert held is weight.array
        assert not np.array_equal(held, before)
        weight.assign(weight * 2.0)
        seen.append(run(x, y).item())
        model.eval()
        seen.append(run(x, y).item())
        weight.requires_grad = False
        seen.append(run(x, y).item())
        weight.requires_grad = True
        seen.append(run(x, y).item())
        weight.grad = None
        rule.param_groups[0]["lr"] = 0.01
        seen += [run(x, y).item() for _ in range(2)]
        results.append([*seen, *weight.array.reshape(-1)])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)
