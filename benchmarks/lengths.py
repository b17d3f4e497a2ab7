"""What calls of ever other lengths cost: compiled, and eagerly.

    python benchmarks/lengths.py [work ...] [--calls N] [--threads N]

Each work is a sequence of calls of one function with arguments of random lengths, in a process with
an empty cache: "first" is the first pass over them, tracing and compiling included, "again" the
second one. Processor seconds of all threads beside those on the clock: on a busy machine they say
more. Results are compared with the eager ones.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import schuss as ss
from schuss import nn, optim
from schuss.nn import functional as F

MOST = 512


def network() -> nn.Module:
    ss.manual_seed(0)
    layers = [nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(*layers)


def rows(rng: np.random.Generator, *shape: int) -> Any:
    return ss.tensor(rng.normal(size=shape).astype(np.float32))


def server(rng: np.random.Generator, calls: int) -> tuple[Any, list[Any]]:
    """Probabilities of 1 to 512 rows."""
    model = network().eval()

    def predict(x: Any) -> Any:
        with ss.no_grad():
            return model(x).softmax(-1)

    return predict, [(rows(rng, n, 64),) for n in rng.integers(1, MOST + 1, calls)]


def training(rng: np.random.Generator, calls: int) -> tuple[Any, list[Any]]:
    """Steps of Adam on batches of 1 to 512 rows."""
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    lengths = rng.integers(1, MOST + 1, calls)
    return step, [(rows(rng, n, 64), ss.tensor(rng.integers(0, 10, n))) for n in lengths]


def epochs(rng: np.random.Generator, calls: int) -> tuple[Any, list[Any]]:
    """The same on batches of 128 rows, of which each tenth, the last of an epoch, has 37."""
    step, _ = training(rng, 0)
    lengths = [37 if i % 10 == 9 else 128 for i in range(calls)]
    return step, [(rows(rng, n, 64), ss.tensor(rng.integers(0, 10, n))) for n in lengths]


def sequences(rng: np.random.Generator, calls: int) -> tuple[Any, list[Any]]:
    """Steps of Adam: attention over 32 sequences of 1 to 512 words each, and a mean over time."""
    ss.manual_seed(0)
    words, out = nn.Embedding(1000, 32), nn.Linear(32, 4)
    optimizer = optim.Adam([*words.parameters(), *out.parameters()], lr=1e-3)

    def step(x: Any, y: Any) -> Any:
        h = words(x)
        h = (h @ h.permute(0, 2, 1) / 32**0.5).softmax(-1) @ h
        loss = F.cross_entropy(out(h.mean(1)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    lengths = rng.integers(1, MOST // 4 + 1, calls)
    return step, [
        (ss.tensor(rng.integers(0, 1000, (32, n))), ss.tensor(rng.integers(0, 4, 32)))
        for n in lengths
    ]


WORKS: dict[str, Callable[..., tuple[Any, list[Any]]]] = {
    "server": server,
    "training": training,
    "epochs": epochs,
    "sequences": sequences,
}


def timed(run: Any, calls: list[Any]) -> tuple[str, list[np.ndarray]]:
    wall, own = time.perf_counter(), time.process_time()
    results = [run(*given).array for given in calls]
    return f"{time.perf_counter() - wall:8.2f} ({time.process_time() - own:.2f})", results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", nargs="*", default=list(WORKS), help=f"of {', '.join(WORKS)}")
    parser.add_argument("--calls", type=int, default=1000, help="of each")
    parser.add_argument("--threads", type=int, help="that share a program; all cores by default")
    options = parser.parse_args()
    if options.threads:
        ss.set_num_threads(options.threads)
    print("seconds (of processors)   first              again              eager     programs")
    for name in options.work:
        made = [WORKS[name](np.random.default_rng(0), options.calls) for _ in range(2)]
        (function, calls), (eager, same) = made
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.environ["SCHUSS_CACHE"] = folder
            run = ss.compile(function)
            first, found = timed(run, calls)
            plain, wanted = timed(eager, same)
            for x, y in zip(found, wanted, strict=True):
                np.testing.assert_allclose(x, y, rtol=5e-2, atol=1e-3)
            again, _ = timed(run, calls)
        count = len({id(s.program) for s in _specializations(run)})
        print(f"{name:20}{first:>19}{again:>19}{plain:>19}{count:8}", flush=True)


def _specializations(run: Any) -> list[Any]:
    kept = [*run._specializations.values(), *getattr(run, "_padded", {}).values()]
    return [specialization for found in kept for specialization in found]


if __name__ == "__main__":
    main()
