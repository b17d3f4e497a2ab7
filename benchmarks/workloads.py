"""Workloads that step sizes are judged by: networks, losses and rows, in sizes that run in seconds.

Each is made anew from a seed, which decides its rows' shares and the first weights. Those that need
pictures, recordings or tables of `DATA/handwritten-digits`, `DATA/small-pictures`,
`DATA/spoken-digits` and `DATA/tables` are left out where there is no such folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import schuss as ss
from schuss import functions as F
from schuss import nn

Rows = tuple[Any, Any]


@dataclass(frozen=True)
class Workload:
    """One task.

    Args:
        name: of it.
        make: returns (model, loss, training rows, validation rows, test rows) for a seed; None
            for the latter two where there is nothing to hold out.
        epochs: passes over the training rows.
        batch_size: rows of a step.
        half: 1 for those that settings were chosen by, 2 for those run afterwards.
    """

    name: str
    make: Callable[[np.random.Generator], tuple[Any, Any, Rows, Rows | None, Rows | None]]
    epochs: int
    batch_size: int
    half: int


def split(rng: np.random.Generator, x: Any, y: Any) -> tuple[Rows, Rows, Rows]:
    """Return 60, 20 and 20 % of the rows."""
    order = rng.permutation(len(y))
    a, b = int(0.6 * len(y)), int(0.8 * len(y))
    first, second, third = order[:a], order[a:b], order[b:]
    return (x[first], y[first]), (x[second], y[second]), (x[third], y[third])


def standard(x: Any) -> Any:
    """Return columns of mean 0 and standard deviation 1."""
    x = np.asarray(x, np.float64)
    return ((x - x.mean(0)) / (x.std(0) + 1e-12)).astype(np.float32)


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for k, (a, b) in enumerate(pairwise(widths)):
        layers += [nn.Linear(a, b)] + ([activation()] if k < len(widths) - 2 else [])
    return nn.Sequential(*layers)


# Tables.


def digits(rng: np.random.Generator) -> Any:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return mlp(64, 64, 10), "cross_entropy", *split(rng, (x / 16).astype(np.float32), y)


def breast_cancer(rng: np.random.Generator) -> Any:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return mlp(30, 32, 2), "cross_entropy", *split(rng, standard(x), y)


def diabetes(rng: np.random.Generator) -> Any:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return mlp(10, 32, 32, 1), "mse", *split(rng, standard(x), standard(y))


def friedman(rng: np.random.Generator) -> Any:
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(2000, 10, noise=1.0, random_state=int(rng.integers(2**31)))
    return mlp(10, 64, 64, 1), "mse", *split(rng, standard(x), standard(y))


def scaled_regression(rng: np.random.Generator) -> Any:
    # Columns whose sizes span three powers of ten: the Hessian's condition number is 1e6.
    x = rng.normal(size=(1500, 20)) * np.logspace(0, -3, 20)
    y = (x / np.logspace(0, -3, 20)) @ rng.normal(size=20) / math.sqrt(20.0)
    y = y + 0.1 * rng.normal(size=1500)
    return nn.Linear(20, 1), "mse", *split(rng, x.astype(np.float32), y.astype(np.float32))


def table(name: str, target: str, numbers: list[str], classes: bool) -> Callable[..., Any]:
    def make(rng: np.random.Generator) -> Any:
        import pandas as pd

        rows = pd.read_csv(data_folder() / "tables" / f"{name}.csv")
        x = standard(rows[numbers].fillna(rows[numbers].median()).astype(float))
        y = rows[target].astype(int).to_numpy() if classes else standard(rows[target])
        widths, loss = ((32, 32, 2), "cross_entropy") if classes else ((32, 32, 1), "mse")
        return mlp(len(numbers), *widths), loss, *split(rng, x, y)

    return make


# Pictures and sound.


def handwritten() -> Rows:
    from PIL import Image

    x, y = [], []
    for digit in range(10):
        for path in sorted((data_folder() / "handwritten-digits" / str(digit)).glob("*.png"))[:300]:
            x.append(np.asarray(Image.open(path), np.float32) / 255.0)
            y.append(digit)
    return np.stack(x), np.array(y)


def handwritten_mlp(rng: np.random.Generator) -> Any:
    x, y = handwritten()
    return mlp(784, 128, 64, 10), "cross_entropy", *split(rng, x.reshape(len(x), -1), y)


def convolutional(channels: int, size: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * (size // 4) ** 2, classes)),
    )


def handwritten_conv(rng: np.random.Generator) -> Any:
    x, y = handwritten()
    return convolutional(1, 28, 10), "cross_entropy", *split(rng, x[:, None], y)


def small_pictures(rng: np.random.Generator) -> Any:
    from PIL import Image

    x, y = [], []
    for k, folder in enumerate(sorted((data_folder() / "small-pictures").iterdir())[:5]):
        for path in sorted(folder.glob("*.jpg"))[:300]:
            x.append(np.asarray(Image.open(path), np.float32).transpose(2, 0, 1) / 255.0)
            y.append(k)
    return convolutional(3, 32, 5), "cross_entropy", *split(rng, np.stack(x), np.array(y))


def spoken_digits(rng: np.random.Generator) -> Any:
    import wave

    x, y = [], []
    for digit in range(10):
        for path in sorted((data_folder() / "spoken-digits" / str(digit)).glob("*.wav"))[:150]:
            with wave.open(str(path)) as f:
                sound = np.frombuffer(f.readframes(f.getnframes()), "<i2") / 32768.0
            sound = np.pad(sound, (0, max(0, 4096 - len(sound))))[:4096]
            frames = sound.reshape(32, 128) * np.hanning(128)
            power = np.abs(np.fft.rfft(frames))[:, 1:33]
            x.append(np.log(power + 1e-4))
            y.append(digit)
    rows = standard(np.stack(x)).astype(np.float32)[:, None]
    return convolutional(1, 32, 10), "cross_entropy", *split(rng, rows, np.array(y))


# Sequences.


class Recurrent(nn.Module):
    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, width, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


def lstm(rng: np.random.Generator) -> Any:
    # Add the two numbers that are marked.
    x = rng.uniform(-1, 1, size=(1500, 12, 2)).astype(np.float32)
    x[:, :, 1] = 0.0
    first, second = rng.integers(0, 6, 1500), rng.integers(6, 12, 1500)
    rows = np.arange(1500)
    x[rows, first, 1] = x[rows, second, 1] = 1.0
    y = x[rows, first, 0] + x[rows, second, 0]
    return Recurrent(2, 24, 1), "mse", *split(rng, x, y)


class Language(nn.Module):
    def __init__(self, letters: int, length: int, width: int, layers: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(letters, width)
        self.places = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(
            [
                nn.TransformerEncoderLayer(
                    width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
                )
                for _ in range(layers)
            ]
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, letters)
        self.length = length
        self.mask = ss.tensor(np.triu(np.full((length, length), -1e9, np.float32), 1))

    def forward(self, x: Any) -> Any:
        h = self.letters(x) + self.places(ss.arange(self.length))
        for block in self.blocks:
            h = block(h, src_mask=self.mask)
        return self.head(self.norm(h)).reshape((-1, self.head.out_features))


def next_letter(output: Any, y: Any) -> Any:
    return nn.functional.cross_entropy(output, y.reshape((-1,)))


def language(rng: np.random.Generator) -> Any:
    from pydoc_data.topics import topics

    text = " ".join(topics[name] for name in sorted(topics))[:120_000]
    known = sorted(set(text))
    codes = np.array([known.index(c) for c in text])
    length = 32
    starts = rng.integers(0, len(codes) - length - 1, 1600)
    x = np.stack([codes[s : s + length] for s in starts])
    y = np.stack([codes[s + 1 : s + length + 1] for s in starts])
    return Language(len(known), length, 32, 2), next_letter, *split(rng, x, y)


# Others.


def autoencoder(rng: np.random.Generator) -> Any:
    from sklearn.datasets import load_digits

    x = (load_digits().data / 16).astype(np.float32)
    return mlp(64, 32, 8, 32, 64), "mse", *split(rng, x, x)


def deep_tanh(rng: np.random.Generator) -> Any:
    x = rng.uniform(-1, 1, size=(1500, 4)).astype(np.float32)
    y = np.sin(3 * x[:, 0] * x[:, 1]) + x[:, 2] ** 2 - x[:, 3]
    model = mlp(4, *[12] * 10, 1, activation=nn.Tanh)
    return model, "mse", *split(rng, x, y.astype(np.float32))


class Poisson(nn.Module):
    """The residual of u'' = f on (0, 1) with u(0) = u(1) = 0."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(1, 24, 24, 1, activation=nn.Tanh)

    def forward(self, x: Any) -> Any:
        def u(at: Any) -> Any:
            return at * (1.0 - at) * self.body(at)

        def slope(at: Any) -> Any:
            return ss.jvp(u, (at,), (F.ones_like(at),))[1]

        return ss.jvp(slope, (x,), (F.ones_like(x),))[1]


