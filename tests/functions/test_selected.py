"""What boolean masks pick in compiled functions: the same numbers and derivatives as eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import TraceError

pytestmark = pytest.mark.usefixtures("_verify")


@pytest.fixture
def _verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHUSS_DEBUG", "verify")


def added(x: Any, w: Any, m: Any) -> Any:
    y = x * 1
    y[m] += w
    y[m] -= x[m] * 0.5
    y[m] /= 2
    return y


def of_all(x: Any, w: Any, m: Any) -> Any:
    y = x * x
    y[m] = w * y[m].exp() - 1 / (1 + x[m] ** 2)
    return y


def each_its_own(x: Any, w: Any, m: Any) -> Any:
    y = x * 1
    n = int(np.asarray(MASKS[0]).sum())
    y[m] = ss.arange(float(n)) * w
    y[m] *= ss.arange(float(n)) + 1
    return y


def logarithms(x: Any, w: Any, m: Any) -> Any:
    # No number comes of the others, of which some have no logarithm, nor of their derivatives.
    return (x[x > 0].log() * w).sum() + w.log() * x[m].mean() + (x[m] * w - 1).abs().mean()


def in_place(x: Any, w: Any, m: Any) -> Any:
    part = x[m]
    same = part
    part += w
    return same.sum() * part.mean()


def rows(x: Any, w: Any, m: Any) -> Any:
    y = x * 1
    y[m[:, 0]] += x[0] * w
    y[m[:, 0]] = w
    return y


def beside_others(x: Any, w: Any, m: Any) -> Any:
    """A mask within an index: along a later axis, after an integer, with slices and new axes."""
    y = ss.stack([x, x * w, x * 0.5], 1)  # (2, 3, 3)
    rows, columns = m[:, 0], m[0]
    y[rows, 0] += w
    y[:, columns] *= 2
    y[..., columns] -= x[:, None, columns] * w
    y[0, :, columns] = y[0, :, columns] + y[1, :, columns].exp()
    y[rows, 1:, -1] = w
    y[:, :1, columns] = ss.arange(2.0, dtype="float64")[:, None, None] * w
    found = (y[:, columns].exp() * x[0, 0]).sum() + y[rows, 0, 1:].sum() + y[1, columns].sum()
    return y + found + (y[:, :, columns] * ss.tensor([[2.0], [3.0], [4.0]]) * w).sum()


def several_along_an_axis(x: Any, w: Any, m: Any) -> Any:
    y = ss.stack([x, x * w], 0)  # (2, 2, 3)
    n = int(np.asarray(MASKS[0]).sum())
    y[:, m] = ss.arange(2.0 * n, dtype="float64").reshape(2, n) * w
    y[1, m] += ss.arange(float(n))
    return y * (y[:, m] * ss.arange(float(n))).sum()


def losses(x: Any, w: Any, m: Any) -> Any:
    f = ss.nn.functional
    y = x.detach() * 0.5
    found = f.mse_loss(x[m] * w, y[m]) + f.l1_loss(y[m], x[m], reduction="sum")
    found = found + f.binary_cross_entropy_with_logits(x[m] / w, (y[m] > 0).double())
    found = found + ss.nn.BCEWithLogitsLoss()(x[m] / w, y[m]) + ss.nn.HuberLoss()(x[m], w * y[m])
    logits = ss.stack([x, w * x * x, y], -1)
    classes = ss.tensor([[0, 2, 1], [1, 0, 2]])
    found = found + f.cross_entropy(logits[m], classes[m], label_smoothing=0.1)
    found = found + f.nll_loss(logits[m], classes[m], reduction="none").mean()
    weight = ss.tensor([1.0, 2.0, 0.5], dtype="float64")
    return found + ss.nn.CrossEntropyLoss(weight)(logits[m], classes[m])


MASKS = [
    [[False, True, True], [True, False, True]],
    [[True] * 3, [True] * 3],
    [[False] * 3, [False] * 3],
]
CALLS: list[Callable[..., Any]] = [
    added,
    of_all,
    beside_others,
    several_along_an_axis,
    each_its_own,
    logarithms,
    in_place,
    rows,
    losses,
]


@pytest.mark.parametrize("call", CALLS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("mask", [0, 1, 2])
def test_as_eager(call: Any, mask: int) -> None:
    if mask and call in (each_its_own, in_place, several_along_an_axis):
        pytest.skip("of another number, or the mean of none")
    if mask == 2 and call in (logarithms, losses):
        pytest.skip("the mean of none")
    found = []
    for compiled in (False, True):
        x = ss.tensor([[0.0, 2.0, -1.0], [0.5, 0.0, 3.0]], dtype="float64", requires_grad=True)
        w = ss.tensor(1.5, dtype="float64", requires_grad=True)

        def run(x: Any, w: Any, m: Any) -> Any:
            y = call(x, w, m)
            (y * y).sum().backward()
            return y

        y = (ss.compile(run) if compiled else run)(x, w, ss.tensor(MASKS[mask]))
        found.append([v.detach().numpy() for v in (y, x.grad, w.grad)])
    for eager, fast in zip(*found, strict=True):
        assert np.isfinite(eager).all()
        np.testing.assert_allclose(fast, eager, rtol=1e-12)


def test_what_is_kept_between_calls() -> None:
    x = ss.arange(6.0)

    @ss.compile
    def step(m: Any) -> Any:
        x[m] += 1
        return x.sum()

    assert [float(step(ss.tensor([True] * k + [False] * (6 - k)))) for k in (2, 0, 6)] == [
        17.0,
        17.0,
        23.0,
    ]


def test_numbers_that_do_not_go_together_are_refused() -> None:
    @ss.compile
    def put(x: Any, m: Any, v: Any) -> Any:
        y = x * 1
        y[m] = v
        return y

    x, three = ss.zeros(4), ss.ones(3)
    assert put(x, ss.tensor([True, True, False, True]), three).tolist() == [1, 1, 0, 1]
    with pytest.raises(IndexError, match="setitem: expected a mask that holds at as many places"):
        put(x, ss.tensor([True, True, False, False]), three)
    with pytest.raises(IndexError, match=r"expected a mask of shape \(4,\), got \(3,\)"):
        ss.compile(lambda x, m: x[m].sum())(x, three > 0)
    with pytest.raises(IndexError, match=r"expected a mask of shape \(4,\), got \(3,\)"):
        ss.compile(lambda x, m: x[None, m].sum())(x, three > 0)
    with pytest.raises(TraceError, match="indexes with a boolean mask"):
        ss.compile(lambda x, m: (x[:, m] + x[m]).sum())(ss.ones(3, 3), three > 0)


def test_what_needs_the_number_says_where() -> None:
    x = ss.arange(4.0)
    uses: list[Callable[[Any], Any]] = [
        lambda x: x[x > 0],
        lambda x: x[x > 0].shape,
        lambda x: ss.sort(x[x > 0]),
        lambda x: x * x[x > 0],
        lambda x: x[x > 0] @ x,
        lambda x: ss.cat([x[x > 0], x]),
    ]
    for use in uses[:3] + uses[4:]:
        with pytest.raises(TraceError, match=r"test_selected\.py:\d+ indexes with a boolean mask"):
            ss.compile(use)(x)
    with pytest.raises(TraceError, match="what one boolean mask picked"):
        ss.compile(lambda x: (x[x > 0] + x[x > 1]).sum())(x)
