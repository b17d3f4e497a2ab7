"""Loss layers; the functions are in `schuss.nn.functional`."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.functional._checks import require_reduction
from schuss.nn.module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
    "MarginLoss",
    "NLLLoss",
    "SmoothL1Loss",
    "WeightedLoss",
]


class Loss(Module):
    """What all losses have: a reduction."""

    _shown = "reduction={0.reduction!r}"
    reductions: tuple[str, ...] = ("none", "mean", "sum")

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        require_reduction(type(self).__name__, reduction, self.reductions)
        self.reduction = reduction


class MarginLoss(Loss):
    """What losses with a margin have."""

    _shown = "margin={0.margin}, reduction={0.reduction!r}"

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin


class WeightedLoss(Loss):
    """What losses with factors for classes have."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class CrossEntropyLoss(WeightedLoss):
    """Cross-entropy of logits against classes, or against probabilities.

    With p = log_softmax(x): -weight[y] * p[y], or -sum(weight * y * p). Smoothing by s takes
    (1 - s) of the target and spreads s evenly over the classes. "mean" divides by the sum of the
    weights of the classes met (for probabilities, by the number of rows).

    Args:
        weight: one factor a class, of shape (classes,), or None.
        ignore_index: rows with this class count nothing.
        reduction: "mean", "sum" or "none".
        label_smoothing: in [0, 1].

    >>> from schuss import nn, tensor
    >>> loss = nn.CrossEntropyLoss()
    >>> round(loss(tensor([[0.0, 0.0]]), tensor([1])).item(), 4)
    0.6931
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits (batch, classes, ...) against classes (batch, ...)."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(WeightedLoss):
    """Negative log-likelihood, -weight[y] * x[y], of log-probabilities.

    Args:
        weight: one factor a class, of shape (classes,), or None.
        ignore_index: rows with this class count nothing.
        reduction: "mean" (divides by the sum of the weights of the classes met), "sum", "none".

    >>> from schuss import nn, tensor
    >>> nn.NLLLoss()(tensor([[-1.0, -2.0]]), tensor([1])).item()
    2.0
    """

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of log-probabilities (batch, classes, ...) at classes (batch, ...)."""
        return functional.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCEWithLogitsLoss(WeightedLoss):
    """Binary cross-entropy of logits: -(pos_weight * y * log(s) + (1 - y) * log(1 - s)).

    Here s = sigmoid(x); computed without overflow for any x.

    Args:
        weight: a factor for each element, broadcastable to the input, or None.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the positive part, broadcastable to the input, or None.

    >>> from schuss import nn, tensor
    >>> nn.BCEWithLogitsLoss()(tensor([1000.0]), tensor([0.0])).item()
    1000.0
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits against values from 0 to 1, of the same shape."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class BCELoss(WeightedLoss):
    """Binary cross-entropy of probabilities: -(y * log(p) + (1 - y) * log(1 - p)).

    Logarithms are limited to -100. `BCEWithLogitsLoss` is more exact.

    Args:
        weight: a factor for each element, broadcastable to the input, or None.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> round(nn.BCELoss()(tensor([0.5]), tensor([1.0])).item(), 4)
    0.6931
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of probabilities against values from 0 to 1, of the same shape."""
        return functional.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class MSELoss(Loss):
    """Squared error, (x - y)^2.

    Args:
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
    2.0
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of the same shape."""
        return functional.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """Absolute error, |x - y|.

    Args:
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.L1Loss()(tensor([1.0, 2.0]), tensor([1.0, 4.0])).item()
    1.0
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of the same shape."""
        return functional.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """Huber's loss: e^2 / 2 where |e| <= delta, delta * (|e| - delta / 2) elsewhere; e = x - y.

    Args:
        reduction: "mean", "sum" or "none".
        delta: where the parabola becomes a straight line, above 0.

    >>> from schuss import nn, tensor
    >>> nn.HuberLoss()(tensor([3.0]), tensor([0.0])).item()
    2.5
    """

    _shown = "reduction={0.reduction!r}, delta={0.delta}"

    def __init__(self, *, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of the same shape."""
        return functional.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SmoothL1Loss(Loss):
    """Return e^2 / (2 * beta) where |e| < beta, and |e| - beta / 2 elsewhere; e = x - y.

    Args:
        reduction: "mean", "sum" or "none".
        beta: where the parabola becomes a straight line; 0 gives the absolute error.

    >>> from schuss import nn, tensor
    >>> nn.SmoothL1Loss(beta=2.0)(tensor([3.0]), tensor([0.0])).item()
    2.0
    """

    _shown = "reduction={0.reduction!r}, beta={0.beta}"

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of two tensors of the same shape."""
        return functional.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence, y * (log(y) - x), of log-probabilities x.

    Args:
        reduction: "batchmean" (the sum over the length of axis 0, the true divergence), "mean",
            "sum" or "none".
        log_target: whether the target holds logarithms.

    >>> from schuss import nn, tensor
    >>> nn.KLDivLoss(log_target=True)(tensor([[-1.0]]), tensor([[-1.0]])).item()
    0.0
    """

    reductions = ("none", "mean", "batchmean", "sum")

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the divergence of log-probabilities from a target of the same shape."""
        return functional.kl_div(
            input, target, reduction=self.reduction, log_target=self.log_target
        )
