"""What a table's size changes in the recipe: few rows, many rows, many columns."""

from __future__ import annotations

from typing import Any

from schuss.optim.schedules import BY_PROGRESS, flat_then_cosine

__all__ = ["FEW_ROWS", "MEMBERS", "changes_by_size"]

# Tables of at most so many rows get several narrower networks, each of which leaves out a fold of
# the training rows, so that all rows are learned from and all help to choose the epoch.
FEW_ROWS = 2_000
MEMBERS = 5
_MEMBER_HIDDEN = (96, 96, 96)

# From so many training rows on, a pass over them is long: few passes with one wave of the
# learning rate, larger batches, and training stops where it has learned what is there.
_MANY_ROWS = 5_000
# Rows taken in all, over all epochs, by the members, the large network and that for many rows; and
# how few epochs that may be.
_ROWS_OF_MEMBERS, _ROWS_OF_LARGE, _ROWS_OF_MANY = 200_000, 600_000, 1_000_000
_MOST_EPOCHS, _LEAST_EPOCHS = 256, 8

# Beyond so many numbers each goes in as it is, without waves: the first layer is large enough. It
# has about so many weights, by which it is the narrower the more numbers there are; and more of the
# neurons are left out, since there are far more weights than rows.
_MANY_NUMBERS = 500
_FIRST_WEIGHTS = 200_000
_LEAST_WIDTH, _MOST_WIDTH = 32, 96
_DROPOUT_OF_MANY = 0.5


def changes_by_size(task: str, rows: int, numbers: int, *, cross_validated: bool) -> dict[str, Any]:
    """Return attributes of `TabularRecipe` that fit a table's size.

    Args:
        task: "classification" or "regression".
        rows: training rows.
        numbers: columns of numbers, one-hot columns counted.
        cross_validated: whether several networks leave out a fold each.

    >>> changes_by_size("regression", 4000, 10, cross_validated=False)
    {'epochs': 150}
    """
    changes: dict[str, Any] = {}
    in_all = _ROWS_OF_MANY if rows >= _MANY_ROWS else _ROWS_OF_LARGE
    in_all = _ROWS_OF_MEMBERS if cross_validated else in_all
    epochs = min(max(in_all // max(rows, 1), _LEAST_EPOCHS), _MOST_EPOCHS)
    if epochs < _MOST_EPOCHS:
        changes["epochs"] = epochs
    if rows >= _MANY_ROWS:
        changes |= {
            "batch_size": 1024,
            "lr": 0.1 if task == "regression" else 0.04,
            "hidden": (128, 128),
            "waves": False,
            "embedding_std": 0.1,
            "patience": max(epochs // 4, 4),
            "schedules": {
                "lr": BY_PROGRESS["warm_cosine"],
                "weight_decay": flat_then_cosine,
                "dropout": flat_then_cosine,
            },
        }
    if cross_validated:
        changes |= {"members": MEMBERS, "hidden": _MEMBER_HIDDEN}
    if numbers > _MANY_NUMBERS:
        width = min(max(_FIRST_WEIGHTS // numbers, _LEAST_WIDTH), _MOST_WIDTH)
        changes |= {"waves": False, "hidden": (width, width), "dropout": _DROPOUT_OF_MANY}
    return changes
