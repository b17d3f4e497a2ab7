"""Linear algebra: PyTorch's values and derivatives, central differences, compiled programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import schuss as ss
from schuss import array_api as xp
from schuss import linalg
from schuss.array_api import linalg as standard

RNG = np.random.default_rng(0)
SQUARE, SIDES = RNG.normal(size=(2, 4, 4)), RNG.normal(size=(2, 4, 3))
TALL, WIDE = RNG.normal(size=(2, 5, 3)), RNG.normal(size=(2, 3, 5))


def symmetric(x: Any) -> Any:
    return (x + x.mT) * 0.5


def positive(x: Any) -> Any:
    return x @ x.mT


class Case(NamedTuple):
    """The same function of `L`, which is either library's `linalg`, and of the inputs."""

    name: str
    call: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]


CASES = [
    Case("solve", lambda L, a, b: L.solve(a, b), (SQUARE, SIDES)),
    Case("solve vectors", lambda L, a, b: L.solve(a, b), (SQUARE, SIDES[..., 0])),
    Case("solve vector", lambda L, a, b: L.solve(a, b), (SQUARE[0], SIDES[0, :, 0])),
    Case("solve right", lambda L, a, b: L.solve(a, b, left=False), (SQUARE, SQUARE[:, :3])),
    Case("solve broadcast", lambda L, a, b: L.solve(a, b), (SQUARE[0], SIDES)),
    Case("upper", lambda L, a, b: L.solve_triangular(a, b, upper=True), (SQUARE, SIDES)),
    Case(
        "unit right",
        lambda L, a, b: L.solve_triangular(a, b, upper=False, left=False, unitriangular=True),
        (SQUARE, SQUARE[:, :3]),
    ),
    Case("inv", lambda L, a: L.inv(a), (SQUARE,)),
    Case("det", lambda L, a: L.det(a), (SQUARE,)),
    Case("slogdet", lambda L, a: L.slogdet(a).logabsdet, (SQUARE,)),
    Case("qr Q", lambda L, a: L.qr(a).Q, (TALL,)),
    Case("qr R", lambda L, a: L.qr(a).R, (TALL,)),
    Case("qr wide Q", lambda L, a: L.qr(a)[0], (WIDE,)),
    Case("qr wide R", lambda L, a: L.qr(a, "complete")[1], (WIDE,)),
    Case("cholesky", lambda L, a: L.cholesky(positive(a)), (SQUARE,)),
    Case("cholesky upper", lambda L, a: L.cholesky(positive(a), upper=True), (SQUARE,)),
    Case("eigvalsh", lambda L, a: L.eigvalsh(symmetric(a)), (SQUARE,)),
    Case("eigh values", lambda L, a: L.eigh(symmetric(a), "U").eigenvalues, (SQUARE,)),
    Case("eigh vectors", lambda L, a: L.eigh(symmetric(a)).eigenvectors ** 2, (SQUARE,)),
    Case("svdvals", lambda L, a: L.svdvals(a), (TALL,)),
    Case("svd U", lambda L, a: L.svd(a, full_matrices=False).U ** 2, (TALL,)),
    Case("svd U wide", lambda L, a: L.svd(a, False).U ** 2, (WIDE,)),
    Case("svd Vh", lambda L, a: L.svd(a, full_matrices=False).Vh ** 2, (TALL,)),
    Case("svd Vh wide", lambda L, a: L.svd(a, False)[2] ** 2, (WIDE,)),
    Case("svd full S", lambda L, a: L.svd(a).S, (WIDE,)),
    Case("svd full U", lambda L, a: L.svd(a).U[..., :3] ** 2, (TALL,)),
    Case("pinv", lambda L, a: L.pinv(a), (TALL,)),
    Case("pinv wide", lambda L, a: L.pinv(a, rtol=1e-3), (WIDE,)),
    Case("lstsq", lambda L, a, b: L.lstsq(a, b).solution, (TALL, RNG.normal(size=(2, 5, 2)))),
    Case(
        "lstsq residuals",
        lambda L, a, b: L.lstsq(a, b, driver="gelsd")[1],
        (TALL, RNG.normal(size=(2, 5, 2))),
    ),
    Case("power", lambda L, a: L.matrix_power(a, 5), (SQUARE,)),
    Case("power -3", lambda L, a: L.matrix_power(a, -3), (SQUARE,)),
    Case(
        "multi_dot",
        lambda L, a, b, c: L.multi_dot([a, b, c]),
        (RNG.normal(size=5), TALL[0], RNG.normal(size=(3, 2))),
    ),
    Case("cross", lambda L, a, b: L.cross(a, b, dim=1), (WIDE, WIDE[::-1].copy())),
    Case("vecdot", lambda L, a, b: L.vecdot(a, b, dim=0), (WIDE, WIDE[::-1].copy())),
    Case("diagonal", lambda L, a: L.diagonal(a, offset=1, dim1=0, dim2=2), (WIDE,)),
    Case("cond", lambda L, a: L.cond(a), (TALL,)),
    Case("cond -2", lambda L, a: L.cond(a, -2), (TALL,)),
    Case("norm", lambda L, a: L.norm(a), (TALL,)),
    Case("norm keep", lambda L, a: L.norm(a, dim=(0, 2), keepdim=True), (TALL,)),
    Case("norm 3", lambda L, a: L.norm(a, 3, dim=1), (TALL,)),
    Case("norm matrix", lambda L, a: L.norm(a, float("inf"), dim=(2, 0), keepdim=True), (TALL,)),
    *[
        Case(f"vector_norm {p}", lambda L, a, p=p: L.vector_norm(a, p, dim=(0, 1)), (TALL,))
        for p in (2, 1, 0.5, -1, 3, float("inf"), -float("inf"))
    ],
    *[
        Case(f"matrix_norm {p}", lambda L, a, p=p: L.matrix_norm(a, p, dim=(0, 1)), (TALL,))
        for p in ("fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf"))
    ],
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_derivatives(case: Case) -> None:
    def ours(*xs: Any) -> Any:
        return case.call(linalg, *xs)

    inputs = [ss.tensor(x) for x in case.inputs]
    y = ours(*inputs)
    np.testing.assert_allclose(ss.compile(ours)(*inputs).array, y.array, rtol=1e-11, atol=1e-12)
    assert ours(*[ss.tensor(x.astype(np.float32)) for x in case.inputs]).dtype == np.float32
    assert ss.check_gradients(ours, *case.inputs).largest_error <= 2e-6

    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(x, requires_grad=True) for x in case.inputs]
    wanted = case.call(torch.linalg, *theirs)
    np.testing.assert_allclose(y.array, wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    error = np.random.default_rng(1).normal(size=y.shape)
    gradients = torch.autograd.grad(wanted, theirs, torch.tensor(error))
    for mine, yours in zip(ss.vjp(ours, *inputs)[1](error), gradients, strict=True):
        np.testing.assert_allclose(mine.array, yours.numpy(), rtol=1e-8, atol=1e-10)


def test_a_compiled_step_of_training() -> None:
    x, y = ss.tensor(TALL[0]), ss.tensor(SIDES[0, :3, 0] @ np.ones((3, 5)))
    weight = ss.tensor(np.eye(3), requires_grad=True)

    def loss() -> Any:
        a = positive(weight) + ss.eye(3, dtype="float64")
        return (linalg.solve(a, x.T) - y).square().mean() + linalg.slogdet(a).logabsdet

    def step() -> Any:
        value = loss()
        weight.grad = None
        value.backward()
        with ss.no_grad():
            weight.sub_(weight.grad * 0.1)  # type: ignore[operator]  # it is there
        return value

    losses = [float(step()) for _ in range(3)]
    weight.assign(np.eye(3))
    compiled = ss.compile(step)
    np.testing.assert_allclose([float(compiled()) for _ in range(3)], losses, rtol=1e-10)
    assert losses[2] < losses[0]


def test_equal_eigenvalues_have_derivatives_where_their_vectors_do_not_count() -> None:
    x = ss.tensor(np.diag([2.0, 2.0, 5.0]), requires_grad=True)
    values, _ = linalg.eigh(x)
    (values * values).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.array, np.diag([4.0, 4.0, 10.0]))
    u, s, vh = linalg.svd(x.detach().requires_grad_())
    assert np.isfinite(ss.vjp(lambda x: linalg.svd(x).S, x.detach())[1](s)[0].array).all()
    # Those vectors are arbitrary, and so is what depends on them.
    vectors = ss.vjp(lambda x: linalg.eigh(x).eigenvectors, x.detach())[1](np.ones((3, 3)))[0]
    assert not np.isfinite(vectors.array).all()
    assert u.shape == vh.shape == (3, 3)


