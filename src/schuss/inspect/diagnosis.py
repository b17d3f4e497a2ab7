"""diagnose: minimum, saddle, plateau or slope, and what does not work, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, enable_grad, leaf
from schuss.inspect.finding import Finding
from schuss.inspect.layers import broken_layers, lost_errors, saturated_units, watched
from schuss.inspect.rows import collapsed_outputs, contradicting_labels
from schuss.inspect.surface import LossSurface, flat
from schuss.modes import quietly
from schuss.nn.module import Module

__all__ = ["Diagnosis", "Finding", "diagnose"]

# Parts of the rows whose gradients tell how far the whole one can be trusted.
_PARTS = 8

_PLACES = {
    "slope": "it goes down still: train for longer, or with a larger learning rate",
    "minimum": "at the bottom of a basin: more steps change nothing; another start may end lower",
    "saddle": "on a saddle: no slope, and it goes down to both sides in some direction",
    "plateau": "on a plateau: hardly any slope and no curvature to go by",
}


@dataclass(frozen=True)
class Diagnosis:
    """Where a descent stands, and what does not work.

    Args:
        place: "slope", "minimum", "saddle" or "plateau".
        loss: the mean loss.
        gradient: norm of its gradient.
        noise: standard error of the gradient, as parts of the rows show it.
        curvature: least and largest eigenvalue of the Hessian.
        findings: what is wrong; empty for a healthy network.
    """

    place: str
    loss: float
    gradient: float
    noise: float
    curvature: tuple[float, float]
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> str:
        """The place and the findings in one line."""
        parts = [_PLACES[self.place].partition(":")[0], *(f.text for f in self.findings)]
        return "; ".join(parts)

    def __str__(self) -> str:
        low, high = self.curvature
        lines = [
            f"{_PLACES[self.place]}.",
            f"loss {self.loss:.4g}, gradient {self.gradient:.3g} (noise {self.noise:.3g}), "
            f"curvature from {low:.3g} to {high:.3g}",
            *(f"- {finding.text}" for finding in self.findings),
        ]
        return "\n".join(lines if self.findings else [*lines, "nothing is broken"])


def diagnose(
    model: Module, loss: Callable[[Any, Tensor], Tensor], inputs: Sequence[Array], y: Array
) -> Diagnosis:
    """Find out where a network's descent stands and what does not work in it.

    Args:
        model: the network; it is evaluated as it is (`eval`), and nothing of it changes.
        loss: a function of (output, y) that returns the mean over rows.
        inputs: what the model is called with, each of shape (rows, ...).
        y: targets, of shape (rows, ...).

    >>> from schuss import manual_seed, nn
    >>> manual_seed(0)
    >>> x = np.linspace(-1.0, 1.0, 32, dtype=np.float32)[:, None]
    >>> diagnose(nn.Linear(1, 1), nn.functional.mse_loss, [x], 3.0 * x).place
    'slope'
    """
    was_training = model.training
    model.eval()
    try:
        with quietly(), enable_grad():
            return _diagnosis(LossSurface(model, loss, inputs, y))
    finally:
        model.train(was_training)


def _diagnosis(surface: LossSurface) -> Diagnosis:
    whole = slice(None)
    with watched(surface.model) as outputs:
        loss = float(surface.of(whole)(*surface.at).item())
    curvature = surface.curvature
    output = surface.model(*(leaf(x) for x in surface.inputs))
    findings = [
        *contradicting_labels(surface.inputs, surface.y),
        *_collapsed(output, surface.y),
        *broken_layers(surface.model, surface.gradient()),
        *lost_errors(surface.model, _single_rows(surface)),
        *saturated_units(surface.model, outputs),
    ]
    return Diagnosis(
        surface.place,
        loss,
        float(np.linalg.norm(surface.slope)),
        _noise(surface),
        (curvature.least, curvature.largest),
        tuple(findings),
    )


def _single_rows(surface: LossSurface) -> list[dict[str, Array]]:
    """Return the gradients of a few rows, each alone."""
    count = len(surface.y)
    rows = np.linspace(0, count - 1, min(_PARTS, count)).astype(int)
    return [surface.gradient(slice(row, row + 1)) for row in rows]


def _noise(surface: LossSurface) -> float:
    """Return the standard error of the gradient, as parts of the rows show it."""
    parts = min(_PARTS, len(surface.y))
    if parts < 2:
        return 0.0
    each = [surface.gradient(slice(k, None, parts)) for k in range(parts)]
    found = np.stack([flat(list(gradients.values())) for gradients in each])
    return float(np.sqrt(found.var(axis=0, ddof=1).sum() / parts))


def _collapsed(output: Any, y: Array) -> list[Finding]:
    """Look at outputs that have a row for each of the targets."""
    if not isinstance(output, Tensor) or output.shape[:1] != y.shape[:1]:
        return []
    return collapsed_outputs(output.detach().numpy(), y)
