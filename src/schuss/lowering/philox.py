"""Philox4x64-10 (Salmon et al., 2011): random numbers that depend on a key and a count alone."""

from __future__ import annotations

import ctypes
from functools import cache, partial
from typing import Any

import numpy as np

from schuss.lowering.ir_builder import F32, F64, I64, Function, Scalar, kind_of
from schuss.native.cpython import (
    NumPyArray,
    address_of,
    are_arrays,
    argument,
    builtin,
    keep,
    library,
    pointer,
)
from schuss.native.jit import Library

__all__ = ["bind_draw", "fractions", "philox"]

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def _signed(n: int) -> int:
    return n - 2**64 if n >= 2**63 else n


def _wide_product(x: Scalar, factor: int) -> tuple[Scalar, Scalar]:
    """Return the high and the low word of x * factor."""
    f = x.f
    a = f.make(f"zext {x.typed} to i128", "i128")
    product = f.make(f"mul i128 {a.name}, {factor}", "i128")
    high = f.make(f"lshr i128 {product.name}, 64", "i128")
    return (
        f.make(f"trunc i128 {high.name} to i64", I64),
        f.make(f"trunc i128 {product.name} to i64", I64),
    )


def philox(words: list[Scalar], key: list[Scalar]) -> list[Scalar]:
    """Return four random words from four that count, and a key of two."""
    for turn in range(10):
        if turn:
            key = [x + _signed(w) for x, w in zip(key, _WEYL, strict=True)]
        high0, low0 = _wide_product(words[0], _MULTIPLIERS[0])
        high1, low1 = _wide_product(words[2], _MULTIPLIERS[1])
        words = [high1 ^ words[1] ^ key[0], low1, high0 ^ words[3] ^ key[1], low0]
    return words


def fractions(f: Function, words: list[Scalar], kind: str) -> Scalar:
    """Return a vector of numbers in [0, 1) from the high bits of 32 (or, for float64, 64)."""
    wide = "poison"
    for i, word in enumerate(words):
        wide = f.make(f"insertelement <4 x i64> {wide}, {word.typed}, i64 {i}", "<4 x i64>").name
    count, bits, lost = (8, 32, 8) if kind == F32 else (4, 64, 11)
    whole, real = f"<{count} x i{bits}>", f"<{count} x {kind}>"
    # The low half of a word comes first.
    parts = f.make(f"bitcast <4 x i64> {wide} to {whole}", whole)
    kept = f.make(f"lshr {parts.typed}, splat (i{bits} {lost})", whole)
    number = f.make(f"uitofp {kept.typed} to {real}", real)
    scale = f.number(2.0 ** (lost - bits), kind)
    return f.make(f"fmul {number.typed}, splat ({scale.typed})", real)


def bind_draw(dtype: Any) -> Any:
    """Return a function that fills an array with random numbers in [0, 1).

    Returns:
        A function of the array and the key, both int64 numbers of it in order: the seed and the
        number of the draw. It gives the array back, or None when it did nothing: when they are
        not contiguous, or of other dtypes.
    """
    kinds = [id(np.ndarray), id(np.dtype(dtype)), id(np.dtype(np.int64))]
    words = [*kinds, id(None), address_of(ctypes.pythonapi.Py_IncRef)]
    return builtin(_library(), f"schuss_draw_{kind_of(dtype)}", words)


_ARRAY, _KIND, _KEY_KIND, _NONE, _KEEP = range(5)


@cache
def _library() -> Library:
    return library({f"schuss_draw_{kind}": partial(_write_draw, kind) for kind in (F32, F64)})


def _write_draw(kind: str, f: Function) -> None:
    own = pointer(NumPyArray(f, "%own").data())
    word = partial(f.load, own, kind=I64)
    f.store(word(_NONE), "%place", 0)
    with f.when(are_arrays(f, f.number(2), word(_ARRAY))):
        out, key = argument(f, 0), argument(f, 1)
        right = out.is_plain(word(_KIND)) & key.is_plain(word(_KEY_KIND)) & key.size().eq(2)
        with f.when(right):
            _write_blocks(kind, f, pointer(out.data()), out.size(), pointer(key.data()))
            f.store(f.load("%arguments", 0, I64), "%place", 0)
    keep(f, word(_KEEP))


def _write_blocks(kind: str, f: Function, out: str, size: Scalar, key: str) -> None:
    seed, draw, nothing = f.load(key, 0, I64), f.load(key, 1, I64), f.number(0)
    length = 8 if kind == F32 else 4

    def store(block: Scalar, place: str) -> None:
        numbers = fractions(f, philox([block + 1, draw, nothing, nothing], [seed, nothing]), kind)
        f.emit(f"store {numbers.typed}, ptr {place}, align 4")

    whole = f.make(f"sdiv {size.typed}, {length}", I64)
    with f.loop(0, whole) as block:
        store(block, f.address(out, block * length, kind))
    begun = whole * length
    with f.when(begun.lt(size)):
        last = f.reserve(kind, length)
        store(whole, last)
        with f.loop(0, size - begun) as place:
            f.store(f.load(last, place, kind), out, begun + place)
