"""Every public function of schuss.functions, from one table, against NumPy and PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schuss as ss
import schuss.functions as F
from schuss.core import TRACER, Tensor, leaf, tensor
from schuss.gradcheck import check_gradients
from schuss.transforms import vjp


@dataclass
class Case:
    """A call, its NumPy meaning, and PyTorch's where it has the same."""

    call: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    numpy: Callable[..., Any]
    torch: Callable[..., Any] | None = None
    smooth: bool = True


def numbers(*shape: int, low: float = -3, high: float = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape)


X = numbers(3, 4)
Y = numbers(3, 4, seed=1)
X3 = numbers(2, 3, 4, seed=2)
V = numbers(5, seed=3)
POSITIVE = numbers(3, 4, low=0.1)
UNIT = numbers(3, 4, low=-0.95, high=0.95)
INTEGERS = np.random.default_rng(0).integers(-4, 5, (3, 4))
BOOLS = INTEGERS > 0
ZEROS = np.where(np.abs(X) < 1.2, 0.0, X)
SQUARE = numbers(4, 4)


def plain(name: str, *inputs: np.ndarray, torch: str = "", smooth: bool = True) -> list[Case]:
    """A function of arrays alone that NumPy and PyTorch have too; NumPy's name may differ."""
    there = getattr(np, {"pow": "power", "bitwise_invert": "invert"}.get(name, name))
    theirs = {"negative": "neg", "permute_dims": "permute"}.get(name, torch or name)
    return [
        Case(getattr(F, name), inputs, there,
             (lambda T, *xs: getattr(T, theirs)(*xs)) if theirs != "-" else None, smooth)
    ]  # fmt: skip


def with_axis(
    name: str, value: Any, torch: Any, x: np.ndarray = X3, smooth: bool = True
) -> list[Case]:
    f = getattr(F, name)
    return [
        Case(
            lambda x, a=a, k=k: f(x, axis=a, keepdims=k),
            (x,),
            lambda x, a=a, k=k: value(x, axis=a, keepdims=k),
            torch and (lambda T, x, a=a, k=k: torch(T, x, (0, 1, 2) if a is None else a, k)),
            smooth,
        )
        for a in (None, 0, -1, (0, 2))
        for k in (False, True)
    ]


def made(call: Callable[[], Any], value: Callable[[], Any]) -> Case:
    return Case(call, (), value, smooth=False)


