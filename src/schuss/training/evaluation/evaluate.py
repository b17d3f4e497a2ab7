"""Evaluation: a model's outputs, loss and metrics on rows that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from schuss.core import Array, leaf, no_grad
from schuss.nn.module import Module
from schuss.training.evaluation.compiled_forward import CompiledForward
from schuss.training.evaluation.cost import BATCH_ROWS, one_thread_if_small
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.metrics import CLASS_METRICS, Metric, measure
from schuss.training.evaluation.objective import Objective

__all__ = ["evaluate", "outputs", "probabilities", "softmax"]


def softmax(logits: Array) -> Array:
    """Return exp(x) / sum(exp(x)) along the last axis, float64.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    raised = np.exp(shifted)
    found: Array = raised / raised.sum(axis=-1, keepdims=True)
    return found


def probabilities(output: Array) -> Array:
    """Turn logits (rows, classes), or one logit a row for two classes, into probabilities.

    >>> probabilities(np.array([0.0])).tolist()
    [[0.5, 0.5]]
    """
    if output.ndim == 2 and output.shape[1] > 1:
        return softmax(output)
    one = output.reshape(len(output)).astype(np.float64)
    return softmax(np.stack([np.zeros_like(one), one], axis=1))


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Put a model into evaluation mode, without graphs, and back into the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train(was_training)


def outputs(
    model: Module,
    examples: Examples,
    batch_rows: int = BATCH_ROWS,
    *,
    forward: CompiledForward | None = None,
) -> Array:
    """Return the model's outputs on all rows, in evaluation mode, without a graph.

    Args:
        model: called with each batch's inputs; left in the mode that it was in.
        examples: rows, of which the inputs are used.
        batch_rows: rows at a time.
        forward: the model as native code, or None.
    """
    with evaluating(model), one_thread_if_small(model, min(batch_rows, len(examples))):
        found = None if forward is None else forward(examples)
        if found is not None:
            return found
        parts = [model(*inputs).array for inputs, _, _ in examples.batches(batch_rows)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def evaluate(
    model: Module,
    objective: Objective,
    examples: Examples,
    metrics: Mapping[str, Metric],
    batch_rows: int = BATCH_ROWS,
    *,
    forward: CompiledForward | None = None,
) -> dict[str, float | None]:
    """Return the loss and each metric on some rows.

    Args:
        model: left in the mode that it was in.
        objective: gives the loss.
        examples: rows; with weights, every figure is weighted.
        metrics: functions by name. Those of classes in `schuss.training.evaluation.metrics` get
            probabilities, others the model's output.
        batch_rows: rows at a time.
        forward: the model as native code, or None.
    """
    total = counted = 0.0
    parts = []
    with evaluating(model):
        found = None if forward is None else forward(examples)
        for start in range(0, len(examples), batch_rows):
            part = slice(start, start + batch_rows)
            if found is None:
                inputs, y, weight = examples.batch(part)
                output = model(*inputs)
            else:
                y, weight = examples.targets(part)
                output = leaf(found[part])
            rows = y.shape[0]
            total += objective(output, y, weight).item() * rows
            counted += rows if weight is None else float(weight.array.sum(dtype=np.float64))
            if metrics:
                parts.append(output.array)
    loss = total / counted if counted else np.nan
    figures: dict[str, float | None] = {"loss": loss if np.isfinite(loss) else None}
    if metrics:
        output = parts[0] if len(parts) == 1 else np.concatenate(parts)
        figures |= _measured(metrics, examples, output)
    return figures


def _measured(
    metrics: Mapping[str, Metric], examples: Examples, output: Array
) -> dict[str, float | None]:
    if not np.isfinite(output).all():
        return dict.fromkeys(metrics)
    y, weight = examples.y, examples.weight
    if output.ndim == 2 and output.shape[1] == 1 and y.ndim == 1:
        output = output[:, 0]
    of_classes = {n: m for n, m in metrics.items() if CLASS_METRICS.get(n) is m}
    others = {n: m for n, m in metrics.items() if n not in of_classes}
    found = {}
    if of_classes:
        classes = y if y.dtype.kind in "iu" else y.astype(np.int64)
        found = measure(of_classes, classes, probabilities(output), weight)
    if others:
        found |= measure(others, y, output, weight)
    return {name: found[name] for name in metrics}
