"""Noticing changes: what a program relies on, and what becomes of it when it changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime import guards
from schuss.compiler.runtime.guards import MemoryGuard, address_of, references_to, slot_of
from schuss.core import leaf
from schuss.nn import functional as F


def test_an_address_is_the_arrays_own() -> None:
    array = np.arange(6.0).reshape(2, 3)
    for view in (array, array[1:], array.T):
        assert address_of(view) == view.__array_interface__["data"][0]


def test_a_watch_sees_slots_and_references() -> None:
    tensor = leaf(np.zeros(3))
    watch = MemoryGuard()
    assert not watch.holds()

    def arm() -> None:
        words = [(slot_of(tensor, name), id(getattr(tensor, name))) for name in ("array", "grad")]
        watch.set(words)

    arm()
    if slot_of(tensor, "array") is None:
        pytest.skip("this Python keeps slots elsewhere")
    assert watch.holds()
    tensor.grad = leaf(np.zeros(3))
    assert not watch.holds()
    arm()
    assert watch.holds()
    before = tensor.array
    tensor.array = np.zeros(3)
    assert not watch.holds()
    tensor.array = before
    assert watch.holds()
    place = references_to(id(before))
    count = guards.ctypes.c_int64.from_address(place or 0).value
    watch.set([(place, count)])
    assert watch.holds()
    alias = before
    assert not watch.holds()
    del alias
    assert watch.holds()


def test_what_cannot_be_found_counts_as_changed() -> None:
    watch = MemoryGuard()
    watch.set([(None, 0)])
    assert not watch.holds()


@pytest.mark.parametrize("found", [True, False])
def test_changes_from_outside_are_noticed(found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not found:
        monkeypatch.setattr("schuss.compiler.runtime.executable.slot_of", lambda *_: None)
        monkeypatch.setattr("schuss.compiler.specialization.slot_of", lambda *_: None)
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
        kept = held.copy()
        seen.append(run(x, y).item())
        np.testing.assert_array_equal(held, kept)
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
