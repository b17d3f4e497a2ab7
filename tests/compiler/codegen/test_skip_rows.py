"""Rows that an update leaves as they are: only where it would really change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.codegen.skip_rows import UnchangedRows

ROWS, WIDTH = 1000, 48
RULES: dict[str, Callable[[Any], Any]] = {
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adam with decay": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adam without eps": lambda p: optim.Adam(p, lr=0.01, eps=0.0),
    "adam that never stops": lambda p: optim.Adam(p, lr=1e308),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov with decay": lambda p: optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1
    ),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01),
}
# The rules that leave rows at rest; for the others it would have to be known what is in memory.
RESTING = {"sgd"}


def train(rule: str, compiled: bool, change: Any = None) -> list[np.ndarray]:
    ss.manual_seed(0)
    table = nn.Embedding(ROWS, WIDTH, dtype="float64")
    descent = RULES[rule](table.parameters())

    def step(x: Any) -> Any:
        loss = (ss.tanh(table(x)) ** 2).sum()
        descent.zero_grad()
        loss.backward()
        descent.step()
        return loss

    called = compile(step) if compiled else step
    rng = np.random.default_rng(0)
    for turn in range(6):
        if turn == 3 and change is not None:
            change(descent, table.weight)
        called(ss.tensor(rng.integers(0, ROWS // 2, (10, 4))))
    return [np.array(table.weight.array)] + [
        np.array(value.array) for value in descent.state[table.weight].values()
    ]


def compare(rule: str, change: Any = None) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        expected = train(rule, False, change)
    found = train(rule, True, change)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-14)
    return found


@pytest.mark.parametrize("rule", RULES)
def test_rows_that_nothing_goes_to(rule: str) -> None:
    compare(rule)


@pytest.mark.parametrize("rule", RULES)
def test_rows_whose_averages_were_set(rule: str) -> None:
    def change(descent: Any, weight: Any) -> None:
        for name, value in descent.state[weight].items():
            if name != "step":
                rows = np.array(value.array)
                rows[-3:, WIDTH - 1] = 0.5
                value.assign(rows)

    before, after = compare(rule)[0], compare(rule, change)[0]
    if rule == "momentum":
        assert (before[-3:, -1] != after[-3:, -1]).all()
        np.testing.assert_array_equal(before[-4], after[-4])


def test_an_epsilon_that_becomes_zero() -> None:
    def change(descent: Any, weight: Any) -> None:
        descent.param_groups[0]["eps"] = 0.0

    assert np.isnan(compare("adam", change)[0][-1]).all()


@pytest.mark.parametrize("rule", RULES)
def test_which_rules_leave_rows_at_rest(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHUSS_CACHE", "/nonexistent")
    found = []
    begin = UnchangedRows.__init__

    def noted(self: UnchangedRows, *given: Any) -> None:
        begin(self, *given)
        found.append(self.exists)

    monkeypatch.setattr(UnchangedRows, "__init__", noted)
    train(rule, True)
    assert found[-1] is (rule in RESTING)
