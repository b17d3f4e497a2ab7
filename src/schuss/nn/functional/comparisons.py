"""Losses of pairs and triplets: which is larger, what belongs together."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn.functional._checks import check_broadcast, check_pair, reduced
from schuss.nn.functional.vectors import pairwise_distance


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """Return max(0, margin - y * (x1 - x2)).

    Args:
        input1: float tensor of any shape.
        input2: another one, of as many axes, with which it is broadcast.
        target: 1 where the first should be larger, -1 where the second should; broadcast, too.
        margin: by how much.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together, or an unknown reduction.

    >>> import schuss as ss
    >>> margin_ranking_loss(ss.tensor([1.0]), ss.tensor([3.0]), ss.tensor([1.0])).item()
    2.0
    """
    owner = "margin_ranking_loss"
    second, sign = check_broadcast(owner, input1, floats=False, input2=input2, target=target)
    if not input1.ndim == second.ndim == sign.ndim:
        raise ValueError(
            f"{owner}: expected tensors of the same number of axes, got shapes {input1.shape}, "
            f"{input2.shape} and {target.shape}."
        )
    loss = ops.clip(margin - sign * (input1 - second), 0.0, None)
    return reduced(owner, loss, reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """Return 1 - cos(x1, x2) where y is 1, and max(0, cos(x1, x2) - margin) where it is -1.

    Args:
        input1: float tensor of shape (batch, features) or (features,).
        input2: the same.
        target: 1 for vectors that belong together and -1 for others, of shape (batch,) or ().
        margin: the cosine that others may have, from -1 to 1.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together, or an unknown reduction.

    >>> import schuss as ss
    >>> x = ss.tensor([[1.0, 0.0]])
    >>> cosine_embedding_loss(x, x, ss.tensor([1])).item()
    0.0
    """
    check_pair("cosine_embedding_loss", input1, input2, floats=False)
    if target.shape != input1.shape[:-1]:
        raise ValueError(
            f"cosine_embedding_loss: expected target of shape {input1.shape[:-1]}, one for each "
            f"vector, got {target.shape}."
        )
    squares = (ops.sum(input1 * input1, -1) + 1e-12) * (ops.sum(input2 * input2, -1) + 1e-12)
    cosine = ops.sum(input1 * input2, -1) / ops.sqrt(squares)
    apart = ops.where(target == -1, ops.clip(cosine - margin, 0.0, None), 0.0)
    return reduced("cosine_embedding_loss", ops.where(target == 1, 1.0 - cosine, apart), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, margin + distance(anchor, positive) - distance(anchor, negative)).

    Args:
        anchor: float tensor of shape (batch, features) or (features,).
        positive: what should be near to it, of the same shape.
        negative: what should be far from it, of the same shape.
        margin: by how much farther.
        p: of the norm of distances.
        eps: added to each difference.
        swap: whether the distance from the positive to the negative counts where it is smaller.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on different shapes, a margin that is not positive, or an unknown reduction.

    >>> import schuss as ss
    >>> x, far = ss.tensor([[0.0, 0.0]]), ss.tensor([[3.0, 4.0]])
    >>> round(triplet_margin_loss(x, far, x).item(), 3)
    6.0
    """
    if not margin > 0:
        raise ValueError(f"triplet_margin_loss: expected margin above 0, got {margin}.")
    for x in (positive, negative):
        check_pair("triplet_margin_loss", anchor, x, floats=False)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = ops.minimum(far, pairwise_distance(positive, negative, p, eps))
    loss = ops.clip(margin + pairwise_distance(anchor, positive, p, eps) - far, 0.0, None)
    return reduced("triplet_margin_loss", loss, reduction)
