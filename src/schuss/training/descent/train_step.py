"""One training step, as a single function of the batch that a compiler can take whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from schuss.core import Tensor
from schuss.nn.module import Module
from schuss.optim import Optimizer, clip_grad_norm_, clip_grad_value_
from schuss.training.descent.health import Health
from schuss.training.evaluation.objective import Objective

__all__ = ["Step", "make_contiguous", "make_step"]

Step: TypeAlias = Callable[..., "tuple[Tensor, Tensor | None]"]


def make_step(
    model: Module,
    objective: Objective,
    optimizer: Optimizer,
    *,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> Step:
    """Return the function (inputs, y, weight, measured) -> (loss, figures) that takes one step.

    The figures are those of `Health`, or None where the step is not measured.

    Args:
        model: what is trained; called with the inputs.
        objective: gives the loss of output and target.
        optimizer: over the model's parameters.
        clip_norm: largest norm of all gradients together, or None.
        clip_value: largest absolute value of a gradient's element, or None.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    health = Health(model, parameters)

    def step(
        inputs: Sequence[Tensor], y: Tensor, weight: Tensor | None, *, measured: bool
    ) -> tuple[Tensor, Tensor | None]:
        def backward() -> Tensor:
            loss = objective(model(*inputs), y, weight)
            optimizer.zero_grad()
            loss.backward()
            return loss

        def clip() -> None:
            if clip_value is not None:
                clip_grad_value_(parameters, clip_value)
            if clip_norm is not None:
                clip_grad_norm_(parameters, clip_norm)

        def again() -> Tensor:
            loss = backward()
            clip()
            return loss

        loss = backward()
        before = health.before(loss.array.dtype) if measured else None
        clip()
        if optimizer.needs_closure:
            optimizer.step(again)
        else:
            optimizer.step()
        figures = None if before is None else health.after(before, loss.array.dtype)
        # What nobody reads need not be kept: a compiled step then never writes gradients out.
        optimizer.zero_grad()
        return loss.detach(), figures

    return step


def make_contiguous(parameters: Sequence[Tensor]) -> None:
    """Lay parameters out in C order, as they are when read from a file.

    A matrix product's last bits can depend on the layout; so a resumed run and the unbroken one
    are the same only if the layout is.
    """
    for parameter in parameters:
        if not parameter.array.flags.c_contiguous:
            # Not `assign`, which keeps the memory.
            parameter.array = np.ascontiguousarray(parameter.array)
