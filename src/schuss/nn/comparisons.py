"""Loss layers of pairs and triplets; the functions are in `schuss.nn.functional`."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.losses import MarginLoss

__all__ = ["CosineEmbeddingLoss", "MarginRankingLoss", "TripletMarginLoss"]


class MarginRankingLoss(MarginLoss):
    """Return max(0, margin - y * (x1 - x2)), for a target y of 1 or -1.

    Args:
        margin: by how much the one that should be larger has to be.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.MarginRankingLoss()(tensor([1.0]), tensor([3.0]), tensor([1.0])).item()
    2.0
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors and a target of the same shape."""
        return functional.margin_ranking_loss(
            input1, input2, target, self.margin, reduction=self.reduction
        )


class CosineEmbeddingLoss(MarginLoss):
    """Return 1 - cos(x1, x2) where y is 1, and max(0, cos(x1, x2) - margin) where it is -1.

    Args:
        margin: the cosine that vectors may have that do not belong together.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> x = tensor([[1.0, 0.0]])
    >>> nn.CosineEmbeddingLoss()(x, x, tensor([1])).item()
    0.0
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss of vectors (batch, features) and a target (batch,)."""
        return functional.cosine_embedding_loss(
            input1, input2, target, self.margin, reduction=self.reduction
        )


class TripletMarginLoss(MarginLoss):
    """Return max(0, margin + distance(anchor, positive) - distance(anchor, negative)).

    Args:
        margin: by how much farther the negative has to be.
        p: of the norm of distances.
        eps: added to each difference.
        swap: whether the distance from the positive to the negative counts where it is smaller.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> x, far = tensor([[0.0, 0.0]]), tensor([[3.0, 4.0]])
    >>> round(nn.TripletMarginLoss()(x, far, x).item(), 3)
    6.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, reduction=reduction)
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of three tensors of shape (batch, features)."""
        return functional.triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
        )
