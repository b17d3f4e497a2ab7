"""Finding: one thing that is wrong, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: "dead units", "saturated units", "duplicate units", "vanishing gradients",
            "exploding gradients", "collapsed outputs" or "contradicting labels".
        layer: name of the layer, or empty.
        text: what is wrong, for people.
        amount: which share of the units or rows, or how many times too large or small.
    """

    kind: str
    layer: str
    text: str
    amount: float

    def __str__(self) -> str:
        return self.text
