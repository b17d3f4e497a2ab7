"""Loss layers that are negative log-likelihoods; the functions are in `schuss.nn.functional`."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.losses import Loss

__all__ = ["GaussianNLLLoss", "PoissonNLLLoss"]


class GaussianNLLLoss(Loss):
    """Return (log(v) + (x - y)^2 / v) / 2, with v = max(var, eps).

    Args:
        full: whether to add the constant log(2 * pi) / 2.
        eps: smallest variance, above 0.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.GaussianNLLLoss()(tensor([1.0]), tensor([3.0]), tensor([1.0])).item()
    2.0
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Return the loss of means and variances against numbers that were seen."""
        return functional.gaussian_nll_loss(
            input, target, var, self.full, self.eps, reduction=self.reduction
        )


class PoissonNLLLoss(Loss):
    """Return exp(x) - y * x, or x - y * log(x + eps) for rates that are no logarithms.

    Args:
        log_input: whether the input holds logarithms.
        full: whether to add what does not depend on the input, by Stirling's formula.
        eps: added to rates before the logarithm.
        reduction: "mean", "sum" or "none".

    >>> from schuss import nn, tensor
    >>> nn.PoissonNLLLoss()(tensor([0.0]), tensor([2])).item()
    1.0
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        *,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of rates against counts."""
        return functional.poisson_nll_loss(
            log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )
