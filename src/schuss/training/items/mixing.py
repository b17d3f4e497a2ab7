"""Mixing: examples between two others, whose labels are shared in proportion.

Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412,
with the shares of the uniform distribution. The partner of each example is the one at its place
from the batch's end, since the order of a batch is random already.
"""

from __future__ import annotations

from schuss import functions as F
from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.losses import CrossEntropyLoss
from schuss.primitives.movement import flip

__all__ = ["MixedCrossEntropyLoss", "mixed"]


def mixed(x: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Return a batch mixed with itself turned round, and the share that each example keeps.

    Args:
        x: inputs, shape (batch, ...).
        draws: uniform numbers in [0, 1), shape (batch,).

    Returns:
        The mixture, and the shares: from a half to 1, shape (batch,).
    """
    share = F.maximum(draws, 1.0 - draws)
    own = F.reshape(share, (x.shape[0], *[1] * (x.ndim - 1)))
    return x * own + flip(x, 0) * (1.0 - own), share


class MixedCrossEntropyLoss(CrossEntropyLoss):
    """Cross-entropy of logits; of (logits, shares) of a batch that `mixed` made, that of both.

    share * loss(logits, y) + (1 - share) * loss(logits, y of the partner)

    >>> from schuss import tensor
    >>> logits, y = tensor([[1.0, 0.0], [2.0, 0.0]]), tensor([0, 1])
    >>> loss = MixedCrossEntropyLoss()
    >>> loss((logits, tensor([1.0, 1.0])), y).item() == loss(logits, y).item()
    True
    """

    def forward(self, input: Tensor | tuple[Tensor, Tensor], target: Tensor) -> Tensor:
        """Return the loss.

        Args:
            input: logits, (batch, classes), or these and the shares of a mixture, (batch,).
            target: classes, (batch,).
        """
        if isinstance(input, Tensor):
            return super().forward(input, target)
        logits, share = input
        own, partner = (
            functional.cross_entropy(
                logits, y, self.weight, reduction="none", label_smoothing=self.label_smoothing
            )
            for y in (target, flip(target, 0))
        )
        each: Tensor = own * share + partner * (1.0 - share)
        return each if self.reduction == "none" else F.mean(each)
