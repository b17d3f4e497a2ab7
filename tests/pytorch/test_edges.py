"""Calls at nan, infinities, ties and overflows: values and gradients are PyTorch's, or right."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss

INF, NAN = math.inf, math.nan
LINES: list[list[float]] = [
    [1.0, NAN, NAN, 2.0], [NAN, 1.0, 2.0, 3.0], [INF, INF, 1.0, 1.0], [-INF, -INF, -INF, -INF],
    [1.0, 2.0, 2.0, 1.0], [0.0, -0.0, 0.0, -0.0], [INF, -INF, 0.0, 1.0], [2.0, 0.0, 3.0, 0.0],
    [3.0, 1.0, 1.0, 2.0],
]  # fmt: skip
FLOATS = ["float32", "float64"]

# Each of a library and a vector.
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "amax": lambda lib, x: lib.amax(x),
    "aminmax": lambda lib, x: tuple(lib.aminmax(x)),
    "no diagonal": lambda lib, x: lib.diagonal(x.reshape(2, 2)[:0], -1),
    "largest of all": lambda lib, x: lib.max(x),
    "largest along": lambda lib, x: tuple(lib.max(x, 0)),
    "lerp": lambda lib, x: lib.lerp(x * 1e7, x + 1.0, 1.0),
    "log10": lambda lib, x: lib.log10(x * 1e-37),
    "log2": lambda lib, x: lib.log2(x * 1e-37),
    "logit": lambda lib, x: lib.logit(lib.abs(x)),
    "logit with eps": lambda lib, x: lib.logit(x * 0.7, 0.3),
    "logsumexp": lambda lib, x: lib.logsumexp(x, 0),
    "median": lambda lib, x: lib.median(x),
    "median along": lambda lib, x: tuple(lib.median(x, 0)),
    "nanmedian": lambda lib, x: lib.nanmedian(x),
    "norm inf": lambda lib, x: lib.norm(x, INF),
    "norm -inf": lambda lib, x: lib.linalg.vector_norm(x, -INF),
    "norm -1": lambda lib, x: lib.norm(x, -1.0),
    "prelu": lambda lib, x: lib.nn.functional.prelu(x, x[:1]),
    "smallest of all": lambda lib, x: lib.min(x),
    "to power 0": lambda lib, x: lib.pow(x, lib.zeros_like(x)),
    "variance": lambda lib, x: lib.var(x),
}


def _results(lib: Any, call: Any, x: np.ndarray, wrap: Any) -> list[np.ndarray]:
    def run(x: Any) -> Any:
        found = call(lib, x)
        parts = found if isinstance(found, tuple) else (found,)
        smooth = [y.sum() for y in parts if y.requires_grad]
        (slope,) = lib.autograd.grad(sum(smooth), x) if smooth else (x * 0.0,)
        return (*(y.detach() for y in parts), slope)

    recorded = lib.tensor(x, requires_grad=True)
    return [y.numpy() for y in wrap(run)(recorded)]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_values_and_gradients(name: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    rtol = 1e-5 if dtype == "float32" else 1e-9
    for line in LINES:
        x = np.array(line, dtype)
        wanted = _results(torch, CALLS[name], x, lambda f: f)
        for wrap in (lambda f: f, ss.compile):
            found = _results(ss, CALLS[name], x, wrap)
            for got, right in zip(found, wanted, strict=True):
                np.testing.assert_allclose(got, right, rtol, 1e-30, err_msg=f"{line} {wrap}")


# Values and gradients where PyTorch's are not those, by the definition.


def test_far_out_a_hyperbolic_cosine_is_inverted() -> None:
    for dtype in FLOATS:
        most = np.finfo(dtype).max
        for f in (ss.acosh, ss.compile(ss.acosh)):
            x = np.array([most, most / 3.0, 1e18, 1e16, 3.0], dtype)
            np.testing.assert_allclose(f(ss.tensor(x)).numpy(), np.arccosh(x), 1e-6)


def test_shares_of_what_is_large_and_equal() -> None:
    gradient = ss.grad(lambda x: ss.logsumexp(x, 0))
    for f in (gradient, ss.compile(gradient)):
        assert f(ss.tensor([1e30, 1e30])).tolist() == [0.5, 0.5]
        assert f(ss.tensor([1e30, 1.0])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("layer", ["layer_norm", "group_norm", "batch_norm"])
@pytest.mark.parametrize("affine", [False, True])
def test_squares_that_overflow_are_seen(layer: str, affine: bool) -> None:
    F = ss.nn.functional
    ones = [ss.ones(4), ss.zeros(4)] if affine else [None, None]

    def run(x: Any) -> Any:
        if layer == "layer_norm":
            return F.layer_norm(x, (4,), *ones)
        if layer == "group_norm":
            return F.group_norm(x, 1, *ones)
        return F.batch_norm(x, None, None, *ones, training=True)

    x = ss.tensor(np.array([[1, 2, 3, -1], [-1, 0, 7, 1]], "float32") * np.float32(1e25))
    for f in (run, ss.compile(run)):
        assert np.isnan(f(x).numpy()).all()


def test_an_axis_of_a_number() -> None:
    x = ss.tensor(2.0)
    assert math.isnan(ss.var(x, 0).item())
    assert ss.std_mean(x, -1)[1].item() == 2.0
    assert ss.linalg.vector_norm(x, 3, 0).item() == 2.0
    with pytest.raises(IndexError, match="var"):
        ss.var(x, 1)


@pytest.mark.parametrize("right", [False, True])
def test_what_is_not_a_number_belongs_behind_everything(right: bool) -> None:
    torch = pytest.importorskip("torch")
    row, x = np.array([-INF, -1.0, 2.0, INF]), np.array([NAN, -INF, 2.0, INF, 0.0])
    for rows, values in ((row, x), (np.stack([row, row]), np.stack([x, x]))):
        wanted = torch.searchsorted(torch.tensor(rows), torch.tensor(values), right=right).tolist()
        for wrap in (lambda f: f, ss.compile):
            found = wrap(lambda a, b: ss.searchsorted(a, b, right=right))
            assert found(ss.tensor(rows), ss.tensor(values)).tolist() == wanted
    with_nan = ss.tensor([1.0, NAN])
    for wrap in (lambda f: f, ss.compile):
        found = wrap(lambda a, b: ss.searchsorted(a, b, right=right))
        assert found(with_nan, ss.tensor([NAN, 2.0])).tolist() == [2, 1]


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 2)])
def test_softmax_without_an_axis_has_pytorchs(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=shape)
    for name in ("softmax", "softmin", "log_softmax"):
        with pytest.warns(UserWarning, match="Implicit dimension"):
            wanted = getattr(torch.nn.functional, name)(torch.tensor(x)).numpy()
        np.testing.assert_allclose(getattr(ss.nn.functional, name)(ss.tensor(x)).numpy(), wanted)
    np.testing.assert_array_equal(
        ss.nn.Softmax()(ss.tensor(x)).numpy(), ss.nn.functional.softmax(ss.tensor(x)).numpy()
    )


@pytest.mark.parametrize("wrap", [lambda f: f, ss.compile], ids=["eager", "compiled"])
def test_distances_of_many_rows_are_exact(wrap: Any) -> None:
    x = np.random.default_rng(0).normal(size=(40, 9)).astype(np.float32)
    found = wrap(lambda x: ss.cdist(x, x))(ss.tensor(x)).array
    differences = (x[:, None] - x).astype(np.float64)
    assert not np.diag(found).any()
    np.testing.assert_allclose(found, np.sqrt((differences**2).sum(-1)), rtol=1e-6)
