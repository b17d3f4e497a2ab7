"""What programs ask of `torch.cuda` before they fall back on the CPU: here they always do."""

from __future__ import annotations

from typing import Any

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all"]
__all__ += ["is_initialized", "synchronize"]


def is_available() -> bool:
    """Return False: tensors are on the CPU."""
    return False


def is_initialized() -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Do nothing; `schuss.manual_seed` starts the generator."""


def manual_seed_all(seed: int) -> None:
    """Do nothing; `schuss.manual_seed` starts the generator."""


def empty_cache() -> None:
    """Do nothing."""


def synchronize(device: Any = None) -> None:
    """Do nothing: nothing runs that was not waited for."""
