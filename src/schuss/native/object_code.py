"""Object code from LLVM IR: several modules are compiled side by side, on all cores."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from schuss.native.once import once
from schuss.native.target import llvm, target_machine
from schuss.threads import usable_cores

__all__ = ["generate", "optimise", "tidy", "together"]

Result = TypeVar("Result")


def together(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Return what each of the functions returns; they run side by side, as there are cores.

    Raises:
        BaseException: the first that one of them raised.
    """
    results: dict[int, Result] = {}
    failures: list[BaseException] = []
    waiting = iter(list(enumerate(tasks)))

    def work() -> None:
        for place, task in waiting:
            try:
                results[place] = task()
            except BaseException as error:  # raised below, on the caller's thread
                failures.append(error)

    count = min(len(tasks), usable_cores()) - 1
    helpers = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in helpers:
        thread.start()
    work()
    for thread in helpers:
        thread.join()
    if failures:
        raise failures[0]
    return [results[place] for place in range(len(tasks))]


def generate(text: str, prepare: Callable[[Any, Any], None] | None, *, effort: int = 2) -> bytes:
    """Return a module as object code.

    Args:
        text: in LLVM's text form.
        prepare: passes to run, `tidy` or `optimise`, given the module and the target machine.
        effort: LLVM's level for choosing instructions and registers, 0 to 3.
    """
    machine = target_machine(effort)
    # A context of its own: threads may each work on theirs.
    module = llvm().parse_assembly(text, llvm().create_context())
    module.triple = llvm().get_process_triple()
    module.data_layout = str(machine.target_data)
    if os.environ.get("SCHUSS_DEBUG") == "verify":
        module.verify()
    if prepare is not None:
        prepare(module, machine)
    return _emit(module, machine)


def tidy(module: Any, machine: Any) -> None:
    """Put what lies on the stack into registers, and do away with what is done twice."""
    builder = llvm().create_pass_builder(machine, llvm().create_pipeline_tuning_options())
    passes = llvm().create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    run = _unlocked("LLVMPY_RunNewFunctionPassManager")
    for function in module.functions:
        if not function.is_declaration:
            run(passes, function, builder)


def optimise(module: Any, machine: Any) -> None:
    """Do all that LLVM can, above all make loops over elements loops over vectors."""
    options = llvm().create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    options.slp_vectorization = False
    # Unrolling short loops doubles the code and the time to make it, and gains nothing here.
    options.loop_unrolling = False
    builder = llvm().create_pass_builder(machine, options)
    run = _unlocked("LLVMPY_RunNewModulePassManager")
    run(builder.getModulePassManager(), module, builder)


def _emit(module: Any, machine: Any) -> bytes:
    library = llvm().ffi.lib
    with llvm().ffi.OutputString() as error:
        buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start = library.LLVMPY_GetBufferStart(buffer)
        return ctypes.string_at(start, library.LLVMPY_GetBufferSize(buffer))
    finally:
        library.LLVMPY_DisposeMemoryBuffer(buffer)


@once
def _unlocked(name: str) -> Any:
    """Return a function of LLVM's that several threads may be in at once.

    llvmlite lets one thread at a time into LLVM; but LLVM's own rule is one thread a context.
    """
    locked = getattr(llvm().ffi.lib, name)
    found = getattr(_library(), name)
    found.argtypes, found.restype = locked.argtypes, locked.restype
    return found


@once
def _library() -> Any:
    return ctypes.CDLL(llvm().ffi.lib._name)
