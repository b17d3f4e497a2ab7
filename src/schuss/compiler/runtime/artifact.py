"""Artifacts: what there is to know of a compiled program to run it, as it is kept on disk.

A graph as it was traced decides its program, together with the processor, the versions and the
options; so where an artifact is kept under all of that, the graph need not be rewritten, fused and
written as text once more to find the machine code that belongs to it.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from schuss.native import disk_cache
from schuss.native.target import target_name
from schuss.version import __version__

__all__ = ["Artifact", "Place", "View", "find", "keep", "key_of"]

# Constants of more bytes are not kept twice, here and wherever they came from.
_MOST_BYTES = 1 << 20
_PACKAGE = Path(__file__).parents[2]
# What decides a program's text, with all folders inside.
_FOLDERS = ("lowering", "native", "primitives", "compiler")


@dataclass
class Place:
    """Where a value lies: in the arena at `at` bytes, or in the array of state `at`."""

    kind: str
    at: int


@dataclass
class View:
    """Elements in the arena: their dtype, shape, first byte and strides in bytes."""

    dtype: str
    shape: list[int]
    start: int
    strides: list[int]

    @property
    def extent(self) -> tuple[int, int]:
        """The first byte, and the one after the last."""
        steps = zip(self.shape, self.strides, strict=True)
        end = self.start + sum((n - 1) * step for n, step in steps)
        return self.start, end + np.dtype(self.dtype).itemsize


@dataclass
class Artifact:
    """A compiled program.

    Args:
        code: the name of its machine code in the cache.
        symbols: functions of other libraries that it calls.
        scan: the function that runs it many times, in LLVM's text form.
        arena: length of the arena in bytes.
        fixed: bytes at its beginning that keep their contents between calls.
        scratch: bytes of working memory that each thread needs.
        flops: about how many operations a step takes.
        has_checks: whether values may turn out to be refused.
        is_parallel: whether threads may run it together.
        numbers: where each of the graph's numbers lies in the arena.
        outputs: where each output lies.
        constants: bytes that are in the arena from the start, by their place.
        deferred: by a state's position, the operation of a deferred gradient, and what it
            is computed of.
    """

    code: str
    symbols: list[str]
    scan: str
    arena: int
    fixed: int
    scratch: int
    flops: int
    has_checks: bool
    is_parallel: bool
    numbers: list[int]
    outputs: list[Place]
    constants: list[tuple[int, bytes]] = field(repr=False)
    deferred: dict[int, tuple[str, list[View]]]

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        fields = asdict(self)
        fields["constants"] = [(at, base64.b64encode(b).decode()) for at, b in self.constants]
        return json.dumps(fields).encode()

    @staticmethod
    def from_bytes(raw: bytes) -> Artifact:
        """Return what `to_bytes` wrote."""
        fields = json.loads(raw)
        fields["outputs"] = [Place(**place) for place in fields["outputs"]]
        fields["constants"] = [(at, base64.b64decode(b)) for at, b in fields["constants"]]
        fields["deferred"] = {
            int(i): (op, [View(**view) for view in views])
            for i, (op, views) in fields["deferred"].items()
        }
        return Artifact(**fields)


@cache
def _sources() -> str:
    """Return what tells these sources of the compiler from others, as Python's bytecode does."""
    found = []
    for folder in _FOLDERS:
        for path, _, names in os.walk(_PACKAGE / folder):
            for name in names:
                if not name.endswith(".py"):
                    continue
                file = os.path.join(path, name)
                facts = os.stat(file)
                found.append(
                    f"{file.removeprefix(str(_PACKAGE))} {facts.st_size} {facts.st_mtime_ns}"
                )
    return "\n".join(sorted(found))


def key_of(fingerprint: str) -> str | None:
    """Return the name of a traced graph's artifact in the cache; None while passes are verified."""
    if os.environ.get("SCHUSS_DEBUG") == "verify":
        return None
    versions = f"{__version__} numpy {np.__version__}"
    return disk_cache.name_of("artifact", fingerprint, target_name(), versions, _sources())


def find(key: str) -> Artifact | None:
    """Return the artifact of this name, if it is kept."""
    raw = disk_cache.read(f"{key}.json")
    return None if raw is None else Artifact.from_bytes(raw)


def keep(key: str, artifact: Artifact) -> None:
    """Write an artifact, unless it is large."""
    if sum(len(b) for _, b in artifact.constants) <= _MOST_BYTES:
        disk_cache.write(f"{key}.json", artifact.to_bytes())
