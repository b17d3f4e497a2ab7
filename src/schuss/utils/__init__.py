"""Helpers around training, by PyTorch's names: `schuss.utils.data` feeds networks with batches."""

from __future__ import annotations

from schuss.utils import data as data

__all__ = ["data"]
