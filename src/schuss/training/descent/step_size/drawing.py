"""A curve of learning rates drawn: as text for a terminal, and as a picture (SVG)."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from itertools import pairwise
from typing import Protocol

__all__ = ["svg", "text"]

_ZONES = ("too small: takes for ever", "right", "too big: misses the minimum")
_COLOURS = ("#dbe7f5", "#d5eed6", "#f7d9d5")
_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 50, 60


class Curve(Protocol):
    """What is drawn; see `RateCurve`."""

    @property
    def rates(self) -> list[float]: ...
    @property
    def losses(self) -> list[float]: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def best(self) -> float: ...
    @property
    def horizon(self) -> int: ...
    @property
    def rule(self) -> str: ...
    def summary(self) -> str:
        """Return what the curve says, in a sentence."""


class _Scale:
    """Places of rates and losses in [0, 1] by [0, 1]; losses that are not finite lie on top."""

    def __init__(self, curve: Curve) -> None:
        finite = [loss for loss in curve.losses if math.isfinite(loss)]
        # What exploded would press all others flat.
        self.highest = max((loss for loss in finite if loss <= 3 * curve.losses[0]), default=1.0)
        self.lowest = min(finite, default=0.0)
        self.first, self.last = math.log10(curve.rates[0]), math.log10(curve.rates[-1])

    def x(self, rate: float) -> float:
        return (math.log10(rate) - self.first) / max(self.last - self.first, 1e-9)

    def y(self, loss: float) -> float:
        if not math.isfinite(loss):
            return 1.0
        span = max(self.highest - self.lowest, 1e-12)
        return min((loss - self.lowest) / span, 1.0)


def text(curve: Curve, *, width: int = 72, height: int = 14) -> str:
    """Return the curve in so many columns and lines, its zones below it.

    >>> from schuss.training.descent.step_size.curve import RateCurve
    >>> curve = RateCurve([0.01, 0.1, 1.0], [2.0, 1.0, math.inf], 0.05, 0.3, 0.08, 9, 90, "SGD")
    >>> print(text(curve, width=40, height=4))
         2 o..                           ..x
              .....                 .....
                   ......     ......
         1               ..o..
           -----------==============--------
           0.01   0.05 to 0.3 are right    1
    """
    scale, inner = _Scale(curve), width - 8
    rows = [[" "] * (inner + 1) for _ in range(height)]
    places = [
        (round(scale.x(rate) * inner), scale.y(loss))
        for rate, loss in zip(curve.rates, curve.losses, strict=True)
    ]
    for (a, up_a), (b, up_b) in pairwise(places):
        for column in range(a, b + 1):
            up = up_a + (up_b - up_a) * (column - a) / max(b - a, 1)
            rows[round((1.0 - up) * (height - 1))][column] = "."
    for (column, up), loss in zip(places, curve.losses, strict=True):
        rows[round((1.0 - up) * (height - 1))][column] = "o" if math.isfinite(loss) else "x"
    labels = {0: f"{scale.highest:.3g}", height - 1: f"{scale.lowest:.3g}"}
    lines = [f"{labels.get(k, ''):>6} {''.join(row)}".rstrip() for k, row in enumerate(rows)]
    low, high = (round(min(max(scale.x(r), 0.0), 1.0) * inner) for r in (curve.low, curve.high))
    marks = ["=" if low <= column <= high else "-" for column in range(inner + 1)]
    ends = f"{curve.rates[0]:.2g}", f"{curve.rates[-1]:.2g}"
    said = f"{curve.low:.2g} to {curve.high:.2g} are right"
    middle = said.center(max(inner + 1 - len(ends[0]) - len(ends[1]), len(said) + 2))
    return "\n".join([*lines, f"{'':7}{''.join(marks)}", f"{'':7}{ends[0]}{middle}{ends[1]}"])


def svg(curve: Curve, title: str = "") -> str:
    """Return the curve as a picture: the loss over the learning rate, its zones in colours."""
    scale = _Scale(curve)
    across, up = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(rate: float) -> float:
        return _LEFT + across * min(max(scale.x(rate), 0.0), 1.0)

    def y(loss: float) -> float:
        return _TOP + up * (1.0 - scale.y(loss))

    edges = [x(curve.rates[0]), x(curve.low), x(curve.high), x(curve.rates[-1])]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title or curve.summary())}</text>',
    ]
    for k, (a, b) in enumerate(pairwise(edges)):
        parts.append(
            f'<rect x="{a:.1f}" y="{_TOP}" width="{max(b - a, 0.0):.1f}" height="{up}" '
            f'fill="{_COLOURS[k]}"/>'
        )
        words = _ZONES[k] if b - a > 7.0 * len(_ZONES[k]) else _ZONES[k].partition(":")[0]
        if b - a > 6.5 * len(words):
            parts.append(
                f'<text x="{(a + b) / 2:.1f}" y="{_TOP - 8}" text-anchor="middle" '
                f'fill="#444">{words}</text>'
            )
    parts += _axes(curve, scale, x, y)
    points = [(x(r), y(v)) for r, v in zip(curve.rates, curve.losses, strict=True)]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#204a87" stroke-width="2"/>')
    for (a, b), loss in zip(points, curve.losses, strict=True):
        fill = "#204a87" if math.isfinite(loss) else "white"
        parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{fill}" stroke="#204a87"/>')
    best = x(curve.best)
    parts.append(
        f'<line x1="{best:.1f}" y1="{_TOP}" x2="{best:.1f}" y2="{_TOP + up}" stroke="#2a7f2a" '
        f'stroke-width="2" stroke-dasharray="5 4"/>'
    )
    return "\n".join([*parts, "</svg>", ""])


def _axes(
    curve: Curve, scale: _Scale, x: Callable[[float], float], y: Callable[[float], float]
) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    parts = []
    for power in range(math.ceil(scale.first - 1e-9), math.floor(scale.last + 1e-9) + 1):
        at = x(10.0**power)
        parts.append(
            f'<line x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{bottom + 5}" stroke="#444"/>'
            f'<text x="{at:.1f}" y="{bottom + 20}" text-anchor="middle">{10.0**power:g}</text>'
        )
    for loss in (scale.lowest, (scale.lowest + scale.highest) / 2.0, scale.highest):
        at = y(loss)
        parts.append(
            f'<line x1="{_LEFT - 5}" y1="{at:.1f}" x2="{_LEFT}" y2="{at:.1f}" stroke="#444"/>'
            f'<text x="{_LEFT - 9}" y="{at + 4:.1f}" text-anchor="end">{loss:.3g}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 14}" text-anchor="middle">learning rate '
        f"({escape(curve.rule)}); loss after {curve.horizon} steps with a decayed end</text>"
    )
    return parts
