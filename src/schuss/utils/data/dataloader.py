"""DataLoader: batches of a data set, shuffled, collated, and made ahead by workers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from schuss.pytorch.draws import randint
from schuss.utils.data.collate import default_collate, default_convert
from schuss.utils.data.datasets import IterableDataset
from schuss.utils.data.samplers import BatchSampler, RandomSampler, SequentialSampler
from schuss.utils.data.workers import Fetcher, Workers

__all__ = ["DataLoader"]


class DataLoader:
    """Batches of a data set, one epoch for each time that it is gone over.

    >>> import schuss as ss
    >>> from schuss.utils.data import TensorDataset
    >>> data = TensorDataset(ss.arange(5))
    >>> [batch.tolist() for (batch,) in DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]

    Args:
        dataset: has samples by number (`__getitem__`, `__len__`), or is an `IterableDataset`.
        batch_size: samples in a batch; None for single samples that are not collated.
        shuffle: whether the samples come in random order.
        sampler: yields the numbers of samples.
        batch_sampler: yields lists of numbers, in the place of the four arguments about batches.
        num_workers: how many workers make batches ahead; 0 makes each when it is asked for.
            Workers are threads, with random numbers of their own: decoding files and NumPy run
            beside training. `multiprocessing_context` makes them processes, which also run
            Python's code beside it.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        pin_memory: taken and without effect, as `pin_memory_device`: all memory is the CPU's.
        drop_last: whether a smaller batch at the end is left out.
        timeout: seconds to wait for a worker's batch; 0 waits as long as it takes.
        worker_init_fn: called with the worker's number in each worker when an epoch begins.
        multiprocessing_context: of `multiprocessing`, or its name (`"fork"`, `"spawn"`).
        generator: where random orders come from; by default what `manual_seed` seeds.
        prefetch_factor: batches that each worker makes ahead, 2 by default.
        persistent_workers: whether the workers stay from one epoch to the next.
        in_order: taken and without effect: batches always come in order.

    Raises:
        ValueError: for arguments that exclude each other or are out of range.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.dataset = dataset
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        if isinstance(multiprocessing_context, str):
            multiprocessing_context = multiprocessing.get_context(multiprocessing_context)
        self.multiprocessing_context = multiprocessing_context
        self._is_iterable = isinstance(dataset, IterableDataset)
        self._expect_arguments(batch_size, shuffle, sampler, batch_sampler)
        self.sampler: Any = self._sampler(sampler, shuffle=bool(shuffle))
        self.batch_sampler = batch_sampler
        self.batch_size = None if batch_sampler is not None else batch_size
        if self.batch_size is not None:
            self.batch_sampler = BatchSampler(self.sampler, self.batch_size, drop_last)
        default = default_convert if self.batch_sampler is None else default_collate
        self.collate_fn = default if collate_fn is None else collate_fn
        self._workers: Workers | None = None

    def _expect_arguments(
        self, batch_size: int | None, shuffle: bool | None, sampler: Any, batch_sampler: Any
    ) -> None:
        """Raise ValueError for arguments that exclude each other or are out of range."""
        wrong = []
        if self.num_workers < 0 or self.timeout < 0:
            wrong.append("num_workers and timeout have to be at least 0")
        if self.num_workers == 0:
            needing = {
                "timeout": self.timeout > 0,
                "prefetch_factor": self.prefetch_factor is not None,
                "persistent_workers": self.persistent_workers,
                "multiprocessing_context": self.multiprocessing_context is not None,
            }
            wrong += [
                f"{name} needs num_workers above 0" for name, given in needing.items() if given
            ]
        elif self.prefetch_factor is not None and self.prefetch_factor < 1:
            wrong.append("prefetch_factor has to be at least 1")
        if sampler is not None and shuffle:
            wrong.append("a sampler decides the order, leave out shuffle")
        if self._is_iterable and (shuffle or sampler is not None or batch_sampler is not None):
            wrong.append("an IterableDataset decides the order, leave out shuffle and samplers")
        if batch_sampler is not None and (
            batch_size not in (1, None) or shuffle or sampler is not None or self.drop_last
        ):
            wrong.append(
                "a batch_sampler decides the batches, leave out batch_size, shuffle, sampler and "
                "drop_last"
            )
        if batch_sampler is None and batch_size is None and self.drop_last:
            wrong.append("drop_last needs a batch_size")
        if wrong:
            raise ValueError(f"DataLoader: {'; '.join(wrong)}.")

    def _sampler(self, sampler: Any, *, shuffle: bool) -> Any:
        if sampler is not None:
            return sampler
        if self._is_iterable:
            return repeat(None)
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    @property
    def _keys(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self) -> Iterator[Any]:
        rows = self.collate_fn is default_collate
        fetcher = Fetcher(self.dataset, self.collate_fn, rows=rows, drop_last=self.drop_last)
        if self.num_workers == 0:
            return self._batches_here(fetcher)
        return self._batches_of_workers(fetcher)

    def _batches_here(self, fetcher: Fetcher) -> Iterator[Any]:
        fetcher.start()
        for key in self._keys:
            is_there, batch = fetcher.fetch(key)
            if not is_there:
                return
            yield batch

    def _batches_of_workers(self, fetcher: Fetcher) -> Iterator[Any]:
        workers = self._workers or Workers(fetcher, self.num_workers, self.multiprocessing_context)
        if self.persistent_workers:
            self._workers = workers
        seed = int(randint(0, 2**53 - 1, (), generator=self.generator).item())
        try:
            workers.start(seed, self.worker_init_fn)
            yield from workers.batches(self._keys, self.prefetch_factor or 2, self.timeout or None)
        finally:
            if not self.persistent_workers:
                workers.close()

    def __len__(self) -> int:
        if not self._is_iterable:
            return len(self._keys)
        size, each = len(self.dataset), self.batch_size
        if each is None:
            return size
        return size // each if self.drop_last else -(-size // each)
