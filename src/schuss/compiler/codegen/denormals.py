"""Denormals: numbers too small for a normal exponent count as zero within a step.

Near a minimum, gradients and their squares shrink to such subnormal numbers, and processors take
up to a hundred times longer for them: a step would slow down to half its speed as it converges. A
program that holds such a number itself, as a bound or in a table, asks for them and keeps them.
"""

from __future__ import annotations

import platform

import numpy as np

from schuss.compiler.graph.graph import Graph

__all__ = ["flushing"]

# Results to zero, and operands: bits of the register that says how to compute with floats.
_X86, _ARM = 1 << 15 | 1 << 6, 1 << 24

_NOTHING = """
define internal i64 @flush() { ret i64 0 }
define internal void @restore(i64 %mode) { ret void }
"""


def _has_denormal(graph: Graph) -> bool:
    """Whether a constant holds a number below the smallest normal one."""
    for node in graph.nodes():
        if node.array is not None and node.dtype.kind == "f":
            size = np.abs(node.array)
            if ((size > 0) & (size < np.finfo(node.dtype).tiny)).any():
                return True
    return False


def flushing(graph: Graph) -> str:
    """Return the functions `flush`, which gives the mode before, and `restore`, which takes it."""
    if _has_denormal(graph):
        return _NOTHING
    machine = platform.machine()
    if machine in ("x86_64", "AMD64"):
        return f"""
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i64 @flush() {{
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %mode = load i32, ptr %place
  %flushing = or i32 %mode, {_X86}
  store i32 %flushing, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  %wide = zext i32 %mode to i64
  ret i64 %wide
}}
define internal void @restore(i64 %mode) {{
  %place = alloca i32
  %narrow = trunc i64 %mode to i32
  store i32 %narrow, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret void
}}
"""
    if machine in ("aarch64", "arm64"):
        return f"""
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define internal i64 @flush() {{
  %mode = call i64 @llvm.aarch64.get.fpcr()
  %flushing = or i64 %mode, {_ARM}
  call void @llvm.aarch64.set.fpcr(i64 %flushing)
  ret i64 %mode
}}
define internal void @restore(i64 %mode) {{
  call void @llvm.aarch64.set.fpcr(i64 %mode)
  ret void
}}
"""
    return _NOTHING
