from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from schuss.training.items.inputs import ItemInputs
from schuss.training.items.store import Item, ItemStore


class Doubling:
    """A preparation whose examples are single numbers."""

    dtype = np.dtype(np.float64)
    draws = 2

    def store(self, content: bytes) -> np.ndarray:
        return np.array([float(content)])

    def training_batch(self, items: Any, draws: np.ndarray) -> np.ndarray:
        return np.concatenate([np.stack(items) * 2, draws], axis=1)

    def evaluation_batch(self, items: Any) -> np.ndarray:
        return np.stack(items)


class Numbers:
    """A source whose files hold the numbers that they are called."""

    path = Path("numbers")

    def read(self, name: str) -> bytes:
        return name.encode()


def made(tmp_path: Path, seed: int | None = 3) -> ItemInputs:
    from schuss.training.items.store import checksum

    items = [Item(str(k), 0, 0, checksum(str(k).encode())) for k in range(10)]
    store = ItemStore(items, [Numbers()], Doubling(), tmp_path)  # type: ignore[list-item, arg-type]
    assert not store.fill("reading", quiet=True)
    return ItemInputs(store, np.arange(10), seed)


def test_batches_are_the_same_whenever_an_epoch_goes_on(tmp_path: Path) -> None:
    order = np.array([3, 1, 4, 5, 9, 2, 6, 8])
    batches = [(k, order[k : k + 2]) for k in range(0, 8, 2)]
    inputs = made(tmp_path)
    inputs.begin_epoch(7, batches)
    whole = [inputs[rows] for _, rows in batches]
    assert [part[:, 0].tolist() for part in whole] == [[6, 2], [8, 10], [18, 4], [12, 16]]
    again = made(tmp_path)
    again.begin_epoch(7, batches[2:])
    for (_, rows), wanted in zip(batches[2:], whole[2:], strict=True):
        assert np.array_equal(again[rows], wanted)
    again.begin_epoch(8, batches)
    assert not np.array_equal(again[order[:2]], whole[0])
    inputs.close()
    again.close()


def test_what_was_not_announced_is_not_changed(tmp_path: Path) -> None:
    inputs = made(tmp_path)
    assert inputs[np.array([2, 5])].tolist() == [[2.0], [5.0]]
    assert inputs[slice(8, 12)].tolist() == [[8.0], [9.0]]
    assert inputs.shape == (10, 1)
    plain = made(tmp_path, seed=None)
    plain.begin_epoch(0, [(0, np.array([1]))])
    assert plain[np.array([1])].tolist() == [[1.0]]
    plain.close()
