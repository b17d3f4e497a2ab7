"""diagnose: minimum, saddle, plateau or slope, and what does not work, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, enable_grad, leaf
from schuss.func import functional_call
from schuss.inspect.curvature import extreme_eigenvalues
from schuss.inspect.finding import Finding
from schuss.inspect.layers import broken_layers, lost_errors, saturated_units, watched
from schuss.inspect.rows import collapsed_outputs, contradicting_labels
from schuss.modes import quietly
from schuss.nn.module import Module
from schuss.transforms import grad, hvp

__all__ = ["Diagnosis", "Finding", "diagnose"]

# Parts of the rows whose gradients tell how far the whole one can be trusted.
_PARTS = 8
# A step to where the slope ends would gain this share of the loss: it goes down still.
_GAIN = 1e-3
# The least eigenvalue, relative to the largest, from which on it goes down to both sides.
_NEGATIVE = 0.05
# Curvature that changes this share of the loss over the length of all weights: it is flat.
_FLAT = 1e-4

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
            return _Patient(model, loss, inputs, y).diagnosis()
    finally:
        model.train(was_training)


class _Patient:
    """A network with its loss on some rows, as a function of its parameters."""

    def __init__(
        self,
        model: Module,
        loss: Callable[[Any, Tensor], Tensor],
        inputs: Sequence[Array],
        y: Array,
    ) -> None:
        self.model = model
        self.loss = loss
        self.inputs = [np.asarray(x) for x in inputs]
        self.y = np.asarray(y)
        named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.names = list(named)
        self.at = tuple(p.detach() for p in named.values())

    def of(self, rows: Any) -> Callable[..., Tensor]:
        """Return the loss on some rows as a function of the parameters."""
        inputs = tuple(leaf(np.ascontiguousarray(x[rows])) for x in self.inputs)
        y = leaf(np.ascontiguousarray(self.y[rows]))

        def value(*parameters: Tensor) -> Tensor:
            named = dict(zip(self.names, parameters, strict=True))
            return self.loss(functional_call(self.model, named, inputs), y)

        return value

    def gradient(self, rows: Any) -> list[Array]:
        """Return the gradient on some rows, by parameters."""
        found = grad(self.of(rows), tuple(range(len(self.at))))(*self.at)
        return [g.array for g in found]

    def diagnosis(self) -> Diagnosis:
        whole = slice(None)
        with watched(self.model) as outputs:
            loss = float(self.of(whole)(*self.at).item())
        gradients = self.gradient(whole)
        gradient = _flat(gradients)
        noise = self._noise()
        curvature = extreme_eigenvalues(self._product(self.of(whole)), gradient.size)
        named = dict(zip(self.names, gradients, strict=True))
        output = self.model(*(leaf(x) for x in self.inputs))
        findings = [
            *contradicting_labels(self.inputs, self.y),
            *_collapsed(output, self.y),
            *broken_layers(self.model, named),
            *lost_errors(self.model, self._single_rows()),
            *saturated_units(self.model, outputs),
        ]
        norm = float(np.linalg.norm(gradient))
        place = self._place(loss, norm, curvature)
        return Diagnosis(place, loss, norm, noise, curvature, tuple(findings))

    def _single_rows(self) -> list[dict[str, Array]]:
        """Return the gradients of a few rows, each alone."""
        rows = np.linspace(0, len(self.y) - 1, min(_PARTS, len(self.y))).astype(int)
        each = [self.gradient(slice(row, row + 1)) for row in rows]
        return [dict(zip(self.names, found, strict=True)) for found in each]

    def _noise(self) -> float:
        """Return the standard error of the gradient, as parts of the rows show it."""
        parts = min(_PARTS, len(self.y))
        if parts < 2:
            return 0.0
        found = np.stack([_flat(self.gradient(slice(k, None, parts))) for k in range(parts)])
        return float(np.sqrt(found.var(axis=0, ddof=1).sum() / parts))

    def _product(self, value: Callable[..., Tensor]) -> Callable[[Array], Array]:
        def product(vector: Array) -> Array:
            parts, begun = [], 0
            for parameter in self.at:
                part = vector[begun : begun + parameter.size].reshape(parameter.shape)
                parts.append(leaf(part.astype(parameter.dtype)))
                begun += parameter.size
            return _flat([h.array for h in hvp(value, self.at, tuple(parts))])

        return product

    def _place(self, loss: float, gradient: float, curvature: tuple[float, float]) -> str:
        low, high = curvature
        bend = max(abs(low), abs(high))
        length = sum(float(np.square(p.array, dtype=np.float64).sum()) for p in self.at)
        length = max(length, 1.0)
        scale = max(abs(loss), float(np.finfo(np.float32).tiny))
        # Over the length of all weights, neither slope nor curvature changes the loss.
        if max(bend * length, gradient * np.sqrt(length)) <= _FLAT * scale:
            return "plateau"
        if gradient**2 > 2.0 * _GAIN * bend * scale:
            return "slope"
        return "saddle" if low < -_NEGATIVE * bend else "minimum"


def _collapsed(output: Any, y: Array) -> list[Finding]:
    """Look at outputs that have a row for each of the targets."""
    if not isinstance(output, Tensor) or output.shape[:1] != y.shape[:1]:
        return []
    return collapsed_outputs(output.detach().numpy(), y)


def _flat(parts: Sequence[Array]) -> Array:
    return np.concatenate([np.asarray(x, np.float64).reshape(-1) for x in parts])
