"""The step of tinygrad, captured by its TinyJit, on the processor."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import Any

import tinygrad
from tinygrad.nn.optim import Adam

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
)


def apply(layer: Layer, weights: Any, x: Any) -> Any:
    match layer:
        case Linear():
            return x.linear(next(weights).T, next(weights))
        case Embedding(_, _, _, pooling):
            rows = next(weights)[x]
            return rows.mean(1) if pooling == "mean" else rows.flatten(1)
        case Norm():
            return x.layernorm(eps=1e-5) * next(weights) + next(weights)
        case Activation("relu"):
            return x.relu()
        case Activation():
            return x * 0.5 * ((x / 2**0.5).erf() + 1)
        case Dropout(p):
            return x.dropout(p)
        case Residual(layers):
            inner = x
            for part in layers:
                inner = apply(part, weights, inner)
            return x + inner


def build(option: str, network: Network, data: Data) -> Steps:
    if not shutil.which(os.environ.get("CC", "clang")):
        raise LeftOut("tinygrad's processor backend needs clang")
    if any(isinstance(layer, Lstm) for layer in network.layers):
        raise LeftOut("no loops")
    tensor = partial(tinygrad.Tensor, device="CPU")
    weights = [tensor(w).contiguous().realize() for w in data.weights]
    rule = Adam(weights, lr=LR)
    x, y = tensor(data.x[: network.batch]).realize(), tensor(data.y[: network.batch]).realize()

    @tinygrad.TinyJit
    def step(x: Any, y: Any) -> Any:
        parameters = iter(weights)
        for layer in network.layers:
            x = apply(layer, parameters, x)
        loss = x.sparse_categorical_crossentropy(y)
        rule.zero_grad()
        loss.backward()
        return loss.realize(*rule.schedule_step())

    def run(count: int) -> float:
        with tinygrad.Context(TRAINING=1):
            for _ in range(count):
                loss = step(x, y)
            return float(loss.item())

    return Steps(run)
