"""Building programs: taken from the cache on disk where it has them, compiled where not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from schuss.compiler.graph.graph import Graph
from schuss.compiler.kernels.symbols import addresses
from schuss.compiler.runtime import artifact, thread_pool
from schuss.compiler.runtime.artifact import Artifact
from schuss.compiler.runtime.executable import Program
from schuss.native import jit

if TYPE_CHECKING:
    from schuss.compiler.pipeline import Compilation

__all__ = ["Build"]


class Build:
    """A program, and what the compiler found out about it, computed when it is needed.

    Args:
        graph: as traced; it may be rewritten.
        fingerprint: the graph's.
    """

    def __init__(self, graph: Graph, fingerprint: str) -> None:
        self._graph = graph
        self._key = artifact.key_of(fingerprint)
        self._compilation: Compilation | None = None
        self.program = Program(graph, *(self._cached() or self._compiled()))
        if os.environ.get("SCHUSS_DEBUG") == "verify":
            self.program.verify_first_calls()

    @property
    def compilation(self) -> Compilation:
        """The plan, schedule, memory and text of the program; the graph is rewritten for them."""
        if self._compilation is None:
            # A start from the cache is quick as long as no pass of the compiler is loaded.
            from schuss.compiler.pipeline import run_pipeline

            self._compilation = run_pipeline(self._graph)
        return self._compilation

    @property
    def is_from_cache(self) -> bool:
        """Whether the compiler has had nothing to do so far."""
        return self._compilation is None

    def _cached(self) -> tuple[Artifact, jit.Library] | None:
        """Return the program as the cache has it, if it does."""
        found = None if self._key is None else artifact.find(self._key)
        if found is None:
            return None
        if found.is_parallel:
            thread_pool.runtime()
        library = jit.find(found.code, addresses(found.symbols))
        return None if library is None else (found, library)

    def _compiled(self) -> tuple[Artifact, jit.Library]:
        """Compile the program, and keep it."""
        module = self.compilation.module
        if module.is_parallel:
            thread_pool.runtime()
        library = jit.load(module.loops, plain=module.plain, symbols=addresses(module.symbols))
        made = self.compilation.artifact(library.name)
        if self._key is not None:
            artifact.keep(self._key, made)
        return made, library
