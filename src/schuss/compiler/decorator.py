"""`compile`: a function becomes native code."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, overload

from schuss.compiler.compiled import Compiled

__all__ = ["bytes_of", "compile"]

_UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}

# PyTorch's, which have no effect.
_MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def bytes_of(memory: int | str) -> int:
    """Return a number of bytes: itself, or written with a unit.

    Raises:
        ValueError: for anything else.

    >>> bytes_of("2GB"), bytes_of("1.5 MiB")
    (2000000000, 1572864)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]*)\s*", str(memory))
    factor = None if found is None else _UNITS.get(found[2].upper())
    if found is None or factor is None or isinstance(memory, bool):
        raise ValueError(
            f"compile: expected memory as bytes, or as a text such as '2GB', got {memory!r}."
        )
    return int(float(found[1]) * factor)


@overload
def compile(
    function: Callable[..., Any],
    *,
    fullgraph: bool = ...,
    dynamic: bool | None = ...,
    backend: str = ...,
    mode: str | None = ...,
    options: Any = ...,
    disable: bool = ...,
    memory: int | str | None = ...,
) -> Compiled: ...
@overload
def compile(
    function: None = None,
    *,
    fullgraph: bool = ...,
    dynamic: bool | None = ...,
    backend: str = ...,
    mode: str | None = ...,
    options: Any = ...,
    disable: bool = ...,
    memory: int | str | None = ...,
) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(
    function: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
    memory: int | str | None = None,
) -> Any:
    """Return `function` as native code, traced once for each set of shapes and dtypes.

    Tensors (and arrays) among the arguments, also inside of tuples, lists and dictionaries, are
    inputs; Python floats are read anew at each call; other arguments are fixed, and other values
    of them make other programs. Tensors that the function reads otherwise (parameters, an
    optimiser's state, the random key) are states: they are read at each call, and assigning to
    them changes them. `backward` and `grad` belong inside: going back through what a compiled
    function returned computes it once more. Numbers below the smallest normal one (1e-38 in
    float32) count as zero.

    The third length of an axis makes one that varies. Calls of other lengths are traced, too, but
    share a program for a larger one, where that can be proved to compute the same: the function is
    traced at the larger length as well, arguments are padded, and what would see it (a sum over
    the axis, say) is masked. Results are then those of a program of the call's own up to rounding,
    as products are computed by parts of other sizes.

    Args:
        function: takes and returns tensors (or nested tuples, lists, dictionaries of them); left
            out, as in `@compile(mode="max-autotune")`, a decorator is returned.
        fullgraph: PyTorch's, without effect, as the next four: always the whole is compiled.
        dynamic: see above for lengths that vary.
        backend: the name of one; there is no other.
        mode: "default", "reduce-overhead" or "max-autotune", with or without "-no-cudagraphs".
        options: of PyTorch's back end.
        disable: return the function as it is.
        memory: the most bytes that a program's temporaries may take, as a number or a text such as
            "2GB": what would take more is computed again on the way back, as little of it as is
            enough. With more than that a warning says how much it is.

    Raises:
        TraceError: when the function needs a tensor's value in Python.
        TypeError: for a back end of one's own.
        ValueError: for an unknown mode, or a memory that is no number of bytes.

    >>> import schuss as ss
    >>> @compile
    ... def double(x):
    ...     return x + x
    >>> double(ss.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    if not isinstance(backend, str):
        raise TypeError(
            f"compile: expected the name of a backend, got {type(backend).__name__}; there is one."
        )
    if mode not in _MODES:
        known = ", ".join(filter(None, _MODES))
        raise ValueError(f"compile: expected mode as one of {known}, got {mode!r}.")
    limit = None if memory is None else bytes_of(memory)
    if function is None:
        return functools.partial(compile, disable=disable, memory=memory)
    if disable:
        return function
    compiled = Compiled(function, memory=limit)
    # A module stays one.
    wrap = None if isinstance(function, type) else getattr(function, "_as_compiled", None)
    return compiled if wrap is None else wrap(compiled)
