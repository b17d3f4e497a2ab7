"""Calls in PyTorch's spelling: values, dtypes and gradients are PyTorch's, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss

RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 4)).astype(np.float32)
Y = RNG.normal(size=(3, 4)).astype(np.float32)
TIES = np.array([[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 1.0, 1.0], [5.0, 0.0, 0.0, 5.0]], np.float32)

Call = Callable[[Any, Any, Any], Any]

# Each of a library and two of its tensors, of shape (3, 4).
SMOOTH: dict[str, Call] = {
    "add": lambda lib, x, y: lib.add(x, y, alpha=2),
    "addbmm": lambda lib, x, y: lib.addbmm(
        x, lib.stack([x, y])[:, :, :2], lib.stack([x, y])[:, :2], beta=0.5, alpha=2.0
    ),
    "addcdiv": lambda lib, x, y: x.addcdiv(x, 2 + y * y, value=0.5),
    "addcmul": lambda lib, x, y: lib.addcmul(x, x, y, value=0.5),
    "addmv": lambda lib, x, y: lib.addmv(x[:, 0], x, y[0], beta=2),
    "addr": lambda lib, x, y: lib.addr(x, x[:, 0], y[0], alpha=3),
    "aminmax": lambda lib, x, y: tuple(lib.aminmax(x, dim=1, keepdim=True)),
    "atleast": lambda lib, x, y: lib.atleast_3d(x),
    "block_diag": lambda lib, x, y: lib.block_diag(x, y),
    "broadcast_tensors": lambda lib, x, y: lib.broadcast_tensors(x, y[0]),
    "cdist": lambda lib, x, y: lib.cdist(x, y, p=2.0),
    "cholesky_solve": lambda lib, x, y: (
        lib.cholesky_solve(x, lib.tril(y[:, :3]) + 3 * lib.eye(3)),
        lib.cholesky_solve(x, input2=lib.triu(y[:, :3]) + 3 * lib.eye(3), upper=True),
    ),
    "clamp": lambda lib, x, y: x.clamp(-0.5, 0.5),
    "column_stack": lambda lib, x, y: lib.column_stack([x, y[:, 0]]),
    "cov": lambda lib, x, y: (lib.cov(x), x.corrcoef()),
    "cross": lambda lib, x, y: lib.cross(x, y),
    "cummax": lambda lib, x, y: tuple(x.cummax(1)),
    "cummin": lambda lib, x, y: tuple(x.cummin(dim=0)),
    "cumprod": lambda lib, x, y: x.cumprod(1),
    "cumulative_trapezoid": lambda lib, x, y: lib.cumulative_trapezoid(x, dx=0.5, dim=0),
    "diag_embed": lambda lib, x, y: lib.diag_embed(x, 1, 0, 2),
    "diagonal": lambda lib, x, y: (lib.diagonal(x, 1), x.diag(-1), lib.diag(x[0], 1)),
    "diff": lambda lib, x, y: (lib.diff(x, 2), x.diff(1, 0), x.diff(dim=0, prepend=y)),
    "dist": lambda lib, x, y: lib.dist(x, y, 3.0),
    "div": lambda lib, x, y: (lib.div(x, y), x.div(2.0)),
    "fmax": lambda lib, x, y: (lib.fmax(x, y), lib.fmin(x, y)),
    "fmod": lambda lib, x, y: (x.fmod(0.3), lib.frac(x)),
    "gather": lambda lib, x, y: x.gather(1, lib.tensor([[3, 0], [1, 1]])),
    "hsplit": lambda lib, x, y: (*lib.hsplit(x, 2), *lib.vsplit(x, [1]), *x.tensor_split(3, 1)),
    "index_add": lambda lib, x, y: x.index_add(0, lib.tensor([2, 0, 2]), y, alpha=0.5),
    "index_copy": lambda lib, x, y: x.index_copy(1, lib.tensor([3, 0, 1, 2]), y),
    "index_fill of a vector": lambda lib, x, y: x[0].index_fill(0, lib.tensor([0, 2]), 0.25),
    "index_fill": lambda lib, x, y: x.index_fill(1, lib.tensor([0, 2]), 0.25),
    "index_put": lambda lib, x, y: (
        x.index_put((lib.tensor([0, 2, -1]), lib.tensor([1, 3, 0])), y[0, :3]),
        x.index_put((lib.tensor([0, 2]),), y[0]),
        x.index_put((lib.tensor([0, 0]), lib.tensor([1, 1])), y[0, :2], accumulate=True),
        x.index_put((y > 0,), lib.tensor(0.5)),
        x.index_put((y[:, 0] > 0,), y[0], accumulate=True),
    ),
    "inner": lambda lib, x, y: lib.inner(x, y),
    "kron": lambda lib, x, y: lib.kron(x, y[:2, :2]),
    "kthvalue": lambda lib, x, y: tuple(x.kthvalue(2, 1, keepdim=True)),
    "lerp": lambda lib, x, y: lib.lerp(x, y, 0.3),
    "logaddexp2": lambda lib, x, y: lib.logaddexp2(x, y),
    "logcumsumexp": lambda lib, x, y: x.logcumsumexp(1),
    "logit": lambda lib, x, y: lib.logit(lib.sigmoid(x), eps=1e-3),
    "logsumexp": lambda lib, x, y: x.logsumexp(1, True),
    "masked_fill": lambda lib, x, y: x.masked_fill(y > 0, 0.5),
    "masked_scatter": lambda lib, x, y: x.masked_scatter(y > 0, y),
    "max": lambda lib, x, y: (*x.max(1), *lib.min(x, 0, keepdim=True), lib.max(x, y), x.min()),
    "median": lambda lib, x, y: (x.median(), *x.median(1), *lib.nanmedian(x, 0, True)),
    "meshgrid": lambda lib, x, y: lib.meshgrid(x[0], y[:, 0]),
    "mode": lambda lib, x, y: tuple(lib.mode(x, 1)),
    "movedim": lambda lib, x, y: lib.movedim(x, 0, 1),
    "nan_to_num": lambda lib, x, y: lib.nan_to_num(x / (y > 0), nan=1.0, posinf=2.0, neginf=3.0),
    "nansum": lambda lib, x, y: (lib.nansum(x, 1), lib.nanmean(x, 0)),
    "nextafter": lambda lib, x, y: lib.nextafter(x, y.detach()),
    "norm": lambda lib, x, y: (x.norm(), x.norm(1), x.norm(3, 1), x.norm(dim=0, p=0.5)),
    "pad": lambda lib, x, y: tuple(
        lib.nn.functional.pad(x[None, None], (-1, 1, -1, 1), mode)
        for mode in ("constant", "reflect", "replicate", "circular")
    ),
    "put": lambda lib, x, y: x.put(lib.tensor([0, 5, -1]), y[0, :3], accumulate=True),
    "quantile": lambda lib, x, y: (x.quantile(0.3, dim=1), lib.quantile(x, 0.5)),
    "renamed": lambda lib, x, y: (lib.arcsinh(x), lib.subtract(x, y), lib.neg(x), x.true_divide(y)),
    "repeat": lambda lib, x, y: (x.repeat(2, 1), x.repeat(2, 1, 3), x.tile(2)),
    "repeat_interleave": lambda lib, x, y: lib.repeat_interleave(x, 2, dim=1),
    "roll": lambda lib, x, y: (x.roll(1, 0), x.roll((1, 2), (0, 1)), lib.rot90(x)),
    "rsub": lambda lib, x, y: lib.rsub(x, y, alpha=2),
    "scatter": lambda lib, x, y: x.scatter(0, lib.tensor([[0, 1, 2, 0]]), y[:1]),
    "scatter_add": lambda lib, x, y: x.scatter_add(1, lib.tensor([[0, 0], [3, 1]]), y[:2, :2]),
    "scatter_reduce": lambda lib, x, y: x.scatter_reduce(
        1, lib.tensor([[0, 0], [3, 1]]), y[:2, :2], "amax", include_self=False
    ),
    "select_scatter": lambda lib, x, y: x.select_scatter(y[0], 0, 1),
    "sinc": lambda lib, x, y: (lib.sinc(x), lib.exp2(x), lib.deg2rad(x)),
    "slice_scatter": lambda lib, x, y: x.slice_scatter(y[:, :2], 1, 0, 4, 2),
    "softmax": lambda lib, x, y: (x.softmax(1), lib.log_softmax(x, dim=0)),
    "sort": lambda lib, x, y: (*x.sort(1), *lib.sort(x, 0, True), *x.sort(descending=True)),
    "split": lambda lib, x, y: (*x.split(3, 1), *lib.split(x, [1, 2])),
    "squeeze": lambda lib, x, y: (x[:1].squeeze(0), x.squeeze(0), x.unsqueeze(-1)),
    "std": lambda lib, x, y: (x.std(), x.std(0), x.std(1, False, True), x.std(unbiased=False)),
    "std_mean": lambda lib, x, y: (*lib.std_mean(x, 1), *lib.var_mean(x, dim=0, correction=0)),
    "sum": lambda lib, x, y: (x.sum(0, True), x.sum(dim=(0, 1)), x.sum(()), x.sum(-1)),
    "take": lambda lib, x, y: lib.take(x, lib.tensor([[0, 5], [11, 2]])),
    "tensordot": lambda lib, x, y: lib.tensordot(x, y, dims=([0], [0])),
    "topk": lambda lib, x, y: (*x.topk(2), *lib.topk(x, 1, 0, False)),
    "trapezoid": lambda lib, x, y: lib.trapezoid(x, dim=1),
    "tril": lambda lib, x, y: (x.tril(1), lib.triu(x, diagonal=-1)),
    "unfold": lambda lib, x, y: x.unfold(1, 2, 1),
    "var": lambda lib, x, y: (x.var(), x.var(1, correction=0), x.var((0, 1))),
    "xlogy": lambda lib, x, y: lib.xlogy(x, y * y),
}  # fmt: skip
WHOLE: dict[str, Call] = {
    "allclose": lambda lib, x, y: (lib.allclose(x, x + 1e-7), lib.equal(x, x), x.equal(y)),
    "argsort": lambda lib, x, y: (x.argsort(1, True), x.argmax(1, True), x.argmin()),
    "arange": lambda lib, x, y: (lib.arange(0, 5, 2), lib.arange(end=3), lib.arange(0.5, 2)),
    "bincount": lambda lib, x, y: (
        lib.bincount(lib.tensor([1, 3, 1]), minlength=6),
        lib.bincount(lib.tensor([1, 3, 1]), x[:, 0], 6),
        lib.bincount(lib.tensor([1, 3, 1]), lib.tensor([1, 2, 3]), 4),
    ),
    "bucketize": lambda lib, x, y: lib.bucketize(x, lib.tensor([-1.0, 0.0, 1.0]), right=True),
    "comparisons": lambda lib, x, y: (lib.eq(x, y), x.ne(y), lib.lt(x, 0), x.ge(other=y)),
    "copysign": lambda lib, x, y: lib.copysign(lib.tensor([1, 2]), lib.tensor([1, -2])),
    "count_nonzero": lambda lib, x, y: (lib.count_nonzero(x > 0, 1), (x > 0).all(1), x.any()),
    "diff": lambda lib, x, y: lib.diff(x > 0),
    "div": lambda lib, x, y: tuple(
        lib.div(lib.tensor([7, -7, 6]), 2, rounding_mode=mode) for mode in ("floor", "trunc")
    ),
    "losses of integers": lambda lib, x, y: tuple(
        getattr(lib.nn.functional, f"{name}_loss")(a, a // 2, b, reduction="none")
        for name, b in (
            ("margin_ranking", lib.tensor([[1, -1]])), ("triplet_margin", lib.tensor([[3, 3]])),
            ("cosine_embedding", lib.tensor([1])),
        )
        for a in (lib.tensor([[4, -6]]),)
    ),
    "limits of integers": lambda lib, x, y: (
        lib.nn.functional.relu6(lib.tensor([-1, 7, 3])),
        lib.nn.functional.hardtanh(lib.tensor([-1, 7, 3]), -0.5, 0.5),
        lib.nn.functional.hardtanh(x, 0.0, 0.0),
    ),
    "no axes": lambda lib, x, y: (
        lib.nn.functional.normalize(lib.tensor(3.0), dim=0),
        lib.nn.functional.cosine_similarity(lib.tensor(3.0), lib.tensor(-2.0), dim=0),
    ),
    "powers of integers": lambda lib, x, y: lib.pow(
        lib.tensor([2, 1, -1, -1, 0, 3, 5]), lib.tensor([-1, -2, -3, -2, -1, 2, 0])
    ),
    "eye": lambda lib, x, y: (lib.eye(n=2, m=3), lib.full(size=(2,), fill_value=7)),
    "heaviside": lambda lib, x, y: lib.heaviside(x, y),
    "histc": lambda lib, x, y: (x.histc(5, -1, 1), x.histc(4), (x * 0).histc(3)),
    "isin": lambda lib, x, y: lib.isin(lib.tensor([1, 2, 3]), lib.tensor([3, 1]), invert=True),
    "like": lambda lib, x, y: (lib.zeros_like(x), x.new_full((2,), 3), x.new_ones(2, 1)),
    "linspace": lambda lib, x, y: lib.linspace(start=0, end=1, steps=5),
    "masked_fill": lambda lib, x, y: (x > 0).masked_fill(y > 0, 10),
    "masked_select": lambda lib, x, y: (x.masked_select(y > 0), x.nonzero(), lib.argwhere(x > 0)),
    "nonzero": lambda lib, x, y: (*lib.nonzero(x > 0, as_tuple=True), *lib.where(x > 0)),
    "numbers": lambda lib, x, y: (x.size(), x.size(1), x.dim(), x.numel(), x.stride()),
    "round": lambda lib, x, y: (lib.round(x, decimals=2), lib.sign(x / 0 * 0), x.trunc()),
    "searchsorted": lambda lib, x, y: (
        lib.searchsorted(lib.sort(x, 1)[0], y, right=True), lib.searchsorted(x[0].sort()[0], 0.1)
    ),
    "shifts": lambda lib, x, y: lib.bitwise_left_shift(lib.tensor([1, 2], dtype=lib.int32), 5),
    "square": lambda lib, x, y: (lib.square(x > 0), lib.float_power(x * x, 2)),
    "tri_indices": lambda lib, x, y: (lib.tril_indices(3, 4, 1), lib.triu_indices(3, 3)),
    "types": lambda lib, x, y: (x.double(), x.to(lib.int64), x.type_as(x > 0), x.long().float()),
    "unique": lambda lib, x, y: lib.unique(
        lib.tensor([3, 1, 3]), return_inverse=True, return_counts=True
    ),
    "unique_consecutive": lambda lib, x, y: lib.unique_consecutive(lib.tensor([1, 1, 2, 1])),
}  # fmt: skip
# Their results have a shape, or an order of branches, that depends on values.
OF_VALUES = {
    "allclose", "masked_select", "nonzero", "numbers", "unique",
    "unique_consecutive",
}  # fmt: skip


def flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def assert_same(ours: Any, theirs: Any) -> None:
    for mine, other in zip(flat(ours), flat(theirs), strict=True):
        if not hasattr(other, "detach"):
            assert mine == other
            continue
        wanted = other.detach().numpy()
        found = np.asarray(mine.detach())
        np.testing.assert_allclose(found, wanted, 2e-5, 2e-6)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)


def total(result: Any) -> Any:
    floats = [
        part for part in flat(result) if part.dtype in (ss.float32,) or part.is_floating_point()
    ]
    return sum((part * part).sum() for part in floats)


# PyTorch says where it will choose another axis, or order, some day.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SMOOTH)
def test_values_and_gradients(name: str) -> None:
    torch = pytest.importorskip("torch")
    call = SMOOTH[name]
    ours = [ss.tensor(a, requires_grad=True) for a in (X, Y)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (X, Y)]
    result, wanted = call(ss, *ours), call(torch, *theirs)
    assert_same(result, wanted)
    plain = [ss.tensor(a) for a in (X, Y)]
    assert_same(ss.compile(lambda x, y: flat(call(ss, x, y)))(*plain), wanted)
    total(wanted).backward()
    total(result).backward()
    slopes = ss.compile(ss.grad(lambda x, y: total(call(ss, x, y)), argnums=(0, 1)))(*plain)
    for mine, other, slope in zip(ours, theirs, slopes, strict=True):
        if other.grad is not None:
            assert mine.grad is not None
            np.testing.assert_allclose(mine.grad, other.grad, 2e-4, 2e-5)
            np.testing.assert_allclose(slope, other.grad, 2e-4, 2e-5)


@pytest.mark.parametrize("name", WHOLE)
def test_values_and_dtypes(name: str) -> None:
    torch = pytest.importorskip("torch")
    call = WHOLE[name]
    wanted = call(torch, torch.tensor(X), torch.tensor(Y))
    x, y = ss.tensor(X), ss.tensor(Y)
    assert_same(call(ss, x, y), wanted)
    if name not in OF_VALUES:
        assert_same(ss.compile(lambda x, y: flat(call(ss, x, y)))(x, y), wanted)


@pytest.mark.parametrize("name", ["max", "min", "sort", "topk", "kthvalue", "mode", "median"])
def test_equal_elements(name: str) -> None:
    torch = pytest.importorskip("torch")
    arguments = (2, 1) if name in ("topk", "kthvalue") else (1,)
    wanted = getattr(torch.tensor(TIES), name)(*arguments)
    x = ss.tensor(TIES)
    for run in (lambda f: f, ss.compile):
        found = run(lambda x: tuple(getattr(x, name)(*arguments)))(x)
        assert found[0].tolist() == wanted.values.tolist()
        picked = np.take_along_axis(TIES, np.asarray(found[1]).reshape(3, -1), 1)
        assert picked.ravel().tolist() == wanted.values.reshape(-1).tolist()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum(0), lambda x: x.max(0), lambda x: x.sort(), lambda x: x.cumsum(-1),
        lambda x: x.topk(1), lambda x: x.median(0), lambda x: x.softmax(0), lambda x: x.flip(0),
        lambda x: x.transpose(0, 0), lambda x: x.squeeze(0), lambda x: x.norm(dim=0),
        lambda x: x.logsumexp(0), lambda x: x.all(0), lambda x: x.argmax(0), lambda x: x.mean(-1),
    ],
)  # fmt: skip
def test_tensors_without_axes(call: Any) -> None:
    torch = pytest.importorskip("torch")
    wanted = call(torch.tensor(2.5))
    assert_same(call(ss.tensor(2.5)), wanted)


@pytest.mark.parametrize("name", ["add", "mul", "clamp", "sigmoid", "round", "tril", "index_add"])
def test_in_place(name: str) -> None:
    torch = pytest.importorskip("torch")

    def change(lib: Any) -> Any:
        x, arguments = lib.tensor(X), {
            "add": (2, ), "mul": (lib.tensor(Y),), "clamp": (-0.5, 0.5),
            "index_add": (0, lib.tensor([1]), lib.tensor(Y[:1])),
        }.get(name, ())  # fmt: skip
        assert getattr(x, name + "_")(*arguments) is x
        return x

    assert_same(change(ss), change(torch))


# Numbers beside float64 tensors keep all their digits.
NUMBERS: dict[str, Any] = {
    "scatter": lambda lib, x: x.scatter(0, lib.tensor([[0, 1]]), 0.1),
    "scatter_": lambda lib, x: x.clone().scatter_(0, lib.tensor([[0, 1]]), 0.1),
    "scatter multiply": lambda lib, x: x.scatter(0, lib.tensor([[0, 1]]), 0.1, reduce="multiply"),
    "index_fill": lambda lib, x: x.index_fill(0, lib.tensor([0]), 0.1),
    "masked_fill": lambda lib, x: x.masked_fill(x > 0, 0.1),
    "where": lambda lib, x: lib.where(x > 0, 0.1, x),
    "quantile": lambda lib, x: lib.quantile(x, 0.3),
    "nanquantile": lambda lib, x: lib.nanquantile(x, 0.3, dim=1),
    "xlogy": lambda lib, x: lib.xlogy(0.1, x.abs()) + lib.xlogy(x, 0.1),
    "float_power": lambda lib, x: lib.float_power(x.abs(), 0.1),
    "lerp": lambda lib, x: x.lerp(2 * x, 0.1),
    "fill_": lambda lib, x: x.clone().fill_(0.1),
    "clamp": lambda lib, x: x.clamp(-0.1, 0.1),
    "addcmul": lambda lib, x: lib.addcmul(x, x, x, value=0.1),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_beside_float64(name: str) -> None:
    torch = pytest.importorskip("torch")
    x = X.astype(np.float64)
    expected = NUMBERS[name](torch, torch.tensor(x)).numpy()
    run = ss.compile(lambda x: NUMBERS[name](ss, x))
    for found in (NUMBERS[name](ss, ss.tensor(x)), run(ss.tensor(x))):
        assert found.numpy().dtype == np.float64
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
