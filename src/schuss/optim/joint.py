"""JointOptimizer, the base of rules whose step depends on sums over all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from schuss.core import Tensor, float64, leaf
from schuss.optim.optimizer import Factors, Move, Optimizer, State, cast
from schuss.optim.param_groups import Group
from schuss.primitives.row_gradient import RowGradient, has_rows

__all__ = ["JointOptimizer"]


class JointOptimizer(Optimizer):
    """Base of the rules that look at all parameters before they change any.

    Each step has four parts, all pure: `prepare`, from the numbers that a group has in common (see
    `begin`); `observe`, the gradient of one parameter taken into its state, with what is summed
    over all parameters; `settle`, the numbers in common from the sums; `update`, the parameter.
    """

    # How many sums `observe` takes part in.
    sums: ClassVar[int] = 0

    def prepare(self, common: State, group: Group) -> Factors:
        """Return what `observe` needs beside the state."""
        return ()

    def observe(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, factors: Factors
    ) -> tuple[State, tuple[Tensor, ...]]:
        """Return the new state, and the parameter's part of each sum, without axes."""
        return {}, ()

    def settle(self, common: State, group: Group, sums: Sequence[Tensor]) -> tuple[State, Factors]:
        """Return the new numbers in common, and what `update` needs, from the whole sums."""
        raise NotImplementedError

    def _descend(self) -> None:
        begun = [list(self._moves(group)) for group in self.param_groups]
        parts: list[tuple[Tensor, ...]] = []
        for moves, common in zip(begun, self.common, strict=True):
            factors: dict[object, Factors] = {}
            for move in moves:
                self._require_dense(move)
                dtype = move.parameter.array.dtype
                if dtype not in factors:
                    factors[dtype] = cast(self.prepare(common, move.group), move.parameter)
                changed, part = self.observe(*move[:-1], factors[dtype])
                for name, value in changed.items():
                    move.state[name].assign(value)
                parts.append(tuple([p.astype(float64) for p in part]))
        sums = [_total(column) for column in zip(*parts, strict=True)]
        if not parts:
            sums = [leaf(np.array(0.0))] * self.sums
        for group, moves, common in zip(self.param_groups, begun, self.common, strict=True):
            self._finish(group, moves, common, sums)

    def _finish(
        self, group: Group, moves: Sequence[Move], common: State, sums: Sequence[Tensor]
    ) -> None:
        """Settle a group's numbers, also where none of its parameters moves."""
        fresh, found = self.settle(common, self._traced(group), sums)
        factors: dict[object, Factors] = {}
        for move in moves:
            dtype = move.parameter.array.dtype
            if dtype not in factors:
                factors[dtype] = (*move.coefficients, *cast(found, move.parameter))
            self._change(*move[:-1], factors[dtype])
        for name, value in fresh.items():
            common[name].assign(value)

    def _require_dense(self, move: Move) -> None:
        if isinstance(move.gradient, RowGradient) and has_rows(move.gradient):
            self.goes_by_rows(move.group)


def _total(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
