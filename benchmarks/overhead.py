"""Time of one eager operation on ten numbers, forward and backward, beside PyTorch.

Run from the repository's root:

    python benchmarks/overhead.py

On ten numbers the arithmetic costs nothing, so what is timed is the cost of making a node of the
graph and of going back through it. Both libraries take turns, round by round, so that a change in
the machine's speed meets both; the table has medians of nanoseconds for one operation, and the
median of the rounds' ratios. Forward is timed on inputs that require a gradient; forward and
backward on a chain of 100 operations, so that starting a reverse pass does not count, and on one
operation alone, where it does.
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

CHAIN = 100
REVERSED = list(range(10))[::-1]

Operation = Callable[[Any, Any, Any], Any]

# Each takes the library, x and y of ten numbers between 0.5 and 1 (matrices for matmul), and gives
# a result of x's shape, so that it can be applied again and again.
OPERATIONS: dict[str, Operation] = {
    "x + y": lambda lib, x, y: x + y,
    "x - y": lambda lib, x, y: x - y,
    "x * y": lambda lib, x, y: x * y,
    "x / y": lambda lib, x, y: x / y,
    "x * 0.99": lambda lib, x, y: x * 0.99,
    "1 - x": lambda lib, x, y: 1 - x,
    "-x": lambda lib, x, y: -x,
    "x ** 2": lambda lib, x, y: x**2,
    "exp": lambda lib, x, y: lib.exp(x),
    "log": lambda lib, x, y: lib.log(x),
    "sqrt": lambda lib, x, y: lib.sqrt(x),
    "tanh": lambda lib, x, y: lib.tanh(x),
    "sigmoid": lambda lib, x, y: lib.sigmoid(x),
    "relu": lambda lib, x, y: lib.relu(x),
    "abs": lambda lib, x, y: abs(x),
    "maximum": lambda lib, x, y: lib.maximum(x, y),
    "where": lambda lib, x, y: lib.where(x > y, x, y),
    "reshape": lambda lib, x, y: x.reshape(2, 5).reshape(10),
    "x[2:7]": lambda lib, x, y: x[2:7],
    "x[i]": lambda lib, x, y: x[REVERSED],
    "sum": lambda lib, x, y: x.sum(),
    "mean": lambda lib, x, y: x.mean(),
    "max": lambda lib, x, y: x.max(),
    "softmax": lambda lib, x, y: lib.softmax(x, -1),
    "log_softmax": lambda lib, x, y: lib.log_softmax(x, -1),
    "matmul 10x10": lambda lib, x, y: x @ y,
    "transpose 10x10": lambda lib, x, y: x.T,
    "sum of rows 10x10": lambda lib, x, y: x.sum(0),
}
SHRINKING = {"x[2:7]", "sum", "mean", "max", "sum of rows 10x10"}


class Library:
    """One of the two, with the inputs that it works on."""

    def __init__(self, module: Any, tensor: Callable[..., Any], name: str) -> None:
        rng = np.random.default_rng(0)
        shape = (10, 10) if "10x10" in name else (10,)
        x, y = (rng.uniform(0.5, 1, shape).astype(np.float32) for _ in range(2))
        scale = 5.0 if shape == (10, 10) else 1.0
        self.module = module
        self.x, self.y = tensor(x), tensor(y / np.float32(scale))
        self.x.requires_grad_()
        self.y.requires_grad_()
        self.operation = OPERATIONS[name]
        shape = tuple(self.forward().shape)
        self.error = tensor(np.ones(shape, np.float32))

    def forward(self) -> Any:
        return self.operation(self.module, self.x, self.y)

    def chain(self, length: int) -> None:
        x = self.x
        for _ in range(length):
            x = self.operation(self.module, x, self.y)
        x.backward(self.error)
        self.x.grad = self.y.grad = None


def seconds(function: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def compare(name: str, rounds: int) -> list[list[float]]:
    """Return, for forward, one pass and a chain, the medians of both and of their ratios."""
    ours = Library(ss, ss.tensor, name)
    theirs = Library(torch, torch.tensor, name)
    np.testing.assert_allclose(
        ours.forward().numpy(), theirs.forward().detach().numpy(), rtol=1e-5, atol=1e-6
    )
    kinds: list[tuple[Callable[[Library], Callable[[], Any]], int, int]] = [
        (lambda library: library.forward, 1000, 1),
        (lambda library: lambda: library.chain(1), 200, 1),
    ]
    if name not in SHRINKING:
        kinds.append((lambda library: lambda: library.chain(CHAIN), 5, CHAIN))
    table = []
    for make, times, operations in kinds:
        both = make(ours), make(theirs)
        measured = [[seconds(f, times) / operations * 1e9 for f in both] for _ in range(rounds)]
        a, b = zip(*measured, strict=True)
        ratio = statistics.median(x / y for x, y in measured)
        table.append([statistics.median(a), statistics.median(b), ratio])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", help="operations whose name contains this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}; ns for one operation"
    )
    print(
        "| operation | forward: Schuss | PyTorch | ratio | forward and backward: Schuss "
        "| PyTorch | ratio | in a chain of 100: Schuss | PyTorch | ratio |"
    )
    print("|---|" + "---:|" * 9)
    ratios: list[list[float]] = [[], [], []]
    for name in OPERATIONS:
        if options.only and options.only not in name:
            continue
        cells = []
        for place, (a, b, ratio) in enumerate(compare(name, options.rounds)):
            ratios[place].append(ratio)
            cells += [f"{a:,.0f}", f"{b:,.0f}", f"{ratio:.2f}"]
        print(f"| {name} | " + " | ".join(cells + [""] * (9 - len(cells))) + " |", flush=True)
    middle = [f"{statistics.median(r):.2f}" if r else "" for r in ratios]
    print(f"| median | | | {middle[0]} | | | {middle[1]} | | | {middle[2]} |")


if __name__ == "__main__":
    main()
