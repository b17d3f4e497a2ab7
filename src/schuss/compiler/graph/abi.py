"""The ABI of programs: the words of the table that code and caller share, and alignment."""

from __future__ import annotations

__all__ = [
    "ALIGNMENT",
    "ARENA",
    "CONTROL",
    "FIRST_BUFFER",
    "ON_DEMAND",
    "SCRATCH",
    "SINGLE_THREAD_FLOPS",
]

# The first words of the table: arena, control block, working memory, whether
# on-demand outputs are requested, then the buffers of inputs and states.
ARENA, CONTROL, SCRATCH, ON_DEMAND, FIRST_BUFFER = 0, 1, 2, 3, 4
# Buffers begin at multiples of so many bytes.
ALIGNMENT = 64
# A whole program of fewer operations is always faster on one thread than on two.
SINGLE_THREAD_FLOPS = 400_000
