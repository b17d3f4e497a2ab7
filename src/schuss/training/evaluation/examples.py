"""Examples in memory: inputs, targets, weights; batches, their order, and the validation split."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from schuss.core import Array, Tensor, leaf, supported_dtype, to_array
from schuss.data.splits import split_rows
from schuss.errors import DataError, UsageError

__all__ = ["Examples", "batch_bounds", "class_factors", "epoch_order", "hold_out", "in_memory"]
__all__ += ["joined"]

Batch: TypeAlias = "tuple[tuple[Tensor, ...], Tensor, Tensor | None]"

_MASK = 2**64 - 1


def epoch_order(
    rows: int, seed: int, epoch: int, left_out: Sequence[int] = ()
) -> npt.NDArray[np.int64]:
    """Return the order in which an epoch takes the rows, a pure function of its arguments.

    Args:
        rows: how many there are.
        seed: any integer.
        epoch: number of the epoch, from 0.
        left_out: rows in whose places others come.

    >>> sorted(epoch_order(4, seed=0, epoch=0).tolist())
    [0, 1, 2, 3]
    """
    # Raw bits, whose stream no version of NumPy changes; the key is the seed and the epoch.
    key = np.array([seed & _MASK, epoch + 1], dtype=np.uint64)
    bits = np.asarray(np.random.Philox(key=key).random_raw(rows))
    # (No two are the same, so that every way of sorting finds the same order.)
    order = np.argsort(bits).astype(np.int64, copy=False)
    if len(left_out):
        bad = np.isin(order, left_out)
        order[bad] = np.resize(order[~bad], int(bad.sum()))
    return order


def batch_bounds(rows: int, batch_size: int, drop_last: bool) -> list[tuple[int, int]]:
    """Return where each batch of an epoch starts and ends.

    >>> batch_bounds(10, 4, drop_last=False)
    [(0, 4), (4, 8), (8, 10)]
    """
    if rows <= batch_size:
        return [(0, rows)]
    whole = rows // batch_size
    bounds = [(k * batch_size, (k + 1) * batch_size) for k in range(whole)]
    rest = rows - whole * batch_size
    if rest and not drop_last:
        if rest == 1:
            # A batch of one row has no variance to normalise by: it joins the one before.
            bounds[-1] = (bounds[-1][0], rows)
        else:
            bounds.append((whole * batch_size, rows))
    return bounds


@dataclass(frozen=True, repr=False)
class Examples:
    """Inputs, targets and weights of the same rows.

    Args:
        inputs: what the model is called with: arrays, or anything that has a length and takes an
            array of row numbers in brackets.
        y: targets, of shape (rows, ...).
        weight: of shape (rows,), or None where all rows count the same.
        numbers: what people call the rows by, integers of shape (rows,); None for 1, 2, ...
        word: what these number: "row", or "line" of a file.
    """

    inputs: tuple[Any, ...]
    y: Array
    weight: Array | None = None
    numbers: Array | None = None
    word: str = "row"

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        shapes = ", ".join(str(getattr(x, "shape", "rows")) for x in self.inputs)
        weights = "" if self.weight is None else ", weighted"
        return f"Examples({len(self):,} rows: inputs {shapes}, targets {self.y.shape}{weights})"

    @classmethod
    def of(
        cls, data: Any, *, weight: Any = None, dtype: Any = np.float32, owner: str = "Trainer"
    ) -> Examples:
        """Make examples of (X, y), ((X1, X2), y), (X, y, weight), or a set of (x, y) pairs.

        Args:
            data: arrays, tensors, or an object whose `data[i]` is the pair (x, y) of one row.
            weight: of shape (rows,), or None.
            dtype: what floats are cast to, the model's own dtype.
            owner: who is named in errors.

        Raises:
            DataError: if lengths differ, there are no rows, or a value is not finite.
            UsageError: if the data has another form.
        """
        if isinstance(data, Examples):
            return data
        if not isinstance(data, (tuple, list)) and hasattr(data, "__getitem__"):
            data = _collated(data)
        if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
            raise UsageError(
                f"{owner}: expected data as (X, y) or (X, y, weight), got {_described(data)}; "
                "give inputs and targets as a pair."
            )
        if len(data) == 3 and weight is None:
            weight = data[2]
        given = data[0] if isinstance(data[0], tuple) else (data[0],)
        inputs = tuple(_column(x, dtype, f"{owner}: X") for x in given)
        y = np.asarray(_column(data[1], dtype, f"{owner}: y"))
        weights = None if weight is None else _checked_weight(weight, len(y), owner, dtype)
        for x in inputs:
            if len(x) != len(y):
                raise DataError(
                    f"{owner}: expected as many targets as rows, got {len(y):,} targets for "
                    f"{len(x):,} rows; give one for each row."
                )
        if not len(y):
            raise DataError(f"{owner}: expected at least one row, got none; give some data.")
        return cls(inputs, y, weights)

    def take(self, rows: Array) -> Examples:
        """Return the examples of these rows."""
        weight = None if self.weight is None else self.weight[rows]
        numbers = np.arange(1, len(self) + 1) if self.numbers is None else self.numbers
        inputs = tuple(x[rows] for x in self.inputs)
        return Examples(inputs, self.y[rows], weight, numbers[rows], self.word)

    def spread(self, count: int) -> Examples:
        """Return so many examples that lie evenly among all, or all of fewer."""
        if len(self) <= count:
            return self
        return self.take(np.linspace(0, len(self) - 1, count).astype(np.int64))

    def named(self, rows: Any, most: int = 8) -> str:
        """Return what people call rows by, in order: "rows 3, 17 and 2 more".

        Args:
            rows: their positions, at least one.
            most: how many to name.
        """
        positions = np.unique(rows)
        numbers = np.sort(positions + 1 if self.numbers is None else self.numbers[positions])
        shown = ", ".join(str(int(k)) for k in numbers[:most])
        more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
        return f"{self.word}{'s' if len(numbers) > 1 else ''} {shown}{more}"

    def batch(self, rows: Any) -> Batch:
        """Return inputs, targets and weights of these rows (numbers, or a slice) as tensors."""
        return (tuple(leaf(np.asarray(x[rows])) for x in self.inputs), *self.targets(rows))

    def targets(self, rows: Any) -> tuple[Tensor, Tensor | None]:
        """Return targets and weights of these rows as tensors."""
        return leaf(self.y[rows]), None if self.weight is None else leaf(self.weight[rows])

    def begin_epoch(self, epoch: int, batches: Sequence[tuple[int, Array]]) -> None:
        """Tell inputs that make their batches when they are asked which ones will be.

        Args:
            epoch: its number, from 0.
            batches: where each starts in the epoch's order, and its rows.
        """
        for x in self.inputs:
            begin = getattr(x, "begin_epoch", None)
            if begin is not None:
                begin(epoch, batches)

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size))

    def without_zero_weights(self) -> Examples:
        """Return the rows whose weight is above 0, with weights of mean 1."""
        if self.weight is None:
            return self
        kept = self.weight > 0
        found = self if kept.all() else self.take(np.flatnonzero(kept))
        assert found.weight is not None
        mean = found.weight.mean(dtype=np.float64)
        return replace(found, weight=(found.weight / mean).astype(self.weight.dtype))

    def weighted_by(self, factors: Array) -> Examples:
        """Return the examples with each row's weight times the factor of its class."""
        chosen = factors[self.y].astype(np.float32)
        return replace(self, weight=chosen if self.weight is None else self.weight * chosen)


