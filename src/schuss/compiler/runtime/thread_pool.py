"""A thread pool that runs one program on all threads, with a barrier that spins, then sleeps."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from typing import Any, Protocol

import numpy as np

from schuss.compiler.kernels.symbols import addresses
from schuss.native.jit import Library, load
from schuss.native.once import ForkSafeLock, once
from schuss.threads import usable_cores

__all__ = ["Team", "launch", "runtime", "team"]

# The control block, by offsets in bytes, each word in a cache line of its own. The barrier: threads
# that have arrived (at the beginning), its generation, and who sleeps at it.
_GENERATION, _BARRIER_SLEEPERS = 64, 128
# The job: its number, which idle workers sleep until it changes, and its function and table.
_JOB, _IDLE_SLEEPERS, _FUNCTION = 192, 256, 320
# Turns of a waiting loop before a thread sleeps; and the core that the caller was on.
_SPINS, _CALLER_CORE = 384, 448
# A bit for each core that workers may use, and the kernel's number of each thread.
_CORES, _MOST_CORES = 512, 1024
_THREAD_IDS = _CORES + _MOST_CORES // 8
# To sleep and be woken takes up to a tenth of a millisecond where the machine is virtual: threads
# with a core each spin for some tenths, waiting for each other or for the next job. Where they
# share cores, the others need them sooner. (To yield the core again and again would be no way: a
# kernel that counts that lets the thread pay for it later, for seconds.)
_SPINS_ON_OWN_CORE, _SPINS_ON_SHARED_CORE = 20_000, 200

_FUTEX_WAIT_PRIVATE, _FUTEX_WAKE_PRIVATE = 128, 129
_FUTEX_SYSCALL = {"x86_64": 202, "aarch64": 98}


def _runtime_text() -> str:
    machine = platform.machine()
    is_x86 = machine == "x86_64"
    pause = "call void @llvm.x86.sse2.pause()" if is_x86 else ""
    # Where there is no futex, a sleeper yields its core.
    sleep = wake = "call i32 @sched_yield()"
    has_futex = sys.platform.startswith("linux") and machine in _FUTEX_SYSCALL
    if has_futex:
        futex = f"call i64 (i64, ...) @syscall(i64 {_FUTEX_SYSCALL[machine]}, ptr %word,"
        sleep = f"{futex} i32 {_FUTEX_WAIT_PRIVATE}, i32 %old, ptr null, ptr null, i32 0)"
        wake = f"{futex} i32 {_FUTEX_WAKE_PRIVATE}, i32 2147483647, ptr null, ptr null, i32 0)"
    return f"""
{_affinity_text() if has_futex else _NO_AFFINITY}
{"declare void @llvm.x86.sse2.pause()" if is_x86 else ""}
declare i32 @sched_yield()
declare i64 @syscall(i64, ...)
define internal void @wait_for_change(ptr %word, i32 %old, ptr %sleepers, i32 %spins) nounwind {{
entry:
  br label %look
look:
  %round = phi i32 [ 0, %entry ], [ %next, %again ]
  %now = load atomic i32, ptr %word acquire, align 4
  %changed = icmp ne i32 %now, %old
  br i1 %changed, label %done, label %wait
wait:
  %next = add i32 %round, 1
  %early = icmp ult i32 %round, %spins
  br i1 %early, label %spin, label %sleep
spin:
  {pause}
  br label %again
sleep:
  %a = atomicrmw add ptr %sleepers, i32 1 seq_cst
  %r = {sleep}
  %b = atomicrmw sub ptr %sleepers, i32 1 seq_cst
  br label %again
again:
  br label %look
done:
  ret void
}}
define internal void @advance_and_wake(ptr %word, ptr %sleepers) nounwind {{
entry:
  %old = atomicrmw add ptr %word, i32 1 seq_cst
  %count = load atomic i32, ptr %sleepers seq_cst, align 4
  %some = icmp ne i32 %count, 0
  br i1 %some, label %wake, label %done
wake:
  %r = {wake}
  br label %done
done:
  ret void
}}
define void @schuss_barrier(ptr %control, i64 %tid, i64 %nt) nounwind {{
entry:
  %alone = icmp eq i64 %nt, 1
  br i1 %alone, label %done, label %arrive
arrive:
  %word = getelementptr i8, ptr %control, i64 {_GENERATION}
  %sleepers = getelementptr i8, ptr %control, i64 {_BARRIER_SLEEPERS}
  %generation = load atomic i32, ptr %word acquire, align 4
  %arrived = atomicrmw add ptr %control, i32 1 acq_rel
  %n = trunc i64 %nt to i32
  %others = sub i32 %n, 1
  %last = icmp eq i32 %arrived, %others
  br i1 %last, label %release, label %stay
release:
  store atomic i32 0, ptr %control monotonic, align 4
  call void @advance_and_wake(ptr %word, ptr %sleepers)
  br label %done
stay:
  %spins_place = getelementptr i8, ptr %control, i64 {_SPINS}
  %spins = load i32, ptr %spins_place
  call void @wait_for_change(ptr %word, i32 %generation, ptr %sleepers, i32 %spins)
  %is_caller = icmp eq i64 %tid, 0
  br i1 %is_caller, label %settle, label %done
settle:
  call void @keep_workers_off_caller(ptr %control, i64 %nt)
  br label %done
done:
  ret void
}}
define void @schuss_worker(ptr %control, i64 %tid, i64 %nt) nounwind {{
entry:
  %word = getelementptr i8, ptr %control, i64 {_JOB}
  %sleepers = getelementptr i8, ptr %control, i64 {_IDLE_SLEEPERS}
  %function_place = getelementptr i8, ptr %control, i64 {_FUNCTION}
  %table_place = getelementptr i8, ptr %function_place, i64 8
  br label %loop
loop:
  %old = phi i32 [ 0, %entry ], [ %new, %run ]
  %spins_place = getelementptr i8, ptr %control, i64 {_SPINS}
  %spins = load i32, ptr %spins_place
  call void @wait_for_change(ptr %word, i32 %old, ptr %sleepers, i32 %spins)
  %new = add i32 %old, 1
  %function = load ptr, ptr %function_place
  %table = load ptr, ptr %table_place
  %stop = icmp eq ptr %function, null
  br i1 %stop, label %done, label %run
run:
  call void %function(ptr %table, i64 %tid, i64 %nt)
  call void @schuss_barrier(ptr %control, i64 %tid, i64 %nt)
  br label %loop
done:
  ret void
}}
define void @schuss_launch(ptr %control, ptr %function, ptr %table, i64 %nt) nounwind {{
entry:
  %word = getelementptr i8, ptr %control, i64 {_JOB}
  %sleepers = getelementptr i8, ptr %control, i64 {_IDLE_SLEEPERS}
  %function_place = getelementptr i8, ptr %control, i64 {_FUNCTION}
  %table_place = getelementptr i8, ptr %function_place, i64 8
  store ptr %function, ptr %function_place
  store ptr %table, ptr %table_place
  %alone = icmp eq i64 %nt, 1
  br i1 %alone, label %run, label %call
call:
  call void @keep_workers_off_caller(ptr %control, i64 %nt)
  call void @advance_and_wake(ptr %word, ptr %sleepers)
  br label %run
run:
  call void %function(ptr %table, i64 0, i64 %nt)
  call void @schuss_barrier(ptr %control, i64 0, i64 %nt)
  ret void
}}
"""


_NO_AFFINITY = (
    "define internal void @keep_workers_off_caller(ptr %control, i64 %nt) nounwind { ret void }"
)


def _affinity_text() -> str:
    """Return a function that moves all workers off the caller's core, if the caller has moved.

    A kernel may wake a thread on the very core of the one that wakes it, and leave both there for
    seconds, each waiting for the other.
    """
    nbytes = _MOST_CORES // 8
    return f"""
