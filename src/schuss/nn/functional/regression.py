"""Losses of numbers and of distributions: squared and absolute errors, and between them."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.functions.losses import huber
from schuss.nn.functional._checks import check_pair, check_regression, reduced, require_reduction


def mse_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """Return the squared error, (x - y)^2.

    Args:
        input: float tensor of any shape.
        target: a tensor of the same shape; another that can be broadcast comes with a warning.
        reduction: "mean", "sum" or "none"; with a weight, "mean" divides by its sum.
        weight: a factor for each element, broadcastable to the input, or None.

    Raises:
        ValueError: on a shape that cannot be broadcast, or an unknown reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> mse_loss(ss.tensor([1.0, 2.0]), ss.tensor([1.0, 4.0])).item()
    2.0
    """
    input, target = check_regression("mse_loss", input, target)
    error = input - target
    return _weighted("mse_loss", error * error, weight, reduction)


def l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """Return the absolute error, |x - y|; its derivative at 0 is 0.

    Args:
        input: float tensor of any shape.
        target: a tensor of the same shape; another that can be broadcast comes with a warning.
        reduction: "mean", "sum" or "none"; with a weight, "mean" divides by its sum.
        weight: a factor for each element, broadcastable to the input, or None.

    Raises:
        ValueError: on a shape that cannot be broadcast, or an unknown reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> l1_loss(ss.tensor([1.0, 2.0]), ss.tensor([1.0, 4.0])).item()
    1.0
    """
    input, target = check_regression("l1_loss", input, target)
    error = input - target
    return _weighted("l1_loss", ops.abs(error), weight, reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    *,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return e^2 / 2 where |e| <= delta, and delta * (|e| - delta / 2) elsewhere; e = x - y.

    Huber, 1964.

    Args:
        input: float tensor of any shape.
        target: a tensor of the same shape; another that can be broadcast comes with a warning.
        reduction: "mean", "sum" or "none".
        delta: where the parabola becomes a straight line, above 0.
        weight: a factor for each element, broadcastable to the input, or None.

    Raises:
        ValueError: on a shape that cannot be broadcast, a delta that is not above 0, or an unknown
            reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> x, y = ss.tensor([0.5, 3.0]), ss.tensor([0.0, 0.0])
    >>> huber_loss(x, y, reduction="none").tolist()
    [0.125, 2.5]
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: expected delta above 0, got {delta}.")
    input, target = check_regression("huber_loss", input, target)
    loss = huber(input, target, delta=delta, scale=1.0)
    return reduced("huber_loss", loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Return e^2 / (2 * beta) where |e| < beta, and |e| - beta / 2 elsewhere; e = x - y.

    Girshick, 2015, arXiv 1504.08083.

    Args:
        input: float tensor of any shape.
        target: a tensor of the same shape; another that can be broadcast comes with a warning.
        reduction: "mean", "sum" or "none".
        beta: where the parabola becomes a straight line; 0 gives the absolute error.

    Raises:
        ValueError: on a shape that cannot be broadcast, a negative beta, an unknown reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> smooth_l1_loss(ss.tensor([3.0]), ss.tensor([0.0]), beta=2.0).item()
    2.0
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: expected beta >= 0, got {beta}.")
    input, target = check_regression("smooth_l1_loss", input, target)
    loss = (
        ops.abs(input - target) if beta == 0 else huber(input, target, delta=beta, scale=1.0 / beta)
    )
    return reduced("smooth_l1_loss", loss, reduction)


def kl_div(
    input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return the Kullback-Leibler divergence, y * (log(y) - x), with 0 where y is 0 and nan below.

    Args:
        input: log-probabilities of any shape.
        target: probabilities of the same shape, or their logarithms with `log_target`.
        reduction: "batchmean" (the sum over the length of axis 0, the true divergence), "mean",
            "sum" or "none".
        log_target: whether the target holds logarithms.

    Raises:
        ValueError: on another shape, or an unknown reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> same = ss.tensor([[0.5, 0.5]])
    >>> kl_div(ss.functions.log(same), same, reduction="batchmean").item()
    0.0
    """
    owner = "kl_div"
    require_reduction(owner, reduction, ("none", "mean", "batchmean", "sum"))
    target = check_pair(owner, input, target)
    if log_target:
        loss = ops.exp(target) * (target - input)
    else:
        some = ops.not_equal(target, 0)
        loss = target * ops.log(ops.where(some, target, 1.0)) - target * input
    if reduction == "batchmean":
        return ops.sum(loss) / (input.shape[0] if input.ndim else 1)
    return reduced(owner, loss, reduction)


def _weighted(owner: str, loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduced(owner, loss, reduction)
    loss = loss * weight
    if reduction == "mean":
        return ops.sum(loss) / ops.sum(ops.broadcast_to(weight, loss.shape))
    return reduced(owner, loss, reduction)
