"""Reading values out of text: missing marks, numbers, yes and no."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numpy.dtypes import StringDType

__all__ = [
    "MISSING_MARKS",
    "TEXT",
    "NumberFormat",
    "factorise",
    "has_decimal_commas",
    "has_leading_zeros",
    "is_missing",
    "number_format",
    "parse_number",
    "parse_numbers",
    "truth_pair",
    "truth_value",
]

Array = npt.NDArray[Any]
NumberFormat = Literal["plain", "thousands", "decimal comma"]

#: How text columns are held: variable width, 16 bytes for a short value.
TEXT: np.dtype[Any] = StringDType()

#: Text that stands for a missing value (compared in lower case, without spaces around it).
MISSING_MARKS = frozenset(
    ["", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "-nan", "null", "none", "nil", "<na>", "nat"]
    + ["?", "-", "--", ".", "\\n", "#null!", "(null)", "missing"]
)

_TRUTH_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1"))
_TRUTH = {word: bool(side) for pair in _TRUTH_PAIRS for side, word in enumerate(pair)}
_TRUTH |= {"0.0": False, "1.0": True}

_UNITS = (*"$€£¥₹", "USD", "EUR", "GBP", "CHF")
_UNIT_FIRST = re.compile(rf"^([+-]?)\s*(?:{'|'.join(map(re.escape, _UNITS))})\s*")
# Groups of thousands do not begin with a zero: 0,123 is a fraction.
_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?$")
_DECIMAL_COMMA = re.compile(r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+(?:[eE][+-]?\d+)?$")
_DOTTED_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$")
_IN_PARENTHESES = re.compile(r"^\([^()+-]*\d[^()+-]*\)$")
_LEADING_ZERO = re.compile(r"^0\d+$")
_GROUPED_BY_SPACE = re.compile(r"^[+-]?\d{1,3}(?:[ \u00a0\u202f']\d{3})+(?:[.,]\d*)?$")


def is_missing(value: str) -> bool:
    """Tell whether a text is one of `MISSING_MARKS`, whatever its case and the spaces around it.

    >>> is_missing(" N/A "), is_missing("0")
    (True, False)
    """
    return value.strip().lower() in MISSING_MARKS


def factorise(text: Array) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return a text column's distinct values as they appear, and each row's position among them.

    >>> factorise(np.array(["b", "a", "b"], dtype=TEXT))
    (['b', 'a'], array([0, 1, 0], dtype=int32))
    """
    seen: dict[str, int] = {}
    codes = np.fromiter((seen.setdefault(v, len(seen)) for v in text.tolist()), np.int32, len(text))
    return list(seen), codes


def _bare(value: str) -> str:
    """Take the currency or per cent sign, and spaces between groups of digits, from a number.

    A typographic minus sign becomes the plain one, and so do an accountant's parentheses.
    """
    value = value.strip().replace("\u2212", "-")
    if _IN_PARENTHESES.match(value):
        value = "-" + value[1:-1].strip()
    value = _UNIT_FIRST.sub(r"\1", value)
    for unit in (*_UNITS, "%"):
        if value.endswith(unit):
            # Not a pattern: one that may begin at each of many blanks takes quadratic time.
            value = value[: -len(unit)].rstrip()
            break
    if _GROUPED_BY_SPACE.match(value):
        value = re.sub("[ \u00a0\u202f']", "", value)
    return value


