"""Snapshot: all that a training step changes, kept in memory to go back to."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schuss import random
from schuss.core import Array, Tensor, leaf
from schuss.nn.module import Module
from schuss.optim import Optimizer

__all__ = ["Snapshot"]


class Snapshot:
    """A copy of parameters, buffers, the optimizer's state and hyperparameters, and the random key.

    Going back writes into the memory that is there, so that compiled steps stay what they are.

    Args:
        model: what is trained.
        optimizer: over its parameters.

    >>> from schuss import nn, optim
    >>> layer = nn.Linear(1, 1)
    >>> snapshot = Snapshot(layer, optim.SGD(layer.parameters(), lr=0.1))
    >>> before = layer.weight.item()
    >>> _ = layer.weight.assign(leaf(np.array([[7.0]], np.float32)))
    >>> snapshot.restore()
    >>> layer.weight.item() == before
    True
    """

    def __init__(self, model: Module, optimizer: Optimizer) -> None:
        self._model = model
        self._optimizer = optimizer
        self._arrays: dict[int, Array] = {}
        self.take()

    def _tensors(self) -> list[Tensor]:
        """Return all tensors that a step may change, each once."""
        trained = (p for group in self._optimizer.param_groups for p in group["params"])
        state = (
            value
            for held in self._optimizer.state.values()
            for value in held.values()
            if isinstance(value, Tensor)
        )
        common = (value for numbers in self._optimizer.common for value in numbers.values())
        found = [*self._model.parameters(), *self._model.buffers(), *trained, *state, *common]
        return list({id(tensor): tensor for tensor in found}.values())

    def take(self) -> None:
        """Copy everything as it is now."""
        held, self._arrays = self._arrays, {}
        for tensor in self._tensors():
            array = held.get(id(tensor))
            if array is None or array.shape != tensor.shape or array.dtype != tensor.array.dtype:
                array = np.empty(tensor.shape, tensor.array.dtype)
            np.copyto(array, tensor.array)
            self._arrays[id(tensor)] = array
        optimizer = self._optimizer
        self._others = {
            parameter: {
                k: v if isinstance(v, Tensor) else copy.deepcopy(v) for k, v in held.items()
            }
            for parameter, held in optimizer.state.items()
        }
        self._groups = [
            {name: value for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]
        self._key = np.array(random.get_state())

    def state_dict(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Return all tensors by name, and the groups' hyperparameters, as checkpoints hold them."""
        tensors = {
            name: leaf(self._arrays[id(tensor)])
            for name, tensor in self._named(self._others).items()
            if id(tensor) in self._arrays
        }
        return {**tensors, "random": leaf(self._key)}, self._groups

    def load_state_dict(
        self, arrays: Mapping[str, Array], groups: Sequence[Mapping[str, Any]]
    ) -> None:
        """Take over what `state_dict` returned, of the same model and optimizer.

        Raises:
            ValueError: if it is of others.
        """
        held = dict(arrays)
        self._key = held.pop("random")
        named = self._named(self._optimizer.state)
        for name, array in held.items():
            tensor = named.get(name)
            if tensor is None or array.shape != tensor.shape or array.dtype != tensor.array.dtype:
                raise ValueError(f"the last good state's {name} is of another training")
        if len(groups) != len(self._groups):
            raise ValueError("the last good state has other groups")
        self._arrays = {id(named[name]): array for name, array in held.items()}
        self._others = {
            parameter: {name: value for name, value in state.items() if id(value) in self._arrays}
            for parameter, state in self._optimizer.state.items()
        }
        self._groups = [dict(group) for group in groups]

    def _named(self, states: Mapping[Tensor, Mapping[str, Any]]) -> dict[str, Tensor]:
        """Return the tensors of `_tensors` by name, those of these states in the optimizer's."""
        model, optimizer = self._model, self._optimizer
        found: dict[str, Tensor] = {f"model.{name}": p for name, p in model.named_parameters()}
        found |= {f"model.{name}": b for name, b in model.named_buffers()}
        known = set(map(id, found.values()))
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        for number, parameter in enumerate(trained):
            if id(parameter) not in known:
                found[f"trained.{number}"] = parameter
            for name, value in states.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    found[f"state.{number}.{name}"] = value
        for number, numbers in enumerate(optimizer.common):
            found |= {f"common.{number}.{name}": value for name, value in numbers.items()}
        return found

    def norm(self, tensor: Tensor) -> float:
        """Return the Euclidean norm that a tensor had."""
        return float(np.linalg.norm(self._arrays[id(tensor)]))

    def restore(self) -> None:
        """Put everything back; states that were begun since then become those of a first step."""
        optimizer = self._optimizer
        for group, held in zip(optimizer.param_groups, self._groups, strict=True):
            group.update(held)
        begun = []
        for parameter, held in list(optimizer.state.items()):
            known = self._others.get(parameter, {})
            if not held.keys() <= known.keys():
                begun.append(parameter)
            held.update(
                {k: v if isinstance(v, Tensor) else copy.deepcopy(v) for k, v in known.items()}
            )
        for tensor in self._tensors():
            array = self._arrays.get(id(tensor))
            if array is not None:
                tensor.assign(leaf(array))
        for parameter in begun:  # whose first state may be made from where it is
            self._begin_anew(parameter)
        random.set_state(self._key)

    def _begin_anew(self, parameter: Tensor) -> None:
        """Make a state what it is before a parameter's first step."""
        optimizer = self._optimizer
        if optimizer.is_own_rule:
            # A rule with a step of its own begins by itself.
            del optimizer.state[parameter]
            return
        group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
        held = optimizer.state[parameter]
        first: dict[str, Any] = {"step": leaf(np.array(0.0)), **optimizer.init(parameter, group)}
        for name, value in first.items():
            if name in held:
                held[name].assign(value)
