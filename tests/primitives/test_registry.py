"""Every primitive, from one table: value, shape rule, derivatives, PyTorch, odd inputs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

import schuss.fft
import schuss.functions as F
import schuss.linalg
import schuss.nn.functional  # noqa: F401  # registers primitives of its own
from schuss import random
from schuss.core import TRACER, Tensor, leaf
from schuss.errors import GradientError
from schuss.gradcheck import check_gradients
from schuss.lowering.kinds import Elementwise
from schuss.primitives import bits, convolution, indexing, windows
from schuss.primitives.base import NOT_DIFFERENTIABLE, REGISTRY, Primitive, apply
from schuss.primitives.elementwise import sgn
from schuss.primitives.index_template import ARRAY
from schuss.primitives.random import random_uniform
from schuss.primitives.trigonometry import sqrt_one_minus_square
from schuss.transforms import vjp

FLOATS = ("float32", "float64")
NUMBERS = (*FLOATS, "int32", "int64")
EVERY = (*NUMBERS, "bool")


@dataclass
class Sample:
    """One way to call a primitive: inputs of which the first `cast` ones take each dtype."""

    call: Callable[..., Any]
    numpy: Callable[..., Any]
    inputs: tuple[Any, ...]
    torch: Callable[..., Any] | None = None
    dtypes: tuple[str, ...] = FLOATS
    cast: int = 1
    odd: tuple[Any, ...] = ()
    exact: bool = False


def numbers(*shape: int, low: float = -3, high: float = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape)


ODD = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1.0], [-1.0, 1e30, -1e-30]])
ODD_SHAPES = (
    np.zeros((0, 3)),
    np.array(0.5),
    np.array([[0.25]]),
    numbers(4, 6, low=0.1, high=0.9)[::2, ::-3],
    numbers(3, 4, low=0.1, high=0.9).T,
)


def function(name: str) -> Callable[..., Any]:
    return getattr(F, name, None) or getattr(bits, name)  # type: ignore[no-any-return]


def one(
    name: str, value: Callable[..., Any], low: float = -3, high: float = 3, **options: Any
) -> list[Sample]:
    """An elementwise primitive of one input."""
    options.setdefault("odd", (ODD, *ODD_SHAPES))
    return [Sample(function(name), value, (numbers(2, 3, low=low, high=high),), **options)]


def two(
    name: str,
    value: Callable[..., Any],
    low: float = -3,
    high: float = 3,
    dtypes: tuple[str, ...] = FLOATS,
    **options: Any,
) -> list[Sample]:
    """An elementwise primitive of two inputs: equal shapes, broadcasting, and Python numbers."""
    f = function(name)
    x = numbers(2, 3, low=low, high=high)
    y = numbers(2, 3, low=low, high=high, seed=1)
    flat = ODD.reshape(-1)
    grid = (flat[:, None] + np.zeros(9), flat + np.zeros((9, 1)))
    shapes = [(s, s[..., ::-1] if s.ndim else s) for s in ODD_SHAPES]
    found = [
        Sample(f, value, (x, y), dtypes=dtypes, cast=2, odd=(grid, *shapes), **options),
        Sample(f, value, (x[:, :1], y[0]), dtypes=dtypes, cast=2, **options),
        Sample(f, value, (x, y[0, 0]), dtypes=dtypes, cast=2, **options),
    ]
    torch = options.pop("torch", None)
    if "float64" in dtypes:
        found.append(
            Sample(
                lambda x: f(x, 1.5), lambda x: value(x, 1.5), (x,),
                torch=torch and (lambda T, x: torch(T, x, T.tensor(1.5, dtype=x.dtype))), **options,
            )
        )  # fmt: skip
        found.append(
            Sample(
                lambda y: f(2, y), lambda y: value(np.asarray(2, y.dtype), y), (y,),
                torch=torch and (lambda T, y: torch(T, T.tensor(2, dtype=y.dtype), y)), **options,
            )
        )  # fmt: skip
    return found


def same(name: str) -> Callable[..., Any]:
    return lambda T, *xs: getattr(T, name)(*xs)


X34 = numbers(3, 4, seed=2)
X234 = numbers(2, 3, 4, seed=3)
PLACES = np.array([[0, 2], [2, 1]])
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])


def raw(name: str, **attributes: Any) -> Callable[..., Tensor]:
    return lambda *xs: apply(REGISTRY[name], xs, attributes)


def scattered(g: np.ndarray, places: np.ndarray, rows: int) -> np.ndarray:
    out = np.zeros((rows, *g.shape[places.ndim :]), g.dtype)
    for at in np.ndindex(places.shape):
        out[places[at]] += g[at]
    return out


def listed(places: np.ndarray, rows: int) -> np.ndarray:
    first, following = [-1] * rows, [-1] * places.size
    for position in reversed(range(places.size)):
        row = int(places.reshape(-1)[position])
        following[position], first[row] = first[row], position
    return np.array(first + following, np.int32)


def reductions(name: str, value: Callable[..., Any], torch: Any, odd: Any) -> list[Sample]:
    f = getattr(F, name)
    found = []
    for axis, keep in product((None, 0, -1, (0, 2), (1, 0)), (False, True)):
        found.append(
            Sample(
                lambda x, axis=axis, keep=keep: f(x, axis=axis, keepdims=keep),
                lambda x, axis=axis, keep=keep: value(x, axis=axis, keepdims=keep),
                (X234,),
                torch=lambda T, x, axis=axis, keep=keep: torch(
                    T, x, tuple(range(x.ndim)) if axis is None else axis, keep
                ),
                dtypes={"sum": NUMBERS, "mean": FLOATS}.get(name, EVERY),
            )
        )
    found.append(Sample(lambda x: f(x, 0), lambda x: value(x, axis=0), (X34.T,), odd=odd))
    return found


def uniform_of_key(key: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    bits = np.random.Philox(key=[int(key[0]), 0], counter=[0, int(key[1]), 0, 0])
    count = int(np.prod(shape))
    return ((bits.random_raw(count) >> np.uint64(11)) / 2.0**53).reshape(shape)


MANY = numbers(9, 150, seed=4)
ROWS_ODD = (ODD, np.zeros((0, 3)), np.ones((1, 1)), X34[::2, ::-3], np.full((2, 3), -np.inf))
AXIS_ODD = (ODD, np.zeros((3, 0)), np.ones((1, 1)), X34[::2, ::-3])
SQUARE = numbers(2, 3, 3, seed=5) + 2 * np.eye(3)
TALL, SIDES = numbers(2, 4, 3, seed=6), numbers(2, 3, 2, seed=7)
TRIANGLE = np.tril(numbers(3, 3, seed=8)) + 4 * np.eye(3)
NOTHING = (np.zeros((0, 3, 3)), np.zeros((2, 0, 0)))


def symmetric(x: Any) -> Any:
    return (x + x.swapaxes(-1, -2)) / 2


def positive_definite(x: Any) -> Any:
    return symmetric(x) + 5 * np.eye(3, dtype=x.dtype)


def parts(*found: np.ndarray, batch: int = 1) -> np.ndarray:
    return np.concatenate([x.reshape(*x.shape[:batch], -1) for x in found], -1)


def pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


def refreshed(todo: float, x: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The basis, its eigenvectors by falling eigenvalues, or a step of power iteration and QR."""
    order = np.arange(len(x))
    if todo == 1:
        basis = np.linalg.eigh(x)[1][:, ::-1]
    elif todo == 2:
        order = np.argsort(-np.diagonal(basis.T @ x @ basis))
        basis = np.linalg.qr(x @ basis[:, order])[0]
    return np.concatenate([basis.reshape(-1), order]).astype(x.dtype)


