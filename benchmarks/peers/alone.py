"""The first call and the memory of one peer, in a process of its own.

    python -m peers.alone MEASURE NETWORK PEER

prints one line of JSON; `measure_alone` runs it with empty caches and with those that the first run
left.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from peers.driver import PEERS, LeftOut, Peer
from peers.networks import NETWORKS, Network, make_data, mlp

STEPS = 6


def resident() -> int:
    """The bytes that this process holds in memory now, or 0 where nobody says."""
    return _status("VmRSS")


def peak() -> int:
    """The most bytes since `forget_peak`, or since the start where that cannot be done."""
    return _status("VmHWM")


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(x.split()[1]) * 1024 for x in lines if x.startswith(f"{name}:")), 0)


def forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def first_call(network: Network, peer: Peer) -> dict[str, Any]:
    """Seconds of the first call in this process, after imports and the building of the network."""
    steps = peer.build(network, make_data(network))
    start = time.perf_counter()
    steps.run(network.steps if peer.scans else 1)
    return {"first": time.perf_counter() - start}


def memory(network: Network, peer: Peer) -> dict[str, Any]:
    """The most bytes during steps after the first call, above the level before building.

    Weights, moments, gradients and activations are in it, and what a compiler leaves behind; the
    data are not.
    """
    # What a library loads on first use is not the step's: run another network before.
    warm = mlp([5, 7, 3], 9, STEPS)
    with contextlib.suppress(LeftOut):
        peer.build(warm, make_data(warm)).run(STEPS)
    data = make_data(network)
    gc.collect()
    before = resident()
    steps = peer.build(network, data)
    steps.run(STEPS)
    forget_peak()
    steps.run(STEPS)
    most = peak()
    return {"peak": most - before, "arena": steps.arena() if steps.arena else 0}


MEASURES = {"first": first_call, "memory": memory}


def measure_alone(name: str, peer: Peer) -> dict[str, Any]:
    """Measure a peer in fresh processes; `warm` is the first call where caches are filled.

    Raises:
        RuntimeError: if a process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        environment |= dict.fromkeys(peer.cache, folder)
        found = _run("first", name, peer, environment)
        if peer.cache:
            found["warm"] = _run("first", name, peer, environment)["first"]
        return found | _run("memory", name, peer, environment)


def _run(measure: str, name: str, peer: Peer, environment: dict[str, str]) -> dict[str, Any]:
    paths = [str(Path(__file__).resolve().parents[1]), environment.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "peers.alone", measure, name, peer.name],
        env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{peer.name} failed in a process of its own:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    _, measure_name, network_name, peer_name = sys.argv
    chosen = next(peer for peer in PEERS if peer.name == peer_name)
    print(json.dumps(MEASURES[measure_name](NETWORKS[network_name], chosen)))
