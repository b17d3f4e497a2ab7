"""ItemStore: decoded examples in a memory-mapped file of bounded size; others from their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data.files.source import LeftOut, Source
from schuss.errors import DataError
from schuss.nn.serialization import write_atomically
from schuss.training.items.preparation import Preparation
from schuss.training.items.scan import parallel, progress

__all__ = ["CACHE_BYTES", "Item", "ItemStore", "checksum"]

#: Bytes that decoded examples take on disk, at most.
CACHE_BYTES = 4 << 30
_CACHE, _LISTING = "examples.cache", "files.jsonl"


@dataclass
class Item:
    """One example.

    Args:
        name: of its file, in the source.
        source: number of the source: the data, the validation or the test files.
        label: number of its class.
        digest: checksum of the file.
        share: 0 to learn from, 1 to validate, 2 to test.
        shape: of what is decoded of it.
        offset: where that begins in the cache, in elements; -1 where it is not there.
    """

    name: str
    source: int
    label: int
    digest: str
    share: int = 0
    shape: tuple[int, ...] = ()
    offset: int = -1


def checksum(content: bytes) -> str:
    """Return what a file's content is known by."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class ItemStore:
    """The examples of a training, each decoded when it is asked for, or before.

    Args:
        items: the examples.
        sources: where their files are.
        preparation: decodes them.
        folder: where the cache is.
    """

    def __init__(
        self, items: list[Item], sources: Sequence[Source], preparation: Preparation, folder: Path
    ) -> None:
        self.items = items
        self.sources = list(sources)
        self.preparation = preparation
        self._folder = folder
        self._cached: Any = None

    def __len__(self) -> int:
        return len(self.items)

    def move(self, folder: Path) -> None:
        """Move the cache to another folder on the same disk, and the listing with it."""
        self._cached = None
        if (self._folder / _CACHE).exists():
            (self._folder / _CACHE).replace(folder / _CACHE)
        self._folder = folder
        self._open()
        lines = [json.dumps(asdict(item), ensure_ascii=False) for item in self.items]
        text = "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")
        write_atomically(folder / _LISTING, text)

    @staticmethod
    def listed(folder: Path) -> list[Item]:
        """Return the examples that `move` listed.

        Raises:
            DataError: if the list is gone or damaged.
        """
        try:
            text = (folder / _LISTING).read_bytes().decode("utf-8", "surrogateescape")
            found = [Item(**json.loads(line)) for line in text.splitlines()]
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{folder / _LISTING}: cannot be read ({error}).") from None
        for item in found:
            item.shape = tuple(item.shape)
        return found

    def fill(self, what: str, *, quiet: bool) -> list[LeftOut]:
        """Decode all files into the cache, as far as it goes; those that cannot be are left out."""
        left_out: list[LeftOut] = []
        kept: list[Item] = []
        room = CACHE_BYTES // self.preparation.dtype.itemsize
        place = 0
        with (
            progress(what, len(self.items), quiet=quiet) as count,
            (self._folder / _CACHE).open("wb") as file,
        ):
            for item, found in zip(self.items, self._decoded(), strict=True):
                count()
                if isinstance(found, str):
                    left_out.append(LeftOut(item.name, found))
                    continue
                kept.append(item)
                item.shape = found.shape
                if place + found.size <= room:
                    item.offset = place
                    file.write(found.tobytes())
                    place += found.size
        self.items = kept
        self._open()
        return left_out

    def _decoded(self) -> Iterator[Array | str]:
        def decode(item: Item) -> Array | str:
            try:
                return self._read(item)
            except DataError as error:
                return str(error)

        return parallel(decode, self.items)

    def _read(self, item: Item) -> Array:
        content = self.sources[item.source].read(item.name)
        if checksum(content) != item.digest:
            raise DataError("it has changed since it was first looked at")
        found = self.preparation.store(content)
        return np.ascontiguousarray(found, self.preparation.dtype)

    def _open(self) -> None:
        file = self._folder / _CACHE
        if file.exists() and file.stat().st_size:
            self._cached = np.memmap(file, self.preparation.dtype, "r")

    def __getitem__(self, number: int) -> Array:
        item = self.items[number]
        if item.offset >= 0 and self._cached is not None:
            size = int(np.prod(item.shape))
            found: Array = self._cached[item.offset : item.offset + size]
            return found.reshape(item.shape)
        try:
            return self._read(item)
        except DataError as error:
            name = self.sources[item.source].path / item.name
            raise DataError(
                f"{name}: {error}; the run needs it again, since not all examples fit into its "
                "cache. Put it back, and resume."
            ) from None

    @property
    def cached_bytes(self) -> int:
        """Bytes of the cache on disk."""
        return 0 if self._cached is None else int(self._cached.nbytes)

    def described(self) -> tuple[str, str, str]:
        """Return how large the cache is, as a line of three words for a person."""
        size = f"{self.cached_bytes / 2**20:,.1f} MB"
        said = "decoded, in the run's folder until it ends"
        if self.uncached:
            said += f"; {self.uncached:,} more do not fit and are decoded each time"
        return ("cache", size, said)

    @property
    def uncached(self) -> int:
        """How many examples are decoded anew each time."""
        return sum(item.offset < 0 for item in self.items)

    def is_complete(self) -> bool:
        """Return whether the cache is there, and as long as it was."""
        self._open()
        ends = [item.offset + int(np.prod(item.shape)) for item in self.items if item.offset >= 0]
        there = 0 if self._cached is None else len(self._cached)
        return there >= max(ends, default=0)

    def remove(self) -> None:
        """Remove the cache, which a run that has ended does not need."""
        self._cached = None
        (self._folder / _CACHE).unlink(missing_ok=True)
