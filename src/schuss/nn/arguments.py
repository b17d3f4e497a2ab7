"""Checks of the sizes that layers are made with."""

from __future__ import annotations

import operator

__all__ = ["require_counts"]


def require_counts(owner: str, **counts: object) -> None:
    """Raise unless every argument is a whole number of at least 1; name all that are not.

    Raises:
        TypeError: if one is no whole number.
        ValueError: if one is below 1.

    >>> require_counts("Linear", in_features=0, out_features=-1)
    Traceback (most recent call last):
    ValueError: Linear: expected in_features >= 1, got 0; out_features >= 1, got -1.
    """
    kinds, sizes = [], []
    for name, count in counts.items():
        try:
            if operator.index(count) < 1:  # type: ignore[arg-type]  # that is what is asked
                sizes.append(f"{name} >= 1, got {count}")
        except TypeError:
            kinds.append(f"{name} to be a whole number, got {count!r}")
    if kinds:
        raise TypeError(f"{owner}: expected {'; '.join(kinds)}.")
    if sizes:
        raise ValueError(f"{owner}: expected {'; '.join(sizes)}.")