def normalised(x: np.ndarray, axis: Any) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def scipy_free_logsumexp(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


erf = np.vectorize(math.erf)
PREDICATES = {
    "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge",
}  # fmt: skip
I34 = np.array([[2, 0, 1, 1], [0, 0, 2, 2]])

CASES: dict[str, list[Case]] = {
    # Elementwise.
    **{n: plain(n, X) for n in ("abs", "asinh", "atan", "cos", "cosh", "exp", "expm1", "negative",
                                "sin", "sinh", "square", "tan", "tanh", "positive", "reciprocal")},
    **{n: plain(n, UNIT) for n in ("acos", "asin", "atanh", "log1p")},
    **{n: plain(n, POSITIVE) for n in ("log", "log2", "log10", "sqrt")},
    "acosh": plain("acosh", POSITIVE + 1),
    **{n: plain(n, X, smooth=False) for n in ("ceil", "floor", "round", "sign", "trunc",
                                              "isnan", "isinf", "isfinite")},
    **{n: [*plain(n, X, Y), *plain(n, X[:, :1], Y[0])]
       for n in ("add", "subtract", "multiply", "divide", "atan2", "hypot", "logaddexp",
                 "maximum", "minimum")},
    "copysign": [Case(F.copysign, (X, Y), np.copysign,
                      lambda T, x, y: T.copysign(x, y.detach()))],
    "pow": plain("pow", POSITIVE, Y),
    "remainder": plain("remainder", X, POSITIVE + 4),
    "floor_divide": plain("floor_divide", X, POSITIVE, smooth=False),
    **{n: plain(n, INTEGERS, INTEGERS.T.copy().reshape(3, 4), torch=t, smooth=False)
       for n, t in PREDICATES.items()},
    **{n: [*plain(n, BOOLS, ~BOOLS[0], smooth=False),
           *plain(n, INTEGERS, INTEGERS[0], smooth=False)]
       for n in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "bitwise_invert": plain("bitwise_invert", INTEGERS, torch="bitwise_not", smooth=False),
    **{n: plain(n, INTEGERS, BOOLS[:1], smooth=False)
       for n in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": plain("logical_not", INTEGERS, smooth=False),
    "clip": [
        Case(lambda x: F.clip(x, -1, 1), (X,), lambda x: np.clip(x, -1, 1),
             lambda T, x: T.clamp(x, -1, 1)),
        Case(lambda x: F.clip(x, max=0.5), (X,), lambda x: np.minimum(x, 0.5),
             lambda T, x: T.clamp(x, max=0.5)),
        Case(lambda x, lo: F.clip(x, lo, None), (X, Y[0]), np.maximum,
             lambda T, x, lo: x.clamp(lo)),
        Case(lambda x, lo, hi: F.clip(x, lo, hi), (X, Y[0] - 1, Y + 1), np.clip,
             lambda T, x, lo, hi: T.clamp(x, lo.expand(3, 4), hi)),
        Case(lambda x: F.clip(x, 1, 3), (INTEGERS,), lambda x: np.clip(x, 1, 3), smooth=False),
    ],
    "as_strided": [
        Case(lambda x: F.as_strided(x, (3, 2), (1, 4), 1), (X,),
             lambda x: np.ascontiguousarray(x).reshape(-1)[[[1, 5], [2, 6], [3, 7]]],
             lambda T, x: T.as_strided(x, (3, 2), (1, 4), 1)),
    ],
    "erf": [Case(F.erf, (X,), erf, lambda T, x: T.erf(x))],
    "gelu": [
        Case(F.gelu, (X,), lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
             lambda T, x: T.nn.functional.gelu(x)),
        Case(lambda x: F.gelu(x, "tanh"), (X,),
             lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
             lambda T, x: T.nn.functional.gelu(x, approximate="tanh")),
    ],
    "relu": [Case(F.relu, (X,), lambda x: np.maximum(x, 0), lambda T, x: T.relu(x))],
    "sigmoid": [Case(F.sigmoid, (X,), lambda x: 1 / (1 + np.exp(-x)), lambda T, x: T.sigmoid(x))],
    "softplus": [Case(F.softplus, (X,), lambda x: np.log1p(np.exp(x)),
                      lambda T, x: T.nn.functional.softplus(x))],
    "where": [
        Case(lambda c, x, y: F.where(c, x, y), (BOOLS, X, Y), np.where,
             lambda T, c, x, y: T.where(c, x, y)),
        Case(lambda c, x: F.where(c, x, 0.5), (BOOLS, X), lambda c, x: np.where(c, x, 0.5)),
        Case(lambda c, x: F.where(c, 2, x), (BOOLS, INTEGERS), lambda c, x: np.where(c, 2, x),
             smooth=False),
    ],
    "masked_fill": [Case(lambda x, m: F.masked_fill(x, m, -1.5), (X, BOOLS),
                         lambda x, m: np.where(m, -1.5, x),
                         lambda T, x, m: x.masked_fill(m, -1.5))],
    "astype": [Case(lambda x: F.astype(x, "float64"), (X,), lambda x: x.astype("float64"))],
    # Reductions.
    "sum": with_axis("sum", np.sum, lambda T, x, a, k: T.sum(x, a, k)),
    "mean": with_axis("mean", np.mean, lambda T, x, a, k: T.mean(x, a, k)),
    "max": with_axis("max", np.max, lambda T, x, a, k: T.amax(x, a, k)),
    "min": with_axis("min", np.min, lambda T, x, a, k: T.amin(x, a, k)),
    "prod": [
        *with_axis("prod", np.prod, None),
        *with_axis("prod", np.prod, None, np.where(np.abs(X3) < 0.3, 0.0, X3)),
        Case(lambda x: F.prod(x, 1), (ZEROS,), lambda x: x.prod(1), lambda T, x: T.prod(x, 1)),
        Case(F.prod, (INTEGERS,), np.prod, smooth=False),
        Case(lambda x: F.prod(x, 0), (np.zeros((0, 3)),), lambda x: x.prod(0)),
    ],
    "var": with_axis("var", np.var, lambda T, x, a, k: T.var(x, a, correction=0, keepdim=k)) + [
        Case(lambda x: F.var(x, 1, correction=1), (X,), lambda x: x.var(1, ddof=1),
             lambda T, x: T.var(x, 1)),
    ],
    "std": with_axis("std", np.std, lambda T, x, a, k: T.std(x, a, correction=0, keepdim=k)) + [
        Case(lambda x: F.std(x, -1, correction=1), (X,), lambda x: x.std(-1, ddof=1),
             lambda T, x: T.std(x, -1)),
    ],
    "logsumexp": with_axis("logsumexp", scipy_free_logsumexp,
                           lambda T, x, a, k: T.logsumexp(x, a, k)),
    "norm": [
        Case(lambda x, a=a, o=o: F.norm(x, a, ord=o), (x,),
             lambda x, a=a, o=o: np.linalg.norm(x.reshape(-1) if a is None else x, o, a),
             lambda T, x, a=a, o=o: T.linalg.vector_norm(x, o, a))
        for x in (X, ZEROS) for a in (None, 1)
        for o in (1, 2, 3, 1.5, 0, math.inf, -math.inf)
        if not (x is ZEROS and o == -math.inf)
    ],
    "any": with_axis("any", np.any, None, np.abs(X3) > 2.5, smooth=False),
    "all": with_axis("all", np.all, None, np.abs(X3) > 0.5, smooth=False),
    "count_nonzero": with_axis("count_nonzero", np.count_nonzero, None, X3 * (X3 > 0),
                               smooth=False),
    "argmax": [Case(lambda x, a=a: F.argmax(x, a), (X,), lambda x, a=a: x.argmax(a),
                    lambda T, x, a=a: T.argmax(x, a), smooth=False) for a in (None, 0, -1)],
    "argmin": [Case(lambda x, a=a: F.argmin(x, a, True), (X,),
                    lambda x, a=a: x.argmin(a, keepdims=True),
                    lambda T, x, a=a: T.argmin(x, a, True), smooth=False) for a in (0, -1)],
    "cumulative_sum": [Case(lambda x, a=a: F.cumulative_sum(x, axis=a), (X,),
                            lambda x, a=a: np.cumsum(x, a), lambda T, x, a=a: T.cumsum(x, a))
                       for a in (0, -1)],
    "cumulative_prod": [Case(lambda x, a=a: F.cumulative_prod(x, axis=a), (x,),
                             lambda x, a=a: np.cumprod(x, a), lambda T, x, a=a: T.cumprod(x, a))
                        for a in (0, -1) for x in (X, ZEROS)],
    "diff": [Case(lambda x, a=a, n=n: F.diff(x, axis=a, n=n), (X,),
                  lambda x, a=a, n=n: np.diff(x, n, a), lambda T, x, a=a, n=n: T.diff(x, n, a))
             for a in (0, -1) for n in (1, 2)],
    "softmax": [Case(lambda x, a=a: F.softmax(x, axis=a), (X,), lambda x, a=a: normalised(x, a),
                     lambda T, x, a=a: T.softmax(x, a)) for a in (0, -1)],
    "log_softmax": [Case(lambda x, a=a: F.log_softmax(x, axis=a), (X,),
                         lambda x, a=a: np.log(normalised(x, a)),
                         lambda T, x, a=a: T.log_softmax(x, a)) for a in (0, -1)],
    "trace": [Case(F.trace, (SQUARE,), np.trace, lambda T, x: T.trace(x)),
              Case(lambda x: F.trace(x, 1), (X3,), lambda x: np.trace(x, 1, -2, -1))],
    # Shapes.
    "broadcast_to": [Case(lambda x: F.broadcast_to(x, (2, 3, 4)), (X,),
                          lambda x: np.broadcast_to(x, (2, 3, 4)), lambda T, x: x.expand(2, 3, 4))],
    "broadcast_arrays": [Case(F.broadcast_arrays, (X[:, :1], Y[0]), np.broadcast_arrays,
                              lambda T, *xs: T.broadcast_tensors(*xs))],
    "concat": [Case(lambda x, y: F.concat([x, y], axis=None), (X, V),
                    lambda x, y: np.concatenate([x, y], None))],
    "expand_dims": [Case(lambda x, a=a: F.expand_dims(x, axis=a), (X,),
                         lambda x, a=a: np.expand_dims(x, a), lambda T, x, a=a: x.unsqueeze(a))
                    for a in (0, 1, -1, -3)],
    "squeeze": [Case(lambda x, a=a: F.squeeze(x, axis=a), (X[:1, :, None],),
                     lambda x, a=a: np.squeeze(x, a)) for a in (0, -1, (0, 2), None)],
    "flatten": [Case(F.flatten, (X3,), np.ravel, lambda T, x: T.flatten(x)),
                Case(lambda x: F.flatten(x, 1), (X3,), lambda x: x.reshape(2, 12),
                     lambda T, x: T.flatten(x, 1)),
                Case(F.flatten, (np.array(1.5),), np.ravel, lambda T, x: T.flatten(x))],
    "flip": [Case(lambda x: F.flip(x, axis=1), (X,), lambda x: np.flip(x, 1))],
    "matrix_transpose": [Case(F.matrix_transpose, (X3,), lambda x: x.swapaxes(-1, -2),
                              lambda T, x: x.mT)],
    "moveaxis": [Case(lambda x, s=s, d=d: F.moveaxis(x, s, d), (X3,),
                      lambda x, s=s, d=d: np.moveaxis(x, s, d),
                      lambda T, x, s=s, d=d: T.moveaxis(x, s, d))
                 for s, d in ((0, -1), (2, 0), ((0, 1), (2, 0)), ((0, 2), (0, 1)))],
    "swapaxes": [Case(lambda x: F.swapaxes(x, 0, -1), (X3,), lambda x: np.swapaxes(x, 0, -1),
                      lambda T, x: T.swapaxes(x, 0, -1))],
    "permute_dims": [Case(lambda x: F.permute_dims(x, (1, 2, 0)), (X3,),
                          lambda x: x.transpose(1, 2, 0), lambda T, x: x.permute(1, 2, 0))],
    "reshape": [Case(lambda x: F.reshape(x, (-1, 6)), (X3,), lambda x: x.reshape(-1, 6),
                     lambda T, x: x.reshape(-1, 6))],
    "roll": [Case(lambda x, s=s, a=a: F.roll(x, s, axis=a), (X,),
                  lambda x, s=s, a=a: np.roll(x, s, a),
                  lambda T, x, s=s, a=a: T.roll(x, s, a))
             for s, a in ((1, None), (-1, 0), (5, 1), ((1, 2), (0, 1)))],
    "repeat": [
        Case(lambda x: F.repeat(x, 2), (X,), lambda x: np.repeat(x, 2),
             lambda T, x: x.repeat_interleave(2)),
        Case(lambda x: F.repeat(x, [0, 2, 1], axis=0), (X,), lambda x: np.repeat(x, [0, 2, 1], 0),
             lambda T, x: x.repeat_interleave(T.tensor([0, 2, 1]), 0)),
    ],
    "tile": [Case(lambda x, r=r: F.tile(x, r), (X,), lambda x, r=r: np.tile(x, r))
             for r in (2, (2, 1), (3, 1, 2), (0, 2))],
    "stack": [Case(lambda x, y, a=a: F.stack([x, y], axis=a), (X, Y),
                   lambda x, y, a=a: np.stack([x, y], a), lambda T, x, y, a=a: T.stack([x, y], a))
              for a in (0, 1, -1)],
    "unstack": [Case(lambda x: F.unstack(x, axis=1), (X,), lambda x: list(x.T),
                     lambda T, x: x.unbind(1))],
    "meshgrid": [Case(lambda x, y, i=i: F.meshgrid(x, y, indexing=i), (V, V[:2]),
                      lambda x, y, i=i: np.meshgrid(x, y, indexing=i),
                      lambda T, x, y, i=i: T.meshgrid(x, y, indexing=i)) for i in ("xy", "ij")]
    + [Case(lambda *xs: F.meshgrid(*xs), (V, V[:2], V[:3]), np.meshgrid)],
    "pad": [Case(lambda x: F.pad(x, [(1, 0), (0, 2)], 5), (X,),
                 lambda x: np.pad(x, [(1, 0), (0, 2)], constant_values=5))],
    "diag": [Case(F.diag, (V,), np.diag, lambda T, x: T.diag(x)),
             Case(F.diag, (X,), np.diag, lambda T, x: T.diag(x))],
    "diagonal": [Case(lambda x, o=o: F.diagonal(x, offset=o), (X3,),
                      lambda x, o=o: np.diagonal(x, o, -2, -1),
                      lambda T, x, o=o: T.diagonal(x, o, -2, -1)) for o in (0, 1, -2, 7)],
    "tril": [Case(lambda x, k=k: F.tril(x, k=k), (X3,), lambda x, k=k: np.tril(x, k),
                  lambda T, x, k=k: T.tril(x, k)) for k in (0, 1, -1)],
    "triu": [Case(lambda x, k=k: F.triu(x, k=k), (X3,), lambda x, k=k: np.triu(x, k),
                  lambda T, x, k=k: T.triu(x, k)) for k in (0, 1, -1)],
    # Sorting, searching, picking.
    "sort": [Case(lambda x, a=a, d=d: F.sort(x, axis=a, descending=d), (X,),
                  lambda x, a=a, d=d: np.flip(np.sort(x, a), a) if d else np.sort(x, a),
                  lambda T, x, a=a, d=d: T.sort(x, a, d)[0])
             for a in (0, -1) for d in (False, True)],
    "argsort": [Case(lambda x: F.argsort(x), (X,), np.argsort, lambda T, x: T.argsort(x),
                     smooth=False)],
    "take": [Case(lambda x: F.take(x, [2, 0, 2], axis=1), (X,), lambda x: x[:, [2, 0, 2]],
                  lambda T, x: T.index_select(x, 1, T.tensor([2, 0, 2]))),
             Case(lambda x: F.take(x, [[1, 0]]), (V,), lambda x: x[[[1, 0]]])],
    "take_along_axis": [
        Case(lambda x, i: F.take_along_axis(x, i, axis=0), (X, I34),
             lambda x, i: np.take_along_axis(x, i, 0), lambda T, x, i: T.take_along_dim(x, i, 0)),
        Case(lambda x, i: F.take_along_axis(x, i, axis=-1), (X, I34[:1]),
             lambda x, i: np.take_along_axis(x, np.repeat(i, 3, 0), -1),
             lambda T, x, i: T.take_along_dim(x, i, -1)),
    ],
    "gather": [Case(lambda x, i, a=a: F.gather(x, a, i), (X, I34[:, :3]),
                    lambda x, i, a=a: np.take_along_axis(x[:, :3] if a == 0 else x[:2], i, a),
                    lambda T, x, i, a=a: T.gather(x, a, i)) for a in (0, 1)],
    "nonzero": [Case(F.nonzero, (INTEGERS,), np.nonzero,
                     lambda T, x: T.nonzero(x, as_tuple=True), smooth=False)],
    "searchsorted": [
        Case(lambda x, v, s=s: F.searchsorted(x, v, side=s), (np.sort(np.append(V, V[:2])), v),
             lambda x, v, s=s: np.searchsorted(x, v, side=s),
             lambda T, x, v, s=s: T.searchsorted(x.detach(), v.detach(), right=s == "right"),
             smooth=False)
        for v in (V, X, np.array(0.5)) for s in ("left", "right")
    ],
    "unique_values": [Case(F.unique_values, (x,), np.unique, smooth=False)
                      for x in (INTEGERS, V, np.zeros(0), np.ones(3))],
    "one_hot": [Case(lambda x: F.one_hot(x, 5), (I34,), lambda x: np.eye(5, dtype="f4")[x],
                     lambda T, x: T.nn.functional.one_hot(x, 5).float(), smooth=False)],
    # Products.
    "matmul": plain("matmul", X, X.T.copy()),
    "dot": plain("dot", V, V[::-1].copy()),
    "outer": plain("outer", V, V[:3]),
    "vecdot": [Case(lambda x, y: F.vecdot(x, y, axis=0), (X, Y), lambda x, y: (x * y).sum(0),
                    lambda T, x, y: T.linalg.vecdot(x, y, dim=0))],
    "cross": [Case(lambda x, y: F.cross(x, y, axis=0), (X, Y), lambda x, y: np.cross(x, y, axis=0),
                   lambda T, x, y: T.linalg.cross(x, y, dim=0)),
              Case(F.cross, (X[:, :3], Y[0, :3]), np.cross)],
    "tensordot": [
        Case(lambda x, y, a=a: F.tensordot(x, y, axes=a), (x, y),
             lambda x, y, a=a: np.tensordot(x, y, a), lambda T, x, y, a=a: T.tensordot(x, y, a))
        for x, y, a in ((X3, X, 2), (X3, V, 0), (X3, X.T.copy(), 1), (X3, X, ((2, 1), (1, 0))),
                        (X3, X3, ((0, -1), (0, 2))))
    ],
    "einsum": [
        Case(lambda *xs, s=s: F.einsum(s, *xs), xs, lambda *xs, s=s: np.einsum(s, *xs),
             lambda T, *xs, s=s: T.einsum(s, *xs))
        for s, xs in (
            ("ij,jk->ik", (X, X.T.copy())), ("ij,jk", (X, X.T.copy())), ("ij->ji", (X,)),
            ("ij->", (X,)), ("ij->j", (X,)), ("ba", (X,)), ("ii", (SQUARE,)), ("ii->i", (SQUARE,)),
            ("i,j->ij", (V, V)), ("i,i", (V, V)), ("bij,bjk->bik", (X3, numbers(2, 4, 5))),
            ("bij,jk,k->bi", (X3, SQUARE, numbers(4))), ("ij,ij->ij", (X, Y)),
            ("bqhd,bkhd->bhqk", (numbers(2, 3, 2, 4), numbers(2, 5, 2, 4, seed=5))),
            ("ij,ik->jk", (X, Y)), ("ijk,k", (X3, numbers(4))), ("ij,kl->jl", (X, Y)),
            ("iij,ji->i", (numbers(3, 3, 4), X.T.copy())),
            ("...ij->...ji", (X3,)), ("...ij,...jk->...ik", (X3, numbers(2, 4, 5))),
            ("...j,j", (X3, numbers(4))), ("b...,b...->...", (X3, numbers(2, 3, 4, seed=7))),
            ("...ij,jk->...ik", (X, SQUARE)), ("i...->...", (X3,)),
        )
    ],
    # Creation.
    "zeros": [made(lambda: F.zeros((2, 3)), lambda: np.zeros((2, 3), "f4")),
              made(lambda: F.zeros(2, 3, dtype="int64"), lambda: np.zeros((2, 3), "i8")),
              made(lambda: F.zeros(()), lambda: np.zeros((), "f4"))],
    "ones": [made(lambda: F.ones(3), lambda: np.ones(3, "f4")),
             made(lambda: F.ones((0, 2), dtype=bool), lambda: np.ones((0, 2), bool))],
    "empty": [made(lambda: F.empty((2, 0), dtype="float64"), lambda: np.empty((2, 0)))],
    "full": [made(lambda: F.full((2,), 1.5), lambda: np.full(2, 1.5, "f4")),
             made(lambda: F.full(2, 3), lambda: np.full(2, 3)),
             made(lambda: F.full((1, 2), True), lambda: np.full((1, 2), True)),
             made(lambda: F.full(2, 3, dtype="float64"), lambda: np.full(2, 3.0))],
    "zeros_like": [made(lambda: F.zeros_like(X), lambda: np.zeros_like(X))],
    "ones_like": [made(lambda: F.ones_like(INTEGERS), lambda: np.ones_like(INTEGERS)),
                  made(lambda: F.ones_like(X, dtype=bool), lambda: np.ones_like(X, bool))],
    "empty_like": [made(lambda: F.empty_like(X[:0]), lambda: X[:0])],
    "full_like": [made(lambda: F.full_like(INTEGERS, 2), lambda: np.full_like(INTEGERS, 2))],
    "arange": [made(lambda: F.arange(5), lambda: np.arange(5)),
               made(lambda: F.arange(2, 8, 3), lambda: np.arange(2, 8, 3)),
               made(lambda: F.arange(0, 1, 0.25), lambda: np.arange(0, 1, 0.25, "f4")),
               made(lambda: F.arange(3, -3, -2), lambda: np.arange(3, -3, -2)),
               made(lambda: F.arange(3.0, dtype="int32"), lambda: np.arange(3, dtype="i4"))],
    "linspace": [made(lambda: F.linspace(0, 1, 5), lambda: np.linspace(0, 1, 5, dtype="f4")),
                 made(lambda: F.linspace(1, -1, 4, "float64", endpoint=False),
                      lambda: np.linspace(1, -1, 4, endpoint=False))],
    "eye": [made(lambda: F.eye(3), lambda: np.eye(3, dtype="f4")),
            made(lambda: F.eye(2, 4, k=1, dtype="int64"), lambda: np.eye(2, 4, 1, "i8"))],
}  # fmt: skip

ALL = [
    pytest.param(case, id=f"{name}-{n}")
    for name, cases in CASES.items()
    for n, case in enumerate(cases)
]
SMOOTH = [p for p in ALL if p.values[0].smooth]  # type: ignore[union-attr]
IN_TORCH = [p for p in ALL if p.values[0].torch]  # type: ignore[union-attr]


def test_every_public_function_is_in_the_table() -> None:
    assert set(CASES) == set(F.__all__)


def outputs(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (tuple, list)) else [found]


class Shapes:
    """Runs in the place of a tracer: holds the primitives' shape rules to their values."""

    def apply(self, primitive: Any, inputs: Any, attributes: dict[str, Any]) -> Tensor:
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        specs = [
            (x.shape, x.dtype) if isinstance(x, Tensor) else ((), tensors[0].dtype) for x in inputs
        ]
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        value = np.asarray(primitive.value(*arrays, **attributes))
        shape, dtype = primitive.shape(*specs, **attributes)
        assert (tuple(shape), dtype) == (value.shape, value.dtype), primitive
        return leaf(value)

    def contents(self, x: Tensor) -> Any:
        return x.array

    memory = contents

    def check(self, check: Any, tensors: Any) -> None:
        """Let all values pass."""

    def selected(self, x: Tensor, mask: Tensor) -> Tensor:
        return leaf(x.array[mask.array])

    def nonzero(self, x: Tensor) -> list[Tensor]:
        return [leaf(places) for places in np.nonzero(x.array)]


@pytest.mark.parametrize("case", ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_dtype(case: Case, dtype: str) -> None:
    arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in case.inputs]
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    found = outputs(case.call(*map(leaf, arrays)))
    expected = outputs(case.numpy(*arrays))
    token = TRACER.set(Shapes())
    try:
        again = outputs(case.call(*map(leaf, arrays)))
    finally:
        TRACER.reset(token)
    for got, right, traced in zip(found, expected, again, strict=True):
        assert isinstance(got, Tensor)
        right = np.asarray(right)
        assert got.shape == right.shape
        if right.dtype.kind == "f" and arrays and case.call is not CASES["astype"][0].call:
            assert got.dtype == (dtype if arrays[-1].dtype.kind == "f" else right.dtype)
        else:
            assert got.dtype == right.dtype
        np.testing.assert_allclose(got.array, right, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(traced.array, got.array, rtol=tolerance, atol=tolerance)
        assert traced.dtype == got.dtype


@pytest.mark.parametrize("case", SMOOTH)
def test_derivatives_of_order_one_and_two(case: Case) -> None:
    arrays = [np.where(x == 0, 0.3, x) if x is ZEROS and not in_polynomials(case) else x
              for x in case.inputs]  # fmt: skip
    assert check_gradients(case.call, *arrays).largest_error <= 1e-6


def in_polynomials(case: Case) -> bool:
    return any(case is c for name in ("prod", "cumulative_prod") for c in CASES[name])


@pytest.mark.parametrize("case", IN_TORCH)
def test_pytorch_agrees(case: Case) -> None:
    torch = pytest.importorskip("torch")
    wants = [x.dtype.kind == "f" for x in case.inputs]
    given = [torch.tensor(x, requires_grad=w) for x, w in zip(case.inputs, wants, strict=True)]
    theirs = outputs(case.torch(torch, *given))  # type: ignore[misc]
    mine = outputs(case.call(*map(leaf, case.inputs)))
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.array, b.detach().numpy(), rtol=1e-12, atol=1e-13)
    if not case.smooth:
        return

    def of_floats(*xs: Tensor) -> tuple[Tensor, ...]:
        rest = iter(xs)
        found = case.call(
            *[next(rest) if w else leaf(x) for x, w in zip(case.inputs, wants, strict=True)]
        )
        return tuple(outputs(found))

    random = np.random.default_rng(0)
    errors = [random.normal(size=a.shape) for a in mine]
    inputs = [leaf(x) for x, w in zip(case.inputs, wants, strict=True) if w]
    pulled = vjp(of_floats, *inputs)[1](*errors)
    wanted = torch.autograd.grad(
        theirs, [x for x in given if x.requires_grad], list(map(torch.tensor, errors)),
        allow_unused=True,
    )  # fmt: skip
    for a, b in zip(pulled, wanted, strict=True):
        right = np.zeros(a.shape) if b is None else b.numpy()
        np.testing.assert_allclose(a.array, right, rtol=1e-10, atol=1e-12)


INF, NAN = math.inf, math.nan
SPECIAL: list[tuple[str, Any, Any, tuple[Any, ...]]] = [
    ("abs", F.abs, lambda T, x: T.abs(x), ([0.0, -0.0, INF, -INF],)),
    ("relu", F.relu, lambda T, x: T.relu(x), ([0.0, -0.0, INF, -INF],)),
    ("sign", lambda x: F.sign(x) * x, lambda T, x: T.sign(x) * x, ([0.0, 1.0, -1.0],)),
    ("sqrt", F.sqrt, lambda T, x: T.sqrt(x), ([0.0, 4.0, -1.0, INF],)),
    ("log", F.log, lambda T, x: T.log(x), ([0.0, -1.0, INF],)),
    ("log1p", F.log1p, lambda T, x: T.log1p(x), ([-1.0, 1e-300, INF],)),
    ("expm1", F.expm1, lambda T, x: T.expm1(x), ([-INF, 1e-300, -800.0],)),
    ("max of all", F.max, lambda T, x: x.amax(), ([1.0, 3.0, 3.0],)),
    ("max axis", lambda x: F.max(x, 1), lambda T, x: x.amax(1), ([[1.0, 1.0], [2.0, 0.0]],)),
    ("min axis", lambda x: F.min(x, 0), lambda T, x: x.amin(0), ([[1.0, 1.0], [1.0, 0.0]],)),
    ("maximum", F.maximum, lambda T, x, y: T.maximum(x, y), ([1.0, 2.0, INF], [1.0, 1.0, INF])),
    ("minimum", F.minimum, lambda T, x, y: T.minimum(x, y), ([1.0, 2.0, -INF], [1.0, 1.0, -INF])),
    ("clip", lambda x: F.clip(x, -1, 1), lambda T, x: x.clamp(-1, 1), ([-1.0, 1.0, 2.0, -INF],)),
    ("clip tensor", lambda x, a: F.clip(x, a, a + 1), lambda T, x, a: T.clamp(x, a, a + 1),
     ([0.0, 1.0, 2.0, 0.5], [0.0, 0.0, 0.0, 1.0])),
    ("pow number 0", lambda x: x**0, lambda T, x: x**0, ([0.0, 2.0, -1.0],)),
    ("pow number 1", lambda x: x**1, lambda T, x: x**1, ([0.0, 2.0, -1.0],)),
    ("pow number 2", lambda x: x**2, lambda T, x: x**2, ([0.0, 2.0, -1.0],)),
    ("pow number half", lambda x: x**0.5, lambda T, x: x**0.5, ([0.0, 2.0],)),
    ("pow number -1", lambda x: x**-1, lambda T, x: x**-1, ([2.0, -1.0, 0.0],)),
    ("pow tensor", F.pow, lambda T, x, y: T.pow(x, y),
     ([0.0, 0.0, 0.0, 2.0, -2.0], [0.0, 1.0, 2.0, 0.0, 0.0])),
    ("pow of number", lambda y: 2**y, lambda T, y: 2**y, ([0.0, -1.0, 3.0],)),
    ("pow of zero", lambda y: 0.0**y, lambda T, y: 0.0**y, ([0.0, 1.0, 3.0],)),
    ("prod one zero", F.prod, lambda T, x: T.prod(x), ([2.0, 0.0, 3.0],)),
    ("prod two zeros", F.prod, lambda T, x: T.prod(x), ([2.0, 0.0, 0.0],)),
    ("cumulative_prod", F.cumulative_prod, lambda T, x: T.cumprod(x, 0), ([2.0, 0.0, 3.0, 0.0],)),
    ("norm at 0", F.norm, lambda T, x: T.linalg.vector_norm(x), ([0.0, 0.0],)),
    ("norm rows", lambda x: F.norm(x, 1), lambda T, x: T.linalg.vector_norm(x, dim=1),
     ([[0.0, 0.0], [3.0, 4.0]],)),
    ("norm 3 at 0", lambda x: F.norm(x, ord=3), lambda T, x: T.linalg.vector_norm(x, 3),
     ([0.0, 0.0],)),
    ("norm 1 at 0", lambda x: F.norm(x, ord=1), lambda T, x: T.linalg.vector_norm(x, 1),
     ([0.0, 2.0],)),
    ("norm inf tie", lambda x: F.norm(x, ord=INF), lambda T, x: T.linalg.vector_norm(x, INF),
     ([2.0, -2.0, 1.0],)),
    ("std at 0", F.std, lambda T, x: T.std(x, correction=0), ([1.0, 1.0],)),
    ("where nan", lambda x: F.where(x > 0, F.log(F.where(x > 0, x, 1.0)), 0.0),
     lambda T, x: T.where(x > 0, T.log(T.where(x > 0, x, 1.0)), 0.0), ([1.0, 0.0, -1.0],)),
    ("where sees no nan", lambda x, y: F.where(np.array([True, False]), x, y),
     lambda T, x, y: T.where(T.tensor([True, False]), x, y), ([1.0, NAN], [NAN, 2.0])),
    ("sigmoid", F.sigmoid, lambda T, x: T.sigmoid(x), ([-1e4, 1e4, INF, -INF, 0.0],)),
    ("tanh", F.tanh, lambda T, x: T.tanh(x), ([-1e4, 1e4, INF, -INF, 0.0],)),
    ("softplus", F.softplus, lambda T, x: T.logaddexp(x, T.zeros_like(x)),
     ([0.0, 1e4, -1e4, -40.0, 40.0],)),
    ("logaddexp", F.logaddexp, lambda T, x, y: T.logaddexp(x, y),
     ([0.0, 1e4, -1e4, 3.0, -INF], [0.0, 1e4, 1e4, -50.0, 1.0])),
    ("softmax", F.softmax, lambda T, x: T.softmax(x, -1), ([[1e4, -1e4, 0.0], [-INF, 1.0, 1.0]],)),
    ("log_softmax", F.log_softmax, lambda T, x: T.log_softmax(x, -1), ([[1e4, -1e4, 0.0]],)),
    ("log_softmax -inf", lambda x: F.log_softmax(x)[..., 1:],
     lambda T, x: T.log_softmax(x, -1)[..., 1:], ([[-INF, 0.0, 1.0]],)),
    ("logsumexp", F.logsumexp, lambda T, x: T.logsumexp(x, 0), ([1e4, -1e4, -INF],)),
    ("logsumexp nothing", F.logsumexp, lambda T, x: T.logsumexp(x, 0), ([-INF, -INF],)),
    ("erf", F.erf, lambda T, x: T.erf(x), ([0.0, 1.0, -1.0, 6.5, -INF, INF, 1e-9],)),
    ("gelu", F.gelu, lambda T, x: T.nn.functional.gelu(x), ([0.0, -40.0, 40.0],)),
    ("asin", F.asin, lambda T, x: T.asin(x), ([0.0, 0.5, -0.5, 2.0],)),
    ("acos", F.acos, lambda T, x: T.acos(x), ([0.0, 0.5, -0.5],)),
    ("asinh", F.asinh, lambda T, x: T.asinh(x), ([0.0, 1e-12, -1e-12, 1e6, -1e100],)),
    ("acosh", F.acosh, lambda T, x: T.acosh(x), ([1.0 + 1e-10, 1e100, 3.0],)),
    ("atanh", F.atanh, lambda T, x: T.atanh(x), ([0.0, 1e-12, 0.999999],)),
    ("sinh", F.sinh, lambda T, x: T.sinh(x), ([0.0, 1e-12, -30.0, 300.0, -1e-12],)),
    ("cosh", F.cosh, lambda T, x: T.cosh(x), ([0.0, 30.0, -300.0],)),
    ("hypot", F.hypot, lambda T, x, y: T.hypot(x, y), ([3.0, 1e200, 0.0], [4.0, 1e200, 2.0])),
    ("copysign", F.copysign, lambda T, x, y: T.copysign(x, y.detach()), ([1.0, -2.0], [-0.0, 0.0])),
    ("remainder", F.remainder, lambda T, x, y: T.remainder(x, y), ([5.0, -5.0], [3.0, -3.0])),
    ("sort ties", F.sort, lambda T, x: T.sort(x, stable=True)[0], ([1.0, 1.0, 0.0],)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "theirs", "inputs"), SPECIAL, ids=[s[0] for s in SPECIAL])
def test_special_points_as_pytorch(name: str, call: Any, theirs: Any, inputs: Any) -> None:
    torch = pytest.importorskip("torch")
    xs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    y = theirs(torch, *xs)
    error = np.random.default_rng(0).uniform(1, 2, tuple(y.shape))
    got, pull = vjp(call, *[tensor(x, "float64") for x in inputs])
    np.testing.assert_allclose(got.array, y.detach().numpy(), rtol=1e-12, atol=1e-300)
    wanted = torch.autograd.grad(y, xs, torch.tensor(error), allow_unused=True)
    for a, b in zip(pull(error), wanted, strict=True):
        right = np.zeros(a.shape) if b is None else b.numpy()
        np.testing.assert_allclose(a.array, right, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize(
    ("call", "inputs"),
    [
        (F.softplus, ([0.0, -0.0],)),
        (F.logaddexp, ([0.0, 2.0], [0.0, 2.0])),
        (F.asinh, ([0.0],)),
        (F.sinh, ([0.0],)),
        (F.atan2, ([0.0, 0.0], [1.0, 1e-3])),
        (F.pow, ([2.0, 3.0, 0.5], [0.0, 1.0, 2.0])),
        (lambda x: F.pow(x, tensor([2.0, 3.0], "float64")), ([0.0, 0.0],)),
        (lambda x: x**3, ([0.0],)),
        (lambda x: x**2, ([0.0],)),
        (F.prod, ([0.0, 0.0, 2.0],)),
        (F.cumulative_prod, ([0.0, 0.0, 2.0],)),
        (F.logsumexp, ([1.0, 1.0],)),
        (F.erf, ([0.0, 1.0],)),
        (F.gelu, ([0.0],)),
    ],
)
def test_smooth_at_special_points_to_the_second_order(call: Any, inputs: Any) -> None:
    check_gradients(call, *[np.array(x) for x in inputs])


@pytest.mark.parametrize("name", ["asin", "asinh", "atan", "atanh", "expm1", "sinh", "tan", "tanh"])
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    found = getattr(F, name)(tensor([0.0, -0.0])).array
    assert np.signbit(found).tolist() == [False, True]


def test_an_infinity_wins_in_hypot() -> None:
    x = tensor([float("nan"), INF, -INF, float("nan")])
    y = tensor([-INF, float("nan"), 1.0, 1.0])
    np.testing.assert_array_equal(F.hypot(x, y).array, np.hypot(x.array, y.array))


EXTREME = np.array([1e-30, 1e-8, 1e-3, 0.3, 1.0, 5.0, 20.0, 80.0])


@pytest.mark.parametrize(
    "name",
    ["sinh", "cosh", "tanh", "asinh", "atan", "expm1", "log1p", "exp", "log", "sqrt", "log2",
     "log10", "sigmoid", "erf", "softplus", "atanh", "asin", "acos", "acosh"],
)  # fmt: skip
def test_float32_keeps_its_digits_from_tiny_to_large(name: str) -> None:
    x = np.concatenate([-EXTREME, EXTREME]).astype(np.float32)
    with np.errstate(all="ignore"):
        right = {
            "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
            "erf": erf,
            "softplus": lambda x: np.logaddexp(x, 0),
        }.get(name, getattr(np, name, None))(x.astype(np.float64))  # fmt: skip
    got = getattr(F, name)(leaf(x)).array
    np.testing.assert_allclose(got, right.astype(np.float32), rtol=2e-6, atol=1e-37)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_float32_means_over_ten_million_numbers(axis: int | None) -> None:
    random = np.random.default_rng(0)
    x = random.random(10**7, dtype=np.float32) + np.float32(1)
    layouts = {
        None: [x, x.reshape(10**6, 10).T, x.reshape(10, 10**6)[:, ::-1]],
        0: [x.reshape(-1, 1), x.reshape(10**6, 10), x.reshape(10, 10**6).T],
        1: [x.reshape(1, -1), x.reshape(10, 10**6), x.reshape(10**6, 10).T],
    }
    for array in layouts[axis]:
        right = array.mean(axis, dtype=np.float64)
        np.testing.assert_allclose(F.mean(leaf(array), axis).array, right, rtol=3e-7)
        np.testing.assert_allclose(
            F.sum(leaf(array), axis).array, array.sum(axis, dtype=np.float64), rtol=3e-7
        )


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2), (2, 1, 0)])
def test_float32_sums_keep_their_digits_along_every_axis(axis: Any) -> None:
    x = np.random.default_rng(0).random((230, 500, 97), dtype=np.float32) + np.float32(1)
    for array in (x, x.transpose(2, 0, 1), x[::2, ::-1, 1::3], x[:, :3], x[:3], x[..., :2]):
        got = F.sum(leaf(array), axis, True)
        right = array.sum(axis, dtype=np.float64, keepdims=True)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got.array, right, rtol=9e-7)


