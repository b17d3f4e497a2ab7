from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from schuss.errors import UsageError
from schuss.training.arguments import (
    COLUMN,
    COUNT,
    POSITIVE,
    SEED,
    SHARE,
    WIDTHS,
    grouped,
    look_up,
    one_of,
    problems,
    refuse,
)


def test_every_argument_out_of_range_is_named() -> None:
    required = {
        "epochs": COUNT,
        "seed": SEED,
        "share": SHARE,
        "lr": POSITIVE,
        "hidden": WIDTHS,
        "group": COLUMN,
        "mode": one_of(("min", "max")),
    }
    good = {
        "epochs": np.int64(1),
        "seed": 0,
        "share": 0.0,
        "lr": np.float32(0.1),
        "hidden": [8],
        "group": "a",
        "mode": None,
    }
    assert problems(good, required) == []
    wrong = {
        "epochs": True,
        "seed": -1,
        "share": 1.0,
        "lr": float("inf"),
        "hidden": [0],
        "group": 3,
        "mode": "most",
    }
    found = problems(wrong, required)
    assert found == [
        "epochs a whole number of at least 1, got True",
        "seed a whole number from 0, got -1",
        "share in [0, 1), got 1.0",
        "lr above 0, got inf",
        "hidden to be widths of at least 1, got [0]",
        "group to name a column, got int",
        "mode one of min, max, got 'most'",
    ]
    with pytest.raises(UsageError, match=r"^train: expected epochs .*; mode one of"):
        refuse("train", found)


def test_a_name_that_is_not_known_and_a_group_of_arguments() -> None:
    with pytest.raises(UsageError, match="Trainer: there is no loss 'mes'; did you mean 'mse'"):
        look_up("Trainer", "loss", "mes", {"mse": 1})

    @dataclass(frozen=True)
    class Two:
        a: int
        b: int

    assert grouped(Two, {"a": 1, "b": 2, "c": 3}) == Two(1, 2)
