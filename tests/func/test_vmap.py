from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import func
from schuss import functions as F
from schuss.functions import matrices

RNG = np.random.default_rng(0)
X, Y, V = RNG.normal(size=(4, 3, 5)), RNG.normal(size=(4, 5, 2)), RNG.normal(size=(4, 5))
N = RNG.integers(0, 3, (4, 6))
SPD = X @ np.swapaxes(X, -1, -2) + np.eye(3)


class Times(ss.autograd.Function):
    """A product with a derivative of its own, for both factors, and another result."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return x * y, x + y

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        x, y = ctx.saved_tensors
        return g * y + h, g * x + h


# Functions of single elements: of a matrix x (3, 5), y (5, 2), a vector v (5,), integers n (6,).
CASES: dict[str, Any] = {
    "elementwise": lambda x, y, v, n: F.tanh(x) * v + F.where(x > 0, x, v) - 2,
    "ranks": lambda x, y, v, n: v[0] + x + F.exp(v),
    "sums": lambda x, y, v, n: (F.sum(x), F.sum(x, axis=1), F.max(x, axis=0), F.mean(x, axis=-1)),
    "keepdims": lambda x, y, v, n: F.softmax(x, axis=1) + F.min(x, axis=0, keepdims=True),
    "positions": lambda x, y, v, n: (F.argmax(x, axis=1), F.argmin(v), F.argsort(x, axis=0)),
    "running": lambda x, y, v, n: (F.cumulative_sum(x, axis=1), F.cumulative_prod(v)),
    "sort": lambda x, y, v, n: F.sort(x, axis=1),
    "shapes": lambda x, y, v, n: (F.reshape(x, (5, 3)), F.reshape(x, (-1,)), x.T),
    "broadcast": lambda x, y, v, n: (F.broadcast_to(v, (2, 3, 5)), F.expand_dims(v, 0)),
    "slices": lambda x, y, v, n: (x[1:, ::2], x[..., -1], v[None, 3], x[0][1:3]),
    "flips": lambda x, y, v, n: (F.flip(x, axis=1), F.flip(x), F.roll(v, 2)),
    "joins": lambda x, y, v, n: (F.concat([x, v[None]], axis=0), F.stack([v, 2 * v], axis=1)),
    "pads": lambda x, y, v, n: F.tril(x) + F.diff(v, axis=0)[0],
    "products": lambda x, y, v, n: (x @ y, x @ v, v @ y, v @ v, F.einsum("ij,jk->k", x, y)),
    "rows": lambda x, y, v, n: x[n] * 2,
    "rows and columns": lambda x, y, v, n: x[n[:3], n[3:]],
    "behind a slice": lambda x, y, v, n: x[:, n],
    "between slices": lambda x, y, v, n: F.stack([x, x])[:, n, 1:],
    "along": lambda x, y, v, n: F.take_along_axis(x, n[None, :5] % 3, axis=0),
    "linear algebra": lambda x, y, v, n: (
        matrices.inv(x @ x.T + F.eye(3)),
        matrices.cholesky(x @ x.T + F.eye(3)),
        matrices.solve(x @ x.T + F.eye(3), x),
        matrices.det(x[:, :3]),
    ),
    "norms": lambda x, y, v, n: ss.nn.functional.layer_norm(x, (5,)) + F.norm(v),
    "own derivatives": lambda x, y, v, n: (*Times.apply(x, v), *Times.apply(y[0, 0], x)),
    "special": lambda x, y, v, n: ss.special.i0(x) + F.var(x, axis=1, keepdims=True),
    "checkpoints": lambda x, y, v, n: ss.nn.checkpoint(lambda x: F.tanh(x @ y) * v[0], x),
    "attention": lambda x, y, v, n: ss.nn.functional.scaled_dot_product_attention(
        x[None], x[None] * v, x[None], is_causal=True
    ),
    "losses": lambda x, y, v, n: ss.nn.functional.cross_entropy(x, n[:3]),
}  # fmt: skip


def as_list(y: Any) -> list[Any]:
    return list(y) if isinstance(y, tuple) else [y]


def given(batched: str, k: int | None = None) -> list[Any]:
    """The arguments, of element k or of all; those that are not batched are the first."""
    arrays = {"x": X, "y": Y, "v": V, "n": N}
    return [
        ss.asarray(a if name in batched and k is None else a[k if name in batched else 0])  # type: ignore[index]
        for name, a in arrays.items()
    ]


def check(f: Any, batched: str) -> None:
    """Hold a batch to its elements one by one, eager and compiled."""
    mapped = func.vmap(f, in_dims=tuple(0 if name in batched else None for name in "xyvn"))
    wanted = [as_list(f(*given(batched, k))) for k in range(4)]
    for run in (mapped, ss.compile(lambda *args: mapped(*args))):
        for place, found in enumerate(as_list(run(*given(batched)))):
            expected = np.stack([row[place].numpy() for row in wanted])
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batched", ["xyvn", "x", "v", "n", "xy", "yv"])
@pytest.mark.parametrize("name", CASES)
def test_a_batch_is_its_elements(name: str, batched: str) -> None:
    check(CASES[name], batched)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("positions",)])
def test_gradients_within_and_around(name: str) -> None:
    f = CASES[name]

    def weighed(x: Any, y: Any, v: Any, n: Any) -> Any:
        parts = [p for p in as_list(f(x, y, v, n)) if p.dtype.kind == "f"]
        return sum((F.cos(p) * p).sum() for p in parts)

    # Gradients of each element.
    check(lambda *args: ss.grad(weighed, (0, 1, 2))(*args), "xvn")

    # The gradient of what is made of the batch, also by what is the same for all.
    def total(x: Any, y: Any, v: Any) -> Any:
        return func.vmap(weighed, in_dims=(0, None, 0, 0))(x, y, v, ss.asarray(N)).sum()

    args = [ss.asarray(a) for a in (X, Y[0], V)]
    expected: list[Any] = [np.zeros_like(X), np.zeros_like(Y[0]), np.zeros_like(V)]
    for k in range(4):
        slopes = ss.grad(weighed, (0, 1, 2))(*[ss.asarray(a) for a in (X[k], Y[0], V[k], N[k])])
        expected[0][k] += slopes[0].numpy()
        expected[1] += slopes[1].numpy()
        expected[2][k] += slopes[2].numpy()
    slope = ss.grad(total, (0, 1, 2))
    for found in (slope(*args), ss.compile(slope)(*args)):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-9, atol=1e-11)


def test_gradients_around_batches_of_batches_of_own_derivatives() -> None:
    def total(x: Any, v: Any) -> Any:
        rows = func.vmap(lambda a: func.vmap(lambda b: Times.apply(a, b)[0].sum())(v))(x)
        return (rows**2).sum()

    def plain(x: Any, v: Any) -> Any:
        return ((x[:, None] * v[:, None]).sum((2, 3)) ** 2).sum()

    args = [ss.asarray(X), ss.asarray(V)]
    for a, b in zip(ss.grad(total, (0, 1))(*args), ss.grad(plain, (0, 1))(*args), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    second = [
        ss.grad(lambda x, f=f: (ss.grad(f)(x, args[1]) ** 2).sum())(args[0]).numpy()
        for f in (total, plain)
    ]
    np.testing.assert_allclose(second[0], second[1], rtol=1e-12)


def test_gradients_of_gradients_of_each() -> None:
    def f(x: Any) -> Any:
        return (x**3).sum()

    def penalty(x: Any) -> Any:
        return (func.vmap(ss.grad(f))(x) ** 2).sum()

    x = ss.asarray(V)
    np.testing.assert_allclose(ss.grad(penalty)(x).numpy(), 36 * V**3, rtol=1e-12)
    recorded = ss.tensor(V, requires_grad=True)
    penalty(recorded).backward()
    np.testing.assert_allclose(recorded.grad.numpy(), 36 * V**3, rtol=1e-12)  # type: ignore[union-attr]


def test_nested() -> None:
    outer = func.vmap(func.vmap(lambda a, b: a * b, in_dims=(0, None)), in_dims=(None, 0))
    np.testing.assert_allclose(
        outer(ss.asarray(V[0]), ss.asarray(V[1])).numpy(), np.outer(V[1], V[0]), rtol=1e-14
    )


def test_axes_and_containers() -> None:
    torch = pytest.importorskip("torch")
    found = []
    for m in (ss, torch):
        x, v = m.tensor(X), m.tensor(V)

        def f(p: Any, x: Any) -> Any:
            return {"s": x * p["a"][0], "t": (p["b"], x.sum())}

        mapped = m.func.vmap(
            f, in_dims=({"a": (1,), "b": None}, 2), out_dims={"s": -1, "t": (0, 0)}
        )
        y = mapped({"a": (v[:3].T.reshape(3, 5),), "b": v}, x)
        found.append([y["s"], *y["t"]])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_chunks() -> None:
    f = func.vmap(lambda x, y, w: (x @ y, w), in_dims=(0, 0, None), out_dims=(1, 0))
    chunked = func.vmap(
        lambda x, y, w: (x @ y, w), in_dims=(0, 0, None), out_dims=(1, 0), chunk_size=3
    )
    args = [ss.asarray(a) for a in (X, Y, V[0])]
    for a, b in zip(f(*args), chunked(*args), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-14)


def test_random_numbers() -> None:
    def f(x: Any) -> Any:
        return x + ss.rand(2, dtype="float64")

    x = ss.asarray(np.zeros((3, 2)))
    with pytest.raises(RuntimeError, match="draws no random numbers; say whether"):
        func.vmap(f)(x)
    same = func.vmap(f, randomness="same")(x).numpy()
    assert (same[0] == same[1]).all()
    different = func.vmap(f, randomness="different")(x).numpy()
    assert len(np.unique(different)) == 6
    state = ss.random.get_state()
    func.vmap(f, randomness="different")(x)
    assert (ss.random.get_state() != state).any(), "the draws are taken from the generator"


def test_changes_in_place() -> None:
    def f(x: Any, w: Any) -> Any:
        y = x * 1
        y[1] = w[0]
        y += x
        return y

    x, w = ss.asarray(V), ss.asarray(V[0])
    expected = np.stack([f(ss.asarray(row), w).numpy() for row in V])
    np.testing.assert_array_equal(func.vmap(f, in_dims=(0, None))(x, w).numpy(), expected)
    outside = ss.zeros(5, dtype="float64")
    with pytest.raises(RuntimeError, match="from outside cannot become one element"):
        func.vmap(lambda x: outside.copy_(x))(x)


def test_values_are_checked() -> None:
    loss = func.vmap(ss.nn.functional.cross_entropy)
    x = ss.ones((2, 3, 4))
    assert loss(x, ss.tensor([[0, 1, 2], [3, 2, 1]])).shape == (2,)
    for run in (loss, ss.compile(lambda x, y: loss(x, y))):
        for wrong in (-1, 4):
            with pytest.raises(IndexError, match=f"from 0 to 3, got {wrong}"):
                run(x, ss.tensor([[0, 1, 2], [3, wrong, 1]]))


def test_errors() -> None:
    x = ss.ones((2, 3))
    with pytest.raises(ValueError, match=r"batches of one size, got \[2, 3\]"):
        func.vmap(lambda a, b: a)(x, ss.ones(3))
    with pytest.raises(ValueError, match="batches of one size, got none"):
        func.vmap(lambda a: a, in_dims=None)(x)
    with pytest.raises(ValueError, match="for each of 1 arguments, got 2"):
        func.vmap(lambda a: a, in_dims=(0, 0))(x)
    with pytest.raises(ValueError, match=r"within the axes of shape \(2, 3\), got 2"):
        func.vmap(lambda a: a, in_dims=2)(x)
    with pytest.raises(ValueError, match="expected tensors as results, got float"):
        func.vmap(lambda a: 1.0)(x)
    with pytest.raises(ValueError, match="out_dims for a result that differs"):
        func.vmap(lambda a: a, out_dims=None)(x)
    with pytest.raises(RuntimeError, match="randomness 'error', 'different' or 'same', got 'x'"):
        func.vmap(lambda a: a, randomness="x")
    with pytest.raises(RuntimeError, match="stands for a whole batch"):
        func.vmap(lambda a: a if a.sum() > 0 else -a)(x)
    with pytest.raises(RuntimeError, match="depends on values"):
        func.vmap(lambda a: a[a > 0])(x)