def test_float32_cumulative_sum_and_variance_keep_their_digits() -> None:
    x = np.random.default_rng(0).random(10**6, dtype=np.float32) + np.float32(1)
    right = np.cumsum(x, dtype=np.float64)
    np.testing.assert_allclose(F.cumulative_sum(leaf(x)).array, right, rtol=2e-7)
    np.testing.assert_allclose(F.var(leaf(x)).item(), x.var(dtype=np.float64), rtol=2e-6)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.stack([np.ones(2), np.ones(3)]), ValueError, r"stack: .*\(2,\), \(3,\)"),
    (lambda: F.squeeze(np.ones((2, 1)), 0), ValueError, r"squeeze: .*\(2, 1\)"),
    (lambda: F.expand_dims(np.ones(2), 3), ValueError, "expand_dims: expected an axis"),
    (lambda: F.moveaxis(np.ones((2, 2)), (0, 1), 0), ValueError, "moveaxis: expected as many"),
    (lambda: F.gelu(1.0, "sigmoid"), ValueError, "gelu: .*'none' or 'tanh', got 'sigmoid'"),
    (lambda: F.einsum("ij,jk", np.ones((2, 2))), ValueError, "einsum: .*'ij,jk'"),
    (lambda: F.einsum("ij->k", np.ones((2, 2))), ValueError, "einsum: expected letters"),
    (lambda: F.einsum("ijk->i", np.ones((2, 2))), ValueError, r"einsum: expected 3 axes"),
    (lambda: F.einsum("i,i", np.ones(2), np.ones(3)), ValueError, "einsum: expected one length"),
    (lambda: F.einsum("...ij->i", np.ones(1)), ValueError, r"einsum: .* shapes \(1,\)"),
    (lambda: F.tensordot(np.ones((2, 3)), np.ones((2, 3)), 1), ValueError, "tensordot: expected"),
    (lambda: F.searchsorted(V, 1.0, side="middle"), ValueError, "searchsorted: .*'middle'"),
    (lambda: F.cumulative_prod(X), ValueError, "cumulative_prod: expected axis="),
    (lambda: F.meshgrid(V, V, indexing="yx"), ValueError, "meshgrid: .*'yx'"),
    (lambda: F.tril(V), ValueError, "at least 2 axes"),
    (lambda: F.diagonal(V), ValueError, "diagonal: expected at least 2 axes"),
    (lambda: F.mean(X, axis=2), ValueError, "expected an axis from -2 to 1, got 2"),
    (lambda: F.repeat(X, 2, 2), ValueError, "repeat: expected an axis from -2 to 1, got 2"),
    (lambda: F.zeros((2,), dtype="float16"), TypeError, "float16"),
    (lambda: F.gather(X, 0, np.array([0])), ValueError, "take_along_axis: expected"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


shapes = st.lists(st.integers(1, 3), max_size=3)


@settings(max_examples=60, deadline=None)
@given(shapes, shapes, st.sampled_from(["add", "subtract", "multiply", "divide", "maximum"]))
def test_broadcasting_as_numpy_and_undone(a: list[int], b: list[int], name: str) -> None:
    x, y = numbers(*a, low=1), numbers(*b, low=1, seed=1)
    f, there = getattr(F, name), getattr(np, name)
    try:
        expected = there(x, y)
    except ValueError:
        with pytest.raises(ValueError, match="broadcast"):
            f(leaf(x), leaf(y))
        return
    got, pull = vjp(f, leaf(x), leaf(y))
    np.testing.assert_allclose(got.array, expected)
    dx, dy = pull(np.ones(expected.shape))
    assert dx.shape == x.shape
    assert dy.shape == y.shape


@pytest.mark.parametrize("wrap", [lambda f: f, ss.compile], ids=["eager", "compiled"])
def test_means_are_pytorchs_to_the_last_bit(wrap: Any) -> None:
    torch = pytest.importorskip("torch")
    whole, rows = wrap(lambda x: x.mean()), wrap(lambda x: x.mean(1))
    for n in (3, 24, 41, 72):
        for hits in range(n + 1):
            x = (np.arange(n) < hits).astype(np.float32)
            assert whole(ss.tensor(x)).item() == torch.tensor(x).mean().item()
            both = np.stack([x, 1 - x])
            assert rows(ss.tensor(both)).tolist() == torch.tensor(both).mean(1).tolist()
