"""Scan: values, derivatives of every order, nesting, vmap, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import func, scan


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


W, H, XS = values(3, 3, seed=1), values(2, 3, seed=2), values(4, 2, 3, seed=3)


def cell(w):
    def step(h, x):
        h = ss.tanh(x + h @ w)
        return h, h * x

    return step


def unrolled(w, h, xs, *, reverse=False):
    ys = [None] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        h = np.tanh(xs[t] + h @ w)
        ys[t] = h * xs[t]
    return h, np.stack(ys)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_values_are_those_of_a_loop(reverse, compiled):
    def run(w, h, xs):
        return scan(cell(w), h, xs, reverse=reverse)

    run = ss.compile(run) if compiled else run
    last, ys = run(*map(ss.tensor, (W, H, XS)))
    expected = unrolled(W, H, XS, reverse=reverse)
    np.testing.assert_allclose(last.numpy(), expected[0], rtol=1e-13)
    np.testing.assert_allclose(ys.numpy(), expected[1], rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_equal_central_differences(order, reverse):
    def loss(w, h, xs):
        last, ys = scan(cell(w), h, xs, reverse=reverse)
        return (last * last).sum() + (ys * ys * ys).sum()

    ss.check_gradients(loss, *map(ss.tensor, (W, H, XS)), order=order)


def test_containers_integers_and_nothing_are_carried():
    def step(carry, x):
        total, (count, nothing) = carry["total"] + x["a"], carry["more"]
        return {"total": total, "more": (count + 1, nothing)}, None

    start = {"total": ss.tensor([0.0]), "more": (ss.tensor(0), None)}
    last, ys = scan(step, start, {"a": ss.tensor([[1.0], [2.0], [4.0]])})
    assert ys is None
    assert last["total"].tolist() == [7.0]
    assert last["more"][0].tolist() == 3
    assert last["more"][1] is None


def test_steps_without_xs_are_counted_by_length():
    last, ys = scan(lambda n, _: (n * 2, n), ss.tensor(1), length=5)
    assert last.tolist() == 32
    assert ys.tolist() == [1, 2, 4, 8, 16]


def test_what_flows_back_to_many_steps_takes_little_time():
    x = ss.tensor(values(3000, 8, 8), requires_grad=True)
    last, _ = scan(lambda h, x: (h + x, None), ss.tensor(np.zeros((8, 8))), x)
    last.sum().backward()
    assert (x.grad.numpy() == 1).all()


def test_within_vmap_and_around_it():
    w, h, xs = map(ss.tensor, (W, H, XS))
    each = func.vmap(lambda h, x: scan(cell(w), h, x), in_dims=(0, 1), out_dims=(0, 1))
    last, ys = each(h, xs)
    expected = unrolled(W, H, XS)
    np.testing.assert_allclose(last.numpy(), expected[0], rtol=1e-13)
    np.testing.assert_allclose(ys.numpy(), expected[1], rtol=1e-13)
    last, _ = scan(lambda h, x: (func.vmap(lambda h, x: ss.tanh(x + h @ w))(h, x), None), h, xs)
    np.testing.assert_allclose(last.numpy(), expected[0], rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: scan(cell(ss.ones((3, 3))), ss.ones(3)), ValueError, "neither xs nor length"),
        (lambda: scan(lambda h, x: (h, x), ss.ones(3), ss.ones(2), 3), ValueError, "got 2, 3"),
        (lambda: scan(lambda h, x: (h, x), ss.ones(3), ss.ones((0, 2))), ValueError, "one step"),
        (lambda: scan(lambda h, x: (h, x), ss.ones(3), ss.ones(())), ValueError, "an axis of"),
        (lambda: scan(lambda h, x: h, ss.ones(3), ss.ones(2)), TypeError, "a pair"),
        (lambda: scan(lambda h, x: ((h, h), x), ss.ones(3), ss.ones(2)), ValueError, "nested as"),
        (
            lambda: scan(lambda h, x: (h[:1], x), ss.ones(3), ss.ones(2)),
            ValueError,
            r"\(3,\) again",
        ),
        (lambda: scan(lambda h, x: (h > 0, x), ss.ones(3), ss.ones(2)), TypeError, "float32 again"),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_mistakes_are_named(call, error, text, compiled):
    with pytest.raises(error, match=text):
        (ss.compile(call) if compiled else call)()
