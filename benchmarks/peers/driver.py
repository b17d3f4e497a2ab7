"""What a peer is: a name, and functions that build and run its steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from peers.networks import Data, Network


class LeftOut(Exception):  # noqa: N818  # not an error: the peer cannot do this here
    """Why a peer is left out."""


@dataclass
class Steps:
    """Steps that are ready to run.

    Args:
        run: takes so many steps and returns the last loss.
        check: the same, from the first weights, on the batch that the others are compared on;
            None where `run` does so.
        arena: a function that gives the bytes of the memory that was planned ahead, if any.
        set_threads: makes it run on so many threads; None where the library decides by itself.
    """

    run: Callable[[int], float]
    check: Callable[[int], float] | None = None
    arena: Callable[[], int] | None = None
    set_threads: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Peer:
    """One way of driving one library.

    Args:
        name: shown in the table.
        module: of this package; its `build(option, network, data)` returns the steps.
        option: which of the module's ways.
        competes: "call", "scan", or "call scan" where a loop in Python is the only way.
        scans: whether its steps take the batches of the index (and not always the first one).
        cache: environment variables that point its caches to a folder.
    """

    name: str
    module: str
    option: str
    competes: str
    scans: bool = False
    cache: tuple[str, ...] = ()

    def build(self, network: Network, data: Data) -> Steps:
        """Build the steps, or raise LeftOut."""
        try:
            module = importlib.import_module(f"peers.{self.module}")
            steps: Steps = module.build(self.option, network, data)
        except ImportError as error:
            raise LeftOut(f"{error.name} is not installed") from None
        return steps


PEERS = [
    Peer("Schuss call", "schuss_steps", "call", "call", cache=("SCHUSS_CACHE",)),
    Peer("Schuss scan", "schuss_steps", "scan", "scan", scans=True, cache=("SCHUSS_CACHE",)),
    Peer("Schuss sparse call", "schuss_steps", "sparse call", "call", cache=("SCHUSS_CACHE",)),
    Peer(
        "Schuss sparse scan",
        "schuss_steps",
        "sparse scan",
        "scan",
        scans=True,
        cache=("SCHUSS_CACHE",),
    ),
    Peer("Schuss eager", "schuss_steps", "eager", ""),
    Peer("PyTorch eager", "torch_steps", "eager", "call scan"),
    Peer("PyTorch fused Adam", "torch_steps", "fused", "call scan"),
    Peer("PyTorch SparseAdam", "torch_steps", "sparse", "call scan"),
    Peer(
        "torch.compile",
        "torch_steps",
        "compile",
        "call scan",
        cache=("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"),
    ),
    Peer("JAX call", "jax_steps", "call", "call"),
    Peer("JAX scan", "jax_steps", "scan", "scan", scans=True),
    Peer("tinygrad", "tinygrad_steps", "jit", "call scan", cache=("XDG_CACHE_HOME",)),
    Peer("scikit-learn", "sklearn_steps", "partial_fit", "scan"),
]
OURS = "Schuss"
