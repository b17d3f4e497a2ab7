"""The scan: each file is read once, examined, and known by its checksum, in several threads."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import TypeVar

import numpy as np

from schuss.core import Array
from schuss.data.files.labelled import LabelledFiles
from schuss.data.files.source import LeftOut
from schuss.errors import DataError
from schuss.messages import is_terminal, say
from schuss.threads import usable_cores
from schuss.training.items.interface import Items

__all__ = ["Scan", "parallel", "progress", "scan", "told"]

T = TypeVar("T")
R = TypeVar("R")
# So many files are in work at a time, so that memory stays level.
_BLOCK = 256
_QUIET_SECONDS = 2.0


@dataclass(repr=False)
class Scan:
    """What was found of files.

    Args:
        kept: which of the files can be used, by their numbers.
        facts: what the kind's `examine` says of each of these, int64 (files, numbers).
        digests: checksum of the content of each.
        left_out: the other files.
    """

    kept: list[int]
    facts: Array
    digests: list[str]
    left_out: list[LeftOut]


def parallel(function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """Yield a function of each value, in their order, computed by several threads."""
    rest = iter(values)
    with ThreadPoolExecutor(usable_cores()) as pool:
        while block := list(islice(rest, _BLOCK)):
            # Decoders warn of odd files; whether one can be used is said in another way.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                done = list(pool.map(function, block))
            yield from done


@contextmanager
def progress(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show how far something is: a bar on a terminal, lines now and then elsewhere.

    Yields:
        What is to be called once for each that is done.
    """
    if quiet or sys.stderr is None:
        yield lambda: None
        return
    if is_terminal(sys.stderr):
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        return
    done, last = 0, monotonic()

    def count() -> None:
        nonlocal done, last
        done += 1
        if monotonic() - last > _QUIET_SECONDS:
            last = monotonic()
            say(f"{what}: {done:,} of {total:,}")

    yield count


def scan(kind: Items, files: LabelledFiles, *, quiet: bool) -> Scan:
    """Read and examine all files."""

    def look(name: str) -> tuple[tuple[int, ...], str] | str:
        try:
            content = files.source.read(name)
            if not content:
                return "empty"
            return kind.examine(content), hashlib.blake2b(content, digest_size=16).hexdigest()
        except DataError as error:
            return str(error)

    kept, facts, digests, left_out = [], [], [], []
    with progress(f"looking at {kind.noun[1]}", len(files), quiet=quiet) as count:
        for number, found in enumerate(parallel(look, files.names)):
            count()
            if isinstance(found, str):
                left_out.append(LeftOut(files.names[number], found))
            else:
                kept.append(number)
                facts.append(found[0])
                digests.append(found[1])
    table = np.array(facts, np.int64).reshape(len(facts), len(kind.facts))
    return Scan(kept, table, digests, left_out)


def told(left_out: Sequence[LeftOut], noun: tuple[str, str], most: int = 5) -> list[str]:
    """Return sentences that name files which were left out."""
    if not left_out:
        return []
    named = "; ".join(f"{one.name} ({one.why})" for one in left_out[:most])
    more = f"; and {len(left_out) - most:,} more" if len(left_out) > most else ""
    count = f"{len(left_out):,} {noun[len(left_out) > 1]} left out"
    return [f"{count}: {named}{more}"]
