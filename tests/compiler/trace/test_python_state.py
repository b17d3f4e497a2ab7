"""What a function read in Python when it was traced is noticed when it changes."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile

pytestmark = pytest.mark.usefixtures("natively_and_in_plain_python")
X = ss.tensor([[1.0, 2.0]])
FACTOR = 2.0
OPTIONS = {"shift": 1.0, "unread": 0}
LAYERS = [3.0, 4.0]


class Options:
    """Plain options, as many have them."""

    scale = 2.0
    names: tuple[str, ...] = ("a",)

    def __init__(self) -> None:
        self.shift = 1.0
        self.unread = 0


SETTINGS = Options()


class Gate(nn.Module):
    times = 1

    def __init__(self) -> None:
        super().__init__()
        self.off = False
        self.unread = 0
        self.linear = nn.Linear(2, 2)
        self.register_buffer("seen", ss.zeros(2))

    def doubled(self, x: Any) -> Any:
        return x * 2.0

    def forward(self, x: Any) -> Any:
        for _ in range(self.times):
            x = self.doubled(x)
        x = self.linear(x) + self.seen
        return x if self.off else x + 100.0


def by_global(x: Any) -> Any:
    return x * FACTOR + OPTIONS["shift"] + sum(LAYERS)


def through_another_function(x: Any) -> Any:
    return by_global(x) * SETTINGS.shift * SETTINGS.scale


def changed(name: str, value: Any) -> Callable[[], None]:
    def change() -> None:
        globals()[name] = value

    return change


@pytest.fixture(autouse=True)
def _as_it_was() -> Any:
    names = ("FACTOR", "OPTIONS", "LAYERS", "SETTINGS")
    before = {name: globals()[name] for name in names}
    globals().update(OPTIONS=dict(OPTIONS), LAYERS=list(LAYERS), SETTINGS=Options())
    yield
    globals().update(before)
    Options.scale = 2.0
    Gate.times = 1


def agrees(
    function: Callable[..., Any], change: Callable[[], Any], *, noticed: bool = True
) -> None:
    """Eager and compiled are the same, before and after a change; and it costs a trace or none."""
    run = compile(function)
    for _ in range(2):
        np.testing.assert_array_equal(run(X).array, function(X).array)
    before = run(X).tolist()
    change()
    np.testing.assert_array_equal(run(X).array, function(X).array)
    assert (run(X).tolist() != before) is noticed
    (kept,) = run._specializations.values()
    assert len(kept) == 1 + noticed


@pytest.mark.parametrize(
    "change",
    [
        changed("FACTOR", 3.0),
        changed("OPTIONS", {"shift": 5.0}),
        lambda: OPTIONS.update(shift=7.0),
        lambda: LAYERS.append(1.0),
        lambda: LAYERS.__setitem__(0, -1.0),
    ],
)
@pytest.mark.parametrize("function", [by_global, through_another_function])
def test_globals(function: Any, change: Any) -> None:
    agrees(function, change)


@pytest.mark.parametrize(
    "change",
    [
        lambda: setattr(SETTINGS, "shift", 4.0),
        lambda: setattr(SETTINGS, "scale", 4.0),
        lambda: setattr(Options, "scale", 4.0),
        changed("SETTINGS", types.SimpleNamespace(shift=3.0, scale=1.0)),
    ],
)
def test_attributes_of_objects_and_classes(change: Any) -> None:
    agrees(through_another_function, change)


def test_equal_values_and_what_is_not_read_trace_nothing_again() -> None:
    for change in (
        changed("FACTOR", float("2.0")),
        lambda: setattr(SETTINGS, "unread", 1),
        changed("UNREAD", 1),
    ):
        agrees(through_another_function, change, noticed=False)


def test_variables_of_enclosing_functions() -> None:
    factor, nothing = 2.0, 0

    def change() -> None:
        nonlocal factor
        factor = 3.0

    def scaled(x: Any) -> Any:
        return x * factor

    agrees(scaled, change)
    agrees(lambda x: scaled(x) + len([nothing]), lambda: None, noticed=False)


@pytest.mark.parametrize(
    "change",
    {
        "flag": lambda gate: setattr(gate, "off", True),
        "count": lambda gate: setattr(gate, "times", 3),
        "of the class": lambda gate: setattr(Gate, "times", 2),
        "parameter": lambda gate: setattr(gate.linear, "weight", nn.Parameter(ss.ones((2, 2)))),
        "submodule": lambda gate: setattr(gate, "linear", nn.Linear(2, 2)),
        "buffer": lambda gate: setattr(gate, "seen", ss.ones(2)),
    }.items(),
    ids=lambda item: item[0],
)
def test_modules(change: Any) -> None:
    gate = Gate()
    agrees(lambda x: gate(x), lambda: change[1](gate))
    gate = Gate()
    # Compiled itself, and as an argument.
    run = compile(gate)
    run(X)
    change[1](gate)
    np.testing.assert_array_equal(run(X).array, gate(X).array)
    gate = Gate()
    taken = compile(lambda module, x: module(x))
    taken(gate, X)
    change[1](gate)
    np.testing.assert_array_equal(taken(gate, X).array, gate(X).array)


def test_attributes_that_no_code_reads_trace_nothing_again() -> None:
    gate = Gate()
    agrees(lambda x: gate(x), lambda: setattr(gate, "unread", 1), noticed=False)


def test_a_submodule_of_a_container() -> None:
    # Rectified, the outputs of all of them may be zero.
    network = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU())
    agrees(lambda x: network(x), lambda: network.__setitem__(0, nn.Linear(2, 2)))
    agrees(lambda x: network(x), lambda: network.append(nn.Linear(2, 2)))


def test_a_model_and_an_optimiser_made_anew() -> None:
    model = nn.Linear(2, 2)
    descent = optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x: Any) -> Any:
        descent.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        descent.step()
        return loss

    for _ in range(3):
        step(X)
    descent = optim.SGD(model.parameters(), lr=0.0)
    before = model.weight.tolist()
    step(X)
    assert model.weight.tolist() == before
    model = nn.Linear(2, 2)
    np.testing.assert_allclose(step(X).array, (model(X) ** 2).sum().array, rtol=1e-6)


@pytest.mark.parametrize("rule", [optim.Adam, optim.AdamW, optim.Adagrad, optim.RMSprop, optim.SGD])
def test_parameters_without_a_gradient_at_some_steps(rule: Any) -> None:
    def trained(compiled: bool) -> list[np.ndarray]:
        ss.manual_seed(0)
        heads = [nn.Linear(2, 1, dtype="float64") for _ in range(2)]
        descent = rule([p for head in heads for p in head.parameters()], lr=0.01)

        def step(x: Any, which: tuple[int, ...]) -> Any:
            descent.zero_grad()
            loss = sum(((heads[i](x) - 1.0) ** 2).sum() for i in which)
            loss.backward()
            descent.step()
            return loss

        run = compile(step) if compiled else step
        x = ss.tensor(np.array([[0.5, -1.0]]))
        for turn in range(24):
            run(x, ((0, 1), (0,), (1,), (0, 1))[turn % 4 if turn > 8 else 0])
        if compiled:
            # The counts of steps that the two share at first are two from the ninth step on.
            assert sum(map(len, run._specializations.values())) <= 6
        return [p.array for head in heads for p in head.parameters()]

    for eager, compiled in zip(trained(False), trained(True), strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-12)
