"""Where a loss that is not finite began: the layer, and the rows of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, no_grad
from schuss.nn.module import Module
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.objective import Objective

__all__ = ["Blame", "find_blame"]


@dataclass(frozen=True)
class Blame:
    """Where something that is not finite began.

    Args:
        layer: the first layer whose output is not finite, as people call it; empty for none.
        rows: positions of the rows whose inputs, targets or outputs are not finite.
        loss: of the batch.
    """

    layer: str
    rows: Array
    loss: float

    @property
    def is_finite(self) -> bool:
        """Whether nothing is wrong."""
        return bool(np.isfinite(self.loss)) and not len(self.rows)


def find_blame(model: Module, objective: Objective, examples: Examples, rows: Array) -> Blame:
    """Run a batch through the model as it is, and look at what comes out of each layer.

    Args:
        model: whose weights and buffers may change as in a training step.
        objective: gives the loss.
        examples: all rows.
        rows: positions of the batch's rows.
    """
    inputs, y, weight = examples.batch(rows)
    began: list[str] = []
    kept = []
    for name, layer in model.named_modules():
        if next(layer.children(), None) is None or layer is model:

            def look(module: Module, given: Any, output: Any, name: str = name) -> None:
                if not began and not all(map(_is_finite, _tensors(output))):
                    kind = type(module).__name__
                    began.append(f"{name} ({kind})" if name else kind)

            kept.append(layer.register_forward_hook(look))
    try:
        with no_grad():
            output = model(*inputs)
            loss = float(objective(output, y, weight).item())
    finally:
        for handle in kept:
            handle.remove()
    bad = np.zeros(len(rows), bool)
    for tensor in (*inputs, y, *_tensors(output)):
        if tensor.ndim and len(tensor.array) == len(rows) and tensor.array.dtype.kind == "f":
            bad |= ~np.isfinite(tensor.array.reshape(len(rows), -1)).all(axis=1)
    return Blame(began[0] if began else "", np.asarray(rows)[bad], loss)


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, dict) else output
    return (
        [t for part in parts for t in _tensors(part)]
        if isinstance(output, (tuple, list, dict))
        else []
    )


def _is_finite(tensor: Tensor) -> bool:
    return tensor.array.dtype.kind != "f" or bool(np.isfinite(tensor.array).all())
