"""Objective: the training loss, with sample weights."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from schuss.core import Tensor
from schuss.errors import UsageError
from schuss.nn import functional
from schuss.nn.module import Module
from schuss.training.arguments import look_up

__all__ = ["LOSSES", "Objective"]

Loss: TypeAlias = Callable[..., Tensor]

LOSSES: dict[str, Loss] = {
    "cross_entropy": functional.cross_entropy,
    "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": functional.huber_loss,
}


class Objective:
    """The mean loss of a batch, weighted by rows.

    Args:
        loss: a name from LOSSES; a layer or function of `schuss.nn`; or any function of (output,
            target) that returns one number. One that takes `weights` gets the rows' weights, and
            the output as the model gives it.

    Raises:
        UsageError: if there is no loss of that name.

    >>> from schuss import tensor
    >>> Objective("mse")(tensor([[1.0], [2.0]]), tensor([1.0, 4.0])).item()
    2.0
    """

    def __init__(self, loss: str | Loss) -> None:
        if isinstance(loss, str):
            loss = look_up("Trainer", "loss", loss, LOSSES)
        if not callable(loss):
            raise UsageError(
                f"Trainer: expected a loss's name or a function of (output, target), got "
                f"{type(loss).__name__}."
            )
        self.loss = loss
        names = _parameters(loss)
        self._takes_weights = "weights" in names
        self._each: Loss | None = None
        if isinstance(loss, Module) and hasattr(loss, "reduction"):
            self._each = copy.copy(loss)
            self._each.__dict__["reduction"] = "none"
        elif "reduction" in names:
            self._each = lambda output, y: loss(output, y, reduction="none")

    @property
    def weighs(self) -> bool:
        """Whether rows can have weights."""
        return self._takes_weights or self._each is not None

    def refuse_weights(self) -> NoReturn:
        """Raise the error of rows that have weights which the loss cannot take."""
        raise UsageError(
            "Trainer: this loss cannot weigh rows; give it an argument `weights` or "
            "`reduction`, or leave the weights out."
        )

    def __call__(self, output: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return sum(weight * loss) / rows: weights have mean 1 over all training rows."""
        if self._takes_weights:
            if weight is None:
                return self.loss(output, y)
            # Such a loss divides by the batch's weights; the mean over rows is what is unbiased.
            return self.loss(output, y, weights=weight) * weight.mean()
        output, y = _aligned(output, y)
        if weight is None:
            return self.loss(output, y)
        if self._each is None:
            self.refuse_weights()
        each = self._each(output, y)
        if each.ndim > 1:
            each = each.reshape((each.shape[0], -1)).mean(axis=1)
        return (each * weight).mean()


def _parameters(loss: Loss) -> frozenset[str]:
    try:
        return frozenset(
            inspect.signature(loss.forward if isinstance(loss, Module) else loss).parameters
        )
    except (TypeError, ValueError):
        return frozenset()


def _aligned(output: Any, y: Tensor) -> tuple[Any, Tensor]:
    """Give float targets of shape (rows,) the shape (rows, 1) of a network with one output."""
    if isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] == 1 and y.ndim == 1:
        return output, y.reshape((-1, 1)).astype(output.array.dtype)
    return output, y
