"""Whether integers name what is there: from machine code what NumPy finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss.native.cpython import is_possible
from schuss.primitives import bounds
from schuss.primitives.bounds import within

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


@pytest.mark.parametrize("machine_code", [False, True])
@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize(("indices", "count", "expected"), CASES)
def test_within(
    indices: Any,
    count: int,
    expected: bool,
    dtype: str,
    machine_code: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if np.max(indices, initial=0) > np.iinfo(dtype).max or (machine_code and not is_possible()):
        pytest.skip("does not fit")
    monkeypatch.setattr(bounds, "_native", [])
    if machine_code:
        bounds._bind()
    array = np.asarray(indices, dtype)
    assert within(array, count) is expected
    assert within(np.repeat(np.atleast_1d(array), 2, -1)[..., ::2], count) is expected


@pytest.mark.skipif(not is_possible(), reason="this Python has another layout")
def test_machine_code_leaves_what_does_not_fit_to_numpy() -> None:
    from schuss.compiler.bounds import bind_within

    native = bind_within()
    array = np.arange(4)
    assert native(array, 4) is array
    assert native(array, 3) is native(-array, 4) is None
    assert native(array.astype(np.int32), 4) is native(array[::2], 4) is native(3, 4) is None