def test_the_derivative_of_a_singular_determinant() -> None:
    x = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
    slope = ss.grad(linalg.det)(x)
    for i in range(3):
        for j in range(3):
            rest = np.delete(np.delete(x, i, 0), j, 1)
            expected = (-1) ** (i + j) * np.linalg.det(rest)
            assert slope[i, j].item() == pytest.approx(expected, abs=1e-12)
    sign, logarithm = linalg.slogdet(x)
    assert (sign.item(), logarithm.item()) == (0.0, -np.inf)


def test_ranks() -> None:
    x = np.diag([3.0, 1.0, 1e-9, 0.0])
    assert linalg.matrix_rank(x).tolist() == 3
    assert linalg.matrix_rank(x, tol=1e-6).tolist() == 2
    assert linalg.matrix_rank(np.stack([x, x]), rtol=[0.5, 1e-12]).tolist() == [1, 3]
    assert linalg.matrix_rank(x, hermitian=True).dtype == np.int64
    np.testing.assert_allclose(linalg.pinv(x, 1e-6).array, np.diag([1 / 3, 1, 0, 0]))
    np.testing.assert_allclose(linalg.pinv(x, atol=2.0).array, np.diag([1 / 3, 0, 0, 0]))
    lower = np.array([[2.0, 7.0], [1.0, 2.0]])
    expected = np.linalg.inv(np.array([[2.0, 1.0], [1.0, 2.0]]))
    np.testing.assert_allclose(linalg.pinv(lower, hermitian=True).array, expected)
    tall = np.ones((3, 2))
    found = linalg.lstsq(tall, np.ones(3))
    assert found.rank.item() == 1
    assert found.residuals.shape == (0,)
    np.testing.assert_allclose(found.solution.array, [0.5, 0.5])


