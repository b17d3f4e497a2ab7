"""Gradients of tensors that were computed, by others that they were computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.backprop import accumulate, initial_error, reverse
from schuss.core import RECORDING, Tensor, TensorLike, leaf, tensor
from schuss.functions import stack

__all__ = ["Variable", "backward", "grad"]

Tensors = Tensor | Sequence[Tensor]


def _several(x: Any) -> list[Any]:
    return list(x) if isinstance(x, tuple | list) else [x]


def _errors(owner: str, outputs: list[Tensor], given: Any) -> list[Tensor]:
    """Return the errors in the outputs: what was given, 1 for a single element."""
    errors = [None] * len(outputs) if given is None else _several(given)
    if len(errors) != len(outputs):
        raise ValueError(
            f"{owner}: expected a gradient for each of {len(outputs)} outputs, got {len(errors)}."
        )
    for y in outputs:
        if not y.requires_grad:
            raise RuntimeError(
                f"{owner}: expected results of tensors that require a gradient, got one of shape "
                f"{y.shape} that depends on none; set requires_grad=True, and compute outside "
                "no_grad()."
            )
    return [initial_error(y, e) for y, e in zip(outputs, errors, strict=True)]


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: TensorLike | Sequence[TensorLike | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of outputs (their sum) by inputs, without touching any `.grad`.

    Args:
        outputs: results of operations.
        inputs: what they were computed from, leaves or results on the way.
        grad_outputs: the error in each output, of its shape; 1 for a single element.
        retain_graph: whether another pass may go through the same graph; as `create_graph` by
            default.
        create_graph: whether the gradients can be differentiated themselves.
        only_inputs: True, as no other `.grad` is touched.
        allow_unused: whether an input may have no part in the outputs; its gradient is None.
        is_grads_batched: whether `grad_outputs` have a first axis more, over which the results are
            stacked.
        materialize_grads: zeros in the place of None.

    Returns:
        A gradient for each input, of its shape.

    Raises:
        RuntimeError: for an input that requires no gradient or has no part in the outputs.

    >>> from schuss import autograd, tensor
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> (slope,) = autograd.grad((x**3).sum(), x, create_graph=True)
    >>> autograd.grad(slope.sum(), x)[0]
    tensor([ 6., 12.])
    """
    results, targets = _several(outputs), _several(inputs)
    if not only_inputs:
        raise ValueError("grad: expected only_inputs=True; use backward() for every leaf.")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads allows unused inputs; leave allow_unused out.")
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        batches = [_several(g) for g in zip(*_several(grad_outputs), strict=True)]
        rest = (True, create_graph, True, allow_unused, False, True)
        rows = [grad(results, targets, errors, *rest) for errors in batches]
        return tuple(stack(list(column)) for column in zip(*rows, strict=True))
    for x in targets:
        if not x.requires_grad:
            raise RuntimeError(
                f"grad: expected inputs that require a gradient, got one of shape {x.shape} that "
                "does not; set requires_grad=True before it is used."
            )
    token = RECORDING.set(create_graph)
    try:
        errors = _errors("grad", results, grad_outputs)
        wanted = frozenset(targets)
        arrived = reverse(results, errors, targets=wanted, beyond=True, retain_graph=keep)
    finally:
        RECORDING.reset(token)
    missing = [x for x in targets if x not in arrived]
    if missing and not (allow_unused or materialize_grads):
        raise RuntimeError(
            f"grad: expected inputs that have a part in the outputs, got one of shape "
            f"{missing[0].shape} that has none; allow_unused=True gives None for it."
        )
    if materialize_grads:
        arrived |= {x: leaf(np.zeros(x.shape, x.dtype)) for x in missing}
    return tuple(arrived.get(x) for x in targets)


def backward(
    tensors: Tensors,
    grad_tensors: TensorLike | Sequence[TensorLike | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of tensors (their sum) to `.grad` of the leaves, or of `inputs` alone.

    Args:
        tensors: results of operations.
        grad_tensors: the error in each, of its shape; 1 for a single element.
        retain_graph: whether another pass may go through the same graph; as `create_graph` by
            default.
        create_graph: whether the gradients can be differentiated themselves.
        inputs: what gradients are added to; every leaf that requires one by default.
    """
    roots = _several(tensors)
    token = RECORDING.set(create_graph)
    try:
        accumulate(
            roots,
            _errors("backward", roots, grad_tensors),
            inputs=None if inputs is None else _several(inputs),
            retain_graph=create_graph if retain_graph is None else retain_graph,
        )
    finally:
        RECORDING.reset(token)


def Variable(data: TensorLike, requires_grad: bool = False) -> Tensor:  # noqa: N802  # PyTorch's
    """Return a tensor of the same values: the name that tensors with gradients once had."""
    made = data.detach() if isinstance(data, Tensor) else tensor(data)
    return made.requires_grad_(requires_grad) if requires_grad else made
