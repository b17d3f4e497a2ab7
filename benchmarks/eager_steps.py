"""Time of one eager training step of small networks, beside PyTorch.

Run from the repository's root:

    python benchmarks/eager_steps.py

A step is the forward pass, the loss, the backward pass and the optimiser's update, operation by
operation, without `compile`. Both libraries have the same weights and one thread, and take turns,
round by round, so that a change in the machine's speed meets both; the table has medians of
microseconds for one step, and the median of the rounds' ratios. Before anything is timed the
losses of the first steps are compared.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import schuss as ss

# Features, units, classes and rows of a batch.
SIZES = {"4-16-3, batch 16": (4, 16, 3, 16), "64-128-10, batch 64": (64, 128, 10, 64)}
OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda lib, parameters: lib.optim.SGD(parameters, lr=0.05),
    "Adam": lambda lib, parameters: lib.optim.Adam(parameters, lr=0.01),
}
# What follows the first linear layer, by a library's layers and the number of units.
MIDDLES: dict[str, Callable[[Any, int], list[Any]]] = {
    "ReLU": lambda nn, units: [nn.ReLU()],
    "LayerNorm, ReLU": lambda nn, units: [nn.LayerNorm(units), nn.ReLU()],
    "BatchNorm, ReLU": lambda nn, units: [nn.BatchNorm1d(units), nn.ReLU()],
    "GELU": lambda nn, units: [nn.GELU()],
    "SiLU": lambda nn, units: [nn.SiLU()],
}


def steps(
    lib: Any, tensor: Any, weights: dict[str, Any], size: Any, middle: str, rule: str
) -> Callable[[], Any]:
    """Return a function that takes a step and returns the loss."""
    features, units, classes, rows = size
    layers = MIDDLES[middle](lib.nn, units)
    model = lib.nn.Sequential(
        lib.nn.Linear(features, units), *layers, lib.nn.Linear(units, classes)
    )
    model.load_state_dict({name: tensor(value) for name, value in weights.items()})
    optimizer = OPTIMIZERS[rule](lib, model.parameters())
    rng = np.random.default_rng(0)
    x = tensor(rng.standard_normal((rows, features)).astype(np.float32))
    y = tensor(rng.integers(0, classes, rows))

    def step() -> Any:
        loss = lib.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def seconds(step: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - start) / times


def compare(size: Any, middle: str, rule: str, rounds: int) -> tuple[float, float, float]:
    """Return the medians of both libraries' microseconds, and of their ratios."""
    features, units, classes, _ = size
    model = ss.nn.Sequential(
        ss.nn.Linear(features, units), *MIDDLES[middle](ss.nn, units), ss.nn.Linear(units, classes)
    )
    weights = {name: np.array(value) for name, value in model.state_dict().items()}
    ours = steps(ss, ss.tensor, weights, size, middle, rule)
    theirs = steps(torch, torch.tensor, weights, size, middle, rule)
    for _ in range(5):
        np.testing.assert_allclose(ours().item(), theirs().item(), rtol=1e-4)
    for step in (ours, theirs):
        seconds(step, 100)
    measured = [[seconds(step, 100) * 1e6 for step in (ours, theirs)] for _ in range(rounds)]
    mine, others = zip(*measured, strict=True)
    ratio = statistics.median(a / b for a, b in measured)
    return statistics.median(mine), statistics.median(others), ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ss.set_num_threads(1)
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}; µs for one step"
    )
    print("| network | between the layers | optimiser | Schuss | PyTorch | ratio |")
    print("|---|---|---|---:|---:|---:|")
    for name, size in SIZES.items():
        for middle in MIDDLES:
            for rule in OPTIMIZERS:
                mine, others, ratio = compare(size, middle, rule, options.rounds)
                print(
                    f"| {name} | {middle} | {rule} | {mine:,.0f} | {others:,.0f} | {ratio:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
