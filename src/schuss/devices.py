"""The one device, and orders of memory, by the names that PyTorch's users call them."""

from __future__ import annotations

from enum import Enum
from typing import Any

__all__ = ["CPU", "device", "memory_format", "require_cpu"]
__all__ += ["channels_last", "channels_last_3d", "contiguous_format", "preserve_format"]

_KINDS = ("cpu", "cuda", "mps", "xpu", "meta")


class device(str):  # noqa: N801  # PyTorch's name
    """A place for tensors: "cpu" is where they are; others can be named, and asked for in vain.

    Args:
        place: "cpu", or such as "cuda" or "cuda:0", which no tensor can be on.
        index: which one of its kind.

    Raises:
        ValueError: for a kind that there is nowhere.

    >>> device("cpu").type, device("cuda", 0) == "cuda:0"
    ('cpu', True)
    """

    type: str
    index: int | None  # type: ignore[assignment]  # PyTorch's name, and no method here

    def __new__(cls, place: str, index: int | None = None) -> device:  # noqa: D102  # the class says it
        kind, _, number = str(place).partition(":")
        if kind not in _KINDS or (number and not number.isdigit()):
            raise ValueError(f"device: expected one of {', '.join(_KINDS)}, got {place!r}.")
        which = int(number) if number else index
        made = super().__new__(cls, kind if which is None else f"{kind}:{which}")
        made.type, made.index = kind, which
        return made

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __reduce__(self) -> Any:
        return device, (str(self),)

    def __enter__(self) -> device:
        require_cpu("device", self)
        return self

    def __exit__(self, *error: object) -> None:
        pass


CPU = device("cpu")


class memory_format(Enum):  # noqa: N801  # PyTorch's name
    """An order of pictures' axes in memory, which calls take without effect: the compiler's choice.

    >>> memory_format.channels_last
    schuss.channels_last
    """

    contiguous_format = 0
    channels_last = 1
    channels_last_3d = 2
    preserve_format = 3

    def __repr__(self) -> str:
        return f"schuss.{self.name}"


channels_last, channels_last_3d = memory_format.channels_last, memory_format.channels_last_3d
contiguous_format, preserve_format = memory_format.contiguous_format, memory_format.preserve_format


def require_cpu(owner: str, place: Any) -> None:
    """Raise unless a device is the CPU, or none is named.

    Raises:
        ValueError: for another device.
    """
    if place is not None and str(place).partition(":")[0] != "cpu":
        raise ValueError(
            f"{owner}: expected device 'cpu', the only one there is, got {str(place)!r}; choose it "
            "by is_available()."
        )
