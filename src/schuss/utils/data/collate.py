"""Collating: a batch made of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schuss.core import Tensor, tensor
from schuss.functions import stack
from schuss.primitives.base import asarray

__all__ = ["default_collate", "default_convert"]


def default_convert(data: Any) -> Any:
    """Make tensors of the arrays in a sample; lists, tuples and dictionaries stay what they are."""
    if isinstance(data, np.ndarray | np.generic) and data.dtype.kind in "fiub":
        return asarray(data)
    if isinstance(data, Mapping):
        return _same_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        parts = [default_convert(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return [default_convert(part) for part in data]
    return data


def default_collate(batch: Sequence[Any]) -> Any:
    """Make one sample of many: numbers and tensors are stacked, containers collated by part.

    Python's floats become float64 and its integers int64; texts stay a list.

    >>> default_collate([{"x": 1.5, "y": "a"}, {"x": 2.5, "y": "b"}])
    {'x': tensor([1.5, 2.5], dtype=schuss.float64), 'y': ['a', 'b']}

    Raises:
        ValueError: where sequences differ in length.
        TypeError: for what is no tensor, array, number, text, dictionary or sequence.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, np.ndarray | np.generic) and first.dtype.kind in "fiub":
        return asarray(np.stack([np.asarray(sample) for sample in batch]))
    if isinstance(first, bool):
        return tensor(list(batch))
    if isinstance(first, float):
        return tensor(np.array(batch, np.float64))
    if isinstance(first, int):
        return tensor(np.array(batch, np.int64))
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        return _same_mapping(
            first, {key: default_collate([sample[key] for sample in batch]) for key in first}
        )
    if isinstance(first, Sequence):
        lengths = sorted({len(sample) for sample in batch})
        if len(lengths) != 1:
            raise ValueError(f"default_collate: expected samples of one length, got {lengths}.")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise TypeError(
        "default_collate: expected tensors, arrays, numbers, texts, dictionaries or sequences, "
        f"got {type(first).__name__}; give the DataLoader a collate_fn."
    )


def _same_mapping(old: Mapping[Any, Any], new: dict[Any, Any]) -> Any:
    """Return a mapping of the same kind, where that can be made from a dictionary."""
    try:
        return new if type(old) is dict else type(old)(new)  # type: ignore[call-arg]
    except TypeError:
        return new
