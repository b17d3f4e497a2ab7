"""Barriers: where threads wait for each other."""

from __future__ import annotations

from schuss.compiler.schedule.barriers import AccessSet, barriers_before
from schuss.compiler.schedule.memory import Buffer

A, B, C = (Buffer("arena", 64 * i, 64) for i in range(3))
STATE = Buffer("state", 0, 64)


def access_set(
    reads: set[Buffer], writes: set[Buffer], *, count: int = 4, private: set[Buffer] | None = None
) -> AccessSet:
    return AccessSet(frozenset(reads), frozenset(writes), count, frozenset(private or ()))


def test_reading_what_others_wrote_waits_for_them() -> None:
    assert barriers_before([access_set(set(), {A}), access_set({A}, {B})]) == [False, True]


def test_writing_what_others_read_waits_for_them() -> None:
    assert barriers_before([access_set({A}, {B}), access_set({B}, {C}), access_set({C}, {A})]) == [
        False,
        True,
        True,
    ]
    assert barriers_before([access_set({A}, {B}), access_set(set(), {A})]) == [False, True]


def test_what_is_apart_needs_no_barrier() -> None:
    assert barriers_before([access_set({A}, {B}), access_set({A}, {C})]) == [False, False]
    assert barriers_before([access_set({A}, {STATE}), access_set({A}, {B})]) == [False, False]


def test_one_thread_does_not_wait_for_itself() -> None:
    steps = [access_set(set(), {A}, count=1), access_set({A}, {B}, count=1), access_set({B}, {C})]
    assert barriers_before(steps) == [False, False, True]


def test_parts_of_the_arena_overlap() -> None:
    wide = Buffer("arena", 32, 64)
    assert barriers_before([access_set(set(), {A}), access_set({wide}, {C})]) == [False, True]
    assert not wide.overlaps(Buffer("state", 32, 64))


def test_threads_that_keep_to_their_own_parts_do_not_wait() -> None:
    first = access_set({A}, {B}, private={B})
    assert barriers_before([first, access_set({B}, {C}, private={B})]) == [False, False]
    # Others read all of it, or cut it otherwise, or mean memory that only overlaps.
    assert barriers_before([first, access_set({B}, {C})]) == [False, True]
    assert barriers_before([first, access_set({B}, {C}, private={B}, count=8)]) == [False, True]
    wide = Buffer("arena", 64, 128)
    assert barriers_before([first, access_set({wide}, {A}, private={wide})]) == [False, True]
    # Two names of the same memory are the same parts.
    again = Buffer("arena", B.place, B.nbytes)
    assert barriers_before([first, access_set({again}, {C}, private={again})]) == [False, False]
