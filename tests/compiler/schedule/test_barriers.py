"""Where threads meet."""

from __future__ import annotations

from schuss.compiler.schedule.barriers import Touch, meetings
from schuss.compiler.schedule.memory import Buffer

A, B, C = (Buffer("arena", 64 * i, 64) for i in range(3))
STATE = Buffer("state", 0, 64)


def touch(
    reads: set[Buffer], writes: set[Buffer], *, count: int = 4, own: set[Buffer] | None = None
) -> Touch:
    return Touch(frozenset(reads), frozenset(writes), count, frozenset(own or ()))


def test_reading_what_others_wrote_waits_for_them() -> None:
    assert meetings([touch(set(), {A}), touch({A}, {B})]) == [False, True]


def test_writing_what_others_read_waits_for_them() -> None:
    assert meetings([touch({A}, {B}), touch({B}, {C}), touch({C}, {A})]) == [False, True, True]
    assert meetings([touch({A}, {B}), touch(set(), {A})]) == [False, True]


def test_what_is_apart_needs_no_meeting() -> None:
    assert meetings([touch({A}, {B}), touch({A}, {C})]) == [False, False]
    assert meetings([touch({A}, {STATE}), touch({A}, {B})]) == [False, False]


def test_one_thread_does_not_wait_for_itself() -> None:
    steps = [touch(set(), {A}, count=1), touch({A}, {B}, count=1), touch({B}, {C})]
    assert meetings(steps) == [False, False, True]


def test_parts_of_the_arena_overlap() -> None:
    wide = Buffer("arena", 32, 64)
    assert meetings([touch(set(), {A}), touch({wide}, {C})]) == [False, True]
    assert not wide.overlaps(Buffer("state", 32, 64))


def test_shares_that_keep_to_their_own_parts_do_not_wait() -> None:
    first = touch({A}, {B}, own={B})
    assert meetings([first, touch({B}, {C}, own={B})]) == [False, False]
    # Others read all of it, or cut it otherwise, or mean memory that only overlaps.
    assert meetings([first, touch({B}, {C})]) == [False, True]
    assert meetings([first, touch({B}, {C}, own={B}, count=8)]) == [False, True]
    wide = Buffer("arena", 64, 128)
    assert meetings([first, touch({wide}, {A}, own={wide})]) == [False, True]
    # Two names of the same memory are the same parts.
    again = Buffer("arena", B.place, B.nbytes)
    assert meetings([first, touch({again}, {C}, own={again})]) == [False, False]
