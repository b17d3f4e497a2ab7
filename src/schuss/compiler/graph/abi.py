"""The ABI of programs: the words of the table that code and caller share, and alignment."""

from __future__ import annotations

__all__ = [
    "ALIGNMENT",
    "ARENA",
    "CONTROL",
    "FAILED",
    "FIRST_BUFFER",
    "ON_DEMAND",
    "REFUSED",
    "SCRATCH",
    "SINGLE_THREAD_FLOPS",
    "STATUS",
    "STEPS_DONE",
]

# The first words of the table: arena, control block, working memory, whether
# on-demand outputs are requested, then the buffers of inputs and states.
ARENA, CONTROL, SCRATCH, ON_DEMAND, FIRST_BUFFER = 0, 1, 2, 3, 4
# The first words of the arena. The status is not 0 where a step must not go on: its first byte says
# that a value was refused, the second one that a call of the host failed. Then comes how many
# steps a scan has done.
STATUS, REFUSED, FAILED, STEPS_DONE = 0, 0, 1, 8
# Buffers begin at multiples of so many bytes.
ALIGNMENT = 64
# A whole program of fewer operations is always faster on one thread than on two.
SINGLE_THREAD_FLOPS = 400_000
