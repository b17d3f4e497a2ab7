"""The steps of Schuss: called, scanned and eager; called and scanned with a sparse rule, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

import schuss as ss
from peers.driver import LeftOut, Steps
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
from schuss import nn, optim

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}


class Pooled(nn.Module):
    """Rows of a table, averaged or laid end to end."""

    def __init__(self, layer: Embedding, sparse: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(layer.count, layer.width, sparse=sparse)
        self.pooling = layer.pooling

    def forward(self, x: Any) -> Any:
        rows = self.table(x)
        return rows.mean(1) if self.pooling == "mean" else rows.reshape(len(rows), -1)


class Last(nn.Module):
    """The last state of a recurrent layer."""

    def __init__(self, layer: Lstm) -> None:
        super().__init__()
        self.layer = nn.LSTM(layer.inputs, layer.hidden, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0][:, -1]


class Sum(nn.Module):
    """The input added to what the layers make of it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Any) -> Any:
        return x + self.body(x)


def module_of(layer: Layer, sparse: bool) -> nn.Module:
    match layer:
        case Linear(inputs, outputs):
            return nn.Linear(inputs, outputs)
        case Embedding():
            return Pooled(layer, sparse)
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


def make_model(network: Network, weights: list[np.ndarray], sparse: bool = False) -> nn.Module:
    """The network with these weights; tables may have sparse gradients."""
    model = nn.Sequential(*[module_of(x, sparse) for x in network.layers])
    for parameter, value in zip(model.parameters(), weights, strict=True):
        parameter.assign(value)
    return model


def make_step(model: nn.Module) -> Callable[[Any, Any], Any]:
    """A whole step: forward, loss, backward, Adam; SparseAdam for tables with sparse gradients."""
    layers = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]
    tables = [layer.weight for layer in layers]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    rules: list[optim.Optimizer] = [optim.Adam(others, lr=LR)]
    if tables:
        rules.append(optim.SparseAdam(tables, lr=LR))

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(model(x), y)
        for rule in rules:
            rule.zero_grad()
        loss.backward()
        for rule in rules:
            rule.step()
        return loss

    return step


def build(option: str, network: Network, data: Data) -> Steps:
    sparse = option.startswith("sparse")
    if sparse and not any(isinstance(x, Embedding) for x in walk(network.layers)):
        raise LeftOut("no embedding")
    step: Any = make_step(make_model(network, data.weights, sparse))
    x, y = ss.tensor(data.x[: network.batch]), ss.tensor(data.y[: network.batch])
    if option != "eager":
        step = ss.compile(step)

    def arena() -> int:
        found = re.search(r"in an arena of ([\d,]+)", str(step.graph(x, y)))
        return int(found[1].replace(",", "")) if found else 0

    def loop(count: int) -> float:
        for _ in range(count):
            loss = step(x, y)
        return float(loss.item())

    def scan(count: int) -> float:
        return float(step.scan((data.x, data.y), data.index[:count]).numpy()[-1])

    run = scan if option.endswith("scan") else loop
    return Steps(run, arena=None if option == "eager" else arena)
