"""Calls of stages' functions: before which of them threads wait, and where a step may end early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partition
from schuss.compiler.schedule.barriers import AccessSet, barriers_before

__all__ = ["Call", "groups", "place_barriers"]


@dataclass
class Call:
    """A call of a stage's function.

    Args:
        name: of the function.
        nodes: whose buffers it gets.
        partition: how threads share it.
        access_set: the memory that it uses, with its epilogue's.
        on_demand: whether it is only made when the outputs on demand are asked for.
        checks: whether it computes if a value check fails.
        lasts: whether it writes what outlives the run.
        is_left_before: whether all threads stop before it, if a value check failed.
        epilogue: the name of the function that it calls for its rows, or None.
        waits: whether a barrier comes before it.
    """

    name: str
    nodes: list[Node]
    partition: Partition
    access_set: AccessSet
    on_demand: bool
    checks: bool
    lasts: bool
    is_left_before: bool = False
    epilogue: str | None = None
    waits: bool = False


def groups(calls: Sequence[Call]) -> list[list[Call]]:
    """Return the calls as they follow each other, those on demand apart."""
    return [list(group) for _, group in groupby(calls, key=lambda call: call.on_demand)]


def place_barriers(calls: Sequence[Call]) -> bool:
    """Decide before which calls there are barriers, and before which one a step may end.

    Returns:
        Whether it may end after all calls only, before what they computed is copied.
    """
    # Those of the rest do not depend on what is on demand.
    main = [call for call in calls if not call.on_demand]
    for some in [main, *[group for group in groups(calls) if group[0].on_demand]]:
        found = barriers_before([call.access_set for call in some])
        for call, waits in zip(some, found, strict=True):
            call.waits = waits
    return _place_way_out(main)


def _place_way_out(calls: list[Call]) -> bool:
    """Have all threads stop before a call if a value check failed; return whether after all.

    That is at the first barrier after the checks, and before anything that lasts is written.
    """
    checked = max([i for i, call in enumerate(calls) if call.checks], default=None)
    if checked is None:
        return False
    end = len(calls)
    last = next((i for i, call in enumerate(calls) if call.lasts), end)
    place = next((i for i in range(checked + 1, last) if calls[i].waits), last)
    if place == end:
        return True
    calls[place].waits = calls[place].is_left_before = True
    return False
