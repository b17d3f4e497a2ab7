"""One step downhill, as a single function of the batch that a compiler can take whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from schuss import functions as ops
from schuss.nn.module import Module
from schuss.optim import Optimizer, clip_grad_norm_, clip_grad_value_
from schuss.optim.clip import get_total_norm
from schuss.tensor import Tensor, no_grad
from schuss.training.objective import Objective

__all__ = ["Step", "make_step"]

Step: TypeAlias = Callable[..., Tensor]


def make_step(
    model: Module,
    objective: Objective,
    optimizer: Optimizer,
    *,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> Step:
    """Return the function (inputs, y, weight) -> figures that takes one step.

    The figures are the loss and the norm of all gradients together, before they are clipped: a
    tensor of shape (2,).

    Args:
        model: what is trained; called with the inputs.
        objective: gives the loss of output and target.
        optimizer: over the model's parameters.
        clip_norm: largest norm of all gradients together, or None.
        clip_value: largest absolute value of a gradient's element, or None.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def step(inputs: Sequence[Tensor], y: Tensor, weight: Tensor | None) -> Tensor:
        loss = objective(model(*inputs), y, weight)
        optimizer.zero_grad()
        loss.backward()
        with no_grad():
            norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
            figures = ops.stack([loss.detach(), ops.astype(norm, loss.dtype)])
        if clip_value is not None:
            clip_grad_value_(parameters, clip_value)
        if clip_norm is not None:
            clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        # What nobody reads need not be kept: a compiled step then never writes gradients out.
        optimizer.zero_grad()
        return figures

    return step


def settle(parameters: Sequence[Tensor]) -> None:
    """Lay parameters out in C order, as they are when read from a file.

    A matrix product's last bits can depend on the layout; so a resumed run and the unbroken one
    are the same only if the layout is.
    """
    for parameter in parameters:
        if not parameter.array.flags.c_contiguous:
            parameter.assign(np.ascontiguousarray(parameter.array))
