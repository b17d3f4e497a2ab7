"""From LLVM's text form to machine code, with a cache of compiled objects on disk."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from schuss.native import disk_cache, object_code
from schuss.native.target import llvm, target_machine, target_name

__all__ = ["Library", "find", "load"]


@cache
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


@cache
def _mathematics() -> Any:
    from ctypes.util import find_library

    return ctypes.CDLL(find_library("m") or None)


@cache
def _resolve(name: str) -> None:
    """Tell LLVM where a function of another library is."""
    if name.startswith("schuss_product_"):
        from schuss.compiler.kernels.packed_gemm import library_function

        llvm().add_symbol(name, library_function(name))
        return
    library = _blas() if name.startswith("scipy_") else _mathematics()
    try:
        function = getattr(library, name)
    except AttributeError:
        function = getattr(ctypes.CDLL(None), name)
    llvm().add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)


def _resolve_all(names: list[str]) -> None:
    for name in names:
        _resolve(name)


class Library:
    """Machine code in memory.

    Args:
        engine: LLVM's engine, which owns the memory.
        name: of the code in the cache.
        from_disk: whether it came from there.
    """

    def __init__(self, engine: Any, name: str, *, from_disk: bool) -> None:
        self._engine = engine
        self.name = name
        self.from_disk = from_disk

    def address(self, name: str) -> int:
        """Return the address of a function."""
        return int(self._engine.get_function_address(name))


def load(
    loops: Sequence[str], symbols: list[str], *, plain: Sequence[str] = (), optimise: bool = True
) -> Library:
    """Compile modules in LLVM's text form, or take them from the cache.

    Args:
        loops: modules that gain by all that LLVM can do, such as loops that become vectors.
        symbols: functions of other libraries that are called.
        plain: modules that are written as they should run, and only tidied up. They may all call
            each other's functions.
        optimise: without, nothing is done to `loops`, either, and they are compiled in a tenth of
            the time.
    """
    parts = (str(optimise), str(len(loops)), *loops, *plain)
    name = disk_cache.name_of(target_name(), *parts)
    found = find(name, symbols)
    if found is not None:
        return found
    made = _compile(loops, symbols, plain, optimise=optimise)
    disk_cache.write(f"{name}.o", _pack(made))
    return Library(_link(made), name, from_disk=False)


def find(name: str, symbols: list[str]) -> Library | None:
    """Return machine code that `load` compiled, from the cache; None if it is not there."""
    packed = disk_cache.read(f"{name}.o")
    if packed is None:
        return None
    _resolve_all(symbols)
    return Library(_link(_unpack(packed)), name, from_disk=True)


def _compile(
    loops: Sequence[str], symbols: list[str], plain: Sequence[str], *, optimise: bool
) -> list[bytes]:
    """Return a program's objects; what else it calls is made ready, side by side with them."""
    full, effort = (object_code.optimise, 2) if optimise else (None, 0)
    tasks = [partial(object_code.generate, text, full, effort=effort) for text in loops]
    tasks += [partial(object_code.generate, text, object_code.tidy) for text in plain]
    # The longest are begun first.
    tasks.sort(key=lambda task: -len(task.args[0]))
    _, *objects = object_code.together([partial(_ready, symbols), *tasks])
    return objects


def _ready(symbols: list[str]) -> bytes:
    _resolve_all(symbols)
    return b""


def _link(objects: list[bytes]) -> Any:
    stub = llvm().parse_assembly(f'target triple = "{llvm().get_process_triple()}"\n')
    engine = llvm().create_mcjit_compiler(stub, target_machine())
    for code in objects:
        engine.add_object_file(llvm().ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _pack(objects: list[bytes]) -> bytes:
    """Return objects one after the other, each after its length."""
    return b"".join([len(code).to_bytes(8, "little") + code for code in objects])


def _unpack(packed: bytes) -> list[bytes]:
    objects = []
    at = 0
    while at < len(packed):
        end = at + 8 + int.from_bytes(packed[at : at + 8], "little")
        objects.append(packed[at + 8 : end])
        at = end
    return objects
