"""Repairs of a network that is stuck, each by what keeps it there."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from schuss.core import Array, enable_grad, leaf, no_grad
from schuss.inspect.layers import MANY_DEAD, UnitLayer, unit_layers
from schuss.inspect.surface import LossSurface
from schuss.modes import quietly
from schuss.nn.module import Module
from schuss.training.escape.rowwise import place_weights
from schuss.training.escape.starts import Starts
from schuss.training.evaluation.evaluate import evaluating
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.objective import Objective

__all__ = ["repair"]

# How long steps along the negative curvature are tried, relative to the length of all weights.
_LENGTHS = 2.0 ** np.arange(-8, 2)
# A repair that keeps the function changes outputs by this at most, relative to the largest.
_SAME = 1e-4


def repair(model: Module, objective: Objective, rows: Examples, *, has_learned: bool) -> str:
    """Do what gets a network going again, and say what it was; empty if there is nothing.

    Dead and duplicate units get weights that their layer draws anew, and nothing of theirs is
    passed on at first, so that the function stays. A network that has learned nothing goes down
    along the negative curvature of a saddle, and off a plateau to weights that are drawn anew.

    Args:
        model: the network; its mode stays.
        objective: its loss.
        rows: that tell what is wrong; at most some thousand.
        has_learned: whether the loss is lower than at the start.
    """
    inputs = [np.asarray(x[np.arange(len(rows))]) for x in rows.inputs]
    with quietly(), evaluating(model), enable_grad():
        surface = LossSurface(model, objective, inputs, rows.y)
        if not np.isfinite(surface.slope).all():
            return ""
        # Without any slope all units seem dead, whatever keeps them there.
        done = _renew_units(surface) if surface.slope.any() else ""
        if done or has_learned:
            return done
        place = surface.place
        if place == "saddle":
            return _step_off_saddle(surface)
        if place == "plateau":
            place_weights(model, Starts(model).draw(2)[1])
            return "on a plateau: all weights drawn anew"
    return ""


# Units.


def _renew_units(surface: LossSurface) -> str:
    """Draw dead and duplicate units anew where the function stays; say how many in which layers."""
    gradients = surface.gradient()
    found = []
    for layer, after in pairwise(unit_layers(surface.model)):
        dead, same = _useless(layer, gradients)
        count = int(dead.sum()) + len(same)
        fits = after.weight.shape[1] == len(dead)
        if count and fits and _renewed(surface, layer, after, dead, same):
            found.append(f"{count} of {len(dead)} units of layer {layer.path}")
    return f"dead or duplicate: {', '.join(found)} drawn anew" if found else ""


def _useless(layer: UnitLayer, gradients: Mapping[str, Array]) -> tuple[Array, dict[int, int]]:
    """Return which units are dead, if those are many; and the duplicates, by whose they are of."""
    gradient = gradients.get(layer.parameter)
    if gradient is None:
        return np.zeros(len(layer.weight), bool), {}
    dead = layer.dead(gradient)
    same: dict[int, int] = {}
    for first, second in layer.duplicates(dead):
        same.setdefault(second, same.get(first, first))
    return (dead if dead.mean() >= MANY_DEAD else np.zeros_like(dead)), same


def _renewed(
    surface: LossSurface, layer: UnitLayer, after: UnitLayer, dead: Array, same: Mapping[int, int]
) -> bool:
    """Draw units anew, the next layer taking nothing of them; return whether outputs stay."""
    before = _outputs(surface)
    kept = [(p, p.array.copy()) for part in (layer, after) for p in part.module.parameters()]
    passed = after.weight.array.copy()
    for unit, original in same.items():
        passed[:, original] += passed[:, unit]
    units = np.flatnonzero(dead).tolist() + list(same)
    passed[:, units] = 0.0
    after.weight.assign(leaf(passed))
    drawn = copy.deepcopy(layer.module)
    getattr(drawn, "reset_parameters", lambda: None)()
    for name, parameter in layer.module.named_parameters(recurse=False):
        if parameter.shape[:1] == dead.shape:
            values = parameter.array.copy()
            values[units] = getattr(drawn, name).array[units]
            parameter.assign(leaf(values))
    gap = np.abs(_outputs(surface) - before).max()
    if gap <= _SAME * max(float(np.abs(before).max()), 1e-3):
        return True
    for parameter, values in kept:
        parameter.assign(leaf(values))
    return False


def _outputs(surface: LossSurface) -> Array:
    with no_grad():
        found = surface.model(*(leaf(x) for x in surface.inputs))
    return np.asarray(found.array, np.float64)


# Saddles.


def _step_off_saddle(surface: LossSurface) -> str:
    """Go to the lowest loss along the negative curvature, to either side."""
    curvature = surface.curvature
    with no_grad():
        steps = [
            sign * length * surface.length * curvature.direction
            for length in _LENGTHS
            for sign in (-1.0, 1.0)
        ]
        losses = [surface.loss_beside(step) for step in steps]
    best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    if not losses[best] < surface.loss:
        return ""
    surface.go(steps[best])
    gained = f"{surface.loss:.4g} to {losses[best]:.4g}"
    return f"on a saddle: a step along the curvature of {curvature.least:.2g}, loss {gained}"
