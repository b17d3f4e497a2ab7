"""The one device there is, as the standard's functions take it."""

from __future__ import annotations

from typing import Any

__all__ = ["CPU", "check_device"]

CPU = "cpu"


def check_device(owner: str, device: Any) -> None:
    """Raise ValueError for another device than "cpu"; None stands for it."""
    if device is not None and str(device) != CPU:
        raise ValueError(f"{owner}: expected device {CPU!r}, the only one, got {device!r}.")
