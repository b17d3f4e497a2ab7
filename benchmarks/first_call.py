"""Where the time of a compiled step's first call goes, cold and from the cache on disk.

    python benchmarks/first_call.py [network ...] [--repeats N] [--peers]

Each reading is taken in a process of its own, after `import schuss, numpy` and the building of the
network and the optimiser: with an empty SCHUSS_CACHE, and with the one that the first left. The
times are milliseconds, medians over the processes; "first call" is everything until the step has
run once, imports included (from bytecode, as where packages are installed). With --peers, the first
calls of other libraries come beside it.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers import machine
from peers.alone import first_call
from peers.driver import OURS, PEERS, LeftOut, Peer
from peers.networks import NETWORKS, make_data

# What each phase consists of: (module, name in it), none inside another of them.
PHASES = {
    "passes": [
        ("schuss.compiler.pipeline", name)
        for name in ("simplify", "legalize", "fuse", "rematerialize", "plan_stages", "plan_memory")
    ],
    "text": [("schuss.compiler.pipeline", "emit_program")],
    "OpenBLAS": [("schuss.compiler.kernels.symbols", "_blas")],
    "compile": [("schuss.native.jit", "_compile")],
    "link": [("schuss.native.jit", "_link")],
    "run": [("schuss.compiler.runtime.executable", "Program.run")],
}
COLUMNS = ["first call", "import", "trace", *PHASES, "rest"]
RIVALS = ("PyTorch eager", "torch.compile", "JAX call")


class Clock:
    """Adds up the time that the main thread is inside of functions, by the name of a phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: set[str] = set()

    def around(self, function: Callable[..., Any], phase: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **options: Any) -> Any:
            is_main = threading.current_thread() is threading.main_thread()
            if phase in self._inside or not is_main:
                return function(*args, **options)
            self._inside.add(phase)
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent = time.perf_counter() - start
                self.seconds[phase] = self.seconds.get(phase, 0.0) + spent
                self._inside.remove(phase)

        return timed

    def watch(self, module: str, name: str, phase: str) -> None:
        *path, last = name.split(".")
        owner = functools.reduce(getattr, path, importlib.import_module(module))
        setattr(owner, last, self.around(getattr(owner, last), phase))


def take(name: str) -> dict[str, float]:
    """Measure the first call in this process."""
    from peers.schuss_steps import build

    start = time.perf_counter()
    # What the first call would load is loaded before, so that it can be watched.
    importlib.import_module("llvmlite.binding")
    importlib.import_module("schuss.compiler.compiled")
    is_cold = not any(Path(os.environ["SCHUSS_CACHE"]).iterdir())
    if is_cold:
        importlib.import_module("schuss.compiler.pipeline")
    imported = time.perf_counter() - start
    network = NETWORKS[name]
    steps = build("call", network, make_data(network))
    clock = Clock()
    for phase, places in PHASES.items():
        for module, function in places:
            if is_cold or module in sys.modules:
                clock.watch(module, function, phase)
    clock.watch("schuss.compiler.compiled", "Compiled._trace", "tracing")
    clock.watch("schuss.compiler.build", "Build.__init__", "program")
    start = time.perf_counter()
    steps.run(1)
    first = imported + time.perf_counter() - start
    spent = {phase: clock.seconds.get(phase, 0.0) for phase in PHASES}
    spent |= {"import": imported}
    spent["trace"] = clock.seconds["tracing"] - clock.seconds["program"]
    return spent | {"first call": first, "rest": first - sum(spent.values())}


def take_peer(name: str, peer: str) -> dict[str, float]:
    """Measure a peer's first call in this process; nothing where it is left out."""
    chosen = next(p for p in PEERS if p.name == peer)
    try:
        return {"first call": first_call(NETWORKS[name], chosen)["first"]}
    except LeftOut as why:
        print(f"  {peer} is left out: {why}", file=sys.stderr)
        return {}


def run(arguments: list[str], cache: dict[str, str]) -> dict[str, float]:
    """Run this file in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), *arguments],
        env=os.environ | cache,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(
    name: str, peer: Peer, repeats: int, bytecode: dict[str, str]
) -> dict[str, list[dict[str, float]]]:
    """Return the readings of a library, cold and from its cache."""
    arguments = ["--take", name] if peer.name.startswith(OURS) else ["--take", name, peer.name]
    found: dict[str, list[dict[str, float]]] = {"cold": [], "from the cache": []}
    for repeat in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            cache = dict.fromkeys(peer.cache, folder)
            for kind in ("cold", "from the cache") if cache else ("cold",):
                taken = run(arguments, cache | bytecode)
                # The first process writes the bytecode for the others.
                if repeat:
                    found[kind].append(taken)
    return found


def show(name: str, peers: list[Peer], repeats: int, bytecode: dict[str, str]) -> None:
    print(f"\n{name}: {NETWORKS[name].shape}, batch {NETWORKS[name].batch}")
    print("".join(f"{c:>11}" for c in ["", "", *COLUMNS]))
    for peer in peers:
        for kind, readings in measure(name, peer, repeats, bytecode).items():
            cells = []
            for column in COLUMNS:
                times = [r[column] for r in readings if column in r]
                cells.append(f"{1e3 * statistics.median(times):11.1f}" if times else " " * 11)
            if readings:
                print(f"{f'{peer.name}, {kind}':>22}{''.join(cells)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help=", ".join(NETWORKS))
    parser.add_argument("--repeats", type=int, default=5, help="processes for each reading")
    parser.add_argument("--peers", action="store_true", help="measure other libraries, too")
    parser.add_argument("--take", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.take:
        print(json.dumps((take if len(options.take) == 1 else take_peer)(*options.take)))
        return
    print(machine.describe())
    wanted = (f"{OURS} call", *(RIVALS if options.peers else ()))
    with tempfile.TemporaryDirectory() as folder:
        bytecode = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        for name in options.networks:
            show(name, [p for p in PEERS if p.name in wanted], options.repeats, bytecode)


if __name__ == "__main__":
    main()
