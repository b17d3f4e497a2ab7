"""The JIT: LLVM IR to machine code in memory, with a cache of object files on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from schuss.native import disk_cache, object_code
from schuss.native.once import no_fork_inside
from schuss.native.target import llvm, target_machine, target_name

__all__ = ["Library", "Symbols", "find", "load"]

Symbols: TypeAlias = Mapping[str, Callable[[], int]]
_NO_SYMBOLS: Symbols = MappingProxyType({})


# The names of functions that LLVM has been told of.
_known: set[str] = set()


def _add(symbols: Symbols) -> None:
    """Tell LLVM where functions of other libraries are."""
    for name, address in symbols.items():
        if name not in _known:
            llvm().add_symbol(name, address())
            _known.add(name)


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
        with no_fork_inside:
            return int(self._engine.get_function_address(name))


def load(
    loops: Sequence[str],
    *,
    plain: Sequence[str] = (),
    symbols: Symbols = _NO_SYMBOLS,
    optimise: bool = True,
) -> Library:
    """Compile modules in LLVM's text form, or take them from the cache.

    Args:
        loops: modules that gain by all that LLVM can do, such as loops that become vectors.
        plain: modules that are written as they should run, and only tidied up. They may all call
            each other's functions.
        symbols: functions of other libraries that are called: what gives the address, by name.
        optimise: without, nothing is done to `loops`, either, instructions are chosen one by one,
            and all is compiled in a fraction of the time.
    """
    with no_fork_inside:
        parts = (str(optimise), str(len(loops)), *loops, *plain)
        name = disk_cache.name_of(target_name(), *parts)
        found = find(name, symbols)
        if found is not None:
            return found
        made = _compile(loops, symbols, plain, optimise=optimise)
        disk_cache.write(f"{name}.o", _pack(made))
        return Library(_link(made), name, from_disk=False)


def find(name: str, symbols: Symbols) -> Library | None:
    """Return machine code that `load` compiled, from the cache; None if it is not there."""
    packed = disk_cache.read(f"{name}.o")
    if packed is None:
        return None
    with no_fork_inside:
        _add(symbols)
        return Library(_link(_unpack(packed)), name, from_disk=True)


def _compile(
    loops: Sequence[str], symbols: Symbols, plain: Sequence[str], *, optimise: bool
) -> list[bytes]:
    """Return a program's objects; what else it calls is made ready, side by side with them."""
    full, effort = (object_code.optimise, 2) if optimise else (None, 0)
    tasks = [partial(object_code.generate, text, full, effort=effort) for text in loops]
    tasks += [
        partial(object_code.generate, text, object_code.tidy, effort=effort) for text in plain
    ]
    # The longest are begun first.
    tasks.sort(key=lambda task: -len(task.args[0]))
    _, *objects = object_code.together([partial(_ready, symbols), *tasks])
    return objects


def _ready(symbols: Symbols) -> bytes:
    _add(symbols)
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
