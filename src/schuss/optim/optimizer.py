"""Optimizer, the base of all optimizers: state, the step, and `state_dict`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import TRACER, Tensor, eagerly, enable_grad, leaf, no_grad
from schuss.functions import where
from schuss.optim.param_groups import (
    RANGES,
    Group,
    Params,
    Range,
    check_ranges,
    make_group,
    require_fit,
    required,
)
from schuss.optim.saved import load_saved_state, saved_state
from schuss.primitives.row_gradient import RowGradient, assign_rows, has_rows

__all__ = ["Factors", "Move", "Optimizer", "State", "cast", "required", "zeros"]

State: TypeAlias = dict[str, Tensor]
Factors: TypeAlias = tuple[Any, ...]  # tensors or floats


class Move(NamedTuple):
    """What `Optimizer.update` is called with; see there."""

    parameter: Tensor
    gradient: Tensor
    state: State
    group: Group
    coefficients: Factors


class Optimizer:
    """Base of the rules of descent.

    A rule is its hyperparameters (the defaults of a group), its state (`init`) and a pure update
    (`coefficients` and `update`) written from public tensor functions: no branch depends on a
    tensor's values, and hyperparameters are read from the group at each step, so that schedules
    may change them in between.

    Args:
        params: parameters; or (name, parameter) pairs; or groups, dictionaries with "params" and
            hyperparameters of their own.
        defaults: the hyperparameters of groups that do not set them.

    Raises:
        ValueError: on no parameters, one that comes twice, or hyperparameters out of range.
        TypeError: if a parameter is not a tensor.
    """

    # For hyperparameters that are numbers, where they must be.
    ranges: ClassVar[Mapping[str, Range]] = RANGES
    # Whether gradients have to be sparse.
    needs_rows: ClassVar[bool] = False
    # Whether it finds its step size, or does without a schedule: both are best left alone then.
    has_own_pace: ClassVar[bool] = False
    # Whether a step computes the loss again, by a closure.
    needs_closure: ClassVar[bool] = False

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        # The groups as they were when their hyperparameters were last looked at, by their ids.
        self._fitting: dict[int, Group] = {}
        # A subclass with a `step` of its own finds an empty state for each parameter.
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        # Of each group, the numbers that its parameters have in common: float64, no axes.
        self.common: list[State] = []
        if isinstance(params, (Tensor, Mapping)) or not isinstance(params, Iterable):
            raise TypeError(
                f"{self._owner}: expected an iterable of parameters or groups, got "
                f"{type(params).__name__}; use model.parameters()."
            )
        given = list(params)
        if not given:
            raise ValueError(
                f"{self._owner}: expected at least one parameter, got none; "
                "does the model have parameters?"
            )
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)  # type: ignore[arg-type]  # checked there

    @property
    def _owner(self) -> str:
        return type(self).__name__

    @property
    def is_own_rule(self) -> bool:
        """Whether it has a `step` of its own, and keeps whatever it likes as its state."""
        return type(self).update is Optimizer.update

    # The rule: what a subclass defines.

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return a parameter's first state (besides "step", the count of steps)."""
        return {}

    def begin(self, group: Group) -> dict[str, float]:
        """Return the first values of the numbers that a group's parameters have in common."""
        return {}

    def coefficients(self, step: Tensor, group: Group) -> tuple[Tensor | float, ...]:
        """Return what `update` needs from the step count and the hyperparameters alone.

        Computed in float64, once for all parameters of a group that have the same count.

        Args:
            step: the count of this step, from 1: float64, no axes.
            group: the hyperparameters.
        """
        return ()

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter's new values and its new state, a pure function of the arguments.

        Args:
            parameter: the values now.
            gradient: the loss's derivative, of the same shape and dtype.
            state: as `init` or the last update left it.
            group: the hyperparameters.
            coefficients: as `coefficients` returned them, cast to the parameter's dtype.
        """
        raise NotImplementedError

    def goes_by_rows(self, group: Group) -> bool:
        """Return whether an update by a sparse gradient is one of its rows alone.

        If not, the whole gradient, zero in other rows, gives the same.

        Raises:
            RuntimeError: where the rule takes no sparse gradients; the default.
        """
        raise RuntimeError(
            f"{self._owner}: expected a dense gradient, got a sparse one, as an embedding with "
            "sparse=True has it; give that parameter to SparseAdam, or leave sparse=True out."
        )

    def refuse_decay(self, group: Group) -> None:
        """Raise RuntimeError where weight decay meets a sparse gradient."""
        if group["weight_decay"]:
            raise RuntimeError(
                f"{self._owner}: expected weight_decay 0 with a sparse gradient, got "
                f"{group['weight_decay']}; decay moves every row, so leave sparse=True out."
            )

    def check(self, group: Group) -> None:
        """Raise ValueError where hyperparameters do not fit together."""

    # What is the same for all rules.

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step downhill; parameters without a gradient stay as they are.

        Args:
            closure: computes the loss again, with its gradients, and returns it.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        tracer = TRACER.get()
        if tracer is not None:
            tracer.follows(self._bound_to(self.state))
            for group in self.param_groups:
                for parameter in group["params"]:
                    tracer.sees(parameter)
        scope = nullcontext() if tracer is None else tracer.within(self._owner)
        with no_grad(), scope:
            self._descend()
        if tracer is not None:
            tracer.dictionaries += [self.state, *self.state.values()]
        return loss

    def _require_fit(self, group: Group) -> None:
        """Refuse hyperparameters that do not fit, where any is not as it was."""
        if group != self._fitting.get(id(group)):
            require_fit(self._owner, group, self.ranges)
            self._fitting[id(group)] = dict(group)

    def _descend(self) -> None:
        """Change the parameters of all groups, and their state."""
        for group in self.param_groups:
            for move in self._moves(group):
                self._change(*move)

    def _moves(self, group: Group) -> Iterator[Move]:
        """Yield what `update` is called with for each parameter that has a gradient."""
        self._require_fit(group)
        # Parameters that always step together share one count, so that what depends on the count
        # is computed once; one that is left out keeps its count, and the others get a new one.
        moving, kept = [], set()
        begun = leaf(np.array(0.0))
        for parameter in group["params"]:
            if parameter.grad is not None:
                moving.append(parameter)
                if "step" not in self.state.get(parameter, ()):
                    # Not a part of the step that a tracer follows: it happens once.
                    with eagerly():
                        self.state[parameter] |= {"step": begun, **self.init(parameter, group)}
            elif "step" in self.state.get(parameter, ()):
                kept.add(id(self.state[parameter]["step"]))
        group = self._traced(group)
        counts: dict[int, Tensor] = {}
        found: dict[tuple[int, Any], Factors] = {}
        for parameter in moving:
            state = self.state[parameter]
            key = id(state["step"])
            step = counts.get(key)
            if step is None:
                step = counts[key] = _advanced(state["step"], key in kept)
            state["step"] = step
            place = (id(step), parameter.dtype)
            if place not in found:
                found[place] = cast(self.coefficients(step, group), parameter)
            gradient = parameter.grad
            if group["maximize"]:
                gradient = -gradient
            yield Move(parameter, gradient, state, group, found[place])

    def _traced(self, group: Group) -> Group:
        """Return a group's hyperparameters, as a program reads them where one is being made."""
        tracer = TRACER.get()
        if tracer is None:
            return group
        traced: Group = tracer.options(group, partial(self._require_fit, group))
        return traced

    def _change(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> None:
        """Update a parameter and its state; by a sparse gradient, the rows that it has."""
        if isinstance(gradient, RowGradient) and has_rows(gradient):
            by_rows = self.goes_by_rows(group)
            if by_rows and TRACER.get() is None:
                self._change_rows(parameter, gradient, state, group, coefficients)
                return
            marks = gradient.marks() if by_rows else None
        elif self.needs_rows:
            raise RuntimeError(
                f"{self._owner}: expected a sparse gradient, got a dense one of shape "
                f"{parameter.shape}; use Adam, or an embedding with sparse=True. What a compiled "
                "backward pass leaves is dense: compile zero_grad(), backward() and step() "
                "together."
            )
        else:
            marks = None
        values, changed = self.update(parameter, gradient, state, group, coefficients)
        for tensor, value in [(parameter, values), *((state[n], v) for n, v in changed.items())]:
            if marks is not None and tensor.shape == parameter.shape:
                value = where(marks, value, tensor)
            tensor.assign(value)

    def _change_rows(
        self,
        parameter: Tensor,
        gradient: RowGradient,
        state: State,
        group: Group,
        coefficients: Factors,
    ) -> None:
        rows, sums = gradient.coalesced()
        shape = parameter.shape
        picked = {
            name: leaf(value.array[rows]) if value.shape == shape else value
            for name, value in state.items()
        }
        values, changed = self.update(
            leaf(parameter.array[rows]), leaf(sums), picked, group, coefficients
        )
        assign_rows(parameter, rows, values.array)
        for name, value in changed.items():
            if state[name].shape == shape:
                assign_rows(state[name], rows, value.array)
            else:
                state[name].assign(value)

    def _bound_to(self, state: dict[Tensor, dict[str, Any]]) -> Callable[[], tuple[bool, int, int]]:
        """Return what tells whether a compiled step still has this optimiser's state and groups."""
        return lambda: (self.state is state, len(state), len(self.param_groups))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every parameter (or set them to zero)."""
        tracer = TRACER.get()
        for group in self.param_groups:
            for parameter in group["params"]:
                if tracer is not None:
                    tracer.sees(parameter)
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad = zeros(parameter)

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with hyperparameters of their own.

        Raises:
            ValueError: on a parameter that is already there, or a hyperparameter out of range.
            TypeError: if a parameter is not a tensor.
        """
        group = make_group(self._owner, param_group, self.defaults, self.param_groups)
        check_ranges(self._owner, group, self.ranges)
        self.check(group)
        self.param_groups.append(group)
        begun = self.begin(group)
        self.common.append({name: leaf(np.array(float(v))) for name, v in begun.items()})

    def state_dict(self) -> dict[str, Any]:
        """Return everything that decides the coming steps, beside the parameters themselves.

        Returns:
            {"state": {number of the parameter: {name: tensor}}, "param_groups": [hyperparameters,
            numbers that a group's parameters have in common, and "params", the parameters'
            numbers]}. The tensors share memory with the state, and go on with it.
        """
        return saved_state(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; later steps are then the same, bit for bit.

        Raises:
            ValueError: if groups, numbers or shapes differ, or hyperparameters are out of range;
                nothing has been changed then.
        """
        load_saved_state(self, state_dict)

    def __repr__(self) -> str:
        lines = [self._owner]
        for number, group in enumerate(self.param_groups):
            parameters = group["params"]
            options = ", ".join(
                f"{k}={v}" for k, v in group.items() if k not in ("params", "param_names")
            )
            total = sum(p.size for p in parameters)
            lines.append(
                f"  group {number}: {len(parameters)} tensors, {total:,} parameters; {options}"
            )
        return "\n".join(lines)


def _advanced(step: Tensor, kept: bool) -> Tensor:
    """Return the count of steps plus one: in place, unless others keep the old one."""
    if kept:
        step = leaf(np.array(step.array))
    return step.assign(step + 1.0)


def cast(factors: Factors, parameter: Tensor) -> Factors:
    """Return factors of which those that are tensors have a parameter's dtype."""
    dtype = parameter.array.dtype
    return tuple([f.astype(dtype) if isinstance(f, Tensor) else f for f in factors])


def zeros(parameter: Tensor) -> Tensor:
    """Return zeros of a parameter's shape and dtype, a state's usual start."""
    return leaf(np.zeros(parameter.shape, parameter.array.dtype))
