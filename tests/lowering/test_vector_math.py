"""Elementary functions compiled: what processors refuse, and what overflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("function", "expected"),
    [(lambda x, y: x // y, np.floor_divide), (lambda x, y: x % y, np.remainder)],
    ids=["floor_divide", "remainder"],
)
def test_integer_division_of_extremes(
    function: Callable[..., Any], expected: Callable[..., Any], dtype: Any
) -> None:
    # The smallest integer by -1 ends a process where it is left to the processor.
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = np.array([low, low + 1, -7, -2, -1, 0, 1, 2, 7, high - 1, high], dtype)
    x, y = (side.ravel() for side in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        right = expected(x, y)
    for run in (function, compile(function)):
        np.testing.assert_array_equal(run(ss.tensor(x), ss.tensor(y)).array, right)
    by_number = compile(lambda x: function(x, -1))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(by_number(ss.tensor(x)).array, expected(x, dtype(-1)))