def _described(data: Any) -> str:
    kind = type(data).__name__
    return f"a {kind} of {len(data)}" if isinstance(data, (tuple, list)) else f"a {kind}"


def _collated(data: Any) -> tuple[Any, ...]:
    """Gather a set of (x, y) pairs, one for each row, into arrays."""
    pairs = [data[i] for i in range(len(data))]
    if not all(isinstance(pair, (tuple, list)) and len(pair) >= 2 for pair in pairs):
        raise UsageError(
            f"Trainer: expected each item of {type(data).__name__} to be a pair (x, y); "
            "give (X, y) instead."
        )
    return tuple(
        np.stack([np.asarray(to_array(part)) for part in column])
        for column in zip(*pairs, strict=True)
    )


def _column(values: Any, dtype: Any, what: str) -> Any:
    """Return a column as an array, floats cast; what is no array but can be indexed, as it is."""
    own = isinstance(values, (np.ndarray, Tensor, list, tuple))
    if not own and not hasattr(values, "__array__") and hasattr(values, "__getitem__"):
        return values
    try:
        array = np.asarray(to_array(values if own else np.asarray(values)))
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}: expected numbers; {error}") from None
    if array.ndim == 0:
        raise DataError(f"{what}: expected one entry for each row, got a single number.")
    if array.dtype.kind == "b":
        return array.astype(np.int64) if what.endswith("y") else array
    if array.dtype.kind != "f":
        return array
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise DataError(
            f"{what}: expected finite numbers, got {array[row][~finite[row]].ravel()[0]} in row "
            f"{row + 1}; fill in or leave out such rows."
        )
    return np.ascontiguousarray(array, dtype=dtype)