def test_a_large_triangle() -> None:
    rng = np.random.default_rng(1)
    a = np.tril(rng.normal(size=(3, 90, 90))) + 9 * np.eye(90)
    b = rng.normal(size=(90, 2))
    for matrix, upper in ((a, False), (a.swapaxes(1, 2), True)):
        found = linalg.solve_triangular(matrix, b, upper=upper)
        np.testing.assert_allclose(found.array, np.linalg.solve(matrix, b[None]), atol=1e-14)


def test_modes_of_qr() -> None:
    q, r = linalg.qr(TALL, "complete")
    assert (q.shape, r.shape) == ((2, 5, 5), (2, 5, 3))
    np.testing.assert_allclose((q @ r).array, TALL, atol=1e-14)
    empty, r = linalg.qr(TALL, "r")
    assert (empty.shape, r.shape) == ((2, 0, 0), (2, 3, 3))
    x = ss.tensor(TALL, requires_grad=True)
    with pytest.raises(ValueError, match="qr: expected mode 'reduced' where a gradient"):
        linalg.qr(x, "complete").Q.sum().backward()


def test_nothing() -> None:
    none = np.zeros((0, 3, 3))
    for f in (linalg.inv, linalg.cholesky, linalg.pinv, lambda x: linalg.qr(x).R):
        assert f(none).shape == (0, 3, 3)
    assert linalg.det(np.zeros((2, 0, 0))).tolist() == [1.0, 1.0]
    assert linalg.svd(np.zeros((0, 2, 3))).Vh.shape == (0, 3, 3)
    assert linalg.pinv(np.zeros((2, 0))).shape == (0, 2)
    assert linalg.matrix_rank(np.zeros((3, 0, 2))).tolist() == [0, 0, 0]
    assert linalg.matrix_power(SQUARE, 0).tolist() == [np.eye(4).tolist()] * 2


