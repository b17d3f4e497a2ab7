"""Samplers: in which order, and how often, the samples of a data set come."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from schuss.pytorch.draws import rand
from schuss.utils.data.datasets import shuffled

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

Key = TypeVar("Key", covariant=True)


class Sampler(Generic[Key]):
    """What a `DataLoader` takes numbers of samples from: a subclass has `__iter__`."""

    def __iter__(self) -> Iterator[Key]:
        raise NotImplementedError(f"{type(self).__name__}: expected a method __iter__.")


class SequentialSampler(Sampler[int]):
    """All samples, in order."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Samples in random order.

    Args:
        data_source: has a length.
        replacement: whether a sample may come again before all others came.
        num_samples: how many to draw, by default as many as there are.
        generator: where the draws come from; by default what `manual_seed` seeds.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if num_samples is not None:
            _expect_count("RandomSampler", "num_samples", num_samples)

    @property
    def num_samples(self) -> int:
        """How many samples are drawn."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, left = len(self.data_source), self.num_samples
        if self.replacement:
            yield from (_uniform(left, self.generator) * size).astype(np.int64).tolist()
            return
        while left > 0 and size > 0:
            yield from shuffled(size, self.generator)[:left]
            left -= size

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The numbers given, in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for place in shuffled(len(self.indices), self.generator):
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Samples drawn with probabilities in proportion to their weights.

    Args:
        weights: one for each sample, at least 0; they need not add up to 1.
        num_samples: how many to draw.
        replacement: whether a sample may come again. Without it, the draws are those of weights
            from which what was drawn is taken out (Efraimidis and Spirakis, 2006).
        generator: where the draws come from; by default what `manual_seed` seeds.

    Raises:
        ValueError: for weights below 0 or not finite, or too few that are above 0.
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None
    ) -> None:
        _expect_count("WeightedRandomSampler", "num_samples", num_samples)
        found = np.array([float(w) for w in weights])
        if not (np.isfinite(found).all() and (found >= 0).all()):
            raise ValueError("WeightedRandomSampler: expected finite weights of at least 0.")
        needed, above = 1 if replacement else num_samples, int((found > 0).sum())
        if above < needed:
            raise ValueError(
                f"WeightedRandomSampler: expected at least {needed} weights above 0, got {above}."
            )
        self.weights = found
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        if self.replacement:
            ends = np.cumsum(self.weights)
            drawn = _uniform(self.num_samples, self.generator) * ends[-1]
            yield from np.searchsorted(ends, drawn, side="right").tolist()
            return
        (places,) = self.weights.nonzero()
        waits = -np.log1p(-_uniform(len(places), self.generator)) / self.weights[places]
        yield from places[np.argsort(waits, kind="stable")[: self.num_samples]].tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The numbers of another sampler, in lists.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]

    Args:
        sampler: yields the numbers.
        batch_size: length of a list.
        drop_last: whether a shorter list at the end is left out.
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        _expect_count("BatchSampler", "batch_size", batch_size)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        size = len(self.sampler)  # type: ignore[arg-type]
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


def _expect_count(owner: str, name: str, count: Any) -> None:
    try:
        is_count = not isinstance(count, bool) and operator.index(count) > 0
    except TypeError:
        is_count = False
    if not is_count:
        raise ValueError(f"{owner}: expected {name} to be a whole number above 0, got {count!r}.")


def _uniform(n: int, generator: Any) -> Any:
    """Return n float64 numbers in [0, 1)."""
    return rand(n, dtype="float64", generator=generator).array
