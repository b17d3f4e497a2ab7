"""Networks, their data, and the weights that every peer starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any, TypeAlias

import numpy as np

LR = 1e-3


@dataclass(frozen=True)
class Linear:
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Embedding:
    """Rows of a table, `picked` of them for an example, which are averaged or laid end to end."""

    count: int
    width: int
    picked: int
    pooling: str = "mean"


@dataclass(frozen=True)
class Lstm:
    """Long short-term memory over all steps of a sequence, of which the last state is returned."""

    inputs: int
    hidden: int
    steps: int


@dataclass(frozen=True)
class Norm:
    width: int


@dataclass(frozen=True)
class Activation:
    name: str


@dataclass(frozen=True)
class Dropout:
    p: float


@dataclass(frozen=True)
class Residual:
    """The input added to what the layers make of it."""

    layers: tuple[Layer, ...]


Layer: TypeAlias = Linear | Embedding | Lstm | Norm | Activation | Dropout | Residual


@dataclass(frozen=True)
class Network:
    """A network, its batch, and how many steps are timed and compared.

    Args:
        layers: in their order.
        batch: rows in a step.
        steps: steps in a round, at most; the length of a scan.
        checked: steps after which the losses of all peers are compared.
    """

    layers: tuple[Layer, ...]
    batch: int
    steps: int
    checked: int = 4

    @property
    def classes(self) -> int:
        return [layer.outputs for layer in walk(self.layers) if isinstance(layer, Linear)][-1]

    @property
    def is_random(self) -> bool:
        return any(isinstance(layer, Dropout) for layer in walk(self.layers))

    @property
    def hidden(self) -> list[int] | None:
        """The widths of the hidden layers of a plain MLP with ReLU, or None for another network."""
        linear, between = self.layers[::2], self.layers[1::2]
        plain = all(isinstance(x, Linear) for x in linear)
        plain = plain and all(x == Activation("relu") for x in between)
        return [x.outputs for x in linear[:-1] if isinstance(x, Linear)] if plain else None

    @property
    def parameters(self) -> int:
        return sum(w.size for w in initial_weights(self.layers))

    @property
    def flops(self) -> int:
        """The multiplications and additions of the matrix products, forward and backward."""
        products = [self._products(x) for x in walk(self.layers)]
        # Nothing asks for the gradient of the data.
        return 3 * sum(map(sum, products)) - products[0][0]

    def _products(self, layer: Layer) -> tuple[int, ...]:
        """Those of the input, and others, forward."""
        match layer:
            case Linear(inputs, outputs):
                return (2 * self.batch * inputs * outputs,)
            case Lstm(inputs, hidden, steps):
                rows = 2 * self.batch * steps * 4 * hidden
                return rows * inputs, rows * hidden
        return (0,)

    @property
    def shape(self) -> str:
        return _describe_all(self.layers) if self.hidden is None else self._widths()

    def _widths(self) -> str:
        linear = [x for x in self.layers if isinstance(x, Linear)]
        return "-".join(map(str, [linear[0].inputs, *(x.outputs for x in linear)]))

    def without_dropout(self) -> Network:
        return replace(self, layers=_without_dropout(self.layers))


def _without_dropout(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    kept = [x for x in layers if not isinstance(x, Dropout)]
    return tuple(
        Residual(_without_dropout(x.layers)) if isinstance(x, Residual) else x for x in kept
    )


def _describe_all(layers: tuple[Layer, ...]) -> str:
    runs = [(_describe(layer), len(list(same))) for layer, same in groupby(layers)]
    return ", ".join(text if count == 1 else f"{count} x {text}" for text, count in runs)


def _describe(layer: Layer) -> str:
    match layer:
        case Linear(inputs, outputs):
            return f"linear({inputs}, {outputs})"
        case Embedding(count, width, picked, pooling):
            return f"embedding({count}, {width}; {picked} a row, {pooling})"
        case Lstm(inputs, hidden, steps):
            return f"lstm({inputs}, {hidden}; {steps} steps)"
        case Norm():
            return "norm"
        case Activation(name):
            return name
        case Dropout(p):
            return f"dropout({p})"
        case Residual(layers):
            return f"residual({_describe_all(layers)})"


def walk(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Every layer, those inside of residual blocks, too."""
    for layer in layers:
        yield layer
        if isinstance(layer, Residual):
            yield from walk(layer.layers)


