"""Elementary functions (exp, log, tanh, erf, ...) as straight-line arithmetic that vectorises.

The polynomials are near-minimax fits (Chebyshev), computed with 40 digits. What is not worth an
inline form calls the C library.
"""

from __future__ import annotations

import math
from functools import cache

from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import BOOL, F32, F64, I32, I64, literal

__all__ = ["cos", "erf", "exp", "expm1", "log", "log1p", "log2", "log10", "sigmoid", "sin"]
__all__ += ["tanh"]

_LOG2_E = 1.4426950408889634
# log(2) in two parts, the first with trailing zeros so that n times it is exact.
_LN2 = {
    F32: (0.693145751953125, 1.4286068203094173e-06),
    F64: (0.6931471803691238, 1.9082149292705877e-10),
}
# 1 / log(10), the first part of 21 digits, and log10(2), of 41, in two parts each.
_LOG10_E = (0.4342944622039795, 1.9699272335463627e-08)
_LOG10_2 = (0.3010299956640665, -8.532344317057107e-14)
_EXP = {  # (e**r - 1 - r) / r**2 for |r| <= log(2) / 2
    F32: (
        0.00019891030654370327, 0.0013933685862617174, 0.008333310889582076,
        0.04166646460202654, 0.16666666681659179, 0.5000000013498178,
    ),
    F64: (
        2.0914717341716378e-09, 2.5105259538448494e-08, 2.755727357010214e-07,
        2.7557255297969643e-06, 2.4801587325605324e-05, 0.0001984126987490126,
        0.001388888888888373, 0.008333333333326112, 0.04166666666666667, 0.1666666666666667, 0.5,
    ),
}  # fmt: skip
_LOG = {  # (2 atanh(s) - 2 s) / s**3 as a polynomial in s**2
    F32: (0.23331614471843498, 0.28550778633191964, 0.4000012221181065, 0.6666666655404201),
    F64: (
        0.13088034850927555, 0.13268638369266825, 0.15386244737621665, 0.18181795547521137,
        0.22222222392581045, 0.28571428570799784, 0.40000000000000885, 0.6666666666666666,
    ),
}  # fmt: skip
_TANH = (  # (tanh(x) - x) / x**3 in x**2, for |x| <= 5/8
    -0.006096714165908197, 0.020997178999074752, -0.05385090957851358,
    0.13332769736976327, -0.33333328944134255,
)  # fmt: skip
_ERF = (  # erf(x) / x in x**2, for |x| <= 1
    7.875875062685488e-05, -0.000801686428716587, 0.005189087423433974,
    -0.026854212010626412, 0.11283594715160218, -0.37612626666720334, 1.1283791658483509,
)  # fmt: skip
_ERFC = (  # (1 - erf(x)) * e**(x**2) in (x - 5/2) / (x + 5/2), for 1 <= x <= 4.2
    0.0003040457872180826, 0.0008727024635983318, -0.002652700334561878, -0.003994616000122083,
    0.039922985070532546, -0.1250330074848978, 0.25171318666252707, -0.371736734372768,
    0.21080636407773076,
)  # fmt: skip
_SIN = (  # (sin(x) - x) / x**3 in x**2, for |x| <= pi / 4
    -2.4805390945766067e-08, 2.7555988280021416e-06, -0.00019841266908224796,
    0.00833333333107021, -0.1666666666666387,
)  # fmt: skip
_COS = (  # (cos(x) - 1 + x**2 / 2) / x**4 in x**2
    2.070042506247451e-09, -2.7556367800803883e-07, 2.4801585204725247e-05,
    -0.0013888888887270898, 0.041666666666664666,
)  # fmt: skip
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)


def _integer(x: Scalar) -> str:
    return I32 if x.kind == F32 else I64


def _power_of_two(n: Scalar) -> Scalar:
    """Return 2.0**n for an integer n in the normal range."""
    bias, shift = (127, 23) if n.kind == I32 else (1023, 52)
    return ((n + bias) << shift).bits()


def _reduced(x: Scalar, low: float, high: float) -> tuple[Scalar, Scalar]:
    """Return n (an integer as a float) and r with x = n log(2) + r, for x kept in range."""
    x = x.call("minnum", high).call("maxnum", low)
    n = x.op("fmul", _LOG2_E).call("rint")
    first, second = _LN2[x.kind]
    return n, n.fma(-second, n.fma(-first, x))


def _shifted(x: Scalar, n: Scalar, y: Scalar) -> Scalar:
    """Return y times 2**n in two steps, so that neither factor overflows; nan stays nan."""
    whole = x.f.make(f"fptosi {n.typed} to {_integer(x)}", _integer(x))
    half = whole.op("ashr", 1)
    y = y.op("fmul", _power_of_two(half)).op("fmul", _power_of_two(whole - half))
    return x.isnan().where(x, y)


def exp(x: Scalar) -> Scalar:
    """Return e**x."""
    low, high = (-110.0, 89.0) if x.kind == F32 else (-760.0, 710.0)
    n, r = _reduced(x, low, high)
    y = r.polynomial(_EXP[x.kind]).fma(r.op("fmul", r), r).op("fadd", 1.0)
    return _shifted(x, n, y)


def expm1(x: Scalar) -> Scalar:
    """Return e**x - 1, exact near 0."""
    if x.kind == F64:
        return x.library("expm1")
    near = x.abs().lt(0.34)
    r = near.where(x, 0.0)
    small = r.polynomial(_EXP[x.kind]).fma(r.op("fmul", r), r)
    return near.where(small, exp(x).op("fsub", 1.0))


def _log_parts(x: Scalar) -> tuple[Scalar, Scalar]:
    """Return (m, e): x = m * 2**e with sqrt(1/2) <= m < sqrt(2), for positive finite x."""
    tiny, scale, digits = (
        (1.1754943508222875e-38, 2.0**23, 23)
        if x.kind == F32
        else (2.2250738585072014e-308, 2.0**52, 52)
    )
    small = x.lt(tiny)
    x = small.where(x.op("fmul", scale), x)
    bits = x.bits()
    root = x.like(math.sqrt(0.5)).bits()
    exponent = (bits - root).op("ashr", digits)
    m = (bits - (exponent << digits)).bits()
    exponent = exponent - small.to(exponent.kind) * digits
    return m, exponent.to(x.kind)


def _log_terms(m: Scalar) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Return f, s, f**2/2 and t with log(m) = log(1 + f) = f - f**2/2 + s (f**2/2 + t)."""
    f = m.op("fsub", 1.0)
    s = f.op("fdiv", f.op("fadd", 2.0))
    z = s.op("fmul", s)
    half = f.op("fmul", f).op("fmul", 0.5)
    return f, s, half, z.polynomial(_LOG[m.kind]).op("fmul", z)


def _log_near_one(m: Scalar) -> tuple[Scalar, Scalar]:
    """Return log(m) as a number and what it lacks."""
    f, s, half, tail = _log_terms(m)
    near = f.op("fsub", half)
    return near, s.fma(half.op("fadd", tail), f.op("fsub", near).op("fsub", half))


def log(x: Scalar) -> Scalar:
    """Return the natural logarithm."""
    m, e = _log_parts(x)
    f, s, half, tail = _log_terms(m)
    first, second = _LN2[x.kind]
    # The small terms first.
    low = s.fma(half.op("fadd", tail), e.op("fmul", second))
    return _log_at_edges(x, e.fma(first, f.op("fsub", half.op("fsub", low))))


def _log_at_edges(x: Scalar, y: Scalar) -> Scalar:
    """Return a logarithm `y` of x, with its values where x is not positive and finite."""
    y = x.eq(math.inf).where(x, y)
    y = x.lt(0.0).where(x.like(math.nan), y)
    y = x.eq(0.0).where(x.like(-math.inf), y)
    return x.isnan().where(x, y)


def log2(x: Scalar) -> Scalar:
    """Return the logarithm to base 2, exact at its powers."""
    m, e = _log_parts(x)
    near, rest = _log_near_one(m)
    return _log_at_edges(x, near.op("fadd", rest).op("fmul", _LOG2_E).op("fadd", e))


def log10(x: Scalar) -> Scalar:
    """Return the logarithm to base 10, exact at its powers."""
    if x.kind == F32:
        return log(x.to(F64)).op("fmul", 1.0 / math.log(10.0)).to(F32)
    m, e = _log_parts(x)
    near, rest = _log_near_one(m)
    # In two parts, the first of which have so few digits that their products are exact.
    high = (near.bits() & -(1 << 32)).bits()
    rest = near.op("fsub", high).op("fadd", rest)
    (first, second), (tens, more) = _LOG10_E, _LOG10_2
    whole, part = e.op("fmul", tens), high.op("fmul", first)
    total = whole.op("fadd", part)
    lost = whole.op("fsub", total).op("fadd", part)
    small = high.op("fadd", rest).op("fmul", second).op("fadd", e.op("fmul", more))
    return _log_at_edges(x, rest.fma(first, small).op("fadd", lost).op("fadd", total))


def log1p(x: Scalar) -> Scalar:
    """Return log(1 + x), exact near 0: log(u) x / (u - 1) makes up for the rounding of u."""
    if x.kind == F64:
        return x.library("log1p")
    u = x.op("fadd", 1.0)
    d = u.op("fsub", 1.0)
    same = d.eq(0.0)
    ratio = x.op("fdiv", same.where(x.like(1.0), d))
    y = log(u).op("fmul", ratio)
    y = u.eq(math.inf).where(u, y)
    y = u.eq(0.0).where(u.like(-math.inf), y)
    return same.where(x, y)


def sigmoid(x: Scalar) -> Scalar:
    """Return 1 / (1 + e**-x)."""
    return x.like(1.0).op("fdiv", exp(-x).op("fadd", 1.0))


def tanh(x: Scalar) -> Scalar:
    """Return the hyperbolic tangent."""
    if x.kind == F64:
        return x.library("tanh")
    size = x.abs()
    z = size.op("fmul", size)
    small = z.polynomial(_TANH).op("fmul", z).fma(size, size)
    e = exp(size.op("fadd", size))
    large = x.like(1.0).op("fsub", x.like(2.0).op("fdiv", e.op("fadd", 1.0)))
    return size.lt(0.625).where(small, large).call("copysign", x)


def erf(x: Scalar) -> Scalar:
    """Return the error function."""
    if x.kind == F64:
        return x.library("erf")
    size = x.abs()
    near = size.lt(1.0)
    z = near.where(size.op("fmul", size), 1.0)
    small = size.op("fmul", z.polynomial(_ERF))
    far = size.call("minnum", 4.2).call("maxnum", 1.0)
    t = far.op("fsub", 2.5).op("fdiv", far.op("fadd", 2.5))
    tail = exp(-far.op("fmul", far)).op("fmul", t.polynomial(_ERFC))
    y = near.where(small, x.like(1.0).op("fsub", tail))
    return x.isnan().where(x, y.call("copysign", x))


# 2 pi to 210 bits, to find the remainders of the powers of two.
_TWO_PI = (
    "6.28318530717958647692528676655900576839433879875021164194988918461563281257241799725606965068"
)
_LARGE = 2.0**23


@cache
def _remainders() -> str:
    """Return the table of 2**k modulo 2 pi for k from 0 to 104, each in two parts.

    The first part has 29 bits, so that its product with a float32's 24 bits is exact.
    """
    from fractions import Fraction

    turn = Fraction(_TWO_PI)
    numbers = []
    for k in range(105):
        exact = Fraction(2**k) % turn
        first = Fraction(round(exact * 2**26), 2**26)
        numbers += [float(first), float(exact - first)]
    return ", ".join(f"double {literal(n, F64)}" for n in numbers)


def _whole_turns_off(x: Scalar) -> tuple[Scalar, Scalar]:
    """Return x in float64 as a sum of two, without whole turns where it is large."""
    f = x.f
    bits = x.bits()
    power = ((bits >> 23) & 0xFF) - 150
    large = x.abs().ge(_LARGE) & x.abs().lt(math.inf)
    place = large.where(power, 0).to(I64) * 2
    f.declared["@turns"] = f"@turns = private constant [210 x double] [{_remainders()}]"
    mantissa = ((bits & 0x7FFFFF) | 0x800000).to(F64)
    signed = x.lt(0.0).where(-mantissa, mantissa)
    wide = x.to(F64)
    first = large.where(signed.op("fmul", f.load("@turns", place, F64)), wide)
    rest = large.where(signed.op("fmul", f.load("@turns", place + 1, F64)), 0.0)
    return first, rest


def _quarter_turns(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Return sin(r), cos(r) and n (mod 4) with x = n pi/2 + r; in float64."""
    wide, rest = _whole_turns_off(x)
    n = wide.op("fmul", 2 / math.pi).call("rint")
    r = n.fma(-_HALF_PI[1], n.fma(-_HALF_PI[0], wide)).op("fadd", rest)
    z = r.op("fmul", r)
    sine = z.polynomial(_SIN).op("fmul", z).fma(r, r)
    cosine = z.polynomial(_COS).fma(z, -0.5).fma(z, 1.0)
    # n mod 4, from the float so that large angles do not overflow an integer.
    quarter = n.op("fsub", n.op("fmul", 0.25).call("floor").op("fmul", 4.0))
    return sine, cosine, quarter


def _pick(quarter: Scalar, s: Scalar, c: Scalar) -> Scalar:
    odd = quarter.eq(1.0).op("or", quarter.eq(3.0))
    y = odd.where(c, s)
    return quarter.ge(2.0).where(-y, y)


