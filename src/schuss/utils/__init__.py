"""Helpers around training, by PyTorch's names.

`schuss.utils.data` feeds networks with batches, `schuss.utils.checkpoint` computes again what it
would take memory to keep.
"""

from __future__ import annotations

from schuss.utils import checkpoint as checkpoint
from schuss.utils import data as data

__all__ = ["checkpoint", "data"]
