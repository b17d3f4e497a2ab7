"""Averages of weights over a training, by the names of `torch.optim.swa_utils`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias

from schuss.core import Tensor, int64, no_grad
from schuss.devices import require_cpu
from schuss.functions import zeros
from schuss.nn.module import Module
from schuss.nn.normalization import _BatchNorm
from schuss.optim.lr_scheduler.base import LRScheduler, per_group
from schuss.optim.optimizer import Optimizer

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn"]
__all__ += ["get_swa_avg_fn", "get_swa_multi_avg_fn", "update_bn"]

Average: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
Averages: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return an exponential average: decay * average + (1 - decay) * value.

    Args:
        decay: share of the old average that is kept, from 0 to 1.

    Raises:
        ValueError: if it is out of range.
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"get_ema_avg_fn: expected decay from 0 to 1, got {decay}.")

    def average(averaged: Tensor, value: Tensor, count: Tensor) -> Tensor:
        return averaged * decay + value * (1.0 - decay)

    return average


def get_swa_avg_fn() -> Average:
    """Return the plain mean: average + (value - average) / (count + 1)."""

    def average(averaged: Tensor, value: Tensor, count: Tensor) -> Tensor:
        return averaged + (value - averaged) / (count + 1)

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """Return what takes lists of values into lists of their exponential averages, in place."""
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Averages:
    """Return what takes lists of values into lists of their plain means, in place."""
    return _for_lists(get_swa_avg_fn())


def _for_lists(average: Average) -> Averages:
    def averages(averaged: Sequence[Tensor], values: Sequence[Tensor], count: Tensor) -> None:
        with no_grad():
            for held, value in zip(averaged, values, strict=True):
                held.copy_(average(held, value, count))

    return averages


class AveragedModel(Module):
    """A copy of a network whose parameters are averages of the network's.

    Izmailov et al., 2018, arXiv 1803.05407.

    Args:
        model: the network.
        device: "cpu" or None.
        avg_fn: returns the new average of (average, value, count of values so far).
        multi_avg_fn: changes lists of averages in place instead. The plain mean by default.
        use_buffers: average buffers, too; otherwise they are the network's.

    Raises:
        ValueError: if both functions are given.

    >>> from schuss import nn
    >>> model = nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedModel(model)
    >>> for weight in (1.0, 2.0, 6.0):
    ...     _ = model.weight.data.fill_(weight)
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.item()
    3.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: object = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        require_cpu("AveragedModel", device)
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: expected avg_fn or multi_avg_fn, got both.")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", zeros((), dtype=int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **options: Any) -> Any:
        """Return what the averaged network computes."""
        return self.module(*args, **options)

    def update_parameters(self, model: Module) -> None:
        """Take the network's parameters into the averages; the first ones are copied."""

        def of(network: Module) -> list[Tensor]:
            buffers: Iterator[Tensor] = network.buffers() if self.use_buffers else iter(())
            return [tensor.detach() for tensor in chain(network.parameters(), buffers)]

        averaged, values = of(self.module), of(model)
        with no_grad():
            if self.n_averaged == 0:
                for held, value in zip(averaged, values, strict=True):
                    held.copy_(value)
            elif self.multi_avg_fn is not None:
                self._average_lists(averaged, values)
            else:
                average = self.avg_fn or get_swa_avg_fn()
                for held, value in zip(averaged, values, strict=True):
                    held.copy_(average(held, value, self.n_averaged))
            if not self.use_buffers:
                for held, value in zip(self.module.buffers(), model.buffers(), strict=True):
                    held.copy_(value)
            self.n_averaged.add_(1)

    def _average_lists(self, averaged: list[Tensor], values: list[Tensor]) -> None:
        assert self.multi_avg_fn is not None
        # As in PyTorch, a call takes tensors of one dtype.
        for dtype in dict.fromkeys(tensor.array.dtype for tensor in averaged):
            alike = [i for i, tensor in enumerate(averaged) if tensor.array.dtype == dtype]
            held, taken = [averaged[i] for i in alike], [values[i] for i in alike]
            self.multi_avg_fn(held, taken, self.n_averaged)


def update_bn(loader: Iterable[Any], model: Module, device: object = None) -> None:
    """Compute the running statistics of batch normalisations anew, over the data.

    Args:
        loader: batches of inputs, or lists whose first element is the inputs.
        model: the network, which keeps its mode.
        device: "cpu" or None.
    """
    require_cpu("update_bn", device)
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not layers:
        return
    training, momenta = model.training, [layer.momentum for layer in layers]
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over the batches
    try:
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """Lead the learning rate from where it is to `swa_lr`, where it stays.

    Args:
        optimizer: whose groups to set.
        swa_lr: the learning rate in the end, or one a group.
        anneal_epochs: number of steps until then, >= 0.
        anneal_strategy: "cos" or "linear".
        last_epoch: number of the last step done; -1 to start.

    Raises:
        ValueError: on another strategy, or a number below 0.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: expected anneal_strategy 'cos' or 'linear', got {anneal_strategy!r}."
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: expected anneal_epochs >= 0, got {anneal_epochs}.")
        groups = optimizer.param_groups
        for group, lr in zip(groups, per_group("SWALR", swa_lr, groups, "rates"), strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _left(self, step: int) -> float:
        """Return the share of the way that is left at a step."""
        share = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        if self._anneal_strategy == "linear":
            return 1.0 - share
        return 1.0 - (1.0 - math.cos(math.pi * share)) / 2.0

    def get_lr(self) -> list[float]:
        """Return the learning rates, nearer to the last ones by this step's share of the way."""
        step = self._step_count - 1
        if not self.anneal_epochs:
            step = max(1, step)
        before, now = self._left(step - 1), self._left(step)
        share = now / before if before else 0.0
        return [g["swa_lr"] + (g["lr"] - g["swa_lr"]) * share for g in self.optimizer.param_groups]
