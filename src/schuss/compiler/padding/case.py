"""Cases: a node of a call's graph beside the same node at capacity, and what its inputs need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from schuss.compiler.graph.graph import Node
from schuss.compiler.padding.axes import PLACES, Axes, Axis, Differs, Lengths, Rows, Shape

__all__ = ["Bound", "Case", "Mask", "Need", "Rule"]


@dataclass(frozen=True)
class Mask:
    """An input is to have a number in the place of what lies beyond a call's own lengths.

    Args:
        place: of the input.
        axes: which of its axes, and what they are.
        value: the number.
    """

    place: int
    axes: tuple[tuple[int, Rows], ...]
    value: float


@dataclass(frozen=True)
class Bound:
    """An input's integers count from a call's own length where they are negative.

    That they are within it is asked by a check of values.

    Args:
        place: of the input.
        axis: what they point into.
    """

    place: int
    axis: Rows


Need: TypeAlias = Mask | Bound


@dataclass
class Case:
    """A node of a call's graph and the same one at capacity.

    Args:
        node: that of the call.
        larger: that at capacity.
        axes: of the inputs.
        lengths: those that vary.
        needs: what the inputs need.
    """

    node: Node
    larger: Node
    axes: Sequence[Axes]
    lengths: Lengths
    needs: list[Need] = field(default_factory=list)

    def operand(self, place: int) -> tuple[Axes, Shape, Shape]:
        """Return an input's axes, its shape, and its larger one."""
        return (self.axes[place], self.node.inputs[place].shape, self.larger.inputs[place].shape)

    def settled(self, place: int) -> Axes:
        """Return an input's axes, of which none is left open."""
        return tuple(map(self.lengths.settled, *self.operand(place)))

    def without_places(self, place: int) -> Axes:
        """Return an input's axes, those of places as any other numbers."""
        return self.settled_places(*self.operand(place))

    def settled_places(self, axes: Axes, own: Shape, larger: Shape) -> Axes:
        """Return axes of these lengths, those of places as any other numbers."""
        found = zip(axes, own, larger, strict=True)
        return tuple(self.lengths.settled(*x) if x[0] is PLACES else x[0] for x in found)

    def require_equal(self, *names: str) -> None:
        """Raise Differs unless attributes are the same; without names, all of them."""
        mine, others = self.node.attributes, self.larger.attributes
        if any(mine[name] != others[name] for name in names or mine):
            raise Differs

    def mask(self, place: int, axes: Sequence[int], value: float) -> None:
        """Note that an input is masked along those of its axes that vary."""
        settled = self.settled(place)
        found = [(a, x) for a, x in enumerate(settled) if a in axes and isinstance(x, Rows)]
        if found:
            self.needs.append(Mask(place, tuple(found), value))

    def follows(self, place: int, axis: Axis) -> bool:
        """Whether an input's integers are the places of all elements along an axis, in order."""
        lengths = [(n, m) for x, n, m in zip(*self.operand(place), strict=True) if x is PLACES]
        return isinstance(axis, Rows) and lengths == [self.lengths.of(axis)]

    def index(self, place: int, axis: Axis, own: int, larger: int) -> None:
        """Note that an input's integers point into an axis of these lengths."""
        if self.follows(place, axis):
            return
        if isinstance(axis, Rows) and not axis.is_prefix:
            raise Differs
        picked, most = self.node.inputs[place].array, self.larger.inputs[place].array
        if picked is not None and most is not None:
            if _is_within(picked, own) and _is_within(most, larger):
                return
            if axis is not None:
                raise Differs
        self.mask(place, range(len(self.axes[place])), 0)
        if isinstance(axis, Rows):
            self.needs.append(Bound(place, axis))


def _is_within(array: Any, length: int) -> bool:
    return array.size > 0 and int(array.min()) >= 0 and int(array.max()) < length


# Returns the axes of what a primitive computes; the case takes down what its inputs need.
Rule: TypeAlias = Callable[[Case], Axes]