def inverse_fourth_root(x: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(x)
    return vectors @ np.diag(values**-0.25) @ vectors.T


def cofactors(x: np.ndarray) -> np.ndarray:
    found = np.empty_like(x)
    for at in np.ndindex(x.shape):
        *batch, i, j = at
        rest = np.delete(np.delete(x[tuple(batch)], i, 0), j, 1)
        found[at] = (-1) ** (i + j) * np.linalg.det(rest)
    return found


PREDICATES = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
TORCH_PREDICATES = ("eq", "ne", "lt", "le", "gt", "ge")

# Convolutions and windows, by their definition: position after position.

GEOMETRY = {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 2), "groups": 2}
WINDOW = {
    "kernel": (2, 3), "stride": (2, 1), "padding": (1, 1), "dilation": (1, 2), "out": (3, 3),
}  # fmt: skip
PICTURE, KERNEL, ERRORS = numbers(2, 5, 4, 6), numbers(4, 3, 3, 2), numbers(2, 3, 4, 4)


def met(a: dict[str, Any], size: Any, kernel: Any, out: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Each position of the output, with each tap and the position of the input that it reads."""
    for o in product(*map(range, out)):
        for k in product(*map(range, kernel)):
            geometry = zip(o, k, a["stride"], a["padding"], a["dilation"], strict=True)
            i = tuple(x * s - p + t * d for x, t, s, p, d in geometry)
            if all(0 <= x < n for x, n in zip(i, size, strict=True)):
                yield o, k, i


def convolved(x: Any, w: Any, g: Any) -> tuple[Any, Any, Any]:
    """The output, and the gradients by x and w for the errors g."""
    groups = GEOMETRY["groups"]
    y, dx, dw = np.zeros_like(g), np.zeros_like(x), np.zeros_like(w)
    for o, k, i in met(GEOMETRY, x.shape[1:3], w.shape[2:], g.shape[1:3]):
        for c in range(g.shape[-1]):
            first = c // (g.shape[-1] // groups) * w.shape[1]
            read = slice(first, first + w.shape[1])
            y[:, o[0], o[1], c] += x[:, i[0], i[1], read] @ w[c, :, k[0], k[1]]
            dx[:, i[0], i[1], read] += g[:, o[0], o[1], c : c + 1] * w[c, :, k[0], k[1]]
            dw[c, :, k[0], k[1]] += g[:, o[0], o[1], c] @ x[:, i[0], i[1], read]
    return y, dx, dw


def windowed(x: Any) -> tuple[Any, Any]:
    """The largest element of each window, and its tap."""
    y = np.full((len(x), *WINDOW["out"], x.shape[-1]), -np.inf, x.dtype)
    place = np.full(y.shape, -1, np.int32)
    for o, k, i in met(WINDOW, x.shape[1:3], WINDOW["kernel"], WINDOW["out"]):
        value, number = x[:, i[0], i[1]], k[0] * WINDOW["kernel"][1] + k[1]
        here = y[:, o[0], o[1]]
        better = (value > here) | np.isnan(value) | (place[:, o[0], o[1]] < 0)
        y[:, o[0], o[1]] = np.where(better, value, here)
        place[:, o[0], o[1]] = np.where(better, number, place[:, o[0], o[1]])
    return y, place


def put_back(g: Any, place: Any, size: tuple[int, ...]) -> Any:
    found = np.zeros((len(g), *size, g.shape[-1]), g.dtype)
    for o, k, i in met(WINDOW, size, WINDOW["kernel"], WINDOW["out"]):
        here = place[:, o[0], o[1]] == k[0] * WINDOW["kernel"][1] + k[1]
        found[:, i[0], i[1]] += np.where(here, g[:, o[0], o[1]], 0)
    return found


def taken(x: Any, place: Any) -> Any:
    found = np.zeros(place.shape, x.dtype)
    for o, k, i in met(WINDOW, x.shape[1:3], WINDOW["kernel"], WINDOW["out"]):
        here = place[:, o[0], o[1]] == k[0] * WINDOW["kernel"][1] + k[1]
        found[:, o[0], o[1]] = np.where(here, x[:, i[0], i[1]], found[:, o[0], o[1]])
    return found


POOLED = np.random.default_rng(4).permutation(2 * 5 * 5 * 3).reshape(2, 5, 5, 3) / 10
LARGEST_AT = windowed(POOLED)[1]
LARGEST_ODD = np.where(np.arange(150).reshape(2, 5, 5, 3) % 7 < 5, -np.inf, np.nan)
# Made by traces alone: tests/compiler/test_loops.py has them; and those of bfloat16, which have
# neither float64 nor a slope: test_bfloat16.py has them.
OF_BFLOAT16 = {f"bfloat16_{name}" for name in ("bits", "product", "rounded", "value")}
OF_TRACES = {"loop", "loop_result", "panel_product"} | OF_BFLOAT16

SAMPLES: dict[str, list[Sample]] = {
    "convolution": [
        Sample(lambda x, w: convolution.convolution(x, w, size=(3, 4), **GEOMETRY),
               lambda x, w: convolved(x, w, ERRORS.astype(x.dtype))[0], (PICTURE, KERNEL), cast=2),
    ],
    "convolution_input": [
        Sample(lambda g, w: convolution.convolution_input(g, w, size=(5, 4), **GEOMETRY),
               lambda g, w: convolved(PICTURE.astype(g.dtype), w, g)[1], (ERRORS, KERNEL), cast=2),
    ],
    "convolution_weight": [
        Sample(lambda x, g: convolution.convolution_weight(x, g, size=(3, 2), **GEOMETRY),
               lambda x, g: convolved(x, KERNEL.astype(x.dtype), g)[2], (PICTURE, ERRORS), cast=2),
    ],
    "window_max": [
        Sample(lambda x: windows.window_max(x, **WINDOW), lambda x: windowed(x)[0], (POOLED,),
               odd=(LARGEST_ODD,), exact=True),
    ],
    "window_place": [
        Sample(lambda x: windows.window_place(x, **WINDOW), lambda x: windowed(x)[1], (POOLED,),
               odd=(LARGEST_ODD,), exact=True),
    ],
    "window_put": [
        Sample(lambda g: windows.window_put(g, leaf(LARGEST_AT), size=(5, 5), **WINDOW),
               lambda g: put_back(g, LARGEST_AT, (5, 5)), (numbers(2, 3, 3, 3),)),
    ],
    "window_take": [
        Sample(lambda x: windows.window_take(x, leaf(LARGEST_AT), **WINDOW),
               lambda x: taken(x, LARGEST_AT), (POOLED,), exact=True),
    ],
    "astype": [
        Sample(lambda x, d=d: F.astype(x, d), lambda x, d=d: x.astype(d), (X34,), dtypes=EVERY)
        for d in EVERY
    ],
    "add": two("add", np.add, torch=same("add"), dtypes=EVERY),
    "subtract": two("subtract", np.subtract, torch=same("sub"), dtypes=NUMBERS),
    "multiply": two("multiply", np.multiply, torch=same("mul"), dtypes=EVERY),
    "divide": two("divide", np.divide, torch=same("div")),
    "pow": two("pow", np.power, low=0.2, torch=same("pow")),
    "floor_divide": two("floor_divide", np.floor_divide, dtypes=NUMBERS, low=1),
    "remainder": two("remainder", np.remainder, torch=same("remainder"), dtypes=NUMBERS, low=1),
    "maximum": two("maximum", np.maximum, torch=same("maximum"), dtypes=EVERY),
    "minimum": two("minimum", np.minimum, torch=same("minimum"), dtypes=EVERY),
    "negative": one("negative", np.negative, torch=same("neg"), dtypes=NUMBERS),
    "abs": one("abs", np.abs, torch=same("abs"), dtypes=NUMBERS),
    "sign": one("sign", np.sign, torch=same("sign"), dtypes=NUMBERS),
    "sgn": [
        Sample(sgn, lambda x: np.where(x == x, np.sign(x), np.zeros((), x.dtype)),
               (numbers(2, 3),), odd=(ODD, *ODD_SHAPES), torch=same("sgn"), dtypes=NUMBERS)
    ],
    "hypot": two("hypot", np.hypot, low=0.2, torch=same("hypot")),
    "relu": one("relu", lambda x: np.maximum(x, np.zeros((), x.dtype)),
                torch=same("relu"), dtypes=NUMBERS),
    "floor": one("floor", np.floor, torch=same("floor"), dtypes=NUMBERS),
    "ceil": one("ceil", np.ceil, torch=same("ceil"), dtypes=NUMBERS),
    "round": one("round", np.round, torch=same("round"), dtypes=NUMBERS),
    "exp": one("exp", np.exp, torch=same("exp")),
    "expm1": one("expm1", np.expm1, torch=same("expm1")),
    "log": one("log", np.log, low=0.1, torch=same("log")),
    "log1p": one("log1p", np.log1p, low=-0.9, torch=same("log1p")),
    "log2": one("log2", np.log2, low=0.1, torch=same("log2")),
    "log10": one("log10", np.log10, low=0.1, torch=same("log10")),
    "sqrt": one("sqrt", np.sqrt, low=0.1, torch=same("sqrt")),
    "sin": one("sin", np.sin, torch=same("sin")),
    "cos": one("cos", np.cos, torch=same("cos")),
    "atan2": two("atan2", np.arctan2, torch=same("atan2")),
    "tanh": one("tanh", np.tanh, torch=same("tanh")),
    "sinh": one("sinh", np.sinh, torch=same("sinh")),
    "cosh": one("cosh", np.cosh, torch=same("cosh")),
    "asin": one("asin", np.arcsin, low=-0.9, high=0.9, torch=same("asin")),
    "acos": one("acos", np.arccos, low=-0.9, high=0.9, torch=same("acos")),
    "acosh": one("acosh", np.arccosh, low=1.1, high=3.0, torch=same("acosh")),
    "sqrt_one_minus_square": [
        Sample(sqrt_one_minus_square, lambda x: np.sqrt((1 - x) * (1 + x)),
               (numbers(3, 4, low=-0.9, high=0.9),), odd=(ODD, *ODD_SHAPES))
    ],
    "sigmoid": one("sigmoid", lambda x: 1 / (1 + np.exp(-x)), torch=same("sigmoid")),
    "erf": one("erf", lambda x: np.vectorize(__import__("math").erf, otypes=[x.dtype])(x),
               torch=same("erf")),
    **{
        name: two(name, getattr(np, name), torch=same(torch), dtypes=EVERY)
        for name, torch in zip(PREDICATES, TORCH_PREDICATES, strict=True)
    },
    **{
        name: two(name, getattr(np, name), torch=same(name), dtypes=("int32", "int64", "bool"),
                  exact=True)
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    "bitwise_invert": one("bitwise_invert", np.invert, torch=same("bitwise_not"),
                          dtypes=("int32", "int64", "bool"), odd=()),
    "where": [
        Sample(lambda x, y, c: F.where(c, x, y), lambda x, y, c: np.where(c, x, y), inputs,
               torch=lambda T, x, y, c: T.where(c, x, y), dtypes=EVERY, cast=2,
               odd=((ODD, ODD.T, ODD > 0), (np.zeros((0, 1)), np.zeros(3), np.ones(3, bool))))
        for inputs in (
            (X34, numbers(3, 4), X34 > 0),
            (X34[:, :1], numbers(4), np.array(True)),
            (np.array(1.0), np.array(2.0), X34 > 0),
        )
    ],
    "sum": reductions("sum", np.sum, lambda T, x, a, k: T.sum(x, a, k), AXIS_ODD),
    "broadcast_to": [
        Sample(lambda x, s=s: F.broadcast_to(x, s), lambda x, s=s: np.broadcast_to(x, s), (x,),
               torch=lambda T, x, s=s: T.broadcast_to(x, s), dtypes=EVERY)
        for x, s in (
            (X34[:, :1], (3, 5)), (X34[0], (2, 3, 4)), (np.array(2.0), (2, 2)),
            (np.array(2.0), (0, 2)), (X34[:1], (0, 4)), (X34, (1, 1, 3, 4)),
        )
    ],
    "max": [
        *reductions("max", np.max, lambda T, x, a, k: T.amax(x, a, k), AXIS_ODD[::2]),
        Sample(lambda x: F.max(x, 1), lambda x: x.max(1), (TIES,), torch=lambda T, x: x.amax(1)),
    ],
    "min": [
        *reductions("min", np.min, lambda T, x, a, k: T.amin(x, a, k), AXIS_ODD[::2]),
        Sample(lambda x: F.min(x, 1), lambda x: x.min(1), (TIES,), torch=lambda T, x: x.amin(1)),
    ],
    **{
        name: [
            Sample(lambda x, f=f, a=a: f(x, axis=a), lambda x, v=v, a=a: v(x, axis=a), (x,),
                   dtypes=EVERY, odd=AXIS_ODD[::2])
            for x in (X34, TIES, X34.T) for a in (None, 0, -1)
        ]
        for name, f, v in (("argmax", F.argmax, np.argmax), ("argmin", F.argmin, np.argmin))
    },
    "cumulative_sum": [
        Sample(lambda x, a=a: F.cumulative_sum(x, axis=a), lambda x, a=a: np.cumsum(x, a), (X234,),
               torch=lambda T, x, a=a: T.cumsum(x, a), odd=AXIS_ODD, dtypes=NUMBERS)
        for a in (0, 1, -1)
    ] + [
        Sample(raw("cumulative_sum", axis=1, reverse=True),
               lambda x: np.cumsum(x[:, ::-1], 1)[:, ::-1], (X34,), odd=AXIS_ODD)
    ],
    "reshape": [
        Sample(lambda x, s=s: F.reshape(x, s), lambda x, s=s: x.reshape(s), (x,),
               torch=lambda T, x, s=s: T.reshape(x, s), dtypes=EVERY)
        for x, s in (
            (X34, (4, 3)), (X34, (-1,)), (X34, (2, -1, 3)), (X34.T, (2, 6)), (X34[:, ::2], (6,)),
            (np.array(1.0), (1, 1)), (np.ones((1, 1)), ()), (np.zeros((0, 3)), (3, 0, 2)),
        )
    ],
    "permute_dims": [
        Sample(lambda x, a=a: F.permute_dims(x, a), lambda x, a=a: x.transpose(a), (X234,),
               torch=lambda T, x, a=a: T.permute(x, a), dtypes=EVERY)
        for a in ((2, 0, 1), (0, 2, 1), (-1, 1, 0))
    ],
    "after": [
        Sample(lambda x: apply(REGISTRY["after"], (x, leaf(X234)), {}), lambda x: x, (x,),
               dtypes=EVERY)
        for x in (X34, X234.T)
    ],
    "diagonal": [
        Sample(lambda x, n=n: F.diagonal(x, n), lambda x, n=n: np.diagonal(x, n, -2, -1), (x,),
               torch=lambda T, x, n=n: T.diagonal(x, n, -2, -1), dtypes=EVERY)
        for x in (X34, X234, X34.T) for n in (0, 1, -2)
    ],
    "as_strided": [
        Sample(lambda x: x.as_strided((2, 2), (0, 2), 1), lambda x: x[[[1, 3], [1, 3]]],
               (X34[0],), dtypes=EVERY)
    ],
    "flip": [
        Sample(lambda x, a=a: F.flip(x, axis=a), lambda x, a=a: np.flip(x, a), (X234,),
               torch=lambda T, x, t=t: T.flip(x, t),
               dtypes=EVERY, odd=(np.zeros((0, 2, 3)),))
        for a, t in ((None, (0, 1, 2)), (0, (0,)), (-1, (-1,)), ((0, 2), (0, 2)))
    ],
    "pad": [
        Sample(lambda x, w=w, v=v: F.pad(x, w, v),
               lambda x, w=w, v=v: np.pad(x, w, constant_values=v),
               (X34,), torch=lambda T, x, w=w, v=v: T.nn.functional.pad(x, (*w[1], *w[0]), value=v),
               dtypes=NUMBERS, odd=(np.zeros((0, 2)), X34.T))
        for w, v in ((((1, 2), (0, 3)), 0), (((0, 0), (1, 1)), 7))
    ],
    "stack": [
        Sample(lambda x, y, a=a: F.stack([x, y], axis=a),
               lambda x, y, a=a: np.stack([x, y], a), (x, x[..., ::-1] if x.ndim else x), cast=2,
               dtypes=EVERY, torch=lambda T, x, y, a=a: T.stack([x, y], a))
        for x in (X34, X34.T, X234, np.array(1.5)) for a in range(-1, x.ndim)
    ],
    "concat": [
        Sample(lambda x, y, a=a: F.concat([x, y], axis=a),
               lambda x, y, a=a: np.concatenate([x, y], a), inputs, cast=2, dtypes=EVERY,
               torch=lambda T, x, y, a=a: T.cat([x, y], a))
        for a, inputs in (
            (0, (X34, numbers(2, 4))), (1, (X34, numbers(3, 1))), (-1, (X234, X234[..., :0])),
            (0, (X34.T, X34.T[::-1])),
        )
    ],
    "slice": [
        Sample(lambda x, i=i: x[i], lambda x, i=i: x[i], (X34,), torch=lambda T, x, i=i: x[i],
               dtypes=EVERY, odd=(ODD, X34.T))
        for i in (1, (slice(None), -1), slice(0, 2), (Ellipsis, slice(1, 3)), (None, 0, None),
                  (slice(0, 0),), ())
    ] + [Sample(lambda x: x[::-2, 3:0:-1], lambda x: x[::-2, 3:0:-1], (X34,), dtypes=EVERY)],
    "unslice": [
        Sample(raw("unslice", template=(slice(3, 0, -2), 1), shape=(4, 3)),
               lambda g: np.array([[0, 0, 0], [0, g[1], 0], [0, 0, 0], [0, g[0], 0]], g.dtype),
               (numbers(2),), odd=(np.array([np.nan, np.inf]),))
    ],
    "gather": [
        Sample(lambda x, i, f=f: x[f(i)], lambda x, i, f=f: x[f(i)], (X234[:2], i),
               torch=lambda T, x, i, f=f: x[f(i)], dtypes=EVERY)
        for i in (PLACES % 2, np.array([1, 0, 1, 1]), np.array(1), np.zeros((2, 0), int))
        for f in (lambda i: i, lambda i: (slice(None), i), lambda i: (i, slice(0, 1), i),
                  lambda i: (Ellipsis, i, 0))
    ] + [
        # NumPy puts the new axes elsewhere for an integer, None and an array together.
        Sample(lambda x, i: x[0, None, i], lambda x, i: x[0][None, i], (X234, PLACES),
               torch=lambda T, x, i: x[0, None, i], dtypes=EVERY)
    ],
    "segment_lists": [
        Sample(
            raw("segment_lists", rows=4), lambda i: listed(i, 4), (i,), dtypes=("int64", "int32")
        )
        for i in (PLACES, np.array([3, 1, 1, -1, 1, 0]), np.zeros((0, 2), int), np.array([[-2]]))
    ],
    "row_marks": [
        Sample(raw("row_marks", shape=(4, *rest)),
               lambda _, i=i, rest=rest: scattered(np.ones((*i.shape, *rest)), i, 4) > 0,
               (listed(i, 4),), dtypes=("int32",))
        for i in (PLACES, np.array([3, 1]), np.zeros((0, 2), int)) for rest in ((3,), (2, 2))
    ],
    "segment_sum": [
        Sample(raw("segment_sum", shape=(4, *rest)), lambda g, _, i=i: scattered(g, i, 4),
               (numbers(*i.shape, *rest), listed(i, 4)))
        for i in (PLACES, np.array([3, 1, 1, 3, 1]), np.zeros((0, 2), int))
        for rest in ((3,), (2, 2))
    ],
    "scatter_add": [
        Sample(raw("scatter_add", template=(ARRAY,), shape=(3, *rest)),
               lambda g, i: scattered(g, i, 3), (numbers(*i.shape, *rest), i), dtypes=FLOATS)
        for rest in ((), (2,), (2, 1), (0,))
        for i in (PLACES, np.array([2, 0, 2, 2]), np.array(1), np.zeros((2, 0), int))
    ],
    "argsort": [
        Sample(lambda x, a=a: F.argsort(x, axis=a), lambda x, a=a: np.argsort(x, a, kind="stable"),
               (x,), dtypes=EVERY, odd=(ODD,))
        for x in (X34, TIES) for a in (0, -1)
    ] + [
        Sample(lambda x: F.argsort(x, descending=True),
               lambda x: np.argsort(-x.astype(float), kind="stable"), (x,), dtypes=EVERY)
        for x in (X34, TIES)
    ],
    "matmul": [
        Sample(F.matmul, np.matmul, inputs, torch=same("matmul"), cast=2, dtypes=NUMBERS)
        for inputs in (
            (X34, X34.T), (X34, numbers(4)), (numbers(3), X34), (numbers(4), numbers(4)),
            (X234, numbers(2, 4, 5)), (X234, numbers(4, 2)), (X34, numbers(2, 4, 5)),
            (numbers(2, 1, 3, 4), numbers(5, 4, 2)), (X234, numbers(4)), (numbers(3), X234),
            (np.zeros((0, 4)), numbers(4, 2)), (np.zeros((2, 0)), np.zeros((0, 3))),
            (X34[::2, ::-1], X34.T[:, ::2]), (np.zeros((0, 3, 4)), numbers(4, 2)),
        )
    ],
    "bitwise_left_shift": two("bitwise_left_shift", np.left_shift, low=0, exact=True,
                              torch=same("bitwise_left_shift"), dtypes=("int32", "int64")),
    "bitwise_right_shift": two("bitwise_right_shift", np.right_shift, low=0, exact=True,
                               torch=same("bitwise_right_shift"), dtypes=("int32", "int64")),
    "signbit": one("signbit", np.signbit, torch=same("signbit"), dtypes=NUMBERS),
    "nextafter": two("nextafter", np.nextafter, torch=same("nextafter"), exact=True),
    "solve": [
        Sample(raw("solve"), np.linalg.solve, inputs, cast=2,
               torch=lambda T, a, b: T.linalg.solve(a, b))
        for inputs in ((SQUARE, SIDES), (SQUARE[0], SIDES), (SQUARE, SIDES[:1]))
    ] + [Sample(raw("solve"), np.linalg.solve, (x, x[..., :2]), cast=2) for x in NOTHING],
    "solve_triangular": [
        Sample(raw("solve_triangular", upper=upper, unit=unit),
               lambda a, b, upper=upper, unit=unit: np.linalg.solve(
                   (np.triu if upper else np.tril)(a - unit * a * np.eye(3, dtype=a.dtype))
                   + unit * np.eye(3, dtype=a.dtype), b),
               (TRIANGLE.T if upper else TRIANGLE, SIDES), cast=2,
               torch=lambda T, a, b, upper=upper, unit=unit: T.linalg.solve_triangular(
                   a, b, upper=upper, unitriangular=unit))
        for upper in (False, True) for unit in (False, True)
    ],
    "det": [
        Sample(raw("det"), lambda x: np.asarray(np.linalg.det(x)), (x,),
               torch=lambda T, x: T.linalg.det(x))
        for x in (SQUARE, SQUARE[0], *NOTHING)
    ],
    "cofactor": [Sample(raw("cofactor"), cofactors, (x,)) for x in (SQUARE, SQUARE[0])],
    "absolute_log_det": [
        Sample(raw("absolute_log_det"), lambda x: np.linalg.slogdet(x)[1], (SQUARE,),
               torch=lambda T, x: T.linalg.slogdet(x)[1], odd=NOTHING)
    ],
    "sign_of_det": [
        Sample(raw("sign_of_det"), lambda x: np.linalg.slogdet(x)[0], (SQUARE,), odd=NOTHING)
    ],
    "pinv": [
        Sample(lambda x: raw("pinv")(x, *[leaf(np.zeros((), x.dtype))] * 2), np.linalg.pinv, (x,),
               torch=lambda T, x: T.linalg.pinv(x))
        for x in (TALL, TALL.swapaxes(1, 2))
    ],
    "qr": [
        Sample(raw("qr", complete=False), lambda x: parts(*np.linalg.qr(x)), (TALL,),
               torch=lambda T, x: T.cat([y.flatten(1) for y in T.linalg.qr(x)], 1)),
    ],
    "cholesky": [
        Sample(lambda x: raw("cholesky")(positive_definite(x)),
               lambda x: np.linalg.cholesky(positive_definite(x)), (SQUARE,), odd=NOTHING[:1],
               torch=lambda T, x: T.linalg.cholesky((x + x.mT) / 2 + 5 * T.eye(3, dtype=x.dtype)))
    ],
    "eigh": [
        Sample(raw("eigh"), lambda x: parts(*np.linalg.eigh(x)), (symmetric(SQUARE),))
    ],
    "eigenbasis": [
        Sample(lambda x, q, t=todo: raw("eigenbasis")(leaf(np.array(t)), x, q),
               lambda x, q, t=todo: refreshed(t, x, q),
               (positive_definite(SQUARE[0]), np.linalg.qr(SQUARE[1])[0]), cast=2)
        for todo in (0.0, 1.0, 2.0)
    ],
    "inverse_root": [
        Sample(lambda x, y, w=wanted: raw("inverse_root", root=4.0)(leaf(np.array(w)), x, y),
               lambda x, y, w=wanted: inverse_fourth_root(x) if w else y,
               (positive_definite(SQUARE[0]), SQUARE[1]), cast=2)
        for wanted in (0.0, 1.0)
    ],
    "eigvalsh": [
        Sample(lambda x: raw("eigvalsh")(symmetric(x)), lambda x: np.linalg.eigvalsh(symmetric(x)),
               (SQUARE,), torch=lambda T, x: T.linalg.eigvalsh((x + x.mT) / 2), odd=NOTHING[:1])
    ],
    "svd": [
        Sample(raw("svd", full=full), lambda x, full=full: parts(*np.linalg.svd(x, full)), (x,))
        for x in (TALL, TALL.swapaxes(1, 2)) for full in (False, True)
    ],
    "svdvals": [
        Sample(raw("svdvals"), lambda x: np.linalg.svd(x, compute_uv=False), (x,),
               torch=lambda T, x: T.linalg.svdvals(x), odd=NOTHING[:1])
        for x in (TALL, TALL.swapaxes(1, 2))
    ],
    "half_spectrum": [
        Sample(raw("half_spectrum", axis=a), lambda x, a=a: pairs(np.fft.rfft(x, axis=a)), (x,),
               torch=lambda T, x, a=a: T.view_as_real(T.fft.rfft(x, dim=a)), odd=(X34.T,))
        for a in (0, 1) for x in (X34, X34[:, :3])
    ],
    "from_half_spectrum": [
        Sample(raw("from_half_spectrum", axis=1, length=n),
               lambda z, n=n: np.fft.irfft(z[..., 0] + 1j * z[..., 1], n, 1, "forward"), (z,),
               torch=lambda T, z, n=n: T.fft.irfft(T.view_as_complex(z), n, 1, "forward"))
        for n, z in ((4, numbers(2, 3, 2)), (5, numbers(2, 3, 3, 2)))
    ],
    "complex_transform": [
        Sample(raw("complex_transform", axis=1, inverse=inverse),
               lambda z, f=f, norm=norm: pairs(f(z[..., 0] + 1j * z[..., 1], None, 1, norm)),
               (numbers(2, 3, 2),),
               torch=lambda T, z, name=name, norm=norm: T.view_as_real(
                   getattr(T.fft, name)(T.view_as_complex(z), None, 1, norm)))
        for inverse, f, name, norm in (
            (False, np.fft.fft, "fft", "backward"), (True, np.fft.ifft, "ifft", "forward"),
        )
    ],
    "random_uniform": [
        Sample(lambda key: random_uniform(key, (3, 2), "float64"),
               lambda key: uniform_of_key(key, (3, 2)), (np.array([5, n]),), cast=0, exact=True)
        for n in (0, 7)
    ],
}  # fmt: skip

CASES = [
    pytest.param(name, sample, id=f"{name}-{n}")
    for name, samples in SAMPLES.items()
    for n, sample in enumerate(samples)
]


def test_every_primitive_has_samples() -> None:
    assert set(SAMPLES) == set(REGISTRY) - OF_TRACES, "a primitive needs samples in this file"


class Verifier:
    """Runs in the place of a tracer: holds each primitive's shape rule to its value."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def check(self, check: Any, tensors: Any) -> None:
        """Take it that values are asked for."""

    def apply(self, primitive: Primitive, inputs: Any, attributes: dict[str, Any]) -> Tensor:
        self.seen.add(primitive.name)
        dtypes = [x.dtype for x in inputs if isinstance(x, Tensor)]
        specs = [(x.shape, x.dtype) if isinstance(x, Tensor) else ((), dtypes[0]) for x in inputs]
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        with np.errstate(all="ignore"):
            value = np.asarray(primitive.value(*arrays, **attributes))
        shape, dtype = primitive.shape(*specs, **attributes)
        assert (tuple(shape), dtype) == (value.shape, value.dtype), primitive.name
        return leaf(value)

    def contents(self, x: Tensor) -> Any:
        return x.array

    memory = contents

    def nonzero(self, x: Tensor) -> list[Tensor]:
        return [leaf(places) for places in np.nonzero(x.array)]


@contextmanager
def verified() -> Iterator[Verifier]:
    verifier = Verifier()
    token = TRACER.set(verifier)
    try:
        yield verifier
    finally:
        TRACER.reset(token)


def cast(sample: Sample, inputs: tuple[Any, ...], dtype: str) -> list[np.ndarray]:
    given = [np.asarray(x) for x in inputs]
    return [x.astype(dtype) if i < sample.cast else x for i, x in enumerate(given)]


def agree(got: Any, expected: Any, dtype: str, exact: bool = False) -> None:
    expected = np.asarray(expected)
    assert got.shape == expected.shape
    tolerance = 0 if exact or expected.dtype.kind != "f" else 3e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(got.array, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_value_and_shape_rule(name: str, sample: Sample) -> None:
    for dtype in sample.dtypes:
        arrays = cast(sample, sample.inputs, dtype)
        expected = np.asarray(sample.numpy(*arrays))
        got = sample.call(*[leaf(x) for x in arrays])
        assert isinstance(got, Tensor)
        # Python floats take integers to float64 in NumPy, and to float32 here.
        widened = expected.dtype == np.float64 and dtype not in FLOATS
        assert got.dtype == expected.dtype or (widened and got.dtype == np.float32)
        agree(got, expected, dtype, sample.exact)
        with verified() as verifier:
            again = sample.call(*[leaf(x) for x in arrays])
        assert name in verifier.seen or got.size == 0 or arrays[0].dtype == got.dtype
        np.testing.assert_array_equal(again.array, got.array)
        assert again.dtype == got.dtype


def test_the_samples_reach_their_primitive() -> None:
    for name, samples in SAMPLES.items():
        with verified() as verifier:
            for sample in samples:
                sample.call(*[leaf(x) for x in cast(sample, sample.inputs, sample.dtypes[-1])])
                sample.call(*[leaf(x) for x in cast(sample, sample.inputs, sample.dtypes[0])])
        assert name in verifier.seen


ODD_CASES = [
    pytest.param(sample, odd, id=f"{name}-{n}-{k}")
    for name, samples in SAMPLES.items()
    for n, sample in enumerate(samples)
    for k, odd in enumerate(sample.odd)
]


@pytest.mark.parametrize(("sample", "odd"), ODD_CASES)
def test_odd_inputs(sample: Sample, odd: Any) -> None:
    for dtype in (d for d in sample.dtypes if d in FLOATS):
        arrays = cast(sample, odd if isinstance(odd, tuple) else (odd,), dtype)
        with np.errstate(all="ignore"):
            expected = np.asarray(sample.numpy(*arrays))
        got = sample.call(*[leaf(x) for x in arrays])
        agree(got, expected, dtype)
        assert got.dtype == expected.dtype
        with verified():
            sample.call(*[leaf(x) for x in arrays])


ELEMENTWISE = [
    c
    for c in CASES
    if c.values[1].odd and hasattr(c.values[1].call, "primitive")  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("name", "sample"), ELEMENTWISE)
@pytest.mark.parametrize("dtype", FLOATS)
def test_many_elements_give_what_few_give(name: str, sample: Sample, dtype: str) -> None:
    """Primitives may work in blocks, or by other means, from some size on."""
    if dtype not in sample.dtypes:
        pytest.skip("for integers alone")
    first = sample.odd[0] if isinstance(sample.odd[0], tuple) else (sample.odd[0],)
    for given in (sample.inputs, first):
        few = cast(sample, given, dtype)
        small = sample.call(*map(leaf, few)).array
        count = 25_000 // small.size
        large = [np.concatenate([x] * count) for x in np.broadcast_arrays(*few)]
        right = np.concatenate([small] * count)
        for inputs in (large, [np.repeat(x, 2, axis=-1)[..., ::2] for x in large]):
            got = sample.call(*map(leaf, inputs)).array
            assert got.dtype == small.dtype
            # NumPy's vector loops may differ in the last bit from what they do with the rest.
            np.testing.assert_allclose(got, right, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", FLOATS)
def test_many_choices(dtype: str) -> None:
    x = np.resize(ODD.astype(dtype), (5000, 9))
    y = x[::-1] * 2 + 1 if dtype == "float64" else x[::-1]
    y = np.where(np.isfinite(y), y, np.pi).astype(dtype)
    for condition in (
        x > 0,
        (x > 0)[:, :1],
        np.array([True, False] * 4 + [True]),
        (x > 0).T.copy().T,
    ):
        for a, b in ((x, y), (y, x), (x[:1], y), (x.T.copy().T, y), (x, y[0, 0])):
            got = F.where(leaf(condition), leaf(np.asarray(a)), leaf(np.asarray(b)))
            right = np.where(condition, a, b)
            np.testing.assert_array_equal(got.array, right)
            np.testing.assert_array_equal(np.signbit(got.array), np.signbit(right))
            assert got.dtype == dtype


DIFFERENTIABLE = [c for c in CASES if REGISTRY[c.values[0]].differentiable]  # type: ignore[index]


@pytest.mark.parametrize(("name", "sample"), DIFFERENTIABLE)
def test_derivatives_of_order_one_and_two(name: str, sample: Sample) -> None:
    if name in ("max", "min") and sample.inputs[0] is TIES:
        pytest.skip("no derivative at a tie; its value is held to PyTorch's")
    arrays = [x.copy() if x.dtype.kind == "f" else x for x in map(np.asarray, sample.inputs)]
    if name == "astype" and sample.call(leaf(arrays[0])).dtype != np.float64:
        pytest.skip("a cast to another dtype is a step or a rounding")
    assert check_gradients(sample.call, *arrays).largest_error <= 1e-6


@pytest.mark.parametrize(
    "name", [n for n, p in REGISTRY.items() if p.differentiable and n not in OF_BFLOAT16]
)
def test_a_spoilt_derivative_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    primitive = REGISTRY[name]

    def spoilt(position: int, *args: Any, **options: Any) -> Tensor:
        rule = rules[position] if isinstance(rules, tuple) else partial(rules, position)
        return rule(*args, **options) * (1 + 1e-5)

    rules: Any = primitive.derivative
    several: Any = tuple(
        r and partial(spoilt, n) for n, r in enumerate(rules if isinstance(rules, tuple) else ())
    )
    monkeypatch.setattr(primitive, "derivative", spoilt if primitive.variadic else several)
    found = 0
    for sample in SAMPLES[name]:
        arrays = [x if x.dtype.kind != "f" else x.copy() for x in map(np.asarray, sample.inputs)]
        if sample.inputs[0] is not TIES and all(x.size for x in arrays):
            try:
                check_gradients(sample.call, *arrays, order=1)
            except (GradientError, ValueError):
                found += 1
    assert found


@pytest.mark.parametrize(("name", "sample"), [c for c in CASES if c.values[1].torch])  # type: ignore[union-attr]
def test_pytorch_agrees(name: str, sample: Sample) -> None:
    torch = pytest.importorskip("torch")
    if "float64" not in sample.dtypes:
        arrays = cast(sample, sample.inputs, "int64")
        theirs = sample.torch(torch, *[torch.tensor(x) for x in arrays])  # type: ignore[misc]
        np.testing.assert_array_equal(sample.call(*[leaf(x) for x in arrays]).array, theirs)
        return
    arrays = cast(sample, sample.inputs, "float64")
    floats = [x.dtype.kind == "f" for x in arrays]
    inputs = [torch.tensor(x, requires_grad=f) for x, f in zip(arrays, floats, strict=True)]
    theirs = sample.torch(torch, *inputs)  # type: ignore[misc]
    got = sample.call(*[leaf(x) for x in arrays])
    np.testing.assert_allclose(got.array, theirs.detach().numpy(), rtol=1e-13, atol=1e-14)
    if not REGISTRY[name].differentiable:
        return
    error = np.random.default_rng(zlib.crc32(name.encode())).normal(size=got.shape)
    wanted = torch.autograd.grad(
        theirs, [x for x in inputs if x.requires_grad], torch.tensor(error), allow_unused=True
    )

    def of_floats(*xs: Tensor) -> Tensor:
        rest = iter(xs)
        return sample.call(
            *[next(rest) if f else leaf(x) for x, f in zip(arrays, floats, strict=True)]
        )

    marked = [leaf(x) for x, f in zip(arrays, floats, strict=True) if f]
    for mine, yours in zip(vjp(of_floats, *marked)[1](error), wanted, strict=True):
        np.testing.assert_allclose(mine.array, yours.numpy(), rtol=1e-12, atol=1e-13)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.add(np.ones(2), np.ones(3)), ValueError, r"add: .*\(2,\) and \(3,\)"),
    (lambda: F.tanh("a"), TypeError, "tensor: expected numbers"),
    (lambda: F.astype(1.0, "complex64"), TypeError, "dtype: expected float32"),
    (lambda: F.astype(1.0, "float16"), TypeError, "got float16"),
    (lambda: F.bitwise_and(np.ones(2), np.ones(2)), TypeError, "bitwise_and: expected"),
    (lambda: F.bitwise_invert(1.5), TypeError, "bitwise_invert: expected .* got float32"),
    (lambda: F.subtract([True], [False]), TypeError, "subtract: expected .* bool and bool"),
    (lambda: F.negative([True]), TypeError, "negative: expected .* got bool"),
    (lambda: F.pow([2], -1), ValueError, "[Nn]egative"),
    (lambda: F.where(np.ones(2), 1.0, 2.0), TypeError, "where: expected a boolean condition"),
    (lambda: F.where(np.ones(2, bool), np.ones(3), 2.0), ValueError, r"where: .*\(3,\)"),
    (lambda: F.sum(np.ones(2), axis=1), ValueError, "sum: expected an axis from -1 to 0, got 1"),
    (lambda: F.sum(np.ones((2, 2)), axis=(0, -2)), ValueError, "sum: expected each axis once"),
    (lambda: F.sum(np.ones(2), dims=0), TypeError, "unexpected keyword argument 'dims'"),
    (lambda: F.broadcast_to(np.ones(2), (3,)), ValueError, r"broadcast_to: .*\(3,\), got \(2,\)"),
    (lambda: F.broadcast_to(np.ones((2, 1)), (2,)), ValueError, "broadcast_to: expected"),
    (lambda: F.max(np.ones((0, 2)), 0), ValueError, r"max: expected at least one .*\(0, 2\)"),
    (lambda: F.min(np.ones(0)), ValueError, "min: expected at least one element"),
    (lambda: F.argmax(np.ones((2, 0)), 1), ValueError, "argmax: expected at least one"),
    (lambda: F.argmin(np.ones(2), 3), ValueError, "argmin: expected an axis"),
    (lambda: F.cumulative_sum(np.ones((2, 2))), ValueError, "cumulative_sum: expected axis="),
    (lambda: F.reshape(np.ones(6), (4, 2)), ValueError, r"reshape: .*6 elements.*\(4, 2\)"),
    (lambda: F.reshape(np.ones(6), (-1, -1)), ValueError, "reshape: expected"),
    (lambda: F.reshape(np.ones(6), (-2, -3)), ValueError, "reshape: expected"),
    (lambda: F.reshape(np.ones(6), (4, -1)), ValueError, "reshape: expected"),
    (lambda: F.permute_dims(np.ones((2, 2)), (0,)), ValueError, "permute_dims: expected all 2"),
    (lambda: F.permute_dims(np.ones((2, 2)), (0, 0)), ValueError, "each axis once"),
    (lambda: F.flip(np.ones(2), 1), ValueError, "flip: expected an axis"),
    (lambda: F.pad(np.ones(2), [(1, -1)]), ValueError, "pad: expected a .before, after."),
    (lambda: F.pad(np.ones((2, 2)), [(1, 1)]), ValueError, "each of the 2 axes"),
    (lambda: F.concat([]), ValueError, "concat: expected at least one tensor"),
    (lambda: F.concat([1.0, 2.0]), ValueError, "use stack"),
    (lambda: F.concat([np.ones((2, 2)), np.ones((3, 3))]), ValueError, r"concat: .*\(3, 3\)"),
    (lambda: F.matmul(np.ones((2, 3)), np.ones((2, 3))), ValueError, r"matmul: .*\(2, 3\)"),
    (lambda: F.matmul(1.0, np.ones(2)), ValueError, r"matmul: .*got \(\)"),
    (lambda: F.matrix_transpose(np.ones(2)), ValueError, "at least 2 axes"),
    (lambda: F.argsort(np.ones(2), axis=2), ValueError, "argsort: expected an axis"),
    (lambda: F.take(np.ones((2, 2)), [0]), ValueError, "take: expected axis="),
    (lambda: F.take(np.ones(2), [2]), IndexError, r"index: .*\(2,\)"),
    (lambda: F.take_along_axis(np.ones((2, 2)), [0]), ValueError, "take_along_axis: expected"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_a_missing_face_is_an_error_when_defined() -> None:
    faces: dict[str, Any] = {
        "value": abs, "shape": abs, "derivative": NOT_DIFFERENTIABLE, "lower": Elementwise(abs),
    }  # fmt: skip
    for face in faces:
        with pytest.raises(ValueError, match="expected every face"):
            Primitive("tests_only", **{**faces, face: None})
    with pytest.raises(ValueError, match="expected a new name"):
        Primitive("add", **faces)
    assert "tests_only" not in REGISTRY


def test_derivatives_are_tensors_with_a_history_of_their_own() -> None:
    x = leaf(np.array([0.5, 1.5]))
    x.requires_grad_()
    y = F.tanh(x)
    g = leaf(np.ones(2))
    assert REGISTRY["tanh"].derivative[0](g, y, x).requires_grad  # type: ignore[index]
    assert indexing.getitem.primitive is REGISTRY["gather"]  # type: ignore[attr-defined]
    assert random is not None
