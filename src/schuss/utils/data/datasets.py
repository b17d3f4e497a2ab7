"""Data sets: something with samples, by number (`Dataset`) or one after the other."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Generic, TypeVar

from schuss.core import Tensor
from schuss.pytorch.draws import randperm

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
    "rows_at_once",
    "shuffled",
]

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """Samples by number: a subclass has `__getitem__` and, to be drawn from at random, `__len__`.

    One with `__getitems__`, which takes a list of numbers and returns a list of samples, is asked
    for a batch at once.
    """

    def __getitem__(self, index: Any) -> Sample:
        raise NotImplementedError(f"{type(self).__name__}: expected a method __getitem__.")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample]):
    """Samples one after the other: a subclass has `__iter__`.

    Where a `DataLoader` has workers, each goes over a copy of the whole data set, which asks
    `get_worker_info` for the part that it should return.
    """

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError(f"{type(self).__name__}: expected a method __iter__.")

    def __add__(self, other: Dataset[Any]) -> ChainDataset[Any]:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors whose rows belong together.

    >>> import schuss as ss
    >>> data = TensorDataset(ss.zeros(3, 2), ss.tensor([4, 5, 6]))
    >>> data[1]
    (tensor([0., 0.]), tensor(5))

    Args:
        tensors: all of the same first length.

    Raises:
        ValueError: where the first lengths differ.
    """

    def __init__(self, *tensors: Tensor) -> None:
        sizes = sorted({t.shape[0] for t in tensors})
        if len(sizes) != 1:
            raise ValueError(f"TensorDataset: expected tensors of as many rows each, got {sizes}.")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Data sets side by side: a sample is a tuple of theirs, or a dictionary for those by name."""

    def __init__(self, *datasets: Any, **named: Any) -> None:
        if bool(datasets) == bool(named):
            raise ValueError("StackDataset: expected data sets, all by position or all by name.")
        self.datasets: Any = named or datasets
        self._parts = list(named.values() if named else datasets)
        sizes = sorted({len(part) for part in self._parts})
        if len(sizes) != 1:
            raise ValueError(f"StackDataset: expected data sets of one length, got {sizes}.")

    def __getitem__(self, index: int) -> Any:
        samples = [part[index] for part in self._parts]
        if isinstance(self.datasets, Mapping):
            return dict(zip(self.datasets, samples, strict=True))
        return tuple(samples)

    def __len__(self) -> int:
        return len(self._parts[0])


class ConcatDataset(Dataset[Sample]):
    """Data sets one after the other, by number.

    Raises:
        ValueError: for no data set, or one that is iterable only.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one data set, got none.")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise ValueError("ConcatDataset: an IterableDataset has no numbers; use ChainDataset.")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Sample:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ConcatDataset: expected a number below {size}, got {index}.")
        index %= size
        place = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[place - 1] if place else 0
        sample: Sample = self.datasets[place][index - before]
        return sample

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Sample]):
    """Iterable data sets one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Sample]:
        return chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


class Subset(Dataset[Sample]):
    """The samples of a data set at some numbers, in their order."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Sample:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]  # type: ignore[no-any-return]
        return self.dataset[self.indices[index]]  # type: ignore[no-any-return]

    def __getitems__(self, indices: list[int]) -> list[Sample]:
        chosen = [self.indices[i] for i in indices]
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(chosen)  # type: ignore[no-any-return]
        return [self.dataset[i] for i in chosen]

    def __len__(self) -> int:
        return len(self.indices)


def rows_at_once(dataset: Any, indices: list[int]) -> list[Tensor] | None:
    """Return a batch of a `TensorDataset`, or of a part of one, by one look-up for each tensor.

    None for other data sets, also for subclasses with a `__getitem__` of their own.
    """
    kind = type(dataset)
    if kind.__getitem__ is TensorDataset.__getitem__ and not hasattr(kind, "__getitems__"):
        return [tensor[indices] for tensor in dataset.tensors]
    if kind is Subset:
        return rows_at_once(dataset.dataset, [int(dataset.indices[i]) for i in indices])
    return None


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Any = None
) -> list[Subset[Any]]:
    """Split a data set at random into parts that do not overlap.

    Args:
        dataset: has a length.
        lengths: numbers of samples, or fractions that add up to 1; of the latter, what rounding
            leaves over goes to the first parts, one sample each.
        generator: where the random order comes from; by default what `manual_seed` seeds.

    Raises:
        ValueError: where the lengths do not add up to the data set's.
    """
    size = len(dataset)
    total = math.fsum(lengths)
    if math.isclose(total, 1) and total <= 1 + 1e-9 and not all(n == int(n) for n in lengths):
        if not all(0 <= n <= 1 for n in lengths):
            raise ValueError(f"random_split: expected fractions from 0 to 1, got {lengths}.")
        counts = [math.floor(size * n) for n in lengths]
        for i in range(size - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(n) for n in lengths]
    if sum(counts) != size:
        raise ValueError(
            f"random_split: expected lengths that add up to {size}, got {list(lengths)}."
        )
    order = shuffled(size, generator)
    ends = list(accumulate(counts))
    return [Subset(dataset, order[end - n : end]) for n, end in zip(counts, ends, strict=True)]


def shuffled(n: int, generator: Any) -> list[int]:
    """Return the numbers below n in random order, drawn from `generator` where there is one."""
    return randperm(n, generator=generator).tolist()  # type: ignore[no-any-return]
