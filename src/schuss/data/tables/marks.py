"""Telling missing values from values: marks such as `*`, words such as `none`, -999."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from schuss.data.tables.parsing import MISSING_MARKS, TEXT, is_missing, truth_pair
from schuss.data.tables.table import Table

__all__ = [
    "are_marks",
    "are_tolerable",
    "counts_of",
    "declared_words",
    "find_sentinel",
    "marks_that_are_words",
]

#: Marks that are words as well, and so may be one of a column's classes.
_WORD_MARKS = frozenset(["na", "nil", "none", "null", "missing"])

_KNOWN = frozenset(
    ["unknown", "unk", "n/d", "nd", "n.d.", "n/k", "not available", "not applicable", "not known"]
    + ["no data", "nodata", "no value", "not measured", "not reported", "not recorded", "nr"]
    + ["undefined", "undetermined", "invalid", "error", "err", "tbd", "tba", "void", "blank"]
    + ["empty", "lod", "bdl", "below lod", "below detection", "refused", "withheld", "suppressed"]
)
#: Share of a column's values that may be something else before the column counts as text.
_TOLERATED = 0.05
_MOST_MARKS = 5
_MOST_WORDS = 3
_NUMBERS_PER_WORD = 20
_SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, -999999.0)


def marks_that_are_words(values: Iterable[str]) -> list[str]:
    """Return the words such as `none` that are a value beside a column's other words.

    They are where the others are words too, and spelt alike: `none` beside `mild` and `severe`,
    `NA` beside `EU` and `AS`, `-` beside `+`; but not `NA` beside `red` and `blue`, nor `none`
    beside yes and no.

    Args:
        values: Distinct values of a column.

    >>> marks_that_are_words(["none", "mild"]), marks_that_are_words(["none", "1.5"])
    (['none'], [])
    """
    words = {value.strip() for value in values}
    marks = sorted(word for word in words if word.lower() in _WORD_MARKS)
    others = [word for word in words if word.lower() not in MISSING_MARKS]
    if others and all(set(word) <= set("+-") for word in others):
        return sorted(words & {"-", "--"})
    if not marks or not others or truth_pair(others):
        return []
    if not all(word[0].isalpha() for word in others):
        return []
    spellings = [_spelling(word) for word in others]
    return [mark for mark in marks if 2 * spellings.count(_spelling(mark)) >= len(others)]


def _spelling(word: str) -> str:
    return "lower" if word.islower() else "upper" if word.isupper() else "mixed"


def are_marks(others: Mapping[str, int], distinct: int, present: int) -> bool:
    """Tell whether the texts in a column of numbers or dates are marks of missing values.

    They are where they are few different ones among many different numbers: up to five that look
    like marks, or up to three of any kind that repeat, with 20 different numbers for each.

    Args:
        others: The texts that are no numbers, and how often each is there.
        distinct: How many different numbers there are.
        present: Number of rows that are not missing.

    >>> are_marks({"*": 150}, 700, 1000), are_marks({"A": 150, "B": 150}, 4, 1000)
    (True, False)
    """
    if 2 * sum(others.values()) > present or distinct <= len(others):
        return False
    if all(_looks_like_a_mark(text) for text in others):
        return len(others) <= _MOST_MARKS
    repeat = min(others.values(), default=0) > 1
    return repeat and len(others) <= _MOST_WORDS and distinct >= _NUMBERS_PER_WORD * len(others)


def _looks_like_a_mark(text: str) -> bool:
    bare = text.strip().lower()
    return bare in _KNOWN or bare.startswith(("#", "<", ">")) or not any(map(str.isalnum, bare))


def find_sentinel(numbers: npt.NDArray[np.float64]) -> float | None:
    """Return the number that stands for a missing value (-999 and its kin), if there is one.

    It is there more than once, below all others, and either none of those is negative or it is
    further from them than they are from each other.

    Args:
        numbers: The numbers of a column, none of them NaN, of shape (rows,).

    >>> find_sentinel(np.array([3.0, -999.0, 5.5, -999.0]))
    -999.0
    """
    low = float(numbers.min(initial=0.0))
    if low not in _SENTINELS:
        return None
    others = numbers[numbers != low]
    if not len(others) or len(numbers) - len(others) < 2:
        return None
    least = float(others.min())
    alone = least >= 0.0 or least - low > float(others.max()) - least
    return low if alone else None


def counts_of(table: Table, name: str, words: Sequence[str] = ()) -> dict[str, int]:
    """Count a text column's distinct values without the missing ones, of which `words` are none."""
    distinct, codes = table.factors(name)
    counts = np.bincount(codes, minlength=len(distinct))
    merged: dict[str, int] = {}
    for value, count in zip(map(str.strip, distinct), counts.tolist(), strict=True):
        if not is_missing(value) or value in words:
            merged[value] = merged.get(value, 0) + count
    return merged


def are_tolerable(
    table: Table,
    name: str,
    bad: npt.NDArray[np.bool_],
    counts: Mapping[str, int],
    share: float = _TOLERATED,
) -> bool:
    """Tell whether the values that are of another kind are few, or marks of missing ones."""
    present = sum(counts.values())
    if int(bad.sum()) <= share * present:
        return True
    distinct, codes = table.factors(name)
    others = {distinct[code].strip() for code in np.unique(codes[bad]).tolist()}
    good = len(counts) - len(others)
    return are_marks({value: counts[value] for value in others}, good, present)


def declared_words(table: Table, name: str) -> list[str]:
    """Return the words of a declared category, whose missing values are none, that say missing."""
    if table.declared.get(name) != "category" or table[name].dtype != TEXT:
        return []
    return [word for word in table.factors(name)[0] if word.strip().lower() in _WORD_MARKS]