def pinn(rng: np.random.Generator) -> Any:
    def rows(x: Any) -> Rows:
        f = -((3 * np.pi) ** 2) * np.sin(3 * np.pi * x)
        return x.astype(np.float32), f.astype(np.float32)

    x = np.linspace(0.0, 1.0, 128)[:, None]
    return Poisson(), "mse", rows(x), None, rows(rng.uniform(0.0, 1.0, size=(256, 1)))


class Point(nn.Module):
    """A function of parameters alone."""

    def __init__(self, start: Any, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.at = nn.Parameter(ss.tensor(np.asarray(start, np.float32)))
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(self.at) + 0.0 * x.sum()


def value(output: Any, y: Any) -> Any:
    return output.mean() + 0.0 * y.sum()


ONE: Rows = (np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))


def rosenbrock(rng: np.random.Generator) -> Any:
    def valley(p: Any) -> Any:
        return (100.0 * (p[1:] - p[:-1] ** 2) ** 2 + (1.0 - p[:-1]) ** 2).sum()

    return Point(rng.normal(size=6) * 0.5, valley), value, ONE, None, ONE


def quadratic(rng: np.random.Generator) -> Any:
    turned, _ = np.linalg.qr(rng.normal(size=(30, 30)))
    matrix = ss.tensor((turned * np.logspace(0, -3, 30)) @ turned.T, dtype=ss.float32)
    return Point(rng.normal(size=30), lambda p: 0.5 * (p @ (matrix @ p))), value, ONE, None, ONE


