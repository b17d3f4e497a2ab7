"""A fixed slice of the random programs; `run.py` beside this file goes on without an end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from checks import check, everything_shared, fault_of
from programs import Program, Step, make, reduced

from schuss.compiler.kernels import matmul_algorithm


@pytest.fixture(autouse=True)
def _shared() -> Iterator[None]:
    with everything_shared():
        yield


@pytest.mark.parametrize("first", range(0, 48, 8))
def test_programs_and_trainings_are_as_eager_ones(first: int) -> None:
    reports = [check(seed) for seed in range(first, first + 8)]
    assert not any(reports), "\n\n".join(filter(None, reports))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_more_programs_and_trainings(first: int) -> None:
    reports = [check(seed) for seed in range(first, first + 100)]
    assert not any(reports), "\n\n".join(filter(None, reports))


def test_a_wrong_partition_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        matmul_algorithm, "private_values", lambda views: frozenset([views[0][0].root])
    )
    steps = (Step("tanh", (0,)), Step("scale", (1,)), Step("gram", (2,)), Step("sin", (3,)))
    program = Program(((9, 4), (3,)), "float64", steps, "value")
    fault = fault_of(program)
    assert fault is not None
    assert "partitions: " in fault
    small = reduced(program, lambda p: fault_of(p) is not None)
    assert [step.name for step in small.steps][-1] == "gram"
    assert len(small.steps) == 2
    assert small.shapes[0] < (9, 4)


def test_programs_are_the_same_each_time() -> None:
    assert make(5) == make(5)
    assert len({str(make(seed)) for seed in range(20)}) == 20
