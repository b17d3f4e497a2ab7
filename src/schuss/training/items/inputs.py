"""ItemInputs: batches of examples, made ready by a thread beside the training."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter

import numpy as np

from schuss.core import Array
from schuss.training.items.preparation import Preparation
from schuss.training.items.store import ItemStore

__all__ = ["ItemInputs"]

# So many batches are made ready before they are asked for.
_AHEAD = 4


class ItemInputs:
    """Inputs of some examples: `inputs[rows]` is the batch of these.

    Once an epoch has been begun, batches are augmented, by random numbers that the seed, the
    epoch and the batch's place in it decide; so a run that goes on gets the same ones.

    Args:
        store: all examples.
        numbers: which of them these are.
        seed: of the augmentation; None for none.
        preparation: makes the inputs; None for the store's.
    """

    def __init__(
        self,
        store: ItemStore,
        numbers: Array,
        seed: int | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        self._preparation = preparation or store.preparation
        self._store = store
        self._numbers = numbers
        self._seed = seed
        self._epoch = 0
        self._coming: deque[tuple[int, Array]] = deque()
        self._ready: deque[tuple[Array, Future[Array]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        #: Seconds that somebody waited for a batch.
        self.waited = 0.0

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all inputs together."""
        return (len(self), *self[np.arange(1)].shape[1:])

    def begin_epoch(self, epoch: int, batches: Sequence[tuple[int, Array]]) -> None:
        """Make the coming batches of an epoch ready.

        Args:
            epoch: its number, from 0.
            batches: where each starts in the epoch's order, and its rows.
        """
        self._epoch = epoch
        for _, made in self._ready:
            made.cancel()
        self._ready.clear()
        self._coming = deque(batches)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="schuss-batches")
        self._look_ahead()

    def _look_ahead(self) -> None:
        assert self._pool is not None
        while self._coming and len(self._ready) < _AHEAD:
            start, rows = self._coming.popleft()
            self._ready.append((rows, self._pool.submit(self._augmented, start, rows)))

    def __getitem__(self, rows: Array | slice) -> Array:
        begun = perf_counter()
        coming = not isinstance(rows, slice) and bool(self._ready)
        if coming and np.array_equal(self._ready[0][0], np.asarray(rows)):
            _, made = self._ready.popleft()
            self._look_ahead()
            found = made.result()
        else:
            items = [self._store[int(k)] for k in self._numbers[rows]]
            found = self._preparation.evaluation_batch(items)
        self.waited += perf_counter() - begun
        return found

    def augmented(self, epoch: int, start: int, rows: Array) -> Array:
        """Return a batch as an epoch has it at a place of its order."""
        preparation = self._preparation
        items = [self._store[int(k)] for k in self._numbers[rows]]
        if self._seed is None:
            return preparation.evaluation_batch(items)
        # Raw bits, whose stream no version of NumPy changes.
        key = np.array([self._seed % 2**64, ((epoch + 1) << 40) + start], np.uint64)
        bits = np.asarray(np.random.Philox(key=key).random_raw(len(rows) * preparation.draws))
        draws = (bits >> np.uint64(11)) * 2.0**-53
        return preparation.training_batch(items, draws.reshape(len(rows), preparation.draws))

    def _augmented(self, start: int, rows: Array) -> Array:
        return self.augmented(self._epoch, start, rows)

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