def embeddings(rng: np.random.Generator) -> Any:
    # Ratings that are products of vectors of people and things.
    people, things = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
    pairs = np.stack([rng.integers(0, 60, 3000), rng.integers(0, 40, 3000)], 1)
    y = (people[pairs[:, 0]] * things[pairs[:, 1]]).sum(1) / 2.0 + 0.2 * rng.normal(size=3000)

    class Ratings(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.people = nn.Embedding(60, 8)
            self.things = nn.Embedding(40, 8)

        def forward(self, x: Any) -> Any:
            return (self.people(x[:, 0]) * self.things(x[:, 1])).sum(axis=1)

    return Ratings(), "mse", *split(rng, pairs, y.astype(np.float32))


_FOLDER: list[Path] = []


def data_folder() -> Path:
    """Return the folder of pictures, recordings and tables."""
    return _FOLDER[0]


def workloads(data: Path | None) -> dict[str, Workload]:
    """Return all workloads by name, those of `data` only where it is given."""
    _FOLDER[:] = [] if data is None else [data]
    numbers = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year"]
    found = [
        Workload("digits", digits, 30, 32, 1),
        Workload("friedman", friedman, 30, 32, 1),
        Workload("scaled regression", scaled_regression, 40, 32, 1),
        Workload("lstm", lstm, 20, 32, 1),
        Workload("autoencoder", autoencoder, 30, 32, 1),
        Workload("deep tanh", deep_tanh, 30, 32, 1),
        Workload("quadratic", quadratic, 2000, 1, 1),
        Workload("breast cancer", breast_cancer, 30, 32, 2),
        Workload("diabetes", diabetes, 30, 32, 2),
        Workload("language", language, 5, 16, 2),
        Workload("physics-informed", pinn, 2000, 128, 2),
        Workload("rosenbrock", rosenbrock, 2000, 1, 2),
        Workload("embeddings", embeddings, 20, 32, 2),
    ]
    if data is not None:
        found += [
            Workload("mpg", table("mpg", "mpg", numbers, False), 60, 32, 1),
            Workload("handwritten conv", handwritten_conv, 4, 32, 1),
            Workload("titanic", table("titanic", "survived", TITANIC, True), 40, 32, 2),
            Workload("taxis", table("taxis", "fare", TAXIS, False), 10, 64, 2),
            Workload("handwritten mlp", handwritten_mlp, 10, 32, 2),
            Workload("small pictures", small_pictures, 8, 32, 2),
            Workload("spoken digits", spoken_digits, 8, 32, 2),
        ]
    return {w.name: w for w in found}


TITANIC = ["pclass", "age", "sibsp", "parch", "fare"]
TAXIS = ["passengers", "distance", "tip", "tolls"]
