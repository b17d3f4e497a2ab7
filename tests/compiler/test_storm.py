"""A function that is traced at nearly every call says so, and goes on eagerly."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile


def test_ever_other_shapes_are_said_once_and_evaluated_eagerly() -> None:
    run = compile(lambda x: (ss.flip(x, 0) * 2.0).sum())
    for n in range(1, 12):
        assert run(ss.ones(n)).item() == 2.0 * n
    with pytest.warns(RuntimeWarning, match="traced 12 times in 24 calls"):
        assert run(ss.ones(12)).item() == 24.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(20, 200):
            assert run(ss.ones(n)).item() == 2.0 * n
        assert len(run._specializations) == 12
        # What comes again is worth a trace.
        for _ in range(3):
            assert run(ss.ones(30)).item() == 60.0
    assert len(run._specializations) == 13


def test_programs_for_shapes_that_are_used_for_long_are_no_storm() -> None:
    run = compile(lambda x: ss.flip(x, 0) + 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(1, 30):
            for _ in range(3):
                np.testing.assert_array_equal(run(ss.ones(n)).array, np.full(n, 2.0, "f4"))


def test_the_number_of_kept_programs_is_bounded() -> None:
    run = compile(lambda x: ss.flip(x, 0) + 1.0)
    for n in range(1, 80):
        for _ in range(3):
            run(ss.ones(n))
    assert len(run._specializations) == 64


def test_shapes_that_share_programs_are_no_storm() -> None:
    run = compile(lambda x: (x * 2.0).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(1, 100):
            assert run(ss.ones(n)).item() == 2.0 * n
