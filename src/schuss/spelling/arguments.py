"""Arguments of public calls: the standard's names for PyTorch's, and those that cannot matter."""

from __future__ import annotations

from typing import Any

from schuss.core import Tensor
from schuss.devices import require_cpu

__all__ = ["CONVERTERS", "HARMLESS", "STANDARD_NAMES", "every_axis", "packed", "take_harmless"]

# What PyTorch calls what the standard (or NumPy) calls otherwise; a function has one of them.
STANDARD_NAMES: dict[str, tuple[str, ...]] = {
    "axes": ("dims", "dim"),
    "axis": ("dim", "dims"),
    "axis1": ("dim0", "dim1"),
    "axis2": ("dim1", "dim2"),
    "end_axis": ("end_dim",),
    "indices": ("index",),
    "k": ("diagonal",),
    "keepdims": ("keepdim",),
    "n_cols": ("m",),
    "n_rows": ("n",),
    "num": ("steps",),
    "ord": ("p",),
    "repetitions": ("dims",),
    "shape": ("size",),
    "shift": ("shifts",),
    "start_axis": ("start_dim",),
    "stop": ("end",),
    "x": ("input",),
    "x1": ("input",),
    "x2": ("other",),
}
# Taken, and without any effect on a CPU.
HARMLESS = (*("layout", "memory_format", "names", "non_blocking", "pin_memory", "sparse_grad"),)


def take_harmless(owner: str, others: dict[str, Any]) -> None:
    """Drop arguments that cannot matter here, once they are checked.

    Raises:
        ValueError: for another device than the CPU.
    """
    require_cpu(owner, others.pop("device", None))
    for name in HARMLESS:
        others.pop(name, None)


def packed(items: tuple[Any, ...]) -> Any:
    """Return what `f(2, 3)` and `f((2, 3))` both mean."""
    if len(items) == 1 and (isinstance(items[0], (tuple, list)) or items[0] is None):
        return items[0]
    return items


def every_axis(dim: Any, x: Any) -> Any:
    """Return axes to reduce; none, or the one of a number, stands for all."""
    if dim.__class__ is int:
        if dim in (0, -1) and isinstance(x, Tensor) and not x.array.shape:
            return None
        return dim
    if isinstance(dim, (tuple, list)):
        axes = tuple([_whole(a) for a in dim])
        if isinstance(x, Tensor) and not x.array.shape and not {*axes} - {0, -1}:
            return None
        return axes or None
    return every_axis(_whole(dim), x) if isinstance(dim, Tensor) else dim


def _whole(a: Any) -> Any:
    return int(a) if isinstance(a, Tensor) else a


# What is done to an argument that is given, by the word that stands behind it in the table.
CONVERTERS: dict[str, Any] = {"every": every_axis}
