"""Layers that do not work: dead, saturated and duplicate units, errors that vanish or explode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from schuss import nn
from schuss.core import Array, Tensor
from schuss.inspect.finding import Finding
from schuss.nn.module import Module

__all__ = [
    "MANY_DEAD",
    "UnitLayer",
    "broken_layers",
    "lost_errors",
    "saturated_units",
    "unit_layers",
    "watched",
]

# A unit is saturated whose output is within this of its bounds, for so many of the rows.
_NEAR, _ROWS = 0.01, 0.95
_BOUNDS: dict[type[Module], tuple[float, float]] = {
    nn.Tanh: (-1.0, 1.0),
    nn.Sigmoid: (0.0, 1.0),
    nn.Hardtanh: (-1.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
}
# Units count as one where nothing of their weights differs by more, relative to their length.
_SAME = 1e-4
#: A few dead units are usual among rectifiers; from this share on it is a fault.
MANY_DEAD = 0.2
# Errors of the first layer's units to those of the last one's, beyond which they do not arrive.
_VANISHED, _EXPLODED = 1e-5, 1e5


@dataclass(frozen=True)
class UnitLayer:
    """A layer whose units have a row of weights each.

    Args:
        path: its dotted name.
        module: itself.
        name: of its parameter of shape (units, inputs).
    """

    path: str
    module: Module
    name: str

    @property
    def parameter(self) -> str:
        """The dotted name of its weights."""
        return f"{self.path}.{self.name}".lstrip(".")

    @property
    def weight(self) -> Tensor:
        """Its weights, (units, inputs)."""
        found: Tensor = getattr(self.module, self.name)
        return found

    def dead(self, gradient: Array) -> Array:
        """Return which units get no error from any row: bool of shape (units,)."""
        found: Array = ~np.any(gradient != 0.0, axis=1)
        return found

    def duplicates(self, dead: Array) -> list[tuple[int, int]]:
        """Return pairs of units whose weights and biases are the same, the dead ones left out."""
        weight = self.weight.numpy()
        bias = getattr(self.module, "bias", None)
        added = np.zeros((len(weight), 1)) if bias is None else bias.numpy().reshape(-1, 1)
        return _duplicates(np.concatenate([weight, added], axis=1), dead)


def unit_layers(model: Module) -> list[UnitLayer]:
    """Return the layers whose units have a row of weights each, in the model's order."""
    return [
        UnitLayer(path, module, name)
        for path, module in model.named_modules()
        for name in module.unit_axes
        if getattr(module, name).ndim == 2
    ]


@contextmanager
def watched(model: Module) -> Iterator[dict[str, Array]]:
    """Note the outputs of activations that have bounds, by the layers' names, within a block."""
    outputs: dict[str, Array] = {}
    handles = []

    def note(name: str) -> Callable[..., None]:
        def hook(module: Module, args: object, output: object) -> None:
            if isinstance(output, Tensor):
                outputs[name] = output.detach().numpy()

        return hook

    for name, module in model.named_modules():
        if type(module) in _BOUNDS:
            handles.append(module.register_forward_hook(note(name)))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def saturated_units(model: Module, outputs: Mapping[str, Array]) -> list[Finding]:
    """Say which activations stay at their bounds, whatever the row."""
    modules = dict(model.named_modules())
    findings = []
    for name, output in outputs.items():
        low, high = _BOUNDS[type(modules[name])]
        margin = _NEAR * (high - low)
        at_bound = (output < low + margin) | (output > high - margin)
        units = at_bound.reshape(len(output), -1).mean(axis=0) >= _ROWS
        if units.any():
            text = f"layer {name} ({type(modules[name]).__name__}): {_count(units)} saturated: "
            text += "hardly any error comes back through them; scale the inputs or the weights down"
            findings.append(Finding("saturated units", name, text, float(units.mean())))
    return findings


def broken_layers(model: Module, gradients: Mapping[str, Array]) -> list[Finding]:
    """Say what the weights and their gradients show: dead units and duplicates.

    Args:
        model: the network.
        gradients: of its parameters, by name.
    """
    findings = []
    for layer in unit_layers(model):
        gradient = gradients.get(layer.parameter)
        if gradient is None:
            continue
        label = f"layer {layer.path or type(model).__name__} ({type(layer.module).__name__})"
        dead = layer.dead(gradient)
        if dead.mean() >= MANY_DEAD:
            text = f"{label}: {_count(dead)} dead: no row sends an error back to them"
            findings.append(Finding("dead units", layer.path, text, float(dead.mean())))
        same = layer.duplicates(dead)
        if same:
            pairs = ", ".join(f"{i} and {j}" for i, j in same[:3])
            text = f"{label}: units {pairs} are duplicates: they learn the same for ever"
            amount = len(same) / len(dead)
            findings.append(Finding("duplicate units", layer.path, text, amount))
    return findings


def lost_errors(model: Module, rows: Sequence[Mapping[str, Array]]) -> list[Finding]:
    """Say whether the error vanishes or explodes on its way from the last layer to the first.

    Args:
        model: the network.
        rows: the gradients of single rows, whose errors do not cancel each other out: that of a
            bias is the error of its units.
    """
    sizes = {}
    for path, module in model.named_modules():
        bias = f"{path}.bias".lstrip(".")
        if module.unit_axes and bias in rows[0]:
            errors = [np.square(row[bias], dtype=np.float64).mean() for row in rows]
            sizes[f"layer {path} ({type(module).__name__})"] = float(np.sqrt(np.mean(errors)))
    if len(sizes) < 2:
        return []
    (first, reached), *_, (last, sent) = sizes.items()
    ratio = reached / sent if sent else 1.0
    if ratio < _VANISHED:
        text = f"{first} gets errors {1 / max(ratio, 1e-30):.0e} times smaller than {last}: "
        text += "the error vanishes on its way back"
        return [Finding("vanishing gradients", first, text, ratio)]
    if ratio > _EXPLODED:
        text = f"{first} gets errors {ratio:.0e} times larger than {last}: the error explodes"
        return [Finding("exploding gradients", first, f"{text} on its way back", ratio)]
    return []


def _duplicates(weights: Array, dead: Array) -> list[tuple[int, int]]:
    """Return pairs of units whose weights are the same, the dead ones left out."""
    lengths = np.linalg.norm(weights, axis=1)
    alive = np.flatnonzero(~dead & (lengths > 0.0))
    found = []
    for place, i in enumerate(alive):
        others = alive[place + 1 :]
        gaps = np.linalg.norm(weights[others] - weights[i], axis=1)
        found += [(int(i), int(j)) for j in others[gaps <= _SAME * lengths[i]]]
    return found


def _count(units: Array) -> str:
    number = int(units.sum())
    are = "is" if number == 1 else "are"
    return f"{number} of {len(units)} units {are}"
