"""Whether integers name what is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss.values.indices import within

CASES = [
    ([0, 9, 5], 10, True),
    ([0, 10], 10, False),
    ([-1, 3], 10, False),
    ([[1, 2], [3, 4]], 5, True),
    ([[1, 2], [3, 5]], 5, False),
    ([], 0, True),
    ([0], 0, False),
    (4, 5, True),
    (5, 5, False),
    ([2**62], 2**63 - 1, True),
    (list(range(2000)), 2000, True),
    (list(range(2000)), 1999, False),
]


@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize(("indices", "count", "expected"), CASES)
def test_within(indices: Any, count: int, expected: bool, dtype: str) -> None:
    if np.max(indices, initial=0) > np.iinfo(dtype).max:
        pytest.skip("does not fit")
    array = np.asarray(indices, dtype)
    assert within(array, count) is expected
    assert within(np.repeat(np.atleast_1d(array), 2, -1)[..., ::2], count) is expected
