"""What comes before the steps of a scan, asked ahead of the native call that takes them."""

from __future__ import annotations

from collections.abc import Callable

from schuss.compiler.specialization import Specialization

__all__ = ["Ahead"]


class Ahead:
    """Asks what comes before each step of a scan, ahead of the native call.

    Args:
        before: called with each step's number, once each, in order.
        steps: number of steps.
    """

    def __init__(self, before: Callable[[int], object], steps: int) -> None:
        self._before = before
        self._steps = steps
        self._asked = 0

    def reach(self, step: int) -> None:
        """Make things as they are at a step; it may be reached already, but not passed."""
        if self._asked == step:
            self._asked += 1
            self._before(step)

    def numbers(self, specialization: Specialization, most: int) -> list[list[float]]:
        """Return the numbers of the steps from the one reached, as far as one program fits."""
        found = [specialization.read_numbers()]
        while len(found) < most and self._asked < self._steps:
            self.reach(self._asked)
            if not specialization.fits():
                break
            found.append(specialization.read_numbers())
        return found