declare i32 @sched_getcpu()
declare i32 @sched_setaffinity(i32, i64, ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define internal void @keep_workers_off_caller(ptr %control, i64 %nt) nounwind {{
entry:
  %place = getelementptr i8, ptr %control, i64 {_CALLER_CORE}
  %before = load i32, ptr %place
  %core = call i32 @sched_getcpu()
  %same = icmp eq i32 %core, %before
  %unknown = icmp uge i32 %core, {_MOST_CORES}
  %settled = or i1 %same, %unknown
  br i1 %settled, label %done, label %move
move:
  store i32 %core, ptr %place
  %others = alloca [{nbytes} x i8], align 8
  %cores = getelementptr i8, ptr %control, i64 {_CORES}
  call void @llvm.memcpy.p0.p0.i64(ptr %others, ptr %cores, i64 {nbytes}, i1 false)
  %byte = lshr i32 %core, 3
  %at = getelementptr i8, ptr %others, i32 %byte
  %bits = load i8, ptr %at
  %low = and i32 %core, 7
  %shift = trunc i32 %low to i8
  %bit = shl i8 1, %shift
  %left = xor i8 %bit, -1
  %without = and i8 %bits, %left
  store i8 %without, ptr %at
  br label %loop
loop:
  %tid = phi i64 [ 1, %move ], [ %next, %loop ]
  %slot = getelementptr i32, ptr %control, i64 %tid
  %where = getelementptr i8, ptr %slot, i64 {_THREAD_IDS}
  %thread = load i32, ptr %where
  %r = call i32 @sched_setaffinity(i32 %thread, i64 {nbytes}, ptr %others)
  %next = add i64 %tid, 1
  %more = icmp ult i64 %next, %nt
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""


@once
def runtime() -> Library:
    """Return the compiled functions of this file; programs find `schuss_barrier` from then on."""
    symbols = ["sched_yield"]
    if sys.platform.startswith("linux"):
        symbols += ["syscall", "sched_getcpu", "sched_setaffinity"]
    library = load([_runtime_text()], symbols=addresses(symbols), optimise=False)
    import llvmlite.binding as llvm

    llvm.add_symbol("schuss_barrier", library.address("schuss_barrier"))
    return library


class Team:
    """Worker threads that wait, at last asleep, for programs to run.

    Args:
        size: number of threads, the caller's among them.

    Attributes:
        control: the address of the control block.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._memory = np.zeros(_THREAD_IDS + 4 * size + 64, np.uint8)
        self.control = (self._memory.__array_interface__["data"][0] + 63) // 64 * 64
        has_cores = size <= usable_cores()
        self._set(_SPINS, _SPINS_ON_OWN_CORE if has_cores else _SPINS_ON_SHARED_CORE)
        self._set(_CALLER_CORE, -1)
        library = runtime()
        worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
            library.address("schuss_worker")
        )
        self._workers = [
            threading.Thread(
                target=worker, args=(self.control, tid, size), daemon=True, name=f"schuss-{tid}"
            )
            for tid in range(1, size)
        ]
        for thread in self._workers:
            thread.start()
        if has_cores and hasattr(os, "sched_getaffinity"):
            self._allow_cores()

    def _set(self, offset: int, value: int) -> None:
        """Write a word of the control block."""
        ctypes.c_int32.from_address(self.control + offset).value = value

    def _allow_cores(self) -> None:
        """Let workers be moved to any of the process's cores."""
        cores = (ctypes.c_uint8 * (_MOST_CORES // 8)).from_address(self.control + _CORES)
        for core in os.sched_getaffinity(0):
            if core < _MOST_CORES:
                cores[core // 8] |= 1 << core % 8
        for tid, thread in enumerate(self._workers, 1):
            self._set(_THREAD_IDS + 4 * tid, thread.native_id or -1)


_TEAMS_LOCK = ForkSafeLock()
_teams: dict[int, Team] = {}


def team(size: int) -> Team:
    """Return the team of this size, which lives as long as the process."""
    found = _teams.get(size)
    if found is not None:
        return found
    with _TEAMS_LOCK:
        if size not in _teams:
            _teams[size] = Team(size)
        return _teams[size]


@once
def _launch() -> Any:
    pointer = ctypes.c_void_p
    prototype = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, ctypes.c_int64)
    return prototype(runtime().address("schuss_launch"))


_LAUNCH_LOCK = ForkSafeLock()


class Runs(Protocol):
    """Who wants to know that a program is run."""

    has_run: bool


def launch(members: Team, function: int, table: int, runs: Runs) -> None:
    """Run a program on all threads of a team; one program at a time.

    Args:
        members: the team.
        function: the address of a function of the table, a thread's number, and their count.
        table: the address of the program's table.
        runs: is told right before.
    """
    native = _launch()
    with _LAUNCH_LOCK:
        runs.has_run = True
        native(members.control, function, table, members.size)


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: the child makes its own.
    os.register_at_fork(after_in_child=_teams.clear)
