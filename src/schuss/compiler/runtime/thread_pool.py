"""Threads: one program run by all of them, with a barrier that spins briefly and then sleeps."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from functools import cache
from typing import Any

import numpy as np

from schuss.compiler.kernels.symbols import addresses
from schuss.native.jit import Library, load
from schuss.threads import chosen_threads, usable_cores

__all__ = ["Team", "launch", "runtime", "team", "team_size"]

# The control block, a cache line for each word: arrivals, generation of the barrier, sleepers at
# it, generation of the job, sleepers waiting for one, the job (function, table), turns of waiting
# awake, the core that the caller is on, a bit for each core that the
# workers may use, and the kernel's numbers of the threads.
_ARRIVED, _TURN, _ASLEEP, _JOB, _IDLE, _WORK, _SPINS, _CALLER, _CORES = (64 * i for i in range(9))
_MOST_CORES = 1024
_THREADS = _CORES + _MOST_CORES // 8
# To sleep and be woken takes up to a tenth of a millisecond where the machine is virtual: threads
# with a core each wait some tenths awake, for each other and for the next job. Where they share
# cores, the others need them sooner. (To give the core away, again and again, would be no way: a
# kernel that counts that lets the thread pay for it later, for seconds.)
_SPIN_TURNS, _SHARING_TURNS = 20_000, 200

_SYSCALL = {"x86_64": 202, "aarch64": 98}


def _runtime_text() -> str:
    machine = platform.machine()
    linux = sys.platform.startswith("linux") and machine in _SYSCALL
    number = _SYSCALL.get(machine, 0)
    pause = "call void @llvm.x86.sse2.pause()" if machine == "x86_64" else ""
    # FUTEX_WAIT_PRIVATE is 128, FUTEX_WAKE_PRIVATE 129; elsewhere the core is given away.
    sleep = (
        f"call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 128, i32 %old, ptr null, "
        "ptr null, i32 0)"
        if linux
        else "call i32 @sched_yield()"
    )
    wake = (
        f"call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 129, i32 2147483647, "
        "ptr null, ptr null, i32 0)"
        if linux
        else "call i32 @sched_yield()"
    )
    return f"""
{_placing_text() if linux else _NO_PLACING}
declare void @llvm.x86.sse2.pause()
declare i32 @sched_yield()
declare i64 @syscall(i64, ...)
define internal void @await(ptr %word, i32 %old, ptr %sleepers, i32 %spins) nounwind {{
entry:
  br label %look
look:
  %turn = phi i32 [ 0, %entry ], [ %next, %again ]
  %now = load atomic i32, ptr %word acquire, align 4
  %changed = icmp ne i32 %now, %old
  br i1 %changed, label %done, label %wait
wait:
  %next = add i32 %turn, 1
  %early = icmp ult i32 %turn, %spins
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
define internal void @advance(ptr %word, ptr %sleepers) nounwind {{
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
  br i1 %alone, label %done, label %meet
meet:
  %word = getelementptr i8, ptr %control, i64 {_TURN}
  %sleepers = getelementptr i8, ptr %control, i64 {_ASLEEP}
  %turn = load atomic i32, ptr %word acquire, align 4
  %before = atomicrmw add ptr %control, i32 1 acq_rel
  %n = trunc i64 %nt to i32
  %others = sub i32 %n, 1
  %last = icmp eq i32 %before, %others
  br i1 %last, label %open, label %stay
open:
  store atomic i32 0, ptr %control monotonic, align 4
  call void @advance(ptr %word, ptr %sleepers)
  br label %done
stay:
  %spinning = getelementptr i8, ptr %control, i64 {_SPINS}
  %spins = load i32, ptr %spinning
  call void @await(ptr %word, i32 %turn, ptr %sleepers, i32 %spins)
  %is_caller = icmp eq i64 %tid, 0
  br i1 %is_caller, label %place, label %done
place:
  call void @keep_off_caller(ptr %control, i64 %nt)
  br label %done
done:
  ret void
}}
define void @schuss_worker(ptr %control, i64 %tid, i64 %nt) nounwind {{
entry:
  %word = getelementptr i8, ptr %control, i64 {_JOB}
  %sleepers = getelementptr i8, ptr %control, i64 {_IDLE}
  %where = getelementptr i8, ptr %control, i64 {_WORK}
  %what = getelementptr i8, ptr %where, i64 8
  br label %loop
loop:
  %old = phi i32 [ 0, %entry ], [ %new, %run ]
  %spinning = getelementptr i8, ptr %control, i64 {_SPINS}
  %spins = load i32, ptr %spinning
  call void @await(ptr %word, i32 %old, ptr %sleepers, i32 %spins)
  %new = add i32 %old, 1
  %function = load ptr, ptr %where
  %table = load ptr, ptr %what
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
  %sleepers = getelementptr i8, ptr %control, i64 {_IDLE}
  %where = getelementptr i8, ptr %control, i64 {_WORK}
  %what = getelementptr i8, ptr %where, i64 8
  store ptr %function, ptr %where
  store ptr %table, ptr %what
  %alone = icmp eq i64 %nt, 1
  br i1 %alone, label %run, label %call
call:
  call void @keep_off_caller(ptr %control, i64 %nt)
  call void @advance(ptr %word, ptr %sleepers)
  br label %run
run:
  call void %function(ptr %table, i64 0, i64 %nt)
  call void @schuss_barrier(ptr %control, i64 0, i64 %nt)
  ret void
}}
"""


_NO_PLACING = "define internal void @keep_off_caller(ptr %control, i64 %nt) nounwind { ret void }"


def _placing_text() -> str:
    """A function that moves all workers off the caller's core, if that is another than before.

    A kernel may wake a thread on the very core of the one that wakes it, and leave both there for
    seconds, each waiting for the other.
    """
    nbytes = _MOST_CORES // 8
    return f"""
declare i32 @sched_getcpu()
declare i32 @sched_setaffinity(i32, i64, ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define internal void @keep_off_caller(ptr %control, i64 %nt) nounwind {{
entry:
  %place = getelementptr i8, ptr %control, i64 {_CALLER}
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
  %where = getelementptr i8, ptr %slot, i64 {_THREADS}
  %thread = load i32, ptr %where
  %r = call i32 @sched_setaffinity(i32 %thread, i64 {nbytes}, ptr %others)
  %next = add i64 %tid, 1
  %more = icmp ult i64 %next, %nt
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""


@cache
def runtime() -> Library:
    """Return the compiled functions of this file."""
    linux = sys.platform.startswith("linux")
    symbols = ["sched_yield"]
    if linux:
        symbols += ["syscall", "sched_getcpu", "sched_setaffinity"]
    text = _runtime_text()
    if platform.machine() != "x86_64":
        text = text.replace("declare void @llvm.x86.sse2.pause()\n", "")
    library = load([text], symbols=addresses(symbols), optimise=False)
    import llvmlite.binding as llvm

    llvm.add_symbol("schuss_barrier", library.address("schuss_barrier"))
    return library


class Team:
    """Worker threads that wait, asleep, for programs to run.

    Args:
        size: number of threads, the caller's among them.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._memory = np.zeros(_THREADS + 4 * size + 64, np.uint8)
        self.control = (self._memory.__array_interface__["data"][0] + 63) // 64 * 64
        has_cores = size <= usable_cores()
        self._set(_SPINS, _SPIN_TURNS if has_cores else _SHARING_TURNS)
        self._set(_CALLER, -1)
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

    def _set(self, place: int, value: int) -> None:
        ctypes.c_int32.from_address(self.control + place).value = value

    def _allow_cores(self) -> None:
        """Let workers be moved to any of the process's cores."""
        cores = (ctypes.c_uint8 * (_MOST_CORES // 8)).from_address(self.control + _CORES)
        for core in os.sched_getaffinity(0):
            if core < _MOST_CORES:
                cores[core // 8] |= 1 << core % 8
        for tid, thread in enumerate(self._workers, 1):
            self._set(_THREADS + 4 * tid, thread.native_id or -1)


_LOCK = threading.Lock()
_teams: dict[int, Team] = {}


def team_size() -> int:
    """Return how many threads programs run on: by default, one a core."""
    chosen = chosen_threads()
    return chosen if chosen is not None else usable_cores()


def team(size: int) -> Team:
    """Return the team of this size, which lives as long as the process."""
    found = _teams.get(size)
    if found is not None:
        return found
    with _LOCK:
        if size not in _teams:
            _teams[size] = Team(size)
        return _teams[size]


@cache
def _launcher() -> Any:
    prototype = ctypes.CFUNCTYPE(
        None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    )
    return prototype(runtime().address("schuss_launch"))


_RUNNING = threading.Lock()


def launch(members: Team, function: int, table: int) -> None:
    """Run a program on all threads of a team; one program at a time."""
    with _RUNNING:
        _launcher()(members.control, function, table, members.size)


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork: the child makes its own.
    os.register_at_fork(after_in_child=_teams.clear)