def sin(x: Scalar) -> Scalar:
    """Return the sine."""
    if x.kind == F64:
        return x.library("sin")
    s, c, quarter = _quarter_turns(x)
    y = _pick(quarter, s, c).to(F32)
    return x.eq(0.0).where(x, y)


def cos(x: Scalar) -> Scalar:
    """Return the cosine."""
    if x.kind == F64:
        return x.library("cos")
    s, c, quarter = _quarter_turns(x)
    odd = quarter.eq(1.0).op("or", quarter.eq(3.0))
    y = odd.where(s, c)
    negative = quarter.eq(1.0).op("or", quarter.eq(2.0))
    return negative.where(-y, y).to(F32)


def power(x: Scalar, y: Scalar) -> Scalar:
    """Return x**y."""
    if x.is_float:
        return x.library("pow", y)
    return _integer_power(x, y)


def hypot(x: Scalar, y: Scalar) -> Scalar:
    """Return sqrt(x**2 + y**2) without overflow; an infinity wins, over nan too."""
    a, b = x.abs(), y.abs()
    large = a.maximum(b)
    ratio = a.minimum(b).op("fdiv", large.eq(0.0).where(large.like(1.0), large))
    found = large.op("fmul", ratio.fma(ratio, 1.0).call("sqrt"))
    return (a.eq(math.inf) | b.eq(math.inf)).where(x.like(math.inf), found)


def _integer_power(x: Scalar, y: Scalar) -> Scalar:
    """Return x**y for integers by squaring, unrolled over the bits of the exponent."""
    if x.kind == BOOL:
        return x | ~y
    total, factor = x.like(1), x
    for bit in range(6):
        total = ((y >> bit) & 1).ne(0).where(total * factor, total)
        factor = factor * factor
    # |x| > 1 to the 64th overflows to 0 in two's complement only for even x; 0 and +-1 remain.
    down = ((x.eq(1) | x.eq(-1)) & y.lt(0)).where((y & 1).ne(0).where(x, x * x), x.like(0))
    return y.lt(0).where(down, total)


def _divisor(y: Scalar) -> tuple[Scalar, Scalar]:
    """Return whether an integer is zero, and a divisor in its place that processors take.

    That is 1 for zero, and for -1, by which the smallest number has no quotient; both have the
    same remainder.
    """
    zero = y.eq(0)
    refused = zero if y.kind == BOOL else zero | y.eq(-1)
    return zero, refused.where(y.like(1), y)


def floor_divide(x: Scalar, y: Scalar) -> Scalar:
    """Return floor(x / y); NumPy's values for zero and infinities."""
    if x.is_float:
        ratio = x.op("fdiv", y)
        rest = x.library("fmod", y)
        whole = (x.op("fsub", rest)).op("fdiv", y)
        off = rest.ne(0.0) & rest.lt(0.0).op("xor", y.lt(0.0))
        whole = off.where(whole.op("fsub", 1.0), whole)
        down = whole.call("floor")
        down = whole.op("fsub", down).gt(0.5).where(down.op("fadd", 1.0), down)
        down = whole.eq(0.0).where(whole.like(0.0).call("copysign", ratio), down)
        return y.eq(0.0).where(ratio, down)
    zero, safe = _divisor(y)
    quotient = x.op("udiv" if x.kind == BOOL else "sdiv", safe)
    if x.kind != BOOL:
        rest = x - quotient * safe
        off = rest.ne(0) & (rest ^ safe).lt(0)
        quotient = off.where(quotient - 1, quotient)
        quotient = y.eq(-1).where(-x, quotient)
    return zero.where(x.like(0), quotient)


def remainder(x: Scalar, y: Scalar) -> Scalar:
    """Return x - y * floor(x / y), with the sign of y."""
    if x.is_float:
        rest = x.library("fmod", y)
        off = rest.ne(0.0) & rest.lt(0.0).op("xor", y.lt(0.0))
        signed = off.where(rest.op("fadd", y), rest)
        return signed.eq(0.0).where(signed.call("copysign", y), signed)
    zero, safe = _divisor(y)
    rest = x.op("urem" if x.kind == BOOL else "srem", safe)
    if x.kind != BOOL:
        off = rest.ne(0) & (rest ^ safe).lt(0)
        rest = off.where(rest + safe, rest)
    return zero.where(x.like(0), rest)


def sign(x: Scalar) -> Scalar:
    """Return -1, 0 or 1; nan for nan."""
    if x.kind == BOOL:
        return x
    down = x.lt(0).where(x.like(-1), x.like(0))
    y = x.gt(0).where(x.like(1), down)
    return x.isnan().where(x, y) if x.is_float else y
