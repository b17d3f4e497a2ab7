"""A fixed slice of the random programs; `run.py` beside this file goes on without an end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from checks import check, everything_shared, fault_of
from programs import Program, Step, make, reduced

from schuss.compiler import pipeline
from schuss.compiler.codegen import calls
from schuss.compiler.graph.partition import Partition
from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels import matmul_algorithm
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.passes import layout_assignment
from schuss.compiler.schedule import aliasing, fusion, memory, partitioning


@pytest.fixture(autouse=True)
def _shared() -> Iterator[None]:
    with everything_shared():
        yield


@pytest.mark.parametrize("first", range(0, 128, 16))
def test_programs_and_trainings_are_as_eager_ones(first: int) -> None:
    reports = [check(seed) for seed in range(first, first + 16)]
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


def _one_barrier_less(patch: pytest.MonkeyPatch) -> None:
    right = calls.barriers_before

    def barriers(access_sets: Any) -> list[bool]:
        found = right(access_sets)
        if True in found:
            found[len(found) - 1 - found[::-1].index(True)] = False
        return found

    patch.setattr(calls, "barriers_before", barriers)


def _short_buffers(patch: pytest.MonkeyPatch) -> None:
    place = memory._Arena.place
    patch.setattr(pipeline, "verify_plan", lambda *_: None)
    patch.setattr(
        memory._Arena,
        "place",
        lambda self, first, last, nbytes: place(self, first, last, max(nbytes - 64, 64)),
    )


def _memory_used_again_too_early(patch: pytest.MonkeyPatch) -> None:
    lives = memory.lives_of
    patch.setattr(pipeline, "verify_plan", lambda *_: None)
    patch.setattr(
        memory,
        "lives_of",
        lambda *a: {n: (first, max(first, last - 1)) for n, (first, last) in lives(*a).items()},
    )


def _all_memory_is_private(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(partitioning, "lies_disjoint", lambda *_: True)


def _a_step_left_out(patch: pytest.MonkeyPatch) -> None:
    # Of a stage in parts of several steps: what nobody has written is read.
    patch.setattr(Partition, "steps_per_part", property(lambda p: max(p.extent // p.count - 1, 1)))


def _nothing_is_filled(patch: pytest.MonkeyPatch) -> None:
    # The zeros to which scattered values are added.
    store = KernelEmitter.store
    patch.setattr(
        KernelEmitter,
        "store",
        lambda self, value, view, index: (
            None if value.is_literal else store(self, value, view, index)
        ),
    )


def _states_overwritten_too_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "verify_plan", lambda *_: None)
    patch.setattr(aliasing._Planner, "_may_overwrite", lambda *_: True)


def _fused_in_another_order(patch: pytest.MonkeyPatch) -> None:
    # A view in another order counts as the values in the loop's registers.
    patch.setattr(
        Strided, "is_whole", property(lambda v: v.offset == 0 and math.prod(v.shape) == v.root.size)
    )


def _reductions_read_too_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "verify_plan", lambda *_: None)
    fits = fusion.Fuser._fits
    patch.setattr(
        fusion.Fuser,
        "_fits",
        lambda self, node, stage, direct: fits(self, node, stage, set(node.inputs)),
    )


def _transposed_for_those_that_do_not_know(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(layout_assignment, "_takes_either", lambda node: True)


def _repeated_along_the_wrong_axis(patch: pytest.MonkeyPatch) -> None:
    right = Strided.broadcast

    def broadcast(view: Strided, shape: tuple[int, ...]) -> Strided:
        found = right(view, shape)
        if len(shape) == 2 and shape[0] == shape[1] and 0 in found.strides:
            return replace(found, strides=found.strides[::-1])
        return found

    patch.setattr(Strided, "broadcast", broadcast)


# Each with a seed from which on it is found soon.
FAULTS = {
    _one_barrier_less: 500,
    _short_buffers: 500,
    _memory_used_again_too_early: 500,
    _all_memory_is_private: 510,
    _a_step_left_out: 500,
    _nothing_is_filled: 590,
    _states_overwritten_too_early: 525,
    _fused_in_another_order: 570,
    _reductions_read_too_early: 510,
    _transposed_for_those_that_do_not_know: 940,
    _repeated_along_the_wrong_axis: 510,
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    first = FAULTS[plant]
    assert any(check(seed, makes_small=False) for seed in range(first, first + 40))


def test_programs_are_the_same_each_time() -> None:
    assert make(5) == make(5)
    assert len({str(make(seed)) for seed in range(20)}) == 20
