"""Conditioning: first and last layers fitted to the sizes of inputs and targets."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from schuss.core import Tensor, leaf, no_grad
from schuss.nn.convolution import Conv1d, Conv2d, Conv3d
from schuss.nn.linear import Linear
from schuss.nn.module import Module
from schuss.optim import Optimizer
from schuss.training.descent.learner import Learner
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.objective import Objective
from schuss.training.evaluation.scrutiny import is_far_from_one, size_of

__all__ = ["condition"]

_LAYERS = (Linear, Conv1d, Conv2d, Conv3d)
# Of so many rows it is seen which layers are first and last.
_ROWS = 8
# A layer whose answer is of about this size, up or down, suits its inputs already.
_FITS = 30.0


def condition(learner: Learner, examples: Examples) -> list[str]:
    """Fit the layers that read inputs, or make outputs, of an unusual size to that size.

    With s the size of the inputs, a first layer's weights are divided by s, and so is their
    learning rate: they then learn as weights of inputs of size 1 do, and the network stays one of
    the inputs as they are. With t that of the targets, the last layer's weights and bias are
    multiplied by t, and so are their learning rates, where the loss scales with them. Layers that
    suit the sizes already, as trained ones do, are left alone.

    Args:
        learner: what is trained; nothing is done where its rule or rate is given.
        examples: the training rows.

    Returns:
        What was found and done, in sentences.
    """
    columns = [x for x in examples.inputs if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    odd = [x for x in columns if is_far_from_one(size_of(x))]
    reach = size_of(examples.y) if examples.y.dtype.kind == "f" else 1.0
    if not odd and not is_far_from_one(reach):
        return []
    factors: dict[int, float] = {}
    said = []
    is_free = learner.finds_rate and learner.usual_rate and not learner.optimizer.state
    layers = _Ends(learner.model, examples) if is_free else None
    for x in odd:
        size = size_of(x)
        text = f"the inputs are about {size:.1g} in size"
        first = [] if layers is None else layers.reading(x, examples)
        for layer in first:
            _scale(layer.weight, 1.0 / _power_of_two(size), factors)
        done = "the first layer's weights and their rate are set for that"
        wish = "networks learn best from numbers of about 1: divide them by that"
        said.append(f"{text}; {done}" if first else f"{text}, and {wish}")
    last = None if layers is None or not is_far_from_one(reach) else layers.last(reach)
    power = None if last is None else _power(learner.objective)
    loss_size = 1.0
    if last is not None and power is not None:
        loss_size = _power_of_two(reach) ** power
        for parameter in (last.weight, last.bias):
            if parameter is not None:
                _scale(parameter, _power_of_two(reach), factors)
        said.append(f"the targets are about {reach:.1g} in size; the last layer is set for that")
    _split(learner.optimizer, factors, loss_size)
    return said


class _Ends:
    """Which layers read a network's inputs as they are, and which makes its output."""

    def __init__(self, model: Module, examples: Examples) -> None:
        self._calls: list[tuple[Any, Tensor, Tensor]] = []
        hooks = [
            module.register_forward_hook(self._note)
            for module in model.modules()
            if isinstance(module, _LAYERS)
        ]
        training = model.training
        model.eval()
        try:
            with no_grad():
                rows = np.arange(min(_ROWS, len(examples)))
                self._inputs = examples.batch(rows)[0]
                self._output = model(*self._inputs)
        finally:
            model.train(training)
            for hook in hooks:
                hook.remove()

    def _note(self, module: Module, inputs: Any, output: Any) -> None:
        self._calls.append((module, inputs[0], output))

    def reading(self, x: Any, examples: Examples) -> list[Any]:
        """Return the layers that read an input, and answer it by numbers far from 1."""
        number = next(k for k, column in enumerate(examples.inputs) if column is x)
        given = self._inputs[number].array
        found = []
        for layer, taken, output in self._calls:
            if np.shares_memory(taken.array, given):
                bias = 0.0 if layer.bias is None else layer.bias.array
                shape = (-1,) + (1,) * (output.ndim - 2) if output.ndim > 2 else (-1,)
                plain = output.array - np.reshape(bias, shape)
                if abs(math.log(size_of(plain) or 1.0)) > math.log(_FITS):
                    found.append(layer)
        return found

    def last(self, reach: float) -> Any:
        """Return the layer that makes the output, if that is far from `reach` in size."""
        if not isinstance(self._output, Tensor):
            return None
        for layer, _, output in self._calls:
            if np.shares_memory(output.array, self._output.array):
                ratio = (size_of(output.array) or 1.0) / reach
                return layer if abs(math.log(ratio)) > math.log(_FITS) else None
        return None


def _power_of_two(size: float) -> float:
    """Return the nearest power of two, multiplied by which numbers keep all their digits."""
    return float(2.0 ** round(math.log2(size)))


def _power(objective: Objective) -> float | None:
    """Return the k for which a loss of outputs and targets times c is c^k times it, if there is."""
    draw = np.random.default_rng(0)
    output, y = draw.normal(size=(2, 16, 1))
    losses = []
    for c in (1.0, 4.0, 16.0):
        try:
            losses.append(float(objective(leaf(c * output), leaf(c * y)).item()))
        except Exception:  # a loss of something else
            return None
    if not min(losses) > 0.0 or not math.isfinite(losses[-1]):
        return None
    one, two = (math.log(b / a, 4.0) for a, b in pairwise(losses))
    return one if abs(one - two) < 1e-6 else None


def _scale(parameter: Tensor, factor: float, factors: dict[int, float]) -> None:
    if id(parameter) not in factors:
        parameter.assign(leaf((parameter.array * factor).astype(parameter.array.dtype)))
    factors[id(parameter)] = factors.get(id(parameter), 1.0) * factor


def _split(optimizer: Optimizer, factors: dict[int, float], loss_size: float) -> None:
    """Give scaled parameters a group of their own, with the learning rate times their factor."""
    if not factors:
        return
    for group in list(optimizer.param_groups):
        sizes = [factors.get(id(p), 1.0) for p in group["params"]]
        parts: dict[float, list[Tensor]] = {
            size: [] for size in sorted(set(sizes), key=lambda size: size != 1.0)
        }
        for size, parameter in zip(sizes, group["params"], strict=True):
            parts[size].append(parameter)
        options = {name: value for name, value in group.items() if name != "params"}
        (first, group["params"]), *others = parts.items()
        _rescale(group, first, loss_size)
        for factor, parameters in others:
            optimizer.add_param_group({**options, "params": parameters})
            _rescale(optimizer.param_groups[-1], factor, loss_size)


def _rescale(group: dict[str, Any], factor: float, loss_size: float) -> None:
    for name in ("lr", "initial_lr"):
        if name in group:
            group[name] = group[name] * factor
    # Gradients are those of the loss by weights that are so much larger.
    group["eps"] = group["eps"] * loss_size / factor