def _checked_weight(weight: Any, rows: int, owner: str, dtype: Any) -> Array:
    array = np.asarray(to_array(weight)).astype(dtype)
    if array.shape != (rows,):
        raise DataError(
            f"{owner}: expected weights of shape ({rows},), got {array.shape}; "
            "give one for each row."
        )
    if not (np.isfinite(array).all() and (array >= 0).all() and array.any()):
        raise DataError(
            f"{owner}: expected finite weights of 0 or more, not all 0, got "
            f"{array.min()} to {array.max()}; correct them."
        )
    return array


def class_factors(class_weight: Any, y: Array, owner: str = "Trainer") -> Array:
    """Return each class's factor.

    Args:
        class_weight: "balanced" (n / (classes * n_c), so that all classes count the same in
            sum), factors by class number, or a sequence of them.
        y: classes of the training rows.
        owner: who is named in errors.

    >>> class_factors("balanced", np.array([0, 0, 0, 1])).tolist()
    [0.6666666666666666, 2.0]
    """
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise UsageError(
            f"{owner}: expected class_weight with classes as targets, got targets of "
            f"{y.dtype}; leave class_weight out."
        )
    counts = np.bincount(y)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise UsageError(
                f"{owner}: expected class_weight to be 'balanced' or numbers, got {class_weight!r}."
            )
        return np.where(
            counts == 0, 1.0, len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        )
    factors = np.ones(max(len(counts), len(class_weight)))
    if isinstance(class_weight, Mapping):
        factors = np.ones(max(len(counts), *(int(k) + 1 for k in class_weight)))
        for number, factor in class_weight.items():
            factors[int(number)] = float(factor)
    else:
        factors[: len(class_weight)] = np.asarray(class_weight, dtype=np.float64)
    if len(factors) < len(counts) or not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise UsageError(
            f"{owner}: expected class_weight to be finite factors of 0 or more, got {class_weight}."
        )
    return factors


def in_memory(columns: Iterable[Any]) -> list[Tensor] | None:
    """Return columns as tensors, or None where one is not an array that programs can read."""
    given = list(columns)
    for column in given:
        if not isinstance(column, np.ndarray):
            return None
        try:
            supported_dtype(column.dtype)
        except TypeError:
            return None
    return [leaf(np.ascontiguousarray(column)) for column in given]


def hold_out(
    examples: Examples, share: float, seed: int, owner: str = "Trainer"
) -> tuple[Examples, Examples | None]:
    """Split off a validation share, in proportion to the classes where y holds classes.

    Args:
        examples: all rows.
        share: part to hold out, in [0, 1).
        seed: decides the split.
        owner: who is named in errors.
    """
    if not 0.0 <= share < 1.0 or math.isnan(share):
        raise UsageError(f"{owner}: expected a validation share in [0, 1), got {share}.")
    y = examples.y
    stratify = y if y.dtype.kind in "iu" and y.ndim == 1 else None
    learn, held = split_rows(len(examples), share, seed=seed & _MASK, stratify=stratify)
    if not len(held):
        return examples, None
    return examples.take(learn), examples.take(held)


def joined(one: Examples, other: Examples) -> Examples:
    """Return the rows of both, which are alike; rows without weights count 1 beside others.

    >>> rows = Examples((np.zeros((2, 1)),), np.zeros(2))
    >>> len(joined(rows, rows))
    4
    """
    weight: Array | None = None
    if one.weight is not None or other.weight is not None:
        both = (np.ones(len(x)) if x.weight is None else x.weight for x in (one, other))
        weight = np.concatenate(list(both))
    inputs = tuple(
        np.concatenate([np.asarray(a), np.asarray(b)])
        for a, b in zip(one.inputs, other.inputs, strict=True)
    )
    return Examples(inputs, np.concatenate([one.y, other.y]), weight)
