"""Losses of what a boolean mask picks in a compiled function, where nobody knows how much it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from schuss import functions as ops
from schuss.core import Tensor
from schuss.functions.selected import Selected, spread

__all__ = ["take_selected"]

_ELEMENTWISE = frozenset(f"{name}_loss" for name in ("mse", "l1", "huber", "smooth_l1")) | {
    "binary_cross_entropy_with_logits"
}
_OF_CLASSES = frozenset(["cross_entropy", "nll_loss"])


def take_selected(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loss that takes what a mask picks, `loss(x[mask], y[mask])`, if it is one of these.

    Args:
        name: of the loss.
        call: the loss.
    """
    if name not in _ELEMENTWISE and name not in _OF_CLASSES:
        return call
    meant = _elementwise if name in _ELEMENTWISE else _of_classes

    @wraps(call)
    def taking(*arguments: Any, **options: Any) -> Any:
        pair = arguments[:2]
        if len(pair) == 2 and (type(pair[0]) is Selected or type(pair[1]) is Selected):
            found = meant(call, *arguments, **options)
            if found is not None:
                return found
        return call(*arguments, **options)

    return taking


def _elementwise(
    call: Callable[..., Tensor],
    input: Any,
    target: Any,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    **options: Any,
) -> Tensor | None:
    picked = input if isinstance(input, Selected) else target
    if weight is not None or reduction not in ("none", "mean", "sum"):
        return None
    pair = picked.beside(input), picked.beside(target)
    found = call(*pair, reduction="none", **options)
    loss = Selected(found, picked.mask, picked.after, picked.reason)
    return loss if reduction == "none" else getattr(loss, reduction)()


def _of_classes(
    call: Callable[..., Tensor],
    input: Any,
    target: Any,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    **options: Any,
) -> Tensor | None:
    if not isinstance(input, Selected) or input.after != 1:
        return None
    if input.values.ndim != input.mask.ndim + 1 or not isinstance(target, Tensor):
        return None
    classes = spread("index", target, input.mask, 0)
    if classes.dtype.kind != "i":
        return None
    logits = ops.reshape(input.values, (-1, input.values.shape[-1]))
    # What is not picked counts as what is to be ignored does.
    classes = ops.reshape(ops.where(input.mask, classes, ignore_index), (-1,))
    options |= {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    loss = call(logits, classes, **options)
    if reduction != "none":
        return loss
    return Selected(ops.reshape(loss, input.mask.shape), input.mask, 0, input.reason)
