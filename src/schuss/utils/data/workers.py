"""Workers of a `DataLoader`: threads, or processes, each of which makes every n-th batch."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from schuss import random
from schuss.utils.data.datasets import IterableDataset, rows_at_once

__all__ = ["Fetcher", "WorkerInfo", "Workers", "get_worker_info"]


@dataclass
class WorkerInfo:
    """Which worker this is.

    Args:
        id: from 0.
        num_workers: how many there are.
        seed: what the worker's random numbers were seeded with.
        dataset: the worker's copy of the data set.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Here(threading.local):
    """What a worker's thread knows of itself."""

    info: WorkerInfo | None = None
    fetcher: Fetcher | None = None


_HERE = _Here()


def get_worker_info() -> WorkerInfo | None:
    """Return which worker of a `DataLoader` runs this, or None outside of all workers."""
    return _HERE.info


class Fetcher:
    """Makes batches of a data set's samples.

    Args:
        dataset: where the samples come from.
        collate: makes a batch of a list of samples, or converts a single one.
        rows: whether a batch of tensors' rows may be looked up at once.
        drop_last: whether the samples at the end of an iterable data set that are too few for a
            batch are left out.
    """

    def __init__(
        self, dataset: Any, collate: Callable[[Any], Any], *, rows: bool, drop_last: bool
    ) -> None:
        self.dataset = dataset
        self.collate = collate
        self.rows = rows
        self.drop_last = drop_last
        self._samples: Iterator[Any] | None = None

    def start(self) -> None:
        """Begin an epoch: an iterable data set is gone over anew."""
        if isinstance(self.dataset, IterableDataset):
            self._samples = iter(self.dataset)

    def fetch(self, key: Any) -> tuple[bool, Any]:
        """Return whether there is a batch for what a sampler yields, and the batch."""
        if self._samples is not None:
            return self._next(self._samples, key)
        if not isinstance(key, list):
            return True, self.collate(self.dataset[key])
        if self.rows and (found := rows_at_once(self.dataset, key)) is not None:
            return True, found
        many = getattr(self.dataset, "__getitems__", None)
        return True, self.collate(many(key) if many else [self.dataset[i] for i in key])

    def _next(self, samples: Iterator[Any], key: Any) -> tuple[bool, Any]:
        """Return the next samples of an iterable data set: as many as the key is long."""
        wanted = len(key) if isinstance(key, list) else 1
        found = list(islice(samples, wanted))
        if not found or (self.drop_last and len(found) < wanted):
            return False, None
        return True, self.collate(found if isinstance(key, list) else found[0])


def _become_worker(fetcher: Fetcher, worker: int, count: int) -> None:
    """Make the thread or process that runs this a worker, with a copy of the data set."""
    _HERE.fetcher = copy.copy(fetcher)
    _HERE.fetcher.dataset = copy.copy(fetcher.dataset)
    _HERE.info = WorkerInfo(worker, count, 0, _HERE.fetcher.dataset)


def _start(seed: int, set_up: Callable[[int], Any] | None) -> None:
    """Begin an epoch in a worker, with random numbers of its own."""
    info, fetcher = _HERE.info, _HERE.fetcher
    assert info is not None
    assert fetcher is not None
    info.seed = seed + info.id
    random.start_separate(info.seed)
    if set_up is not None:
        set_up(info.id)
    fetcher.start()


def _fetch(key: Any) -> tuple[bool, Any]:
    assert _HERE.fetcher is not None
    return _HERE.fetcher.fetch(key)


class Workers:
    """Some workers, each one thread or process, that make batches ahead.

    Args:
        fetcher: makes batches; each worker gets a copy.
        count: number of workers.
        context: of `multiprocessing`, for processes; None for threads.
    """

    def __init__(self, fetcher: Fetcher, count: int, context: Any) -> None:
        self._executors: list[Executor] = []
        for worker in range(count):
            options: dict[str, Any] = {
                "initializer": _become_worker,
                "initargs": (fetcher, worker, count),
            }
            self._executors.append(
                ThreadPoolExecutor(1, f"schuss-data-{worker}", **options)
                if context is None
                else ProcessPoolExecutor(1, context, **options)
            )

    def start(self, seed: int, set_up: Callable[[int], Any] | None) -> None:
        """Begin an epoch in every worker."""
        started = [executor.submit(_start, seed, set_up) for executor in self._executors]
        for worker, future in enumerate(started):
            _result(future, worker, None)

    def batches(self, keys: Iterable[Any], ahead: int, timeout: float | None) -> Iterator[Any]:
        """Yield a batch for each key, in order; every worker is `ahead` batches ahead.

        The workers take turns; one whose data set has no more samples is left out from then on.
        """
        left = iter(keys)
        pending: deque[tuple[int, Future[tuple[bool, Any]]]] = deque()

        def submit(worker: int) -> None:
            for key in islice(left, 1):
                pending.append((worker, self._executors[worker].submit(_fetch, key)))

        try:
            for _ in range(ahead):
                for worker in range(len(self._executors)):
                    submit(worker)
            while pending:
                worker, future = pending.popleft()
                is_there, batch = _result(future, worker, timeout)
                if is_there:
                    submit(worker)
                    yield batch
        finally:
            for _, future in pending:
                future.cancel()

    def close(self) -> None:
        """End the workers."""
        for executor in self._executors:
            executor.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[Any], worker: int, timeout: float | None) -> Any:
    """Return what a worker made, or raise its error with a note of where it was."""
    try:
        return future.result(timeout)
    except TimeoutError as error:
        if future.done():
            raise
        raise RuntimeError(
            f"DataLoader: worker {worker} made no batch within {timeout:g} seconds."
        ) from error
    except Exception as error:
        error.add_note(f"This happened in worker {worker} of a DataLoader.")
        raise
