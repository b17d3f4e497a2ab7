"""Splits into training and held-out rows: at random, stratified, by group or by time; folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.errors import DataError, UsageError

__all__ = ["fold_of_rows", "permutation", "split_rows"]

Rows = npt.NDArray[np.int64]
_TRIES = 16


def permutation(n: int, seed: int) -> Rows:
    """Return the numbers below n in a random order that depends on the seed alone.

    Made from the raw bits of Philox, whose stream no version of NumPy changes.

    Args:
        n: How many, from 0.
        seed: Any integer.

    Returns:
        int64 array of shape (n,).

    >>> sorted(permutation(3, seed=0).tolist())
    [0, 1, 2]
    """
    bits = np.random.Philox(key=seed % 2**64).random_raw(n)
    return np.argsort(np.asarray(bits), kind="stable").astype(np.int64)


def fold_of_rows(
    n: int, folds: int, *, seed: int, stratify: npt.NDArray[Any] | None = None
) -> Rows:
    """Deal rows out to folds of the same size, within one row, at random.

    Args:
        n: Number of rows.
        folds: Number of folds, at least 1.
        seed: Decides which row goes where.
        stratify: Classes of shape (n,): the rows of each are dealt out evenly.

    Returns:
        The fold of each row, int64 of shape (n,), each in [0, folds).

    >>> sorted(fold_of_rows(5, 2, seed=0).tolist())
    [0, 0, 0, 1, 1]
    """
    order = permutation(n, seed)
    if stratify is not None:
        order = order[np.argsort(stratify[order], kind="stable")]
    found = np.empty(n, dtype=np.int64)
    found[order] = np.arange(n) % folds
    return found


def _held_count(n: int, share: float) -> int:
    """Round the share of n rows, leaving a row on each side where there are two."""
    return 0 if share == 0.0 or n < 2 else min(max(round(n * share), 1), n - 1)


def _by_class(labels: npt.NDArray[Any], held: int, order: Rows) -> npt.NDArray[np.bool_]:
    """Give each class its share by largest remainders; a class's last row stays in training."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quota = counts * (held / len(labels))
    give = np.minimum(np.floor(quota), counts - 1).astype(np.int64)
    by_remainder = np.argsort(-(quota - np.floor(quota)), kind="stable")
    while (left := held - int(give.sum())) > 0:
        open_classes = by_remainder[(give < counts - 1)[by_remainder]]
        if not len(open_classes):
            break
        give[open_classes[:left]] += 1
    shuffled = codes[order]
    grouped = np.argsort(shuffled, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(labels)) - np.repeat(starts, counts)
    mask = np.zeros(len(labels), dtype=np.bool_)
    mask[order[grouped]] = rank < np.repeat(give, counts)
    return mask


def _by_group(
    groups: npt.NDArray[Any], held: int, seed: int, stratify: npt.NDArray[Any] | None
) -> npt.NDArray[np.bool_]:
    """Hold out whole groups in a random order until the share is reached, as near as they allow."""
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise DataError(
            "split_rows: expected at least two groups to split by, got one; "
            "choose another group column or leave it out."
        )
    classes = None if stratify is None else np.unique(stratify, return_inverse=True)[1]
    best, best_cost = np.zeros(len(groups), dtype=np.bool_), np.inf
    for attempt in range(_TRIES):
        shuffled = permutation(len(counts), seed + attempt * 1_000_003)
        total = np.cumsum(counts[shuffled])
        chosen = 1 + int(np.argmin(np.abs(total[:-1] - held)))
        mask = np.isin(codes, shuffled[:chosen])
        lost = 0
        if classes is not None:
            lost = len(np.unique(classes)) - len(np.unique(classes[~mask]))
        # A class that training never sees is worse than any error in the size of the share.
        cost = abs(int(mask.sum()) - held) / len(groups) + lost
        if cost < best_cost:
            best, best_cost = mask, cost
    return best


def _by_time(time: npt.NDArray[Any], held: int) -> npt.NDArray[np.bool_]:
    """Hold out the latest rows; rows of the same moment stay on one side where that is possible."""
    order = np.argsort(time, kind="stable")
    cut = time[order[len(time) - held]]
    mask: npt.NDArray[np.bool_] = time >= cut
    if mask.all():
        mask = time > cut
    if not mask.any():
        mask = np.zeros(len(time), dtype=np.bool_)
        mask[order[len(time) - held :]] = True
    return mask


def split_rows(
    n: int,
    share: float,
    *,
    seed: int,
    stratify: npt.NDArray[Any] | None = None,
    groups: npt.NDArray[Any] | None = None,
    time: npt.NDArray[Any] | None = None,
) -> tuple[Rows, Rows]:
    """Split rows into those to learn from and those held out.

    Args:
        n: Number of rows.
        share: Part of the rows to hold out, in [0, 1).
        seed: Decides the split; the same seed gives the same rows on every machine.
        stratify: Classes of shape (n,): each has its share on both sides, and at least one row
            among those to learn from.
        groups: Groups of shape (n,): none is on both sides.
        time: Sortable moments of shape (n,): the latest rows are held out.

    Returns:
        Positions to learn from and positions held out, each in rising order, int64. The number
        held out is `n * share` rounded, at least 1 and at most n - 1, except where classes of
        one row, groups or equal times do not allow it.

    Raises:
        UsageError: If the share is outside [0, 1), or both groups and time are given.
        DataError: If there is only one group.

    >>> train, held = split_rows(10, 0.2, seed=0)
    >>> len(train), len(held)
    (8, 2)
    """
    if not 0.0 <= share < 1.0:
        raise UsageError(f"split_rows: expected a share in [0, 1), got {share}.")
    if groups is not None and time is not None:
        raise UsageError("split_rows: expected groups or time to split by, got both; choose one.")
    held = _held_count(n, share)
    mask = np.zeros(n, dtype=np.bool_)
    if held == 0:
        pass
    elif time is not None:
        mask = _by_time(time, held)
    elif groups is not None:
        mask = _by_group(groups, held, seed, stratify)
    elif stratify is not None:
        mask = _by_class(stratify, held, permutation(n, seed))
    else:
        mask[permutation(n, seed)[:held]] = True
    rows = np.arange(n, dtype=np.int64)
    return rows[~mask], rows[mask]
