"""The loss of labels without places in a longer sequence."""

from __future__ import annotations

from typing import Any

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.losses import Loss

__all__ = ["CTCLoss"]


class CTCLoss(Loss):
    """Return -log of the probability of labels, over all ways of placing them in a sequence.

    Graves et al., 2006; see `functional.ctc_loss`.

    Args:
        blank: the class that stands for no label.
        reduction: "mean" (of the losses, each over its number of labels), "sum" or "none".
        zero_infinity: whether a loss of infinity, of more labels than there is room for, counts 0.

    >>> import math
    >>> from schuss import full, nn, tensor
    >>> even = full((2, 1, 2), math.log(0.5))
    >>> round(nn.CTCLoss()(even, tensor([[1]]), tensor([2]), tensor([1])).item(), 4)
    0.2877
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        """Return the loss.

        Args:
            log_probs: floats of shape (steps, batch, classes), or without batch: logarithms.
            targets: labels of shape (batch, longest), or all of them one behind the other.
            input_lengths: how many steps each row has, of shape (batch,).
            target_lengths: how many labels each row has, of shape (batch,).
        """
        return functional.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction,
            self.zero_infinity,
        )  # fmt: skip
