"""Where threads meet."""

from __future__ import annotations

from schuss.compiler.buffers import Buffer
from schuss.compiler.meetings import Touch, meetings

A, B, C = (Buffer("arena", 64 * i, 64) for i in range(3))
STATE = Buffer("state", 0, 64)


def touch(reads: set[Buffer], writes: set[Buffer], *, shared: bool = True) -> Touch:
    return Touch(frozenset(reads), frozenset(writes), shared)


def test_reading_what_others_wrote_waits_for_them() -> None:
    assert meetings([touch(set(), {A}), touch({A}, {B})]) == [False, True]


def test_writing_what_others_read_waits_for_them() -> None:
    assert meetings([touch({A}, {B}), touch({B}, {C}), touch({C}, {A})]) == [False, True, True]
    assert meetings([touch({A}, {B}), touch(set(), {A})]) == [False, True]


def test_what_is_apart_needs_no_meeting() -> None:
    assert meetings([touch({A}, {B}), touch({A}, {C})]) == [False, False]
    assert meetings([touch({A}, {STATE}), touch({A}, {B})]) == [False, False]


def test_one_thread_does_not_wait_for_itself() -> None:
    steps = [touch(set(), {A}, shared=False), touch({A}, {B}, shared=False), touch({B}, {C})]
    assert meetings(steps) == [False, False, True]


def test_parts_of_the_arena_overlap() -> None:
    wide = Buffer("arena", 32, 64)
    assert meetings([touch(set(), {A}), touch({wide}, {C})]) == [False, True]
    assert not wide.overlaps(Buffer("state", 32, 64))
