"""Where a step's time goes: each stage of the compiled program, timed inside of it.

    python benchmarks/stages.py mnist [--threads 2] [--all]

The program's own text is compiled once more with a reading of the processor's counter around every
call in its step: what a thread spends in a stage, and what it waits at the meeting after it, by the
fastest quarter of many steps. A reading costs some 20 ns.
"""

from __future__ import annotations

import argparse
import ctypes
import re
import time
from typing import Any

import numpy as np

import schuss as ss
from peers import machine
from peers.networks import NETWORKS, make_data
from peers.schuss_steps import make_model, make_step
from schuss.compiler.kernels.cost import cost_of
from schuss.compiler.kernels.symbols import addresses
from schuss.compiler.listing import Listing
from schuss.compiler.runtime import thread_pool
from schuss.native import jit

SECONDS = 0.5


def instrumented(text: str) -> tuple[str, list[str]]:
    """The text with readings around each call in `step`, and the functions that are called."""
    lines = text.splitlines()
    start = next(i for i, x in enumerate(lines) if re.match(r"define .*@step\(", x))
    end = start + lines[start:].index("}")
    body: list[str] = []
    called: list[str] = []
    for line in lines[start:end]:
        found = re.match(r"\s*call void @(\w+)\(", line)
        if not found or not found[1].startswith(("stage_", "schuss_barrier")):
            body.append(line)
            continue
        p = f"%reading{len(called)}"
        body += [
            f"{p}a = call i64 @llvm.readcyclecounter()",
            line,
            f"{p}b = call i64 @llvm.readcyclecounter()",
            f"{p}c = sub i64 {p}b, {p}a",
            f"{p}d = mul i64 %tid, COUNT",
            f"{p}e = add i64 {p}d, {len(called)}",
            f"{p}f = getelementptr i64, ptr @readings, i64 {p}e",
            f"{p}g = load i64, ptr {p}f",
            f"{p}h = add i64 {p}g, {p}c",
            f"store i64 {p}h, ptr {p}f",
        ]
        called.append(found[1])
    count = len(called)
    body = [line.replace("COUNT", str(count)) for line in body]
    head = [
        "declare i64 @llvm.readcyclecounter()",
        f"@readings = global [{count * machine.cores()} x i64] zeroinitializer",
    ]
    return "\n".join([*head, *lines[:start], *body, *lines[end:]]), called


def readings(build: Any, size: int) -> tuple[np.ndarray, list[str], float]:
    """Microseconds of each call, shape (threads, calls), the functions, and those of a step."""
    program, module = build.program, build.compilation.module
    (main,) = (text for text in module.plain if re.search(r"^define .*@step\(", text, re.M))
    rest = [text for text in module.plain if text is not main]
    main, called = instrumented(main)
    library = jit.load(module.loops, plain=[main, *rest], symbols=addresses(module.symbols))
    step = library.address("step")
    team = thread_pool.team(size)
    program._pointers[1] = team.control
    counters = np.ctypeslib.as_array(
        (ctypes.c_int64 * (size * len(called))).from_address(library.address("readings"))
    ).reshape(size, -1)
    for _ in range(20):
        thread_pool.launch(team, step, program._at, program)
    cycles, times = [], []
    while sum(times) < SECONDS or len(times) < 5:
        counters[:] = 0
        start = time.perf_counter()
        thread_pool.launch(team, step, program._at, program)
        times.append(time.perf_counter() - start)
        cycles.append(counters.copy())
    # The first thread's calls, which have no gaps between them, take the whole time; the fastest
    # quarter of the steps is what the machine does when nothing else disturbs it.
    micro = 1e6 * sum(times) / sum(c[0].sum() for c in cycles)
    fastest = np.argsort(times)[: max(1, len(times) // 4)]
    found = np.median([cycles[i] for i in fastest], axis=0) * micro
    return found, called, 1e6 * float(np.median([times[i] for i in fastest]))


def show(build: Any, size: int, everything: bool) -> None:
    spent, called, micro = readings(build, size)
    epilogues = build.compilation.schedule.epilogues
    inner = {stage for others in epilogues.values() for stage in others}
    everywhere = build.compilation.plan.stages
    places = [i for i, stage in enumerate(everywhere) if stage not in inner]
    planned = [everywhere[i] for i in places]
    print(f"\n{micro:.1f} µs a step on {size} threads, {len(planned)} stages")
    print(f"{'work µs':>9} {'wait µs':>9} {'GFLOP/s':>8}  stage")
    listing = str(Listing(build.compilation)).splitlines()
    heads = [i for i, line in enumerate(listing) if re.match(r"\d+: ", line)]
    is_wait = np.array([name == "schuss_barrier" for name in called])
    work = np.flatnonzero(~is_wait)
    waits = spent * is_wait
    rows = []
    for number, place in enumerate(work):
        until = work[number + 1] if number + 1 < len(work) else len(called)
        waited = waits[:, place:until].sum() / size
        stage = planned[number] if len(work) == len(planned) else None
        stages = [stage, *epilogues.get(stage, ())] if stage else []
        flops = sum(cost_of(node) for s in stages for node in s.nodes)
        label = listing[heads[places[number]]] if stage else called[place]
        if len(stages) > 1:
            label = f"{label[:60]}... and {len(stages) - 1} more"
        last = (
            listing[heads[places[number] + 1] - 1]
            if stage and places[number] + 1 < len(heads)
            else ""
        )
        busy = spent[:, place].max()
        rows.append((busy, waited, flops / max(busy, 1e-9) / 1e3, f"{label} ...{last.strip()}"))
    shown = rows if everything else sorted(rows, reverse=True)[:12]
    for busy, waited, rate, label in shown:
        print(f"{busy:9.1f} {waited:9.1f} {rate:8.1f}  {label[:110]}")
    print(f"{sum(r[0] for r in rows):9.1f} {sum(r[1] for r in rows):9.1f}           all of them")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+", choices=list(NETWORKS))
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, machine.cores()}))
    parser.add_argument("--all", action="store_true", help="every stage, in the program's order")
    options = parser.parse_args()
    print(machine.describe())
    for name in options.networks:
        network = NETWORKS[name]
        data = make_data(network)
        step: Any = ss.compile(make_step(make_model(network, data.weights)))
        x, y = ss.tensor(data.x[: network.batch]), ss.tensor(data.y[: network.batch])
        step(x, y)
        print(f"\n{name}: {network.shape}, batch {network.batch}")
        for size in options.threads:
            show(step._last.build, size, options.all)


if __name__ == "__main__":
    main()
