"""A full training step (forward, loss, backward, Adam; float32), side by side with other libraries.

    python benchmarks/step.py [network ...] [--alone] [--markdown]

Losses are compared before anything is timed. The timed rounds of all peers are interleaved, so that
a change in the machine's speed meets them all. "call" calls the step from Python once a step;
"scan" runs many steps in one native call, on batches gathered from the data by an index; a peer
that can only loop in Python competes in both. Peers that are not installed, or cannot do a network,
are left out with a line that says why. See STEP.md for what the columns mean.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from peers import machine
from peers.alone import measure_alone
from peers.driver import OURS, PEERS, LeftOut, Peer, Steps
from peers.networks import NETWORKS, Data, Network, make_data

# A round of a loop in Python is cut short after about this time.
ROUND_SECONDS = 0.15
REST_SECONDS = 0.1
TOLERANCE = 2e-3
# A round counts if other programs took less of a core than this share, and two ticks of the clock.
DISTURBANCE = 0.1
TICKS_SECONDS = 0.02


@dataclass
class Entry:
    """One peer on one network: its steps and what was measured."""

    peer: Peer
    steps: Steps
    count: int = 0
    threads: int | None = None
    times: list[float] = field(default_factory=list)
    disturbed: list[float] = field(default_factory=list)
    is_disturbed: bool = False
    alone: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.times)


def build(network: Network, data: Data, peers: list[Peer]) -> list[Entry]:
    found = []
    for peer in peers:
        try:
            found.append(Entry(peer, peer.build(network, data)))
        except LeftOut as why:
            print(f"  {peer.name} is left out: {why}", file=sys.stderr)
    return found


def compare_losses(network: Network, entries: list[Entry]) -> None:
    """Run the first steps of every peer, and raise if the losses disagree."""
    losses: dict[bool, dict[str, float]] = {True: {}, False: {}}
    for entry in entries:
        check = entry.steps.check or entry.steps.run
        losses[entry.peer.scans][entry.peer.name] = check(network.checked)
    for same in filter(None, losses.values()):
        names, values = zip(*same.items(), strict=True)
        np.testing.assert_allclose(
            values, np.median(values), rtol=TOLERANCE, err_msg=f"losses of {', '.join(names)}"
        )


def prepare(network: Network, peers: list[Peer]) -> list[Entry]:
    """Build the peers, compared; where they draw random numbers, compared without."""
    data = make_data(network)
    if not network.is_random:
        entries = build(network, data, peers)
        compare_losses(network, entries)
        return entries
    plain = network.without_dropout()
    entries = build(plain, data, peers)
    compare_losses(plain, entries)
    kept = [entry.peer for entry in entries]
    return build(network, data, kept)


def seconds_of(entry: Entry, count: int) -> float:
    start = time.perf_counter()
    entry.steps.run(count)
    return (time.perf_counter() - start) / count


def settle(network: Network, entry: Entry) -> None:
    """Warm a peer up, and choose its threads and how many steps a round of it has."""
    entry.count = network.steps
    # A scan is compiled for its number of steps; a loop in Python can be shorter.
    if entry.peer.scans:
        entry.steps.run(entry.count)
        return
    if (set_threads := entry.steps.set_threads) is not None:
        times: dict[int, float] = {}
        for threads in (1, machine.cores()) * 4:
            set_threads(threads)
            seconds = seconds_of(entry, network.checked)
            times[threads] = min(seconds, times.get(threads, seconds))
        entry.threads = min(times, key=times.__getitem__)
        set_threads(entry.threads)
    seconds = seconds_of(entry, 1)
    if seconds * network.checked < ROUND_SECONDS:
        seconds = seconds_of(entry, network.checked)
    entry.count = max(1, min(network.steps, int(ROUND_SECONDS / seconds)))


def time_round(entry: Entry) -> None:
    """Time a round of a peer, and note whether other programs left the machine to it."""
    # The threads of the peer before may spin on for a while.
    time.sleep(REST_SECONDS)
    foreign = machine.foreign_seconds()
    seconds = seconds_of(entry, entry.count)
    foreign = machine.foreign_seconds() - foreign
    quiet = foreign < DISTURBANCE * seconds * entry.count + TICKS_SECONDS
    (entry.times if quiet else entry.disturbed).append(seconds)


def measure(network: Network, peers: list[Peer], rounds: int, patience: float) -> list[Entry]:
    """Time all peers in turn until each has its undisturbed rounds, or patience is at its end."""
    entries = prepare(network, peers)
    for entry in entries:
        settle(network, entry)
    start = time.perf_counter()
    while any(len(entry.times) < rounds for entry in entries):
        for entry in entries:
            time_round(entry)
        if time.perf_counter() - start > patience:
            break
    for entry in entries:
        if len(entry.times) < min(rounds, 3):
            entry.is_disturbed = True
            entry.times += entry.disturbed
    return entries


def ratios(entries: list[Entry]) -> dict[str, tuple[float, str]]:
    """By kind, our median over the fastest peer's, and that peer."""
    found = {}
    for kind in ("call", "scan", "sparse call", "sparse scan"):
        driven = kind.split()[-1]
        rivals = [
            e for e in entries if not e.peer.name.startswith(OURS) and driven in e.peer.competes
        ]
        ours = [e for e in entries if e.peer.name == f"{OURS} {kind}"]
        if rivals and ours:
            fastest = min(rivals, key=lambda e: e.median)
            found[kind] = (ours[0].median / fastest.median, fastest.peer.name)
    return found


