"""Checkpointing by PyTorch's name for its place; see `schuss.autograd.checkpoint`."""

from __future__ import annotations

from schuss.autograd.checkpoint import checkpoint, checkpoint_sequential

__all__ = ["checkpoint", "checkpoint_sequential"]
