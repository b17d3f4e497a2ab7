"""Sequences of several lengths by PyTorch's names: padded to one, or packed step by step.

Packed, the rows of all sequences that have a step lie one behind the other, the longest sequence
first, then those of the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from schuss import functions as ops
from schuss.core import Array, Tensor, TensorLike, int64, leaf
from schuss.primitives.base import as_tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "packed_rows",
    "pad_packed_sequence",
    "pad_rows",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

# The step and the sequence of each row.
_Places: TypeAlias = tuple[Tensor, Tensor]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


class PackedSequence(_Packed):
    """Sequences of several lengths in one tensor, made by `pack_padded_sequence` and its kin.

    Args:
        data: the rows, of shape (sum of lengths, ...).
        batch_sizes: int64, how many sequences have each step, falling.
        sorted_indices: the order of the sequences, None for the order that they came in.
        unsorted_indices: the way back; computed where only the way there is given.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        """Return one."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    @property
    def is_cuda(self) -> bool:
        """False: there is the CPU alone."""
        return False

    def to(self, *to: Any, **options: Any) -> PackedSequence:
        """Return it with rows of another dtype; see `Tensor.to`."""
        return self._replace(data=self.data.to(*to, **options))

    def cpu(self) -> PackedSequence:
        """Return it."""
        return self

    def double(self) -> PackedSequence:
        """Return it with rows of float64."""
        return self.to(np.float64)

    def float(self) -> PackedSequence:
        """Return it with rows of float32."""
        return self.to(np.float32)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that leads back.

    >>> from schuss import tensor
    >>> invert_permutation(tensor([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    return None if permutation is None else leaf(np.argsort(permutation.numpy()).astype(int64))


def packed_rows(batch_sizes: Tensor) -> tuple[_Places, Tensor]:
    """Return where each row belongs, its step and its sequence, and the sequences' lengths."""
    sizes = batch_sizes.numpy()
    steps = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.concatenate([np.arange(n) for n in sizes])
    return (leaf(steps), leaf(columns)), leaf(np.bincount(columns).astype(int64))


def pad_rows(data: Tensor, places: _Places, lengths: Tensor, value: float = 0.0) -> Tensor:
    """Return packed rows as a tensor of shape (steps, sequences, ...), a number in between."""
    steps, columns = (place.numpy() for place in places)
    rows = np.zeros((int(lengths.numpy().max()), len(lengths)), int64)
    inside = np.zeros(rows.shape, bool)
    rows[steps, columns] = np.arange(len(steps))
    inside[steps, columns] = True
    inside = inside.reshape(*rows.shape, *(1,) * (data.ndim - 1))
    return ops.where(leaf(inside), data[leaf(rows)], value)


def _order(lengths: Array, *, enforce_sorted: bool) -> Tensor | None:
    """Return the sequences' order, the longest first; None where they are given so."""
    if lengths.ndim != 1 or not lengths.size or lengths.min() < 1:
        raise ValueError(
            f"pack: expected the length of each sequence, at least 1, got {lengths.tolist()}."
        )
    if not enforce_sorted:
        return leaf(np.argsort(-lengths, kind="stable").astype(int64))
    if (lengths[1:] > lengths[:-1]).any():
        raise RuntimeError(
            f"pack: expected lengths that fall, got {lengths.tolist()}; sort them, or pass "
            "enforce_sorted=False."
        )
    return None


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Return padded sequences without what is behind their ends.

    Args:
        input: of shape (steps, batch, ...), or with `batch_first` (batch, steps, ...).
        lengths: of the sequences.
        batch_first: which of the two comes first.
        enforce_sorted: whether the longest sequence has to come first, and so on.

    Raises:
        RuntimeError: for sequences that are not sorted, unless `enforce_sorted` is False.
        ValueError: for lengths that do not fit.

    >>> from schuss import tensor
    >>> packed = pack_padded_sequence(tensor([[1.0, 3.0], [2.0, 0.0]]), [2, 1])
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([1.0, 3.0, 2.0], [2, 1])
    """
    if batch_first:
        input = ops.swapaxes(input, 0, 1)
    ends = np.asarray(as_tensor(lengths).numpy(), int64)
    order = _order(ends, enforce_sorted=enforce_sorted)
    if len(ends) != input.shape[1] or ends.max() > len(input):
        raise ValueError(
            f"pack_padded_sequence: expected {input.shape[1]} lengths of at most {len(input)} "
            f"steps, got {ends.tolist()}."
        )
    if order is not None:
        ends, input = ends[order.numpy()], input[:, order]
    sizes = leaf((np.arange(ends[0])[:, None] < ends).sum(axis=1).astype(int64))
    places, _ = packed_rows(sizes)
    return PackedSequence(input[places], sizes, order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return padded sequences and their lengths, in the order that they were packed from.

    Args:
        sequence: packed.
        batch_first: whether to return (batch, steps, ...), not (steps, batch, ...).
        padding_value: what is behind the ends.
        total_length: how many steps to return, at least as many as there are.

    Raises:
        ValueError: if `total_length` is too small.
    """
    places, lengths = packed_rows(sequence.batch_sizes)
    padded = pad_rows(sequence.data, places, lengths, padding_value)
    if total_length is not None:
        if total_length < len(padded):
            raise ValueError(
                f"pad_packed_sequence: expected total_length of at least {len(padded)}, got "
                f"{total_length}."
            )
        widths = [(0, total_length - len(padded))] + [(0, 0)] * (padded.ndim - 1)
        padded = ops.pad(padded, widths, padding_value)
    if sequence.unsorted_indices is not None:
        padded = padded[:, sequence.unsorted_indices]
        lengths = lengths[sequence.unsorted_indices]
    return (ops.swapaxes(padded, 0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Sequence[TensorLike],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences of several lengths as one tensor.

    Args:
        sequences: of shapes (length, ...).
        batch_first: whether to return (batch, steps, ...), not (steps, batch, ...).
        padding_value: what is behind the ends.
        padding_side: "right", or "left" to have it before the starts.

    Raises:
        ValueError: for no sequences, or another side.

    >>> from schuss import tensor
    >>> pad_sequence([tensor([1.0, 2.0]), tensor([3.0])], batch_first=True).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"pad_sequence: expected side left or right, got {padding_side!r}.")
    tensors = [as_tensor(x) for x in sequences]
    if not tensors:
        raise ValueError("pad_sequence: expected at least one sequence, got none.")
    steps = max(len(x) for x in tensors)
    padded = []
    for x in tensors:
        missing = steps - len(x)
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        padded.append(ops.pad(x, [sides, *[(0, 0)] * (x.ndim - 1)], padding_value))
    return ops.stack(padded, axis=0 if batch_first else 1)


def pack_sequence(sequences: Sequence[TensorLike], enforce_sorted: bool = True) -> PackedSequence:
    """Return sequences of several lengths packed; see `pack_padded_sequence`."""
    tensors = [as_tensor(x) for x in sequences]
    lengths = [len(x) for x in tensors]
    return pack_padded_sequence(pad_sequence(tensors), lengths, enforce_sorted=enforce_sorted)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """Return padded sequences as they were."""
    if not batch_first:
        padded_sequences = ops.swapaxes(padded_sequences, 0, 1)
    ends = as_tensor(lengths).tolist()
    return [x[:end] for x, end in zip(padded_sequences, ends, strict=True)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return packed sequences as they were."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
