"""What a program's code and its caller agree on: the words of the table, and alignment."""

from __future__ import annotations

__all__ = ["ALIGNMENT", "ARENA", "ASIDE", "CONTROL", "FIRST", "QUICK", "SCRATCH"]

# The first words of the table: arena, control block, working memory, whether what is set aside
# is asked for, then inputs and states.
ARENA, CONTROL, SCRATCH, ASIDE, FIRST = 0, 1, 2, 3, 4
# Buffers begin at multiples of so many bytes.
ALIGNMENT = 64
# A whole program of fewer operations is always faster on one thread than on two.
QUICK = 400_000
