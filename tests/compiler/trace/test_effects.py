"""What a compiled function changes in Python, it changes at every call, as it does eagerly."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import TraceError


def both_ways(make: Any, calls: int = 6) -> None:
    """Hold what the calls of a function return, compiled, to what they return eagerly."""
    found = []
    for compiled in (False, True):
        random.seed(0)
        np.random.seed(0)  # the old generator is what is tested
        ss.manual_seed(0)
        function, after = make()
        run = ss.compile(function) if compiled else function
        results = [run(ss.tensor([1.0, 2.0]) + k).tolist() for k in range(calls)]
        found.append((results, after()))
    assert found[0] == found[1]


def with_attribute(value: Any, change: Any) -> Any:
    """A function that changes an attribute of a module at each call."""

    def make() -> Any:
        class Net(ss.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.held = value() if callable(value) else value

            def forward(self, x: Any) -> Any:
                change(self, x)
                return x * 2 + (self.held if not isinstance(self.held, list) else len(self.held))

        net = Net()

        def after() -> Any:
            held = net.held
            return held.tolist() if isinstance(held, ss.Tensor) else held

        return (lambda x: net(x)), after

    return make


def averaged(net: Any, x: Any) -> None:
    net.held = x if net.held is None else 0.5 * net.held + 0.5 * x


def counted(net: Any, x: Any) -> None:
    net.held += 1


def appended(net: Any, x: Any) -> None:
    net.held.append(1)


def test_a_running_mean_that_is_bound_anew_is_a_state(recwarn: Any) -> None:
    both_ways(with_attribute(lambda: ss.zeros(2), averaged))
    assert not recwarn.list


def test_a_running_mean_that_begins_with_nothing(recwarn: Any) -> None:
    both_ways(with_attribute(None, averaged))
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore:compile")
def test_a_counter() -> None:
    both_ways(with_attribute(0, counted))


@pytest.mark.filterwarnings("ignore:compile")
def test_a_list_that_grows() -> None:
    both_ways(with_attribute(list, appended))


def test_a_function_that_always_changes_something_is_said_to_be_eager() -> None:
    function, _ = with_attribute(0, counted)()
    run = ss.compile(function)
    run(ss.ones(2))
    run(ss.ones(2))
    with pytest.warns(RuntimeWarning, match="changes held each time.* is evaluated eagerly"):
        run(ss.ones(2))
    assert run(ss.ones(2)).tolist() == [6, 6]


def test_what_changes_once_is_compiled_then(recwarn: Any) -> None:
    class Net(ss.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale: Any = None

        def forward(self, x: Any) -> Any:
            if self.scale is None:
                self.scale = 3
            return x * self.scale

    net = Net()
    run = ss.compile(lambda x: net(x))
    for _ in range(5):
        assert run(ss.ones(1)).item() == 3
    run.scan(ss.ones((2, 1)), [[0], [1]])
    assert not recwarn.list


def enclosed() -> Any:
    count = 0

    def function(x: Any) -> Any:
        nonlocal count
        count += 1
        return x + count

    return function, lambda: count


def of_python() -> Any:
    return (lambda x: x * random.random()), random.random


def of_numpy() -> Any:
    return (lambda x: x * float(np.random.rand())), lambda: float(np.random.rand())


def of_a_generator() -> Any:
    rng = np.random.default_rng(3)
    return (lambda x: x * float(rng.normal())), lambda: float(rng.normal())


@pytest.mark.filterwarnings("ignore:compile")
@pytest.mark.parametrize("make", [enclosed, of_python, of_numpy, of_a_generator])
def test_variables_and_random_numbers(make: Any) -> None:
    both_ways(make)


@pytest.mark.filterwarnings("ignore:compile")
def test_a_schedule_that_steps_within() -> None:
    def make() -> Any:
        w = ss.tensor([1.0], requires_grad=True)
        optimizer = ss.optim.SGD([w], lr=0.5)
        scheduler = ss.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = (w * x).sum()
            loss.backward()
            optimizer.step()
            scheduler.step()
            return loss

        return step, lambda: (w.tolist(), scheduler.get_last_lr(), scheduler.last_epoch)

    both_ways(make)


def test_a_scan_refuses_what_changes_at_every_step() -> None:
    function, after = with_attribute(0, counted)()
    with pytest.raises(TraceError, match="the function changes held each time it is called"):
        ss.compile(function).scan(ss.ones((4, 2)), [[0], [1]])
    assert after() == 0


def test_a_scan_with_a_running_mean() -> None:
    function, after = with_attribute(lambda: ss.zeros(2), lambda net, x: averaged(net, x.sum(0)))()
    ss.compile(function).scan(ss.tensor([[1.0, 1.0], [3.0, 3.0]]), [[0], [1]])
    assert after() == [1.75, 1.75]


def test_a_trace_that_is_given_up_changes_nothing() -> None:
    class Net(ss.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.last: Any = None

        def forward(self, x: Any) -> Any:
            self.calls += 1
            self.last = x * 2
            return x if x.sum() > 0 else -x

    net = Net()
    with pytest.raises(TraceError, match="needs the value"):
        ss.compile(lambda x: net(x))(ss.ones(2))
    assert (net.calls, net.last) == (0, None)


@pytest.mark.filterwarnings("ignore:compile")
@pytest.mark.parametrize("make", [lambda: defaultdict(dict), OrderedDict])
def test_a_counter_in_a_dictionary_of_a_tensor(make: Any) -> None:
    def counting() -> Any:
        held, key = make(), ss.ones(1)
        held[key] = {"step": 0}

        def function(x: Any) -> Any:
            held[key]["step"] += 1
            return x * held[key]["step"]

        return function, lambda: held[key]["step"]

    both_ways(counting)


@pytest.mark.filterwarnings("ignore:compile")
def test_a_deque_that_grows() -> None:
    def growing() -> Any:
        held: deque[int] = deque([1])

        def function(x: Any) -> Any:
            held.append(len(held))
            return x * sum(held)

        return function, lambda: len(held)

    both_ways(growing)


@pytest.mark.filterwarnings("ignore:compile")
def test_an_optimizer_of_ones_own_that_counts_in_python() -> None:
    class Slower(ss.optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            with ss.no_grad():
                for p in self.param_groups[0]["params"]:
                    state = self.state[p]
                    if not state:
                        state["step"] = 0
                    state["step"] += 1
                    p.sub_(p.grad / state["step"])

    def run(compiled: Any) -> list[float]:
        w = ss.ones(1, requires_grad=True)
        optimizer = Slower([w], {"lr": 0.1})

        def step() -> Any:
            w.grad = None
            (0.1 * w * w).sum().backward()
            optimizer.step()
            return w.detach() * 1

        step = compiled(step)
        return [step().item() for _ in range(6)]

    assert run(ss.compile) == run(lambda f: f)
