"""The steps of PyTorch: eager, with a fused or a sparse rule, and compiled."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from peers.driver import LeftOut, Steps
from peers.machine import cores
from peers.networks import (
    LR,
    Activation,
    Data,
    Dropout,
    Embedding,
    Layer,
    Linear,
    Lstm,
    Network,
    Norm,
    Residual,
    walk,
)

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}


class Concatenated(nn.Module):
    def __init__(self, layer: Embedding, sparse: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(layer.count, layer.width, sparse=sparse)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.table(x).flatten(1)


class Last(nn.Module):
    """The last state of a recurrent layer."""

    def __init__(self, layer: Lstm) -> None:
        super().__init__()
        self.layer = nn.LSTM(layer.inputs, layer.hidden, batch_first=True)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x)[0][:, -1]


class Sum(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> Any:
        return x + self.body(x)


def module_of(layer: Layer, sparse: bool) -> nn.Module:
    match layer:
        case Linear(inputs, outputs):
            return nn.Linear(inputs, outputs)
        case Embedding(count, width, _, "mean"):
            return nn.EmbeddingBag(count, width, mode="mean", sparse=sparse)
        case Embedding():
            return Concatenated(layer, sparse)
        case Lstm():
            return Last(layer)
        case Norm(width):
            return nn.LayerNorm(width)
        case Activation(name):
            return ACTIVATIONS[name]()
        case Dropout(p):
            return nn.Dropout(p)
        case Residual(layers):
            return Sum(nn.Sequential(*[module_of(x, sparse) for x in layers]))


def rules_of(model: nn.Module, option: str) -> list[torch.optim.Optimizer]:
    if option != "sparse":
        fused = {} if option == "eager" else {"fused": True}
        return [torch.optim.Adam(model.parameters(), lr=LR, **fused)]
    tables = [m.weight for m in model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    return [torch.optim.SparseAdam(tables, lr=LR), torch.optim.Adam(others, lr=LR, fused=True)]


def build(option: str, network: Network, data: Data) -> Steps:
    has_table = any(isinstance(x, Embedding) for x in walk(network.layers))
    if option == "sparse" and not has_table:
        raise LeftOut("no embedding")
    if option == "compile" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        raise LeftOut("no C++ compiler")
    layers = [module_of(x, sparse=option == "sparse") for x in network.layers]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), data.weights, strict=True):
            parameter.copy_(torch.from_numpy(value))
    rules = rules_of(model, option)
    x = torch.from_numpy(data.x[: network.batch])
    y = torch.from_numpy(data.y[: network.batch])

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(x), y)

    if option == "compile":
        # Else it gives up compiling after the networks before.
        torch.compiler.reset()
    objective: Callable[..., Any] = torch.compile(loss_of) if option == "compile" else loss_of

    threads = cores()

    def set_threads(number: int) -> None:
        nonlocal threads
        threads = number

    def run(count: int) -> float:
        # One setting serves the whole process, and other peers have theirs.
        torch.set_num_threads(threads)
        for _ in range(count):
            loss = objective(x, y)
            for rule in rules:
                rule.zero_grad()
            loss.backward()
            for rule in rules:
                rule.step()
        return float(loss.item())

    return Steps(run, set_threads=set_threads)