def mlp(sizes: list[int], batch: int, steps: int, checked: int = 4) -> Network:
    layers: list[Layer] = []
    for inputs, outputs in pairwise(sizes):
        layers += [Linear(inputs, outputs), Activation("relu")]
    return Network(tuple(layers[:-1]), batch, steps, checked)


def residual_mlp(features: int, width: int, blocks: int, classes: int) -> tuple[Layer, ...]:
    block = Residual((Norm(width), Linear(width, width), Activation("gelu"), Dropout(0.1)))
    return (Linear(features, width), *([block] * blocks), Norm(width), Linear(width, classes))


def embedding_mlp(count: int, width: int, picked: int, pooling: str) -> tuple[Layer, ...]:
    pooled = width * picked if pooling == "concat" else width
    return (
        Embedding(count, width, picked, pooling),
        Linear(pooled, 128),
        Activation("relu"),
        Linear(128, 10),
    )


NETWORKS = {
    "iris": mlp([4, 16, 3], 16, 5000, 20),
    "digits": mlp([64, 128, 10], 64, 2000, 20),
    "mnist": mlp([784, 512, 512, 10], 128, 60),
    "wide": mlp([2048, 2048, 2048, 10], 256, 5, 2),
    "residual": Network(residual_mlp(128, 256, 8, 10), 256, 20),
    # A text as the mean of its words, and a row of a table with eight columns of categories.
    "embedding": Network(embedding_mlp(10_000, 64, 8, "mean"), 256, 200),
    "columns": Network(embedding_mlp(10_000, 64, 8, "concat"), 256, 100),
    "lstm": Network((Lstm(128, 128, 100), Linear(128, 10)), 32, 10),
}


@dataclass
class Data:
    """What every peer starts from: rows, batches by index, and the first weights in order.

    `x` has shape (rows, features), float32, or (rows, picked), int64, for an embedding, or (rows,
    steps, features) for sequences; `y` has shape (rows,); `index` has shape (steps, batch).
    """

    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    weights: list[np.ndarray]


def initial_weights(layers: tuple[Layer, ...]) -> list[np.ndarray]:
    """The parameters of the layers in their order, PyTorch's shapes."""
    rng = np.random.default_rng(1)
    found: list[Any] = []
    for layer in walk(layers):
        match layer:
            case Linear(inputs, outputs):
                found += [rng.normal(size=(outputs, inputs)) / np.sqrt(inputs), np.zeros(outputs)]
            case Embedding(count, width):
                found.append(rng.normal(size=(count, width)))
            case Lstm(inputs, hidden):
                shapes = [(4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)]
                found += [rng.uniform(-1, 1, size=s) / np.sqrt(hidden) for s in shapes]
            case Norm(width):
                found += [np.ones(width), np.zeros(width)]
    return [w.astype(np.float32) for w in found]


def make_data(network: Network) -> Data:
    rng = np.random.default_rng(0)
    rows = max(1000, 4 * network.batch)
    first = network.layers[0]
    x: np.ndarray
    if isinstance(first, Embedding):
        x = rng.integers(0, first.count, (rows, first.picked))
    elif isinstance(first, Lstm):
        x = rng.normal(size=(rows, first.steps, first.inputs)).astype(np.float32)
    else:
        assert isinstance(first, Linear)
        x = rng.normal(size=(rows, first.inputs)).astype(np.float32)
    y = rng.integers(0, network.classes, rows)
    index = rng.integers(0, rows, (network.steps, network.batch))
    return Data(x, y, index, initial_weights(network.layers))
