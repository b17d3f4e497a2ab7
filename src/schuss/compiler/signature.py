"""Signatures: what the program for a call is found by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.compiler.trace.pytree import StaticArgument
from schuss.core import Array, Tensor, to_array
from schuss.modes import mode
from schuss.values.layouts import layout_of

__all__ = ["plain_arrays", "signature_of"]


def plain_arrays(args: Sequence[Any]) -> list[Array] | None:
    """Return the arrays of arguments that are tensors without a gradient; None for others."""
    arrays = []
    for x in args:
        if type(x) is not Tensor or x.requires_grad:
            return None
        arrays.append(x.array)
    return arrays


def signature_of(structure: Any, leaves: list[Any]) -> tuple[Any, list[Array], list[float]]:
    """Return what programs are found by, with the arrays and the floats among the leaves."""
    signature: list[Any] = [structure, mode()]
    arrays: list[Array] = []
    numbers: list[float] = []
    for x in leaves:
        if isinstance(x, Tensor):
            array = x.array
            # Its gradient is left in the very tensor, so that the program is bound to it.
            owner = StaticArgument(x) if x.requires_grad else None
            signature.append((array.shape, array.dtype, owner, layout_of(array)))
            arrays.append(array)
        elif isinstance(x, float):
            numbers.append(x)
        else:
            array = to_array(x)
            signature.append((array.shape, array.dtype, None, layout_of(array)))
            arrays.append(array)
    return tuple(signature), arrays, numbers