def parse_number(value: str, style: NumberFormat = "plain") -> float | None:
    """Read one number.

    Args:
        value: Text such as `-3`, `(3)`, `1.5e3`, `$1,200`, `12 %` or, with a decimal comma,
            `1.234,5`.
        style: How commas are read.

    Returns:
        NaN where the value is missing, None where the text is not a number.

    >>> parse_number("$1,200.50", "thousands"), parse_number("1,5", "decimal comma")
    (1200.5, 1.5)
    >>> parse_number("NA"), parse_number("abc")
    (nan, None)
    """
    value = value.strip()
    if value.lower() in MISSING_MARKS:
        return math.nan
    if "_" in value:
        return None
    if style == "decimal comma" and _DOTTED_THOUSANDS.match(value):
        return float(value.replace(".", ""))
    try:
        return float(value)
    except ValueError:
        pass
    value = _bare(value)
    if style == "thousands" and _THOUSANDS.match(value):
        value = value.replace(",", "")
    elif style == "decimal comma" and _DECIMAL_COMMA.match(value):
        value = value.replace(".", "").replace(",", ".")
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def number_format(
    values: Sequence[str], *, decimal_comma: bool = False, dotted: bool = False
) -> NumberFormat:
    """Decide how the commas inside numbers are read.

    Args:
        values: Distinct values of a column.
        decimal_comma: What to take where both readings are possible (`1,234`): True for files
            whose fields are separated by semicolons.
        dotted: Whether `1.234` is one thousand and some: True where other columns have decimal
            commas.

    Returns:
        `"plain"` where no number holds a comma.

    >>> number_format(["1,5", "2,25"]), number_format(["1,500", "12"])
    ('decimal comma', 'thousands')
    """
    commas = [bare for bare in map(_bare, values) if "," in bare and bare[-1].isdigit()]
    if not commas:
        dots = [bare for bare in map(_bare, values) if "." in bare] if dotted else []
        grouped = bool(dots) and all(_DOTTED_THOUSANDS.match(bare) for bare in dots)
        return "decimal comma" if grouped else "plain"
    thousands = sum(_THOUSANDS.match(v) is not None for v in commas)
    decimals = sum(_DECIMAL_COMMA.match(v) is not None for v in commas)
    if max(thousands, decimals) == 0:
        return "plain"
    if thousands == decimals:
        return "decimal comma" if decimal_comma else "thousands"
    return "thousands" if thousands > decimals else "decimal comma"


def has_decimal_commas(values: Iterable[str]) -> bool:
    """Tell whether values are numbers with commas that can be nothing but decimal ones.

    >>> has_decimal_commas(["1,5", "2"]), has_decimal_commas(["1,500"])
    (True, False)
    """
    commas = [bare for bare in map(_bare, values) if "," in bare]
    return all(map(_DECIMAL_COMMA.match, commas)) and not all(map(_THOUSANDS.match, commas))


def parse_numbers(
    text: Array, style: NumberFormat = "plain"
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Read a text column of shape (rows,) as numbers.

    Returns:
        float64 of shape (rows,), NaN where missing or not a number; and a mask of shape (rows,),
        true where the text is neither a number nor a missing value.

    >>> parse_numbers(np.array(["1", "", "x"], dtype=TEXT))
    (array([ 1., nan, nan]), array([False, False,  True]))
    """
    if style == "plain" and not bool(np.any(np.strings.find(text, "_") >= 0)):
        # Most columns have no missing values; looking for them first would cost a second pass.
        good = np.zeros(len(text), dtype=np.bool_)
        with contextlib.suppress(ValueError):
            return text.astype(np.float64), good
        with contextlib.suppress(ValueError):
            return np.where(text == "", "nan", text).astype(np.float64), good
    distinct, codes = factorise(text)
    parsed = [parse_number(value, style) for value in distinct]
    numbers = np.array([math.nan if p is None else p for p in parsed], dtype=np.float64)
    bad = np.array([p is None for p in parsed], dtype=np.bool_)
    if not len(distinct):
        return np.empty(0), np.empty(0, dtype=np.bool_)
    return numbers[codes], bad[codes]


def has_leading_zeros(text: Array) -> bool:
    """Tell whether some value is digits after a zero: a code, such as a postal code."""
    starts = text[np.strings.startswith(text, "0") & (np.strings.str_len(text) > 1)]
    return any(_LEADING_ZERO.match(value.strip()) for value in starts.tolist())


def truth_value(value: str) -> bool | None:
    """Read yes or no, true or false, 0 or 1; None for anything else.

    >>> truth_value("Yes"), truth_value("0"), truth_value("maybe")
    (True, False, None)
    """
    return _TRUTH.get(value.strip().lower())


def truth_pair(values: Sequence[str]) -> bool:
    """Tell whether the distinct non-missing values are the two words of one yes-or-no pair.

    >>> truth_pair(["no", "yes"]), truth_pair(["no", "true"])
    (True, False)
    """
    words = {value.strip().lower().removesuffix(".0") for value in values}
    return len(words) == 2 and any(words == set(pair) for pair in _TRUTH_PAIRS)
