"""Objects on disk: `save` and `load` of what holds tensors, and PyTorch's files. Never pickle."""

from __future__ import annotations

from schuss.serialization.objects import load_object, save

__all__ = ["load_object", "save"]
