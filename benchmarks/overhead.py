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

Operation = Callable[["Library", Any], Any]

# Each takes a library with its inputs, and x: ten numbers between 0.5 and 1, or where the name says
# so 10x10 of them. A result of x's shape can be fed in again, which makes a chain.
OPERATIONS: dict[str, Operation] = {
    "x + y": lambda lib, x: x + lib.y,
    "x - y": lambda lib, x: x - lib.y,
    "x * y": lambda lib, x: x * lib.y,
    "x / y": lambda lib, x: x / lib.y,
    "x * 0.99": lambda lib, x: x * 0.99,
    "1 - x": lambda lib, x: 1 - x,
    "-x": lambda lib, x: -x,
    "x ** 2": lambda lib, x: x**2,
    "x ** y": lambda lib, x: x**lib.y,
    "x > y": lambda lib, x: x > lib.y,
    "exp": lambda lib, x: lib.module.exp(x),
    "log": lambda lib, x: lib.module.log(x),
    "sqrt": lambda lib, x: lib.module.sqrt(x),
    "tanh": lambda lib, x: lib.module.tanh(x),
    "sin": lambda lib, x: lib.module.sin(x),
    "sigmoid": lambda lib, x: lib.module.sigmoid(x),
    "relu": lambda lib, x: lib.module.relu(x),
    "leaky_relu": lambda lib, x: lib.functional.leaky_relu(x, 0.1),
    "elu": lambda lib, x: lib.functional.elu(x),
    "silu": lambda lib, x: lib.functional.silu(x),
    "softplus": lambda lib, x: lib.functional.softplus(x),
    "gelu": lambda lib, x: lib.functional.gelu(x),
    "abs": lambda lib, x: abs(x),
    "clip": lambda lib, x: lib.module.clip(x, 0.6, 0.9),
    "maximum": lambda lib, x: lib.module.maximum(x, lib.y),
    "where": lambda lib, x: lib.module.where(x > lib.y, x, lib.y),
    "masked_fill": lambda lib, x: x.masked_fill(lib.mask, 0.75),
    "astype": lambda lib, x: x.to(lib.module.float64),
    "dropout": lambda lib, x: lib.functional.dropout(x, 0.25),
    "reshape": lambda lib, x: x.reshape(2, 5).reshape(10),
    "unsqueeze": lambda lib, x: x.unsqueeze(0),
    "flip": lambda lib, x: lib.module.flip(x, (0,)),
    "concat": lambda lib, x: lib.module.concat([x, lib.y]),
    "stack": lambda lib, x: lib.module.stack([x, lib.y]),
    "split": lambda lib, x: x.split(5)[1],
    "x[3]": lambda lib, x: x[3],
    "x[2:7]": lambda lib, x: x[2:7],
    "x[list]": lambda lib, x: x[REVERSED],
    "x[integers]": lambda lib, x: x[lib.integers],
    "x[mask]": lambda lib, x: x[lib.mask],
    "sum": lambda lib, x: x.sum(),
    "mean": lambda lib, x: x.mean(),
    "var": lambda lib, x: x.var(correction=0),
    "max": lambda lib, x: x.max(),
    "argmax": lambda lib, x: x.argmax(),
    "cumsum": lambda lib, x: x.cumsum(0),
    "norm": lambda lib, x: x.norm(),
    "logsumexp": lambda lib, x: lib.module.logsumexp(x, 0),
    "softmax": lambda lib, x: lib.module.softmax(x, -1),
    "log_softmax": lambda lib, x: lib.module.log_softmax(x, -1),
    "mse_loss": lambda lib, x: lib.functional.mse_loss(x, lib.y),
    "l1_loss": lambda lib, x: lib.functional.l1_loss(x, lib.y),
    "smooth_l1_loss": lambda lib, x: lib.functional.smooth_l1_loss(x, lib.y),
    "bce_with_logits": lambda lib, x: lib.functional.binary_cross_entropy_with_logits(x, lib.y),
    "10x10 + row": lambda lib, x: x + lib.row,
    "10x10 transpose": lambda lib, x: x.T,
    "10x10 sum of rows": lambda lib, x: x.sum(0),
    "10x10 mean of rows": lambda lib, x: x.mean(0),
    "10x10 x[3]": lambda lib, x: x[3],
    "10x10 x[:, 3]": lambda lib, x: x[:, 3],
    "10x10 softmax": lambda lib, x: lib.module.softmax(x, -1),
    "10x10 matmul": lambda lib, x: x @ lib.y,
    "10x10 matmul by vector": lambda lib, x: x @ lib.row,
    "10x10 linear": lambda lib, x: lib.functional.linear(x, lib.y, lib.row),
    "10x10 layer_norm": lambda lib, x: lib.functional.layer_norm(x, (10,), lib.row, lib.row),
    "10x10 rms_norm": lambda lib, x: lib.functional.rms_norm(x, (10,), lib.row),
    "10x10 batch_norm": lambda lib, x: lib.functional.batch_norm(
        x, None, None, lib.row, lib.row, training=True
    ),
    "10x10 embedding": lambda lib, x: lib.functional.embedding(lib.integers, x),
    "10x10 cross_entropy": lambda lib, x: lib.functional.cross_entropy(x, lib.integers),
    "10x10 nll_loss": lambda lib, x: lib.functional.nll_loss(x, lib.integers),
}
RANDOM = {"dropout"}


class Library:
    """One of the two, with the inputs that it works on."""

    def __init__(self, module: Any, tensor: Callable[..., Any], name: str) -> None:
        rng = np.random.default_rng(0)
        shape = (10, 10) if name.startswith("10x10") else (10,)
        x, y, row = (rng.uniform(0.5, 1, s).astype(np.float32) for s in (shape, shape, (10,)))
        # So that a chain of products stays near 1.
        y /= np.float32(5 if len(shape) == 2 else 1)
        self.module, self.functional = module, module.nn.functional
        self.x, self.y, self.row = tensor(x), tensor(y), tensor(row)
        self.integers, self.mask = tensor(rng.permutation(10)), tensor(x > 0.7)
        for leaf in (self.x, self.y, self.row):
            leaf.requires_grad_()
        self.operation = OPERATIONS[name]
        found = self.forward()
        self.differentiable = bool(found.requires_grad)
        self.repeatable = self.differentiable and found.shape == self.x.shape
        ones = np.ones(tuple(found.shape), np.float32)
        self.error = tensor(ones).to(found.dtype)

    def forward(self) -> Any:
        return self.operation(self, self.x)

    def chain(self, length: int) -> None:
        x = self.x
        for _ in range(length):
            x = self.operation(self, x)
        x.backward(self.error)
        self.x.grad = self.y.grad = self.row.grad = None


def seconds(function: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def compare(name: str, rounds: int) -> list[list[float]]:
    """Return, for forward, one pass and a chain, the medians of both and of their ratios."""
    ours = Library(ss, ss.tensor, name)
    theirs = Library(torch, torch.tensor, name)
    if name not in RANDOM:
        np.testing.assert_allclose(
            ours.forward().numpy(), theirs.forward().detach().numpy(), rtol=1e-5, atol=1e-6
        )
    kinds: list[tuple[Callable[[Library], Callable[[], Any]], int, int]] = [
        (lambda library: library.forward, 1000, 1)
    ]
    if ours.differentiable:
        kinds.append((lambda library: lambda: library.chain(1), 200, 1))
    if ours.repeatable:
        kinds.append((lambda library: lambda: library.chain(CHAIN), 5, CHAIN))
    table = []
    for make, times, operations in kinds:
        both = make(ours), make(theirs)
        for f in both:
            seconds(f, times)
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