SINGULAR = np.ones((2, 2))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda L: L.solve(SINGULAR, SINGULAR), linalg.LinAlgError, "solve: expected an invert"),
        (lambda L: L.inv(SINGULAR), linalg.LinAlgError, "expected an invertible matrix"),
        (lambda L: L.cholesky(-SINGULAR), linalg.LinAlgError, "cholesky: expected a positive-def"),
        (lambda L: L.svdvals(SINGULAR * np.nan), linalg.LinAlgError, "svdvals: expected finite"),
        (lambda L: L.inv(TALL), ValueError, r"inv: expected x of shape \(..., n, n\)"),
        (lambda L: L.det([[1, 2], [3, 4]]), TypeError, "det: expected floats, got int64"),
        (lambda L: L.svd(np.ones(3)), ValueError, r"svd: expected x of shape \(..., rows"),
        (lambda L: L.solve(SQUARE, TALL), ValueError, r"solve: expected b with 4 rows, got shape"),
        (lambda L: L.qr(TALL, mode="raw"), ValueError, "qr: expected mode"),
        (lambda L: L.matrix_norm(TALL, ord=3), ValueError, "matrix_norm: expected ord 'fro'"),
        (lambda L: L.eig, AttributeError, "eig"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(linalg)


def test_errors_of_compiled_functions() -> None:
    inverse = ss.compile(lambda x: linalg.inv(x) * 2.0)
    with pytest.raises(linalg.LinAlgError, match="expected an invertible matrix"):
        inverse(ss.tensor(SINGULAR))
    # The next call is as good as the first one.
    np.testing.assert_allclose(inverse(ss.tensor(np.eye(2))).array, 2 * np.eye(2))
    with pytest.raises(linalg.LinAlgError, match="expected an invertible matrix"):
        inverse(ss.tensor(SINGULAR))


def test_the_extension_of_the_standard() -> None:
    assert xp.linalg is standard
    x = ss.tensor(SQUARE)
    assert standard.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert standard.qr(x)._fields == ("Q", "R")
    assert standard.slogdet(x)._fields == ("sign", "logabsdet")
    assert standard.svd(x)._fields == ("U", "S", "Vh")
    np.testing.assert_allclose(standard.outer(x[0, 0], x[1, 0]).array,
                               np.outer(SQUARE[0, 0], SQUARE[1, 0]))  # fmt: skip
    whole = xp.asarray(np.arange(8, dtype=np.int32).reshape(2, 2, 2))
    assert standard.trace(whole).tolist() == [3, 11]
    assert standard.trace(whole, dtype=xp.int32).dtype == xp.int32
    assert standard.vecdot(whole, whole).dtype == xp.int32
    # What has as many axes as batches of vectors would, are matrices here.
    assert standard.solve(x, x[0, :, :2]).shape == (2, 4, 2)
    with pytest.raises(ValueError, match="cross: expected length 3 along an axis from -2 to -1"):
        standard.cross(x[0], x[0])
    with pytest.raises(ValueError, match="vecdot: expected equal lengths"):
        standard.vecdot(xp.ones(3), xp.ones(1))


def test_batches_of_vmap() -> None:
    x, y = ss.tensor(SQUARE), ss.tensor(SIDES)
    for f, given in (
        (linalg.solve, (x, y)),
        (linalg.pinv, (x,)),
        (lambda x: linalg.svd(x).Vh, (x,)),
        (lambda x: ss.grad(lambda x: (linalg.eigh(x).eigenvectors ** 4).sum())(x), (x,)),
        (lambda x: ss.fft.rfft_as_real(x, dim=0), (x,)),
        (lambda z: ss.grad(lambda z: ss.fft.irfft_as_real(z, 5, 0)[1].sum())(z), (x[..., :2],)),
    ):
        whole = ss.func.vmap(f)(*given)
        for i in range(2):
            np.testing.assert_allclose(whole[i].array, f(*[g[i] for g in given]).array, atol=1e-14)


def test_functions_and_methods_beside_the_module() -> None:
    raw = np.diag([1.0, 2.0, 4.0])
    x = ss.tensor(raw)
    assert ss.det(x).item() == x.det().item() == pytest.approx(8.0)
    assert ss.logdet(input=x).item() == x.logdet().item() == pytest.approx(np.log(8.0))
    assert np.isnan(ss.logdet(-x).item())
    assert x.slogdet().sign.item() == 1.0
    np.testing.assert_allclose(x.inverse().array, np.diag([1.0, 0.5, 0.25]))
    np.testing.assert_allclose(ss.pinverse(x, 0.3).array, np.diag([0.0, 0.5, 0.25]))
    np.testing.assert_allclose(x.matrix_power(-2).array, np.diag([1.0, 0.25, 0.0625]))
    np.testing.assert_allclose(ss.cholesky(x @ x.T, True).array, raw)


def test_results_go_where_out_says() -> None:
    a = ss.tensor([[2.0, 0.0], [1.0, 4.0]])
    into = ss.zeros((2, 2))
    assert linalg.inv(a, out=into) is into
    np.testing.assert_allclose(into, np.linalg.inv(a.numpy()), 1e-6)
    q, r = ss.zeros((2, 2)), ss.zeros((2, 2))
    assert linalg.qr(a, out=(q, r))[0] is q
    np.testing.assert_allclose(q @ r, a.numpy(), 1e-6, 1e-6)
    with pytest.raises(ValueError, match="det: expected out of shape"):
        linalg.det(a, out=into)
