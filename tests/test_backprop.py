"""The reverse pass, and grad, value_and_grad, vjp, jvp, hvp on top of it."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
import schuss.functions as F
from schuss.core import Tensor, enable_grad, leaf, no_grad, tensor
from schuss.transforms import grad, hvp, jvp, value_and_grad, vjp

A = np.random.default_rng(0).normal(size=(3, 4))
B = np.random.default_rng(1).normal(size=(4, 2))


def wide(data: Any, requires_grad: bool = True) -> Tensor:
    return tensor(data, "float64", requires_grad=requires_grad)


# Tensor.backward.


def test_chain_of_100000_operations() -> None:
    x = wide([1.0, 2.0])
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0]
    del y


def test_chain_of_100000_operations_in_the_functional_face() -> None:
    def f(x: Tensor) -> Tensor:
        y = x
        for _ in range(100_000):
            y = y * 1.0
        return y * y

    assert float(grad(f)(3.0)) == 6.0


def test_an_unused_chain_is_freed_without_recursion() -> None:
    y = wide(1.0)
    for _ in range(200_000):
        y = y * 1.0
    del y


@pytest.mark.parametrize("double", [lambda x: x + x, lambda x: F.concat([x, x])[:1] + x])
def test_shared_subexpressions_are_visited_once(double: Any) -> None:
    x = wide([1.0])
    y = x
    for _ in range(60):
        y = double(y)
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 2.0**60


def test_diamonds() -> None:
    x = wide(0.7)
    a = F.exp(x)
    b, c = F.sin(a), F.cos(a)
    (b * c + a * b).backward()
    s, e = np.sin(np.exp(0.7)), np.exp(0.7)
    c0 = np.cos(e)
    right = (c0 * c0 - s * s) * e + e * s + e * c0 * e
    np.testing.assert_allclose(x.grad.item(), right, rtol=1e-14)  # type: ignore[union-attr]


def test_gradients_accumulate_over_passes_and_uses() -> None:
    x = wide([1.0, 2.0])
    (x * x).sum().backward()
    (x * 3).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [5.0, 7.0]
    assert not x.grad.requires_grad


def test_gradients_do_not_share_memory_with_what_may_change() -> None:
    x, y = wide([1.0, 2.0]), wide([3.0, 4.0])
    (x + y).backward(np.ones(2))
    x.grad.assign([5.0, 5.0])  # type: ignore[union-attr]
    assert y.grad.tolist() == [1.0, 1.0]  # type: ignore[union-attr]


def test_results_behind_a_leaf_get_no_grad_of_their_own() -> None:
    x = wide(2.0)
    y = x * 3
    (y * y).backward()
    assert y.grad is None
    assert x.grad.item() == 36.0  # type: ignore[union-attr]


def test_backward_of_a_leaf() -> None:
    x = wide(2.0)
    x.backward()
    assert x.grad.item() == 1.0  # type: ignore[union-attr]


def test_memory_is_freed_as_the_pass_goes() -> None:
    x = wide(np.ones(50_000))
    y = x
    alive = []
    for _ in range(40):
        y = F.tanh(y)
        alive.append(weakref.ref(y))
    total = y.sum()
    del y
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    total.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(r() is None for r in alive)
    assert peak - before < 8 * 50_000 * 8


def test_memory_is_freed_in_the_functional_face_too() -> None:
    x = wide(np.ones(50_000), False)
    alive = []

    def f(x: Tensor) -> Tensor:
        for _ in range(40):
            x = F.tanh(x)
            alive.append(weakref.ref(x))
        return F.sum(x)

    def watch(x: Tensor) -> Tensor:
        return f(x + Tensor(0.0))

    tracemalloc.start()
    value_and_grad(watch)(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 40 activations of 400 kB forward; the gradients backward take the place of freed ones.
    assert peak < 50 * 50_000 * 8
    assert all(r() is None for r in alive)


def test_a_second_pass_needs_the_graph_retained() -> None:
    x = wide([1.0, 2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match=r"freed .*retain_graph=True"):
        y.backward()
    z = x * x
    z.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        (z * 2).sum().backward()


def test_a_change_of_a_factor_without_a_gradient_is_noticed() -> None:
    x, factor = wide([1.0, 2.0]), tensor([3.0, 4.0], np.float64)
    y = (x * factor).sum()
    factor.fill_(0.0)
    with pytest.raises(RuntimeError, match=r"shape \(2,\) was changed in place after multiply"):
        y.backward()
    # A sum's derivative looks at no value: a running average may go on.
    y = (x - factor).sum()
    factor.fill_(1.0)
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_change_in_place_is_noticed() -> None:
    x = wide([1.0, 2.0])
    y = (x * x).sum()
    x.assign([5.0, 5.0])
    with pytest.raises(RuntimeError, match=r"shape \(2,\) was changed in place after multiply"):
        y.backward()
    z = (x * x).sum()
    z.backward()
    assert x.grad.tolist() == [10.0, 10.0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("use", "unseen", "gradient"),
    [
        (lambda x, c, places, mask: x * c, "x", [3.0, 4.0]),
        (lambda x, c, places, mask: c.reshape(1, 2) @ x, "x", [3.0, 4.0]),
        (lambda x, c, places, mask: x / c, "x", [1 / 3, 0.25]),
        (lambda x, c, places, mask: x / 2.0, "x", [0.5, 0.5]),
        (lambda x, c, places, mask: x.mean(), "x", [0.5, 0.5]),
        (lambda x, c, places, mask: x[places], "x", [0.0, 2.0]),
        (lambda x, c, places, mask: ss.where(mask, x, c), "x", [1.0, 1.0]),
        (lambda x, c, places, mask: x * c, "c", None),
        (lambda x, c, places, mask: c.reshape(1, 2) @ x, "c", None),
        (lambda x, c, places, mask: x / c, "c", None),
        (lambda x, c, places, mask: c / x, "x", None),
        (lambda x, c, places, mask: x[places], "places", None),
        (lambda x, c, places, mask: ss.where(mask, x, c), "mask", None),
    ],
)
def test_a_change_of_what_no_derivative_looks_at_is_allowed(
    use: Callable[..., Tensor], unseen: str, gradient: list[float] | None
) -> None:
    x, places = wide([1.0, 2.0]), tensor([1, 1])
    c = tensor([3.0, 4.0], np.float64)
    mask = tensor([True, True])
    y = use(x, c, places, mask).sum()
    with no_grad():
        {"x": x, "c": c, "places": places, "mask": mask}[unseen].fill_(0)
    if gradient is None:
        with pytest.raises(RuntimeError, match="was changed in place after"):
            y.backward()
    else:
        y.backward()
        assert x.grad is not None
        assert x.grad.tolist() == gradient


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda x: (x * 2).backward(), ValueError, r"one element or a gradient, got shape \(2,\)"),
        (lambda x: (x * 2).backward([1.0]), ValueError, r"gradient of shape \(2,\), got \(1,\)"),
        (lambda x: x.detach().sum().backward(), ValueError, "set requires_grad=True"),
        (lambda x: tensor([1, 2]).sum().backward(), ValueError, "depends on none"),
    ],
)  # fmt: skip
def test_wrong_uses_of_backward(act: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        act(wide([1.0, 2.0]))


def test_detach_and_no_grad_cut_the_graph() -> None:
    x = wide(3.0)
    (x * x.detach()).backward()
    assert x.grad.item() == 3.0  # type: ignore[union-attr]
    with no_grad():
        y = x * x
        with enable_grad():
            z = x * 2
    assert not y.requires_grad
    assert z.requires_grad


def test_gradients_have_the_dtype_and_shape_of_their_tensor() -> None:
    x = tensor([[1.0, 2.0]], requires_grad=True)
    w = wide([[1.0], [2.0]])
    (x * w).sum().backward()
    assert (x.grad.dtype, x.grad.shape) == (np.float32, (1, 2))  # type: ignore[union-attr]
    assert (w.grad.dtype, w.grad.shape) == (np.float64, (2, 1))  # type: ignore[union-attr]


def test_backward_in_other_threads() -> None:
    found = {}

    def work(n: int) -> None:
        x = wide(float(n))
        for _ in range(50):
            (x * x).backward()
        found[n] = x.grad.item()  # type: ignore[union-attr]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {n: 100.0 * n for n in range(4)}


# The functional face.


def cubes(x: Tensor, y: Tensor) -> Tensor:
    return F.sum(x * x * x * y + F.sin(y))


def test_value_and_grad_with_argnums_and_aux() -> None:
    x, y = wide([1.0, 2.0], False), wide([3.0, 4.0], False)
    value, slope = value_and_grad(cubes)(x, y)
    np.testing.assert_allclose(value.item(), np.sum([3, 32] + np.sin([3, 4])))
    np.testing.assert_allclose(slope.array, [9, 48])
    both = grad(cubes, argnums=(1, 0))(x, y)
    assert isinstance(both, tuple)
    np.testing.assert_allclose(both[0].array, [1, 8] + np.cos([3, 4]))
    np.testing.assert_allclose(both[1].array, [9, 48])
    np.testing.assert_allclose(grad(cubes, argnums=1)(x, y).array, [1, 8] + np.cos([3, 4]))
    (value, extra), slope = value_and_grad(lambda x: (F.sum(x * x), {"kept": x + 1}), has_aux=True)(
        x
    )
    assert value.item() == 5.0
    assert extra["kept"].tolist() == [2.0, 3.0]
    assert slope.tolist() == [2.0, 4.0]
    assert not value.requires_grad
    assert not slope.requires_grad


def test_keyword_and_other_arguments_pass_through() -> None:
    slope = grad(lambda x, n, *, by: x**n * by)(2.0, 3, by=5.0)
    assert slope.item() == 60.0


def test_grad_to_high_orders() -> None:
    f: Any = lambda x: x**5  # noqa: E731
    for right in (5 * 2.0**4, 20 * 2.0**3, 60 * 2.0**2, 120 * 2.0, 120.0, 0.0):
        f = grad(f)
        assert float(f(2.0)) == right
    g: Any = F.sin
    for right in (np.cos(0.5), -np.sin(0.5), -np.cos(0.5), np.sin(0.5)):
        g = grad(g)
        np.testing.assert_allclose(float(g(np.float64(0.5))), right, rtol=1e-6)


def test_mixed_partial_derivatives() -> None:
    def f(x: Tensor, y: Tensor) -> Tensor:
        return x * x * F.exp(y)

    x, y = wide(2.0), wide(0.5)
    np.testing.assert_allclose(float(grad(grad(f, 0), 1)(x, y)), 4 * np.exp(0.5))
    np.testing.assert_allclose(float(grad(grad(f, 1), 0)(x, y)), 4 * np.exp(0.5))
    np.testing.assert_allclose(float(grad(grad(grad(f, 0), 0), 1)(x, y)), 2 * np.exp(0.5))


def test_perturbations_are_not_confused() -> None:
    # d/dx [x * d/dy (x + y)] is 1; a tag shared by both levels would make it 2.
    assert float(grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    found = grad(lambda x: x * grad(lambda y: x * y * y)(3.0))(2.0)
    assert float(found) == 2 * 2.0 * 6.0
    inner = grad(lambda x: grad(lambda y: y * y * x)(x))(3.0)
    assert float(inner) == 4 * 3.0
    assert float(jvp(lambda x: jvp(lambda y: x * y * y, x, 1.0)[1], 3.0, 1.0)[1]) == 4 * 3.0


def test_gradient_penalty_reaches_parameters() -> None:
    torch = pytest.importorskip("torch")
    w = wide(A)

    def score(x: Tensor) -> Tensor:
        return F.sum(F.tanh(F.matmul(x, w)))

    x = wide(B[:3].T @ np.eye(3), False)
    penalty = F.sum(F.square(grad(score)(x)))
    assert penalty.requires_grad
    penalty.backward()
    tw = torch.tensor(A, requires_grad=True)
    tx = torch.tensor(x.array, requires_grad=True)
    (g,) = torch.autograd.grad(torch.tanh(tx @ tw).sum(), tx, create_graph=True)
    (g**2).sum().backward()
    np.testing.assert_allclose(w.grad.array, tw.grad.numpy(), rtol=1e-12)  # type: ignore[union-attr]


def test_backward_through_value_and_grad_of_a_tensor_that_requires_grad() -> None:
    x = wide(2.0)
    value, slope = value_and_grad(lambda t: t * t * t)(x)
    (value + slope).backward()
    assert x.grad.item() == 12.0 + 12.0  # type: ignore[union-attr]


def test_grad_inside_no_grad_still_differentiates_but_records_nothing() -> None:
    x = wide(2.0)
    with no_grad():
        slope = grad(lambda t: t * t)(x)
    assert slope.item() == 4.0
    assert not slope.requires_grad


def test_functions_that_do_not_depend_on_the_argument() -> None:
    x = wide([1.0, 2.0], False)
    assert grad(lambda x: tensor(3.0))(x).tolist() == [0.0, 0.0]
    assert grad(lambda x: F.sum(F.floor(x)))(x).tolist() == [0.0, 0.0]
    assert grad(lambda x, y: F.sum(y))(x, x).tolist() == [0.0, 0.0]
    assert grad(lambda x: x[0] * 0 + x.detach()[0])(x).tolist() == [0.0, 0.0]
    _, pull = vjp(lambda x: (x * 2, tensor(1.0, "float64")), x)
    assert pull(np.ones(2), 1.0)[0].tolist() == [2.0, 2.0]
    assert jvp(lambda x: tensor([1.0]), x, x)[1].tolist() == [0.0]
    assert hvp(lambda x: F.sum(x), x, x).tolist() == [0.0, 0.0]
    assert grad(lambda x: x)(3.0).item() == 1.0


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda x: grad(lambda t: t)(x), ValueError, r"one element, got shape \(2,\).*use vjp"),
        (lambda x: grad(F.sum)([1, 2]), TypeError, "grad: expected a float argument, got int64"),
        (lambda x: grad(lambda t: 3.0)(x), TypeError, "expected f to return a tensor, got float"),
        (lambda x: grad(F.sum, argnums=1)(x), ValueError, "argnums from 0 to 0 for 1 arguments"),
        (lambda x: vjp(lambda t: t, x)[1](1.0), ValueError, r"vjp: .*shape \(2,\), got \(\)"),
        (lambda x: vjp(lambda t: t, x)[1](x, x), ValueError, "vjp: expected 1 errors, got 2"),
        (lambda x: jvp(F.sum, x, 1.0), ValueError, r"jvp: expected directions .*\(2,\)"),
        (lambda x: hvp(F.sum, x, (x, x)), ValueError, "hvp: expected directions"),
        (lambda x: vjp(F.sum, [True]), TypeError, "got bool"),
    ],
)  # fmt: skip
def test_wrong_uses_of_the_functional_face(act: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        act(wide([1.0, 2.0], False))


def layer(x: Tensor, w: Tensor) -> Tensor:
    return F.tanh(F.matmul(x, w)) * F.sum(w)


def jacobian(f: Any, xs: list[np.ndarray], position: int) -> np.ndarray:
    y = f(*map(leaf, xs)).array
    columns = []
    for index in np.ndindex(xs[position].shape):
        moved = [x.copy() for x in xs]
        h = 1e-5
        moved[position][index] += h
        up = f(*map(leaf, moved)).array
        moved[position][index] -= 2 * h
        columns.append((up - f(*map(leaf, moved)).array) / (2 * h))
    return np.stack(columns, -1).reshape(*y.shape, *xs[position].shape)


def test_vjp_and_jvp_against_the_jacobian() -> None:
    jx, jw = jacobian(layer, [A, B], 0), jacobian(layer, [A, B], 1)
    random = np.random.default_rng(2)
    e, vx, vw = random.normal(size=(3, 2)), random.normal(size=A.shape), random.normal(size=B.shape)
    y, pull = vjp(layer, leaf(A), leaf(B))
    for _ in range(2):
        gx, gw = pull(e)
        np.testing.assert_allclose(gx.array, np.einsum("ij,ijkl->kl", e, jx), rtol=1e-7)
        np.testing.assert_allclose(gw.array, np.einsum("ij,ijkl->kl", e, jw), rtol=1e-7)
    value, change = jvp(layer, (leaf(A), leaf(B)), (vx, vw))
    np.testing.assert_allclose(value.array, y.array)
    right = np.einsum("ijkl,kl->ij", jx, vx) + np.einsum("ijkl,kl->ij", jw, vw)
    np.testing.assert_allclose(change.array, right, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # PyTorch's own
def test_against_torch_func() -> None:
    torch = pytest.importorskip("torch")
    x, v = np.random.default_rng(3).normal(size=(2, 5))

    def f(x: Tensor) -> Tensor:
        return F.sum(F.exp(F.sin(x))) * x[0] * F.prod(x)

    def theirs(x: Any) -> Any:
        return torch.exp(torch.sin(x)).sum() * x[0] * torch.prod(x)

    tx, tv = torch.tensor(x), torch.tensor(v)
    np.testing.assert_allclose(grad(f)(leaf(x)).array, torch.func.grad(theirs)(tx), rtol=1e-12)
    hessian = torch.func.hessian(theirs)(tx).numpy()
    np.testing.assert_allclose(hvp(f, leaf(x), leaf(v)).array, hessian @ v, rtol=1e-11)
    rows = np.stack([hvp(f, leaf(x), leaf(e)).array for e in np.eye(5)])
    np.testing.assert_allclose(rows, hessian, rtol=1e-11)
    value, change = jvp(f, leaf(x), leaf(v))
    tvalue, tchange = torch.func.jvp(theirs, (tx,), (tv,))
    np.testing.assert_allclose([value.item(), change.item()], [tvalue, tchange], rtol=1e-12)
    third = grad(lambda x: F.sum(hvp(f, x, leaf(v)) * leaf(v)))(leaf(x))
    right = torch.func.grad(lambda x: tv @ torch.func.hessian(theirs)(x) @ tv)(tx)
    np.testing.assert_allclose(third.array, right, rtol=1e-10)


def test_jvp_and_vjp_of_tuples() -> None:
    def f(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x * y, x + 2 * y

    (a, b), pull = vjp(f, 2.0, 3.0)
    assert (a.item(), b.item()) == (6.0, 8.0)
    assert [g.item() for g in pull(1.0, 10.0)] == [13.0, 22.0]
    _, changes = jvp(f, (2.0, 3.0), (1.0, 0.5))
    assert [c.item() for c in changes] == [4.0, 2.0]
    products = hvp(lambda x, y: x * x * y, (2.0, 3.0), (1.0, 0.0))
    assert [p.item() for p in products] == [6.0, 4.0]


def test_pull_records_where_the_error_requires_a_gradient() -> None:
    e = wide([1.0, 1.0])
    _, pull = vjp(F.sin, wide([0.0, 1.0], False))
    pull(e)[0].sum().backward()
    np.testing.assert_allclose(e.grad.array, np.cos([0.0, 1.0]))  # type: ignore[union-attr]


def test_no_memory_is_leaked() -> None:
    x = wide(np.ones((4, 4)), False)
    w = wide(np.ones((4, 4)))

    def use() -> None:
        grad(lambda t: F.sum(F.tanh(F.matmul(t, w))))(x)
        hvp(lambda t: F.sum(F.exp(t)), x, x)
        jvp(F.sin, x, x)
        vjp(F.sin, x)[1](x)
        F.sum(F.matmul(w, w)).backward()

    use()
    gc.collect()
    gc.disable()
    try:
        before = sum(type(o) is Tensor for o in gc.get_objects())
        for _ in range(20):
            use()
        after = sum(type(o) is Tensor for o in gc.get_objects())
    finally:
        gc.enable()
    assert after <= before + 1


def test_what_is_added_to_a_gradient_shows_in_the_one_that_was_kept() -> None:
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, ss):
        w = library.tensor([1.0, 2.0], requires_grad=True)
        kept = []
        for k in (1.0, 2.0, 3.0):
            w.grad = None
            for _ in range(2):
                (w * k).sum().backward()
                kept.append(w.grad)
        found.append([g.tolist() for g in kept])
    assert found[0] == found[1] == [[2.0 * k] * 2 for k in (1.0, 2.0, 3.0) for _ in range(2)]