COLUMNS = ("peer", "median µs", "least", "most", "first call s", "from cache s", "peak MB")


def cells(entry: Entry) -> list[str]:
    micro = [f"{1e6 * t:,.1f}" for t in (entry.median, min(entry.times), max(entry.times))]
    alone = entry.alone
    single = " (1 thread)" if entry.threads == 1 else ""
    name = entry.peer.name + single + (" (disturbed)" if entry.is_disturbed else "")
    if not alone:
        return [name, *micro, "–", "–", "–"]
    warm = f"{alone['warm']:.3f}" if "warm" in alone else "–"
    arena = f" (arena {alone['arena'] / 1e6:.2f})" if alone["arena"] else ""
    return [name, *micro, f"{alone['first']:.3f}", warm, f"{alone['peak'] / 1e6:.1f}{arena}"]


def show(name: str, network: Network, entries: list[Entry], markdown: bool) -> None:
    rows = [list(COLUMNS), *(cells(entry) for entry in entries)]
    if markdown:
        print(f"\n**{name}**: {network.shape}, batch {network.batch}\n")
        rows.insert(1, ["---"] + ["---:"] * (len(COLUMNS) - 1))
        print("\n".join(f"| {' | '.join(row)} |" for row in rows))
        print()
    else:
        print(f"\n{name}: {network.shape}, batch {network.batch}")
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            padded = [x.rjust(w) for x, w in zip(row[1:], widths[1:], strict=True)]
            print("  " + "  ".join([row[0].ljust(widths[0]), *padded]))
    bullet = "- " if markdown else "  "
    for kind, (ratio, rival) in ratios(entries).items():
        print(f"{bullet}ratio to the fastest peer, {kind}: {ratio:.2f} ({rival})")


def show_share(network: Network, entries: list[Entry], markdown: bool) -> None:
    """Say what share of the machine's rate of matrix products our steps reach."""
    rate = machine.sgemm_rate()
    ours = [e for e in entries if e.peer.name in (f"{OURS} call", f"{OURS} scan")]
    shares = [f"{e.peer.name} {network.flops / min(e.times) / rate:.0%}" for e in ours]
    bullet = "- " if markdown else "  "
    print(f"{bullet}of sgemm's {rate / 1e9:.0f} GFLOP/s, at best: {', '.join(shares)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=f"from {', '.join(NETWORKS)}; default: all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds to wait for undisturbed rounds"
    )
    parser.add_argument("--peers", nargs="+", default=[], help="parts of their names; default: all")
    parser.add_argument("--eager", action="store_true", help="time our eager step, too")
    parser.add_argument(
        "--alone", action="store_true", help="first calls and memory, each in fresh processes"
    )
    parser.add_argument("--markdown", action="store_true", help="print tables for STEP.md")
    options = parser.parse_args()
    unknown = [name for name in options.networks if name not in NETWORKS]
    if unknown:
        parser.error(f"expected networks from {', '.join(NETWORKS)}; got {', '.join(unknown)}.")
    wanted = [part.lower() for part in options.peers]
    peers = [
        peer
        for peer in PEERS
        if (peer.option != "eager" or peer.module != "schuss_steps" or options.eager)
        and (not wanted or any(part in peer.name.lower() for part in wanted))
    ]
    print(machine.describe())
    for name in options.networks or NETWORKS:
        network = NETWORKS[name]
        entries = measure(network, peers, options.rounds, options.patience)
        if options.alone:
            for entry in entries:
                entry.alone = measure_alone(name, entry.peer)
        show(name, network, entries, options.markdown)
        if name == "wide":
            show_share(network, entries, options.markdown)


if __name__ == "__main__":
    main()
