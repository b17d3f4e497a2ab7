"""Schuss with nothing set beside a grid of rules and rates, and rules that need no tuning.

    python benchmarks/step_size.py --json results.json               # what needs no data folder
    python benchmarks/step_size.py --data ../shared/data --half 2 --seeds 2
    python benchmarks/step_size.py --json results.json --show        # the table of what is there

For each workload of `workloads.py`: the grid is 5 rules (SGD with Nesterov's momentum, RMSprop,
Adam, AdamW, NAdam) by 9 learning rates, two a power of ten, each with a cosine to the end of the
same epochs; its best is the one whose mean over the seeds is best on the test rows, which favours
the grid. Beside it, each at its defaults: NAdamW with the settings of AlgoPerf's baseline (2 % of
warm-up, then a cosine; see arXiv 2505.24005), Schedule-Free AdamW, Prodigy and D-Adaptation (with a
cosine), Muon, and Schuss with nothing set but epochs and batch. All keep the epoch that is best on
the validation rows. What is compared is the loss on test rows (on the training rows where there are
no others). The seconds are processor time of a fit, in a process in which every program has been
compiled before.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import schuss as ss
from schuss import optim
from schuss.errors import SchussError
from schuss.training import Trainer
from workloads import Workload, workloads

RATES = [10.0 ** (k / 2) for k in range(-8, 1)]
GRID: dict[str, Callable[..., Any]] = {
    "sgd": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
    "rmsprop": lambda p, lr: optim.RMSprop(p, lr=lr),
    "adam": lambda p, lr: optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: optim.AdamW(p, lr=lr, weight_decay=0.01),
    "nadam": lambda p, lr: optim.NAdam(p, lr=lr),
}


def calibrated(parameters: Any) -> Any:
    """Return NAdamW with the settings that were best for all of AlgoPerf at once."""
    return optim.NAdam(
        parameters,
        lr=0.0017486,
        betas=(1.0 - 0.067339, 0.995516),
        weight_decay=0.081216,
        decoupled_weight_decay=True,
    )


def warm_up(progress: float) -> float:
    """Return 2 % of a straight rise, then a cosine."""
    if progress < 0.02:
        return progress / 0.02
    return 0.5 * (1.0 + math.cos(math.pi * (progress - 0.02) / 0.98))


UNTUNED: dict[str, dict[str, Any]] = {
    "schuss": {},
    "schuss, one start": {"escape": False},
    "nadamw, fixed": {"optimizer": calibrated, "schedule": warm_up},
    "schedule-free adamw": {"optimizer": lambda p: optim.AdamWScheduleFree(p), "schedule": None},
    "prodigy": {"optimizer": lambda p: optim.Prodigy(p), "schedule": "cosine"},
    "d-adaptation": {"optimizer": lambda p: optim.DAdaptAdam(p), "schedule": "cosine"},
    "muon": {"optimizer": lambda p: optim.MuonAdamW(p), "schedule": "cosine"},
}


def once(workload: Workload, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """Train once; return the test loss, processor seconds and what was chosen."""
    ss.manual_seed(seed)
    model, loss, train, validation, test = workload.make(np.random.default_rng(seed))
    trainer = Trainer(
        model,
        loss,
        **{"escape": False, "schedule": None} | options if options else {},
        batch_size=workload.batch_size,
        epochs=workload.epochs,
        seed=seed,
        progress=False,
    )
    begun = time.process_time()
    try:
        fit = trainer.fit(train, validation)
    except SchussError as error:
        return {"loss": math.inf, "seconds": time.process_time() - begun, "notes": [str(error)]}
    seconds = time.process_time() - begun
    found = trainer.evaluate(test or train)["loss"]
    return {"loss": math.inf if found is None else found, "seconds": seconds, "notes": fit.notes}


def runs_of(grid: bool) -> dict[str, dict[str, Any]]:
    """Return the options of everything that is compared, by name, with or without the grid."""
    found = dict(UNTUNED)
    found["schuss, one start"] = {"escape": False, "schedule": "auto"}
    for name, rule in GRID.items() if grid else ():
        for rate in RATES:
            made = partial(_made, rule, rate)
            found[f"{name} {rate:.2g}"] = {"optimizer": made, "schedule": "cosine"}
    return found


def _made(rule: Callable[..., Any], rate: float, parameters: Any) -> Any:
    return rule(parameters, lr=rate)


def measure(
    found: dict[str, Any], workload: Workload, seeds: int, grid: bool, write: Callable[[], None]
) -> None:
    """Add a workload's results to those found."""
    held = found.setdefault(workload.name, {"half": workload.half, "runs": {}})["runs"]
    for name, options in runs_of(grid).items():
        results = held.setdefault(name, [])
        if not results and name in UNTUNED:
            once(workload, 0, options)  # compiles
        for seed in range(len(results), seeds):
            results.append(once(workload, seed, options))
    write()


def mean(results: list[dict[str, Any]]) -> float:
    """Return the mean loss over the seeds."""
    return float(np.mean([result["loss"] for result in results]))


def show(found: dict[str, Any]) -> None:
    """Print a line a workload, and mean ranks."""
    names = list(UNTUNED)
    ranks: dict[str, list[int]] = {name: [] for name in names}
    print(f"{'workload':20}{'grid best':>26}", *(f"{name:>20}" for name in names), "  time")
    for workload, held in found.items():
        runs = {name: results for name, results in held["runs"].items() if results}
        grid = {name: mean(r) for name, r in runs.items() if name not in names}
        best = min(grid, key=lambda name: grid[name], default="not run")
        grid.setdefault(best, math.nan)
        losses = {name: mean(runs[name]) for name in names}
        judged = [name for name in names if name != "schuss, one start"]
        for name in judged:
            ranks[name].append(1 + sum(losses[other] < losses[name] for other in judged))
        over = (f"{losses[n]:.4g} ({_over(losses[n], grid[best])})" for n in names)
        seconds = {n: np.median([r["seconds"] for r in runs[n]]) for n in names}
        ratio = seconds["schuss, one start"] / seconds["nadamw, fixed"]
        print(
            f"{workload:20}{f'{grid[best]:.4g} {best}':>26}",
            *(f"{text:>20}" for text in over),
            f"{ratio:6.2f}",
        )
    print("mean rank", {name: round(float(np.mean(r)), 2) for name, r in ranks.items() if r})


def _over(loss: float, best: float) -> str:
    return f"{100.0 * (loss / max(best, 1e-12) - 1.0):+.0f} %"


def main() -> None:
    """Measure what is asked for, and show all that there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of pictures, recordings and tables")
    parser.add_argument("--half", type=int, choices=(1, 2))
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-grid", action="store_true", help="only what needs no tuning")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    if options.json is not None and options.json.exists():
        found = json.loads(options.json.read_text())

    def write() -> None:
        if options.json is not None:
            options.json.write_text(json.dumps(found))

    for workload in workloads(options.data).values():
        chosen = options.half in (None, workload.half)
        chosen = chosen and (not options.only or workload.name in options.only)
        if chosen and not options.show:
            measure(found, workload, options.seeds, not options.no_grid, write)
            print(f"{workload.name} done", flush=True)
    show(found)


if __name__ == "__main__":
    main()
