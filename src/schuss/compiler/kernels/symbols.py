"""Symbols: the addresses of the functions that kernels call, of packed GEMM, BLAS and libm."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from schuss.compiler.kernels.host_function import HOST_CALL, host_function
from schuss.native.jit import Symbols
from schuss.native.once import once

__all__ = ["addresses"]


def addresses(names: Iterable[str]) -> Symbols:
    """Return for each name what gives the address; libraries are loaded when they are needed."""
    return {name: partial(_address, name) for name in names}


# Where the functions of our own libraries come from, by how their names begin.
_LIBRARIES = {
    "schuss_product_": ("schuss.compiler.kernels.gemm_library", "library_function"),
    "schuss_convolution_": ("schuss.compiler.kernels.convolution_tiles", "convolution_function"),
    "schuss_depthwise_": ("schuss.compiler.kernels.depthwise_tiles", "depthwise_function"),
    "schuss_window_": ("schuss.compiler.kernels.window_tiles", "window_function"),
}


def _address(name: str) -> int:
    for prefix, (module, function) in _LIBRARIES.items():
        if name.startswith(prefix):
            # A program that calls none of it needs none of it.
            found: int = getattr(import_module(module), function)(name)
            return found
    if name == HOST_CALL:
        return host_function()
    library = _blas() if name.startswith("scipy_") else _libm()
    try:
        function = getattr(library, name)
    except AttributeError:
        function = getattr(ctypes.CDLL(None), name)
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@once
def _blas() -> Any:
    # The package is not imported: it would read the metadata of all that is installed.
    package = find_spec("scipy_openblas32")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "compile: expected the package scipy-openblas32, got none; install it."
        )
    folder = Path(package.origin).parent / "lib"
    found = [p for p in sorted(folder.iterdir()) if "scipy_openblas" in p.name]
    library = ctypes.CDLL(str(found[0]))
    # Schuss's threads call it each for themselves; this is a copy of its own, apart from NumPy's.
    library.scipy_openblas_set_num_threads(1)
    return library


@once
def _libm() -> Any:
    from ctypes.util import find_library

    return ctypes.CDLL(find_library("m") or None)
