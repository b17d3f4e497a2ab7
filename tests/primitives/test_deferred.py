"""Gradients that are left in their parts look like any other to whoever reads them."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.primitives.deferred import DeferredArray, DeferredTensor, _slot

ROWS, WIDTH = 1500, 30


def batch(number: int, size: int = 12) -> tuple[ss.Tensor, ss.Tensor]:
    rng = np.random.default_rng(number)
    return ss.tensor(rng.integers(0, ROWS, (size, 3))), ss.tensor(rng.integers(0, 4, size))


def make(compiled: bool) -> tuple[Any, Any, Any]:
    """A table, a step that forgets the gradient before, and one that adds to it."""
    ss.manual_seed(0)
    table = nn.Embedding(ROWS, WIDTH, dtype="float64")
    linear = nn.Linear(WIDTH, 4, dtype="float64")
    rule = optim.Adam([*table.parameters(), *linear.parameters()], lr=0.01)

    def step(x: Any, y: Any, forget: bool = True) -> Any:
        loss = nn.functional.cross_entropy(linear(table(x).mean(1)), y)
        if forget:
            rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    def add(x: Any, y: Any) -> Any:
        return step(x, y, False)

    wrapped: list[Callable[..., Any]] = [compile(f) if compiled else f for f in (step, add)]
    return table.weight, *wrapped


def is_in_parts(gradient: Any) -> bool:
    return type(gradient) is DeferredTensor and type(_slot.__get__(gradient)) is DeferredArray


def both(drive: Callable[[Any, Any, Any], Any]) -> None:
    """Drive an eager and a compiled step alike, and compare what comes back."""
    expected, got = (drive(*make(compiled)) for compiled in (False, True))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-14)


def test_the_gradient_is_that_of_the_last_step() -> None:
    def drive(weight: Any, step: Any, add: Any) -> Any:
        found = []
        for number in range(4):
            step(*batch(number))
            found.append(np.array(weight.grad.array))
        step(*batch(5))
        step(*batch(6))
        return [*found, weight.grad, weight]

    both(drive)


def test_it_is_put_together_only_when_it_is_read() -> None:
    weight, step, _ = make(compiled=True)
    for number in range(3):
        step(*batch(number))
    assert is_in_parts(weight.grad)
    before = weight.grad.array
    kept = before.copy()
    assert not is_in_parts(weight.grad)
    assert weight.grad.array is before
    step(*batch(3))
    assert is_in_parts(weight.grad)
    np.testing.assert_array_equal(before, kept)
    assert (weight.grad.array != kept).any()


def test_it_stays_what_it_was_where_it_is_kept() -> None:
    weight, step, _ = make(compiled=True)
    step(*batch(0))
    kept = [weight.grad]
    others, other_step, _ = make(compiled=True)
    other_step(*batch(0))
    seen = [others.grad.array.copy()]
    for number in range(1, 4):
        step(*batch(number))
        other_step(*batch(number))
        kept.append(weight.grad)
        seen.append(others.grad.array.copy())
    for one, other in zip(kept, seen, strict=True):
        np.testing.assert_array_equal(one.array, other)


def test_batches_of_other_sizes_take_turns() -> None:
    def drive(weight: Any, step: Any, add: Any) -> Any:
        found = []
        for number, size in enumerate((12, 7, 12, 7, 7, 12, 12)):
            step(*batch(number, size))
            if number in (1, 2, 5):
                found.append(np.array(weight.grad.array))
        return [*found, weight.grad, weight]

    both(drive)


def test_another_step_adds_to_it() -> None:
    def drive(weight: Any, step: Any, add: Any) -> Any:
        step(*batch(0))
        found = []
        for number in range(1, 9):
            (add if number % 3 else step)(*batch(number))
            if number in (2, 6):
                found.append(np.array(weight.grad.array))
        add(*batch(9))
        return [*found, weight.grad, weight]

    both(drive)


def test_eager_code_reads_and_changes_it() -> None:
    def drive(weight: Any, step: Any, add: Any) -> Any:
        step(*batch(0))
        step(*batch(1))
        found = [np.array((weight.grad * 2.0).array), np.array(copy.deepcopy(weight.grad).array)]
        step(*batch(2))
        found.append(np.asarray(optim.clip_grad_norm_([weight], 1e-4)))
        found.append(np.array(weight.grad.array))
        step(*batch(3))
        weight.grad.assign(weight.grad * 3.0)
        (weight * 2.0).sum().backward()
        return [*found, weight.grad, weight]

    both(drive)


def test_a_scan_leaves_the_gradient_of_its_last_step() -> None:
    x, y = batch(0, 40)
    index = np.random.default_rng(0).integers(0, 40, (5, 12))
    weight, step, _ = make(compiled=True)
    step.scan((x, y), index)
    again, single, _ = make(compiled=False)
    for rows in index:
        single(ss.tensor(x.array[rows]), ss.tensor(y.array[rows]))
    np.testing.assert_allclose(weight.grad.array, again.grad.array, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("read", [False, True])
def test_it_keeps_no_parameter_alive(read: bool) -> None:
    weight, step, add = make(compiled=True)
    step(*batch(0))
    step(*batch(1))
    gradient = weight.grad
    if read:
        assert gradient.shape == (ROWS, WIDTH)
    alive = weakref.ref(weight)
    del weight, step, add
    gc.collect()
    assert alive() is None
    assert gradient.shape == (ROWS, WIDTH)
