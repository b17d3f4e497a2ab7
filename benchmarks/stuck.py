"""Share of small networks that learn all their rows, beside PyTorch's Adam.

Run from the repository's root:

    python benchmarks/stuck.py [--seeds 200] [--torch-seeds 20] [--only XOR] [--validation]

Each problem is tried from so many seeds, which draw the first weights. Schuss has all its defaults,
`Trainer(model, loss).fit((x, y), None)`; with `--validation` it holds rows out, too, as it does by
itself. PyTorch takes 5,000 full-batch steps of Adam at its default rate of 0.001, and at four
others, of which the best is shown. A seed counts where every row is classified right, or a squared
error
is below a thousandth of the targets' variance. Seconds are medians of one training, with compiling:
on the wall, and in brackets of the processor. `--cold` gives every training an empty cache.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import schuss as ss
from schuss import nn

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
STEPS = 5000


@dataclass(frozen=True)
class Problem:
    """Rows, and a network for them.

    Args:
        name: what is learned.
        rows: inputs (rows, columns) and targets (rows,).
        widths: of the network's layers, with inputs and outputs.
        activation: of the hidden layers.
        loss: "binary_cross_entropy" or "mse".
    """

    name: str
    rows: tuple[Any, Any]
    widths: tuple[int, ...]
    activation: str = "Tanh"
    loss: str = "binary_cross_entropy"

    def __str__(self) -> str:
        return f"{self.name}, {'-'.join(map(str, self.widths))} {self.activation}"

    def learned(self, output: Any) -> bool:
        """Whether an output of shape (rows,) is right everywhere."""
        y = self.rows[1]
        if self.loss == "mse":
            return bool(((output - y) ** 2).mean() < 1e-3 * y.var())
        return bool(((output > 0) == (y > 0.5)).all())


def bits(count: int, rule: Any) -> tuple[Any, Any]:
    """Return all numbers of so many bits, and what a rule says of each."""
    x = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    return x.astype(np.float32), np.array([rule(row) for row in x], np.float32)


def spirals(turns: float, points: int = 97) -> tuple[Any, Any]:
    """Return two spirals of so many turns, one inside of the other."""
    share = np.linspace(0.0, 1.0, points)
    radius, angle = 0.1 + 0.9 * share, 2.0 * np.pi * turns * share
    one = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    y = np.repeat([0.0, 1.0], points)
    return np.concatenate([one, -one]).astype(np.float32), y.astype(np.float32)


def wide_spirals(count: int = 97) -> tuple[Any, Any]:
    """Return the two spirals of Lang and Witbrock (1988), of three turns and a radius of 6.5."""
    number = np.arange(count)
    radius, angle = 6.5 * (104 - number) / 104, number * np.pi / 16
    one = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    y = np.repeat([0.0, 1.0], count)
    return np.concatenate([one, -one]).astype(np.float32), y.astype(np.float32)


def circles() -> tuple[Any, Any]:
    """Return three rings around each other, the middle one of another class."""
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.concatenate([0.3 * ring, 0.6 * ring, 0.9 * ring])
    return x.astype(np.float32), np.repeat([0.0, 1.0, 0.0], 40).astype(np.float32)


def checkerboard(squares: int) -> tuple[Any, Any]:
    """Return points within the squares of a board, by their colours."""
    at = (np.arange(3 * squares) + 0.5) / (3 * squares)
    x = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    y = np.floor(x * squares).sum(axis=1) % 2
    return (2.0 * x - 1.0).astype(np.float32), y.astype(np.float32)


def wave(count: int = 60) -> tuple[Any, Any]:
    """Return one and a half periods of a sine."""
    x = np.linspace(-1.0, 1.0, count)[:, None]
    return x.astype(np.float32), np.sin(1.5 * 2.0 * np.pi * x[:, 0]).astype(np.float32)


def odd(row: Any) -> int:
    """Return whether an odd number of bits is set."""
    return int(row.sum() % 2)


PROBLEMS = [
    *(Problem("XOR", bits(2, odd), (2, 2, 1), name) for name in ("Tanh", "ReLU", "Sigmoid")),
    Problem("parity of 4 bits", bits(4, odd), (4, 4, 1)),
    Problem("parity of 5 bits", bits(5, odd), (5, 5, 1)),
    Problem("parity of 6 bits", bits(6, odd), (6, 6, 1)),
    Problem("symmetry of 6 bits", bits(6, lambda b: int((b == b[::-1]).all())), (6, 2, 1)),
    Problem("spirals of 2.5 turns", spirals(2.5), (2, 8, 8, 1)),
    Problem("spirals of 2.5 turns", spirals(2.5), (2, 16, 1)),
    Problem("spirals of 2.5 turns", spirals(2.5), (2, 5, 5, 5, 1)),
    Problem("spirals of 3 turns", spirals(3.0), (2, 8, 8, 1)),
    Problem("spirals of 3 turns", spirals(3.0), (2, 5, 5, 5, 1)),
    Problem("spirals of 3 turns", spirals(3.0), (2, 16, 1)),
    Problem("wide spirals of 3 turns", wide_spirals(), (2, 8, 8, 1)),
    Problem("wide spirals of 3 turns", wide_spirals(), (2, 5, 5, 5, 1)),
    Problem("wide spirals of 3 turns", wide_spirals(), (2, 16, 1)),
    Problem("spirals of half a turn", spirals(0.5), (2, *[4] * 8, 1), "ReLU"),
    Problem("three rings", circles(), (2, 8, 1)),
    Problem("checkerboard 4 x 4", checkerboard(4), (2, 10, 10, 1)),
    Problem("sine", wave(), (1, 8, 1), "Tanh", "mse"),
]


def by_schuss(problem: Problem, seed: int, validation: Any) -> bool:
    """Train with all defaults."""
    ss.manual_seed(seed)
    layers: list[nn.Module] = []
    for inner, outer in pairwise(problem.widths):
        layers += [nn.Linear(inner, outer), getattr(nn, problem.activation)()]
    model = nn.Sequential(*layers[:-1])
    trainer = ss.Trainer(model, problem.loss, progress=False, seed=seed)
    trainer.fit(problem.rows, validation)
    return problem.learned(model(ss.tensor(problem.rows[0])).numpy()[:, 0])


def by_torch(problem: Problem, seed: int, lr: float) -> bool:
    """Take all steps with Adam, on all rows."""
    import torch

    torch.manual_seed(seed)
    layers: list[Any] = []
    for inner, outer in pairwise(problem.widths):
        layers += [torch.nn.Linear(inner, outer), getattr(torch.nn, problem.activation)()]
    model = torch.nn.Sequential(*layers[:-1])
    x, y = map(torch.from_numpy, problem.rows)
    squared = problem.loss == "mse"
    loss_of = torch.nn.MSELoss() if squared else torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss_of(model(x)[:, 0], y).backward()
        optimizer.step()
    with torch.no_grad():
        return problem.learned(model(x)[:, 0].numpy())


def tried(train: Any, seeds: int) -> tuple[float, float, float]:
    """Return the share of seeds that learned, and median seconds: wall and processor."""
    right, walls, processors = 0, [], []
    for seed in range(seeds):
        wall, processor = time.perf_counter(), time.process_time()
        right += train(seed)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return right / seeds, statistics.median(walls), statistics.median(processors)


def seconds(found: tuple[float, float, float]) -> str:
    """Return seconds as the table shows them."""
    return f"{found[1]:.2f} ({found[2]:.2f})"


def cold(problem: Problem, validation: Any) -> tuple[float, float, float]:
    """Train once with an empty cache."""
    kept = os.environ.get("SCHUSS_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SCHUSS_CACHE"] = str(Path(folder) / "cache")
        try:
            return tried(partial(by_schuss, problem, validation=validation), 1)
        finally:
            if kept is None:
                del os.environ["SCHUSS_CACHE"]
            else:
                os.environ["SCHUSS_CACHE"] = kept


def main() -> None:
    """Print a row for each problem."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="of Schuss")
    parser.add_argument("--torch-seeds", type=int, default=20, help="of PyTorch; 0 for none")
    parser.add_argument("--only", default="", help="part of the problems' names")
    parser.add_argument("--validation", action="store_true", help="hold rows out, as by default")
    parser.add_argument(
        "--cold", action="store_true", help="time one training without a cache, too"
    )
    options = parser.parse_args()
    validation = "auto" if options.validation else None
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, seconds wall (processor)")
    print(
        "| problem | PyTorch, Adam 0.001 | best of five rates | seconds | Schuss | seconds | cold |"
    )
    print("|---|---|---|---|---|---|---|")
    for problem in PROBLEMS:
        if options.only not in str(problem):
            continue
        cells = ["", "", ""]
        if options.torch_seeds:
            found = [tried(partial(by_torch, problem, lr=lr), options.torch_seeds) for lr in RATES]
            cells = [f"{found[0][0]:.1%}", f"{max(f[0] for f in found):.1%}", seconds(found[0])]
        first = seconds(cold(problem, validation)) if options.cold else ""
        mine = tried(partial(by_schuss, problem, validation=validation), options.seeds)
        cells += [f"{mine[0]:.1%}", seconds(mine), first]
        print(f"| {problem} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
