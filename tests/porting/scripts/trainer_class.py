"""A trainer with callbacks, meters, type hints and a configuration."""

from __future__ import annotations

import abc
import copy
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional, Tuple, Union

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torch.utils.data import DataLoader, Dataset, random_split

logger = logging.getLogger(__name__)


@dataclass
class Config:
    lr: float = 0.05
    epochs: int = 4
    dtype: torch.dtype = torch.float64
    device: Union[str, torch.device] = "cpu"
    betas: Tuple[float, float] = (0.9, 0.99)
    extra: Dict[str, Any] = field(default_factory=dict)


class AverageMeter:
    def __init__(self):
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


class Callback(abc.ABC):
    @abc.abstractmethod
    def on_epoch_end(self, trainer: "Trainer", logs: Dict[str, float]) -> None: ...


class EarlyStopping(Callback):
    def __init__(self, patience: int = 2, delta: float = 0.0):
        self.patience, self.delta, self.best, self.wait = patience, delta, float("inf"), 0
        self.state: Optional[Dict[str, Tensor]] = None

    def on_epoch_end(self, trainer, logs):
        if logs["val_loss"] < self.best - self.delta:
            self.best, self.wait = logs["val_loss"], 0
            self.state = copy.deepcopy(trainer.model.state_dict())
        else:
            self.wait += 1
            trainer.stop = self.wait >= self.patience


class Trainer:
    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        scheduler: Optional[LRScheduler],
        loss: Callable[[Tensor, Tensor], Tensor],
        callbacks=(),
    ):
        self.model, self.optimizer, self.scheduler, self.loss = model, optimizer, scheduler, loss
        self.callbacks, self.stop = list(callbacks), False
        self.history: list[dict[str, float]] = []

    def run_epoch(self, loader: DataLoader, training: bool) -> Dict[str, float]:
        losses, accuracy = AverageMeter(), AverageMeter()
        self.model.train(training)
        with torch.set_grad_enabled(training):
            for x, y in loader:
                out = self.model(x)
                loss = self.loss(out, y)
                if training:
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                losses.update(loss.item(), x.size(0))
                accuracy.update((out.argmax(-1) == y).float().mean().item(), x.size(0))
        return {"loss": losses.avg, "acc": accuracy.avg}

    def fit(self, train: DataLoader, val: DataLoader, epochs: int):
        for epoch in range(epochs):
            start = time.time()
            logs = self.run_epoch(train, True)
            logs.update({f"val_{k}": v for k, v in self.run_epoch(val, False).items()})
            if self.scheduler is not None:
                self.scheduler.step()
            self.history.append(logs)
            logger.info("epoch %d %.3fs %s", epoch, time.time() - start, json.dumps(logs))
            for callback in self.callbacks:
                callback.on_epoch_end(self, logs)
            if self.stop:
                break


class Blobs(Dataset[Tuple[Tensor, Tensor]]):
    def __init__(self, given):
        self.y = given.integers(3, 36)
        self.x = given.normal(36, 2) + 2 * self.y.unsqueeze(1)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> Tuple[Tensor, Tensor]:
        return self.x[i], self.y[i]


def train(given):
    config = Config()
    assert isinstance(config.dtype, torch.dtype)
    data = Blobs(given)
    train_set, val_set = (
        torch.utils.data.Subset(data, range(24)),
        torch.utils.data.Subset(data, range(24, 36)),
    )
    parts = random_split(data, [24, 12], generator=torch.Generator().manual_seed(0))
    assert [len(p) for p in parts] == [24, 12]
    model = given.fill(
        nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    )
    model.to(device=config.device, dtype=config.dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, betas=config.betas)
    stopping = EarlyStopping()
    trainer = Trainer(
        model, optimizer, StepLR(optimizer, 2, gamma=0.5), nn.CrossEntropyLoss(), [stopping]
    )
    trainer.fit(
        DataLoader(train_set, batch_size=8), DataLoader(val_set, batch_size=12), config.epochs
    )
    model.load_state_dict(stopping.state)
    n = sum(p.numel() for p in model.parameters())
    return [v for logs in trainer.history for v in logs.values()] + [float(n)]
