"""The target: the processor that programs are compiled for, its features and LLVM's name."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from schuss.native.once import once

__all__ = [
    "has_feature",
    "llvm",
    "target_features",
    "target_machine",
    "target_name",
    "vector_bytes",
]

_X86_64 = ("x86_64", "AMD64")


def llvm() -> Any:
    """Return llvmlite, which is loaded when it is first needed."""
    import llvmlite.binding as binding

    return binding


@once
def _processor() -> tuple[str, str]:
    """Return this processor's name and features, as LLVM writes them."""
    llvm().initialize_native_target()
    llvm().initialize_native_asmprinter()
    cpu = os.environ.get("SCHUSS_CPU") or llvm().get_host_cpu_name()
    features = os.environ.get("SCHUSS_CPU_FEATURES")
    if features is None:
        features = llvm().get_host_cpu_features().flatten()
    return cpu, features


def target_machine(effort: int = 2) -> Any:
    """Return a new target machine; an engine takes ownership of the one that it gets."""
    cpu, features = _processor()
    # Code and its constants may end up more than 2 GB apart where memory is in pieces, and LLVM
    # ends the process if an address does not fit. On ARM the engine reserves both together.
    reloc, model = ("static", "large") if platform.machine() in _X86_64 else ("pic", "default")
    return (
        llvm()
        .Target.from_triple(llvm().get_process_triple())
        .create_target_machine(cpu=cpu, features=features, opt=effort, reloc=reloc, codemodel=model)
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
