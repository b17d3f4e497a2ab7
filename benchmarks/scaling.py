"""The cost of a step as width, depth and batch double, against the machine's floors.

    python benchmarks/scaling.py [width] [depth] [batch]

Two floors are measured in the same run, each right before the steps that it belongs to. Arithmetic:
the operations of the step's matrix products over the best rate of a float32 product (NumPy's and
PyTorch's, on square ones and on the step's own shapes, on all cores). Memory: what Adam has to
move (it reads parameters, gradients and two moments, and writes all but the gradients: 7 x 4 bytes
a parameter) over the bandwidth of a copy within as many bytes. A step can overlap the two, so the
larger one is its floor.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from peers import machine
from peers.driver import PEERS, Steps
from peers.networks import Linear, Network, make_data, mlp

BYTES_MOVED = 7 * 4
BYTES_HELD = 4 * 4
ROUND_SECONDS = 0.1

SWEEPS: dict[str, tuple[list[int], Callable[[int], Network]]] = {
    "width": ([128, 256, 512, 1024, 2048], lambda width: mlp([width, width, width, 10], 128, 1)),
    "depth": ([1, 2, 4, 8, 16], lambda depth: mlp([512] * (depth + 1) + [10], 128, 1)),
    "batch": ([16, 32, 64, 128, 256, 512, 1024], lambda batch: mlp([784, 512, 512, 10], batch, 1)),
}


def product_shapes(network: Network) -> tuple[tuple[int, int, int], ...]:
    """Square products, and the step's own: forward, and to the weights."""
    shapes = {(n, n, n) for n in (512, 1024)}
    for layer in network.layers:
        if isinstance(layer, Linear) and layer.outputs > 16:
            shapes.add((network.batch, layer.outputs, layer.inputs))
            shapes.add((layer.outputs, layer.inputs, network.batch))
    return tuple(sorted(shapes))


def step_seconds(steps: Steps, rounds: int) -> list[float]:
    """Seconds of a step in each round, after warming up."""
    start = time.perf_counter()
    steps.run(2)
    seconds = (time.perf_counter() - start) / 2
    steps.run(8)
    count = max(1, int(ROUND_SECONDS / seconds))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        steps.run(count)
        times.append((time.perf_counter() - start) / count)
    return times


@dataclass
class Cost:
    """Seconds of a step in each round, and what the machine could do in the same minute."""

    times: list[float]
    flops: int
    moved: int
    rate: float
    bandwidth: float

    @property
    def arithmetic(self) -> float:
        return self.flops / self.rate

    @property
    def memory(self) -> float:
        return self.moved / self.bandwidth


def measure(network: Network, rounds: int) -> Cost:
    schuss = next(peer for peer in PEERS if peer.name == "Schuss call")
    steps = schuss.build(network, make_data(network))
    rate = machine.sgemm_rate(product_shapes(network))
    bandwidth = machine.copy_bandwidth(BYTES_HELD * network.parameters)
    times = step_seconds(steps, rounds)
    return Cost(times, network.flops, BYTES_MOVED * network.parameters, rate, bandwidth)


COLUMNS = (
    "median µs",
    "least µs",
    "arithmetic floor",
    "memory floor",
    "least / floor",
    "of sgemm's rate",
    "times the row above",
)


def sweep(name: str, rounds: int) -> None:
    values, make = SWEEPS[name]
    print(f"\n**{name}**: {make(values[0]).shape}, batch {make(values[0]).batch}, and so on\n")
    print(f"| {name} | {' | '.join(COLUMNS)} |")
    print("|---:" * (len(COLUMNS) + 1) + "|")
    before = 0.0
    for value in values:
        cost = measure(make(value), rounds)
        # The floors are the machine at its best, and so is what is compared with them.
        least = min(cost.times)
        micro = (statistics.median(cost.times), least, cost.arithmetic, cost.memory)
        cells = [
            *(f"{1e6 * seconds:,.0f}" for seconds in micro),
            f"{least / max(cost.arithmetic, cost.memory):.2f}",
            f"{cost.arithmetic / least:.0%} of {cost.rate / 1e9:.0f} GFLOP/s",
            f"{least / before:.2f}" if before else "–",
        ]
        print(f"| {value} | {' | '.join(cells)} |", flush=True)
        before = least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweeps", nargs="*", help=f"from {', '.join(SWEEPS)}; default: all")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if unknown := [name for name in options.sweeps if name not in SWEEPS]:
        parser.error(f"expected sweeps from {', '.join(SWEEPS)}; got {', '.join(unknown)}.")
    print(machine.describe())
    for name in options.sweeps or SWEEPS:
        sweep(name, options.rounds)


if __name__ == "__main__":
    main()
