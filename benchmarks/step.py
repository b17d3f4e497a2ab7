"""A full training step, side by side with PyTorch and JAX in one run.

`python benchmarks/step.py [row ...]` prints one table: medians of interleaved rounds, the first
call apart, after all losses have been compared. Peers that are not installed are left out.

Each way of driving a step does the same work: forward, loss, backward, Adam, in float32.
"call" calls the step from Python once a step; "scan" runs many steps in one native call, on
batches gathered from the data by an index.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LR = 1e-3


@dataclass
class Row:
    """A network and its batch."""

    sizes: list[int]
    batch: int
    steps: int
    checked: int = 4


ROWS = {
    "iris": Row([4, 16, 3], 16, 2000, 20),
    "digits": Row([64, 128, 10], 64, 400, 20),
    "mnist": Row([784, 512, 512, 10], 128, 8),
    "wide": Row([2048, 2048, 2048, 10], 256, 2, 2),
}


@dataclass
class Data:
    """What every peer starts from: batches by index, and the same first weights."""

    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    weights: list[tuple[np.ndarray, np.ndarray]]


def make_data(row: Row) -> Data:
    rng = np.random.default_rng(0)
    rows = max(1000, 4 * row.batch)
    x = rng.normal(size=(rows, row.sizes[0])).astype(np.float32)
    y = rng.integers(0, row.sizes[-1], rows)
    index = rng.integers(0, rows, (row.steps, row.batch))
    weights = [
        (
            (rng.normal(size=(b, a)) / np.sqrt(a)).astype(np.float32),
            np.zeros(b, np.float32),
        )
        for a, b in zip(row.sizes, row.sizes[1:], strict=False)
    ]
    return Data(x, y, index, weights)


@dataclass
class Driver:
    """One way of running the steps: `run(count)` takes so many and returns the last loss."""

    name: str
    run: Callable[[int], float]
    steps: int = 0


def schuss_drivers(row: Row, data: Data, *, eager: bool) -> list[Driver]:
    import schuss as ss
    from schuss import nn, optim

    def build() -> Any:
        layers: list[nn.Module] = []
        for w, b in data.weights:
            layer = nn.Linear(w.shape[1], w.shape[0])
            layer.weight.assign(w)
            layer.bias.assign(b)
            layers += [layer, nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        rule = optim.Adam(model.parameters(), lr=LR)

        def step(x: Any, y: Any) -> Any:
            loss = nn.functional.cross_entropy(model(x), y)
            rule.zero_grad()
            loss.backward()
            rule.step()
            return loss

        return step

    x, y = ss.tensor(data.x[: row.batch]), ss.tensor(data.y[: row.batch])

    def loop(step: Any) -> Callable[[int], float]:
        def run(count: int) -> float:
            for _ in range(count):
                loss = step(x, y)
            return float(loss.item())

        return run

    call, scan = ss.compile(build()), ss.compile(build())
    drivers = [
        Driver("Schuss call", loop(call)),
        Driver(
            "Schuss scan",
            lambda count: float(scan.scan((data.x, data.y), data.index[:count]).array[-1]),
        ),
    ]
    return [*drivers, Driver("Schuss eager", loop(build()))] if eager else drivers


def torch_drivers(row: Row, data: Data) -> list[Driver]:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)

    def build(fused: bool) -> Callable[[int], float]:
        layers: list[torch.nn.Module] = []
        for w, b in data.weights:
            layer = torch.nn.Linear(w.shape[1], w.shape[0])
            with torch.no_grad():
                layer.weight.copy_(torch.tensor(w))
                layer.bias.copy_(torch.tensor(b))
            layers += [layer, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        rule = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)
        x, y = torch.tensor(data.x[: row.batch]), torch.tensor(data.y[: row.batch])

        def run(count: int) -> float:
            for _ in range(count):
                loss = torch.nn.functional.cross_entropy(model(x), y)
                rule.zero_grad()
                loss.backward()
                rule.step()
            return loss.item()

        return run

    return [Driver("PyTorch eager", build(False)), Driver("PyTorch fused Adam", build(True))]


def jax_drivers(row: Row, data: Data) -> list[Driver]:
    import jax
    import jax.numpy as jnp

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        for i, (w, b) in enumerate(weights):
            x = x @ w.T + b
            if i + 1 < len(weights):
                x = jnp.maximum(x, 0)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

    def step(state: Any, x: Any, y: Any) -> Any:
        weights, m, v, t = state
        loss, g = jax.value_and_grad(loss_of)(weights, x, y)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        c1, c2 = 1 - 0.9**t, 1 - 0.999**t
        weights = jax.tree.map(
            lambda w, a, b: w - LR * (a / c1) / (jnp.sqrt(b / c2) + 1e-8), weights, m, v
        )
        return (weights, m, v, t), loss

    def start() -> Any:
        weights = [(jnp.array(w), jnp.array(b)) for w, b in data.weights]
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return (weights, zeros, jax.tree.map(jnp.zeros_like, weights), jnp.float32(0))

    jitted = jax.jit(step, donate_argnums=0)
    x, y = jnp.array(data.x[: row.batch]), jnp.array(data.y[: row.batch])
    everything = jnp.array(data.x), jnp.array(data.y)
    index = jnp.array(data.index)

    def many(state: Any, index: Any) -> Any:
        return jax.lax.scan(lambda s, i: step(s, everything[0][i], everything[1][i]), state, index)

    scanned = jax.jit(many, donate_argnums=0)
    held = {"call": start(), "scan": start()}

    def call(count: int) -> float:
        state = held["call"]
        for _ in range(count):
            state, loss = jitted(state, x, y)
        held["call"] = state
        return float(loss)

    def scan(count: int) -> float:
        held["scan"], losses = scanned(held["scan"], index[:count])
        return float(losses[-1])

    return [Driver("JAX call", call), Driver("JAX scan", scan)]


def drivers_of(row: Row, data: Data, *, eager: bool) -> list[Driver]:
    found = schuss_drivers(row, data, eager=eager)
    for peer in (torch_drivers, jax_drivers):
        try:
            found += peer(row, data)
        except ImportError as error:
            print(f"  left out: {error.name}", file=sys.stderr)
    return found


def measure(name: str, row: Row, rounds: int, *, eager: bool) -> None:
    data = make_data(row)
    drivers = drivers_of(row, data, eager=eager)
    first, losses = {}, {}
    for driver in drivers:
        start = time.perf_counter()
        losses[driver.name] = driver.run(row.checked)
        first[driver.name] = time.perf_counter() - start
    for kind in ("call", "scan"):
        same = [v for k, v in losses.items() if ("scan" in k) == (kind == "scan")]
        np.testing.assert_allclose(same, same[0], rtol=2e-2, atol=2e-3)
    times: dict[str, list[float]] = {d.name: [] for d in drivers}
    for driver in drivers:
        # A scan is compiled for its number of steps; a loop in Python can be shorter.
        driver.steps = row.steps
        start = time.perf_counter()
        if "scan" in driver.name:
            driver.run(row.steps)
        else:
            driver.run(row.checked)
            seconds = (time.perf_counter() - start) / row.checked
            driver.steps = max(row.checked, min(row.steps, int(0.15 / seconds)))
    for _ in range(rounds):
        for driver in drivers:
            start = time.perf_counter()
            driver.run(driver.steps)
            times[driver.name].append((time.perf_counter() - start) / driver.steps * 1e6)
    shape = "-".join(map(str, row.sizes))
    print(f"\n{name}: {shape}, batch {row.batch}, {rounds} rounds of up to {row.steps} steps")
    print(f"  {'':20} {'median us':>10} {'least':>10} {'most':>10} {'first s':>8}")
    for driver in drivers:
        t = times[driver.name]
        print(
            f"  {driver.name:20} {statistics.median(t):10.2f} {min(t):10.2f} {max(t):10.2f} "
            f"{first[driver.name]:8.2f}"
        )
    peers = {k: statistics.median(v) for k, v in times.items() if not k.startswith("Schuss")}
    if peers:
        for kind in ("call", "scan"):
            # A loop in Python is PyTorch's only way; JAX has one of each kind.
            rivals = {k: v for k, v in peers.items() if kind in k or "PyTorch" in k}
            best = min(rivals, key=rivals.__getitem__)
            ratio = statistics.median(times[f"Schuss {kind}"]) / rivals[best]
            print(f"  ratio to the fastest peer, {kind}: {ratio:.2f} ({best})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=["iris", "digits"], choices=[*ROWS, []])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--eager", action="store_true", help="time the eager step, too")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"NumPy {np.__version__}, load {load:.1f}")
    for name in options.rows:
        measure(name, ROWS[name], options.rounds, eager=options.eager)


if __name__ == "__main__":
    main()
