"""Loss layers that ask for a margin; the functions are in `schuss.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.losses import Loss, MarginLoss, WeightedLoss

__all__ = ["HingeEmbeddingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss"]
__all__ += ["MultiMarginLoss", "SoftMarginLoss", "TripletMarginWithDistanceLoss"]


class HingeEmbeddingLoss(MarginLoss):
    """Return x where y is 1, and max(0, margin - x) where y is -1.

    Args:
        margin: the distance that should be between what does not belong together.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.HingeEmbeddingLoss()(tensor([0.25]), tensor([-1])).item()
    0.75
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of distances against a target of 1 and -1."""
        return functional.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """Return log(1 + exp(-y * x)).

    Args:
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> round(nn.SoftMarginLoss()(tensor([0.0]), tensor([1])).item(), 4)
    0.6931
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores against a target of 1 and -1 of the same shape."""
        return functional.soft_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """Return the mean over the classes of max(0, margin - x[y] + x[i])^p, with 0 for the class y.

    Args:
        p: 1 or 2.
        margin: by how much the right class has to be ahead.
        weight: a factor for each class y, of shape (classes,), or None.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.MultiMarginLoss()(tensor([[0.5, 1.0]]), tensor([1])).item()
    0.25
    """

    _shown = "p={0.p}, margin={0.margin}, reduction={0.reduction!r}"

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (batch, classes) against classes (batch,)."""
        return functional.multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(Loss):
    """Return the sum of max(0, 1 - x[j] + x[i]) over right classes j and others i, over classes.

    Args:
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> scores, right = tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([[3, 0, -1, 1]])
    >>> round(nn.MultiLabelMarginLoss()(scores, right).item(), 4)
    0.85
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (batch, classes) against right classes, -1 behind them."""
        return functional.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Return the mean over the classes of -y * log(s) - (1 - y) * log(1 - s), s = sigmoid(x).

    Args:
        weight: a factor for each class, of shape (classes,), or None.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> loss = nn.MultiLabelSoftMarginLoss()
    >>> round(loss(tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]])).item(), 4)
    0.6931
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (..., classes) against 1 and 0 of the same shape."""
        return functional.multilabel_soft_margin_loss(
            input, target, self.weight, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(MarginLoss):
    """Return max(0, margin + distance(anchor, positive) - distance(anchor, negative)).

    Args:
        distance_function: the distance of two tensors; `PairwiseDistance` by default.
        margin: by how much farther the negative has to be, above 0.
        swap: whether the distance from the positive to the negative counts where it is smaller.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> x, far = tensor([[0.0, 0.0]]), tensor([[3.0, 4.0]])
    >>> def city_block(a, b):
    ...     return (a - b).abs().sum(-1)
    >>> nn.TripletMarginWithDistanceLoss(distance_function=city_block)(x, far, x).item()
    8.0
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, reduction=reduction)
        self.distance_function = distance_function
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of three tensors of the same shape."""
        return functional.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
