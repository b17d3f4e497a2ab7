"""What compiled functions change is seen by all who share its memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.errors import TraceError


def test_views_of_parameters_follow_a_compiled_step() -> None:
    layer = nn.Linear(3, 2)
    optimizer = optim.SGD(layer.parameters(), lr=0.05)
    x = ss.tensor(np.random.default_rng(0).normal(size=(4, 3)))
    layer.double()

    def step(x: ss.Tensor) -> ss.Tensor:
        optimizer.zero_grad()
        loss = (layer(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = ss.compile(step)
    run(x)
    row, array, detached = layer.weight[0], layer.weight.numpy(), layer.weight.detach()
    for _ in range(3):
        run(x)
        np.testing.assert_array_equal(row.detach().numpy(), layer.weight[0].detach().numpy())
        np.testing.assert_array_equal(array, layer.weight.numpy())
        np.testing.assert_array_equal(detached.numpy(), layer.weight.numpy())
    with ss.no_grad():
        row.fill_(0.0)
    assert not array[0].any()
    before = run(x).item()
    del row, array, detached
    assert run(x).item() < before


@pytest.mark.parametrize("many", [False, True])
def test_a_view_of_a_state_is_a_part_of_it(many: bool) -> None:
    total = ss.zeros(3)
    last = total[2:]

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        before = last.sum()
        total.add_(x.sum())
        last.mul_(2.0)
        return before + last.sum()

    x = ss.ones((2, 1))
    found = step.scan(x, [[0, 1], [0, 1]]).tolist() if many else [step(x).item(), step(x).item()]
    assert found == [4.0, 16.0]
    assert total.tolist() == [4.0, 4.0, 12.0]
    assert last.tolist() == [12.0]


def test_memory_that_an_argument_shares_with_a_changed_state_is_refused() -> None:
    state = ss.zeros(4)
    part = state[1:]

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        state.add_(1.0)
        return x.sum()

    with pytest.raises(TraceError, match="lie in the same memory"):
        step(part)
    assert step(ss.ones(3)).item() == 3.0
    assert part.tolist() == [1.0, 1.0, 1.0]


def test_two_states_that_overlap_unseen_are_refused() -> None:
    array = np.zeros(4, np.float32)
    first, second = ss.from_numpy(array[:3]), ss.from_numpy(array[1:])

    @ss.compile
    def step() -> Any:
        first.add_(1.0)
        return second.sum()

    with pytest.raises(TraceError, match="lie in the same memory"):
        step()


def test_kept_gradients_as_arrays_stay_as_they_are() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss.detach()

    step(ss.tensor([3.0, 4.0]))
    assert w.grad is not None
    kept = w.grad.numpy()
    step(ss.tensor([5.0, 6.0]))
    assert kept.tolist() == [3.0, 4.0]
    assert w.grad.tolist() == [5.0, 6.0]


def test_a_state_that_moves_away_from_its_views_is_traced_again() -> None:
    layer = nn.Linear(2, 1, bias=False)
    row = layer.weight[0].detach()

    @ss.compile
    def total() -> ss.Tensor:
        return row.sum() + layer.weight.sum() * 0.0

    before = total().item()
    layer.double().float()
    with ss.no_grad():
        layer.weight.fill_(100.0)
    assert total().item() == before


def test_a_state_that_does_not_lie_in_order_is_read_where_it_is() -> None:
    array = np.arange(6.0).reshape(2, 3)
    turned = ss.from_numpy(array.T)
    total = ss.compile(lambda: (turned * 2.0)[0, 1])
    assert total().item() == 6.0
    array[1, 0] = 10.0
    assert total().item() == 20.0


def test_a_gradient_that_was_changed_in_place_is_added_to() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @ss.compile
    def add(x: ss.Tensor) -> None:
        (w * x).sum().backward()

    kept = []
    for _ in range(4):
        w.grad = None
        for _ in range(2):
            add(ss.tensor([4.0, 8.0]))
            assert w.grad is not None
            w.grad.mul_(0.5)
            kept.append(w.grad)
        assert w.grad.tolist() == [3.0, 6.0]
        w.grad[0].fill_(7.0)
        add(ss.tensor([1.0, 1.0]))
        assert w.grad.tolist() == [8.0, 7.0]
