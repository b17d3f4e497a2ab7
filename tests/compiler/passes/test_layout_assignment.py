"""Layers' values by units, with all that is computed of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.passes import layout_assignment
from schuss.compiler.pipeline import Compilation
from schuss.nn import functional as F

ROWS, INNER, UNITS = 50, 40, 96


def stepped(
    body: Callable[..., ss.Tensor],
) -> tuple[Compilation, list[np.ndarray], list[np.ndarray]]:
    """Return the design of a step, and its weights after two of them, eager and compiled."""
    results = []
    for is_compiled in (False, True):
        ss.manual_seed(0)
        first, second = nn.Linear(INNER, UNITS), nn.Linear(UNITS, 7)
        parameters = [*first.parameters(), *second.parameters()]
        rule = optim.SGD(parameters, lr=0.05)
        x = ss.randn(ROWS, INNER)

        def step(
            x: ss.Tensor,
            first: nn.Module = first,
            second: nn.Module = second,
            rule: optim.Optimizer = rule,
        ) -> ss.Tensor:
            loss = (body(first, second, x) ** 2).mean()
            rule.zero_grad()
            loss.backward()
            rule.step()
            return loss

        run = compile(step) if is_compiled else step
        losses = [run(x).array for _ in range(2)]
        results.append([*losses, *[np.array(p.array) for p in parameters]])
    (program,) = run._builds.values()  # type: ignore[attr-defined]  # the compiled one
    return program.compilation, *results


def is_by_units(compilation: Compilation) -> bool:
    """Whether the first layer's values have a row for each unit."""
    (first, *_) = [s.nodes[0] for s in compilation.plan.stages if s.nodes[0].op == "matmul"]
    return first.shape == (UNITS, ROWS)


BODIES = {
    "relu": lambda first, second, x: second(F.relu(first(x))),
    "gelu": lambda first, second, x: second(F.gelu(first(x)) * 2.0),
    "scaled by rows": lambda first, second, x: second(first(x) * x[:, :1]),
    "scaled by units": lambda first, second, x: second(first(x) * first.bias.reshape(1, UNITS)),
    "soft maximum": lambda first, second, x: second(F.softmax(first(x), dim=1)),
    "means": lambda first, second, x: second(first(x)) + first(x).mean(axis=0)[:7],
    "largest": lambda first, second, x: second(first(x)) + ss.max(first(x), axis=1, keepdims=True),
    "twice": lambda first, second, x: second(F.relu(first(x)) + F.tanh(first(x + 1.0))),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_layer_is_transposed_and_stays_the_same(name: str) -> None:
    compilation, expected, got = stepped(BODIES[name])
    assert is_by_units(compilation)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


OTHERS = {
    # Random numbers, a slice, and three axes would have to be copied.
    "dropout": lambda first, second, x: second(F.dropout(first(x), 0.5)),
    "slices": lambda first, second, x: second(first(x)) + first(x)[:, :7],
    "three axes": lambda first, second, x: second(
        (first(x).reshape(ROWS, UNITS // 2, 2) * 2.0).reshape(ROWS, UNITS)
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_would_take_copies_is_left_as_it_is(name: str) -> None:
    compilation, expected, got = stepped(OTHERS[name])
    assert not is_by_units(compilation)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_many_rows_stay_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_assignment, "_MOST_ROWS", 0)
    compilation, _, _ = stepped(BODIES["relu"])
    assert not is_by_units(compilation)
