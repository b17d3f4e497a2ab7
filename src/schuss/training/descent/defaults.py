"""What a training does where nothing is said: its rule, its decay, its batches, its schedule."""

from __future__ import annotations

from schuss.nn.module import Module
from schuss.optim import NAdam, Optimizer

__all__ = ["SCHEDULE", "default_batch_size", "default_optimizer", "set_decay", "usual_rate"]

SCHEDULE = "warm_cosine"

# Found by a search over the networks of the AlgoPerf benchmark at once (rounded; Kasimbeg et al.,
# "How far away are truly hyperparameter-free learning algorithms?", arXiv 2505.24005).
_BETAS = (0.93, 0.995)
# Sum of learning rate times decay over all steps, at a constant rate, where weights are many.
_TOTAL_DECAY = 1.0
# Weights are many where there are so many for each number to be learned.
_MANY_WEIGHTS = 4.0


def usual_rate(parameters: int) -> float:
    """Return a learning rate of Adam's kind that is usual for networks of such a size.

    >>> [round(usual_rate(size), 5) for size in (1_000, 100_000, 100_000_000)]
    [0.00889, 0.00281, 0.0005]
    """
    return float(min(max(5e-3 * (1e4 / max(parameters, 1)) ** 0.25, 3e-4), 1e-2))


def default_optimizer(
    model: Module, lr: float | None = None, weight_decay: float | None = None
) -> Optimizer:
    """Return NAdam with decoupled weight decay, of matrices and what has more axes alone.

    Args:
        model: whose parameters are trained.
        lr: learning rate; None for a usual one.
        weight_decay: decay; None for 0 until `decay` is set.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": held, "weight_decay": (weight_decay or 0.0) if decays else 0.0}
        for decays in (True, False)
        if (held := [p for p in parameters if (p.ndim > 1) is decays])
    ]
    rate = usual_rate(sum(p.size for p in parameters)) if lr is None else lr
    return NAdam(groups or parameters, lr=rate, betas=_BETAS, decoupled_weight_decay=True)


def set_decay(optimizer: Optimizer, numbers: int, steps: int) -> None:
    """Give matrices a weight decay for so many steps, the less the more there is to learn from.

    Over the whole training a weight that nothing holds shrinks by the same share, whatever the
    learning rate and the number of steps are.

    Args:
        optimizer: as `default_optimizer` made it, with its learning rates.
        numbers: how many numbers the targets have, or classes of rows.
        steps: of the whole training.
    """
    weights: int = sum(p.size for group in optimizer.param_groups for p in group["params"])
    total = _TOTAL_DECAY * min(weights / (_MANY_WEIGHTS * max(numbers, 1)), 1.0)
    for group in optimizer.param_groups:
        rate = float(group.get("initial_lr") or group["lr"])
        if group["params"][0].ndim > 1 and rate > 0.0:
            decay = total / (rate * max(steps, 1))
            group["weight_decay"] = group["initial_weight_decay"] = decay


def default_batch_size(rows: int) -> int:
    """Return the power of two nearest to the root of the number of rows, from 16 to 256.

    >>> [default_batch_size(rows) for rows in (100, 2_000, 60_000, 10_000_000)]
    [16, 32, 256, 256]
    """
    size = 16
    while size < 256 and rows > 2 * size * size:
        size *= 2
    return size
