"""Philox4x64-10 (Salmon et al., 2011): random numbers that depend on a key and a count alone."""

from __future__ import annotations

from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import F32, I64

__all__ = ["fractions", "philox"]

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
