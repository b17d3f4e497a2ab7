"""Epochs a second, end to end, beside scikit-learn's MLPClassifier.

    python benchmarks/epochs.py [--epochs N] [--rounds N]

The same network, batches and solver (Adam, no validation, no weight decay, every row once an
epoch in a new order) on Iris and on scikit-learn's digits. "Trainer" is `Trainer.fit`, "scan" is
`ss.compile(step).scan` over batches drawn here; both from the first call to the last step, with
compiled programs in the cache, as a second start of a user's program finds them.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import schuss as ss
from peers import machine
from peers.networks import LR, Network, initial_weights, mlp
from peers.schuss_steps import make_model, make_step

# Both must have learned the training rows by the end, or the speed means nothing.
LEAST_ACCURACY = 0.9


@dataclass
class Task:
    """A data set, the network for it, and the epochs that are timed."""

    name: str
    network: Network
    epochs: int
    x: np.ndarray
    y: np.ndarray


def tasks() -> list[Task]:
    found = []
    for name, sizes, batch, epochs in (
        ("iris", [4, 16, 3], 16, 400),
        ("digits", [64, 128, 10], 64, 100),
    ):
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        x = ((x - x.mean(0)) / (x.std(0) + 1e-6)).astype(np.float32)
        found.append(Task(name, mlp(sizes, batch, 1), epochs, x, y.astype(np.int64)))
    return found


def by_trainer(task: Task, epochs: int) -> float:
    model = make_model(task.network, initial_weights(task.network.layers))
    trainer = ss.Trainer(
        model,
        "cross_entropy",
        optimizer="adam",
        lr=LR,
        batch_size=task.network.batch,
        epochs=epochs,
        progress=False,
    )
    trainer.fit((task.x, task.y), validation=None)
    return float((trainer.predict(task.x).argmax(1) == task.y).mean())


def orders(rows: int, batch: int, epochs: int) -> Iterator[np.ndarray]:
    """The batches of each epoch, of shape (steps, batch), and then its smaller rest."""
    rng = np.random.default_rng(0)
    whole = rows - rows % batch
    for _ in range(epochs):
        order = rng.permutation(rows)
        yield order[:whole].reshape(-1, batch)
        if whole < rows:
            yield order[None, whole:]


def by_scan(task: Task, epochs: int) -> float:
    model = make_model(task.network, initial_weights(task.network.layers))
    step = ss.compile(make_step(model))
    for index in orders(len(task.x), task.network.batch, epochs):
        step.scan((task.x, task.y), index)
    return float((model(ss.tensor(task.x)).numpy().argmax(1) == task.y).mean())


def by_sklearn(task: Task, epochs: int) -> float:
    model = MLPClassifier(
        task.network.hidden,
        solver="adam",
        alpha=0.0,
        batch_size=task.network.batch,
        learning_rate_init=LR,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(task.x, task.y)
    return float(model.score(task.x, task.y))


WAYS: dict[str, Callable[[Task, int], float]] = {
    "Schuss Trainer": by_trainer,
    "Schuss scan": by_scan,
    "scikit-learn": by_sklearn,
}


def compare(task: Task, epochs: int, rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    accuracies = {}
    for round_number in range(rounds + 1):
        for name, way in WAYS.items():
            start = time.perf_counter()
            accuracies[name] = way(task, epochs)
            # The first round fills the cache.
            if round_number:
                times[name].append(time.perf_counter() - start)
    for name, accuracy in accuracies.items():
        if accuracy < LEAST_ACCURACY:
            raise SystemExit(f"{task.name}: {name} ends with an accuracy of {accuracy:.3f} only.")
    batch, rows = task.network.batch, len(task.x)
    print(f"\n**{task.name}**: {rows} rows, {task.network.shape}, batch {batch}, {epochs} epochs\n")
    print("| | epochs/s, median | least | most | times scikit-learn | accuracy |")
    print("|---|---:|---:|---:|---:|---:|")
    theirs = statistics.median(times["scikit-learn"])
    for name, found in times.items():
        rate = [epochs / t for t in found]
        print(
            f"| {name} | {statistics.median(rate):,.0f} | {min(rate):,.0f} | {max(rate):,.0f} | "
            f"{theirs / statistics.median(found):.1f} | {accuracies[name]:.3f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="instead of 400 for Iris and 100 for digits")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(machine.describe())
    for task in tasks():
        compare(task, options.epochs or task.epochs, options.rounds)


if __name__ == "__main__":
    main()
