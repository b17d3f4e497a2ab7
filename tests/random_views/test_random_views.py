"""A fixed slice of the random sequences of views; `run.py` goes on without an end."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import comparison  # noqa: E402  # after what it needs
from comparison import OUTCOMES, check  # noqa: E402

from schuss.primitives import storage  # noqa: E402


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_sequences_do_what_torch_does(first: int) -> None:
    OUTCOMES.clear()
    for seed in range(first, first + 50):
        check(torch, seed, compiled=False)
    assert OUTCOMES["eager: equal"] > 20
    assert OUTCOMES["eager: refused"] <= 2


@pytest.mark.parametrize("first", range(0, 24, 6))
def test_compiled_sequences_do_what_torch_does(first: int) -> None:
    OUTCOMES.clear()
    for seed in range(first, first + 6):
        check(torch, seed, compiled=True)
    assert OUTCOMES["compiled: equal"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 18_000, 400))
def test_more_sequences(first: int) -> None:
    for seed in range(first, first + 400):
        check(torch, seed, compiled=seed % 20 == 0)


def test_a_write_that_others_do_not_see_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(owner: str, x: Any, values: Any, index: Any = ...) -> Any:
        array = x.array.copy()
        array[index] = values
        x.array = array
        return x

    monkeypatch.setattr(storage, "write", replaced)
    with pytest.raises(AssertionError):
        for seed in range(50):
            check(torch, seed, compiled=False)


def test_sequences_are_the_same_each_time() -> None:
    assert comparison.steps_of(torch, 5) == comparison.steps_of(torch, 5)
    assert len({comparison.steps_of(torch, seed) for seed in range(20)}) > 15
