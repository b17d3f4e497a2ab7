"""The function that programs call to have a primitive evaluated by NumPy.

Only the thread that called the program makes such calls, while the others wait at the next barrier,
and ctypes takes Python's lock for it, whether the program was run with it or without. The stage
that calls says what is asked by a text, so that machine code from the cache finds it as well.
"""

from __future__ import annotations

import ast
import ctypes
import math
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.modes import quietly
from schuss.native.once import once
from schuss.primitives.base import REGISTRY, Primitive

__all__ = ["HOST_CALL", "host_function", "request_text", "take_error"]

HOST_CALL = "schuss_host_call"

Layout = tuple[tuple[int, ...], str]


def request_text(
    primitive: Primitive, attributes: dict[str, Any], inputs: list[Layout], result: Layout
) -> str:
    """Return what a stage asks for: (primitive, attributes, inputs, result), as Python writes it.

    Raises:
        ValueError: when an attribute is more than numbers, texts, and tuples of them.
    """
    asked = (primitive.name, attributes, inputs, result)
    text = repr(asked)
    try:
        is_plain = ast.literal_eval(text) == asked
    except (SyntaxError, ValueError):
        is_plain = False
    if not is_plain:
        raise ValueError(f"host call: expected attributes of plain numbers, got {attributes}.")
    return text


class _Errors(threading.local):
    """What went wrong in a thread's calls since somebody looked: the first error."""

    first: BaseException | None = None


_errors = _Errors()


def take_error() -> BaseException | None:
    """Return the first error of this thread's host calls, which is forgotten then, or None."""
    error, _errors.first = _errors.first, None
    return error


class _Memory:
    """Arrays of one layout at any address."""

    def __init__(self, layout: Layout) -> None:
        self.shape, self.dtype = layout[0], np.dtype(layout[1])
        self._bytes = ctypes.c_uint8 * (self.dtype.itemsize * math.prod(self.shape))

    def at(self, address: int) -> Array:
        """Return the memory at an address as an array."""
        memory: Any = self._bytes.from_address(address)
        return np.ndarray(self.shape, self.dtype, memory)


@lru_cache(maxsize=1024)
def _request(text: bytes) -> tuple[Callable[..., Any], list[_Memory], _Memory]:
    name, attributes, inputs, result = ast.literal_eval(text.decode())
    value = REGISTRY[name].value
    call = partial(value, **attributes) if attributes else value
    return call, [_Memory(layout) for layout in inputs], _Memory(result)


def _evaluate(text: bytes, addresses: Any) -> int:
    """Evaluate a request on the inputs at these addresses; the last one is the result's.

    Returns:
        0, or 1 after an error, when the result is all zeros.
    """
    try:
        value, inputs, result = _request(text)
        out = result.at(addresses[len(inputs)])
        try:
            with quietly():
                out[...] = value(*[x.at(addresses[i]) for i, x in enumerate(inputs)])
        except BaseException:
            out[...] = 0
            raise
    except BaseException as error:  # native code is between it and who may catch it
        if _errors.first is None:
            _errors.first = error
        return 1
    return 0


@once
def _callback() -> Any:
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int64))
    return kind(_evaluate)


def host_function() -> int:
    """Return the address of the native function `i32 (request, addresses)`."""
    return ctypes.cast(_callback(), ctypes.c_void_p).value or 0
