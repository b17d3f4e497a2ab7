"""From LLVM's text form to machine code, with a cache of compiled objects on disk."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import sys
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from schuss.compiler import store

__all__ = ["Library", "find", "load", "target_features", "target_name", "vector_bytes"]

_X86_64 = ("x86_64", "AMD64")
_LOCK = threading.RLock()


def _llvm() -> Any:
    import llvmlite.binding as llvm

    return llvm


@cache
def _processor() -> tuple[str, str]:
    """Return this processor's name and features, as LLVM writes them."""
    llvm = _llvm()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu = os.environ.get("SCHUSS_CPU") or llvm.get_host_cpu_name()
    features = os.environ.get("SCHUSS_CPU_FEATURES")
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return cpu, features


def _machine(effort: int = 2) -> Any:
    """Return a new target machine; an engine takes ownership of the one that it gets."""
    llvm = _llvm()
    cpu, features = _processor()
    # Code and its constants may end up more than 2 GB apart where memory is in pieces, and LLVM
    # ends the process if an address does not fit. On ARM the engine reserves both together.
    reloc, model = ("static", "large") if platform.machine() in _X86_64 else ("pic", "default")
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=cpu, features=features, opt=effort, reloc=reloc, codemodel=model
    )


def target_features() -> tuple[str, str]:
    """Return the processor's name and features that programs are compiled for."""
    return _processor()


def target_name() -> str:
    """Return everything about processor and versions that a compiled object depends on."""
    import llvmlite

    cpu, features = _processor()
    return f"{llvmlite.__version__} {cpu} {features} {sys.platform}"


def vector_bytes() -> int:
    """Return the width of the widest vector register that should be used."""
    _, features = _processor()
    names = set(features.split(","))
    return 64 if "+avx512f" in names else 32 if "+avx2" in names else 16


def has_feature(name: str) -> bool:
    """Return whether the processor has a feature, by LLVM's name for it."""
    _, features = _processor()
    return f"+{name}" in features.split(",")


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
    return ctypes.CDLL(ctypes.util.find_library("m") or None)


@cache
def _resolve(name: str) -> None:
    """Tell LLVM where a function of another library is."""
    if name.startswith("schuss_product_"):
        from schuss.compiler.panels import library_function

        _llvm().add_symbol(name, library_function(name))
        return
    library = _blas() if name.startswith("scipy_") else _mathematics()
    try:
        function = getattr(library, name)
    except AttributeError:
        function = getattr(ctypes.CDLL(None), name)
    _llvm().add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)


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


def load(text: str, symbols: list[str], *, plain: str = "", optimise: bool = True) -> Library:
    """Compile modules in LLVM's text form, or take them from the cache.

    Args:
        text: a module that gains by all that LLVM can do, such as loops that become vectors; or
            nothing.
        symbols: functions of other libraries that are called.
        plain: a module that is written as it should run, and only tidied up; the two may call
            each other's functions.
        optimise: without, nothing is done to `text`, either, and it is compiled in a tenth of the
            time.
    """
    with _LOCK:
        name = store.name_of(target_name(), str(optimise), text, plain)
        found = find(name, symbols)
        if found is not None:
            return found
        _resolve_all(symbols)
        made = _compile(text, plain, optimise=optimise)
        store.write(f"{name}.o", made)
        return Library(_link(made), name, from_disk=False)


def find(name: str, symbols: list[str]) -> Library | None:
    """Return machine code that `load` compiled, from the cache; None if it is not there."""
    with _LOCK:
        code = store.read(f"{name}.o")
        if code is None:
            return None
        _resolve_all(symbols)
        return Library(_link(code), name, from_disk=True)


def _compile(text: str, plain: str, *, optimise: bool) -> bytes:
    machine = _machine(2 if optimise else 0)
    module = _parse(text, machine)
    if text and optimise:
        _optimise(module, machine)
    if plain:
        other = _parse(plain, machine)
        _tidy(other, machine)
        module.link_in(other)
    return _emit(module, machine)


def _parse(text: str, machine: Any) -> Any:
    llvm = _llvm()
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_process_triple()
    module.data_layout = str(machine.target_data)
    if os.environ.get("SCHUSS_DEBUG") == "verify":
        module.verify()
    return module


def _tidy(module: Any, machine: Any) -> None:
    """Put what lies on the stack into registers, and do away with what is done twice."""
    llvm = _llvm()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)


def _optimise(module: Any, machine: Any) -> None:
    """Do all that LLVM can, above all make loops over elements loops over vectors."""
    llvm = _llvm()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    options.slp_vectorization = False
    # Unrolling short loops doubles the code and the time to make it, and gains nothing here.
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def _emit(module: Any, machine: Any) -> bytes:
    return bytes(machine.emit_object(module))


def _link(code: bytes) -> Any:
    llvm = _llvm()
    machine = _machine()
    stub = llvm.parse_assembly(f'target triple = "{llvm.get_process_triple()}"\n')
    engine = llvm.create_mcjit_compiler(stub, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine
