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

from schuss.compiler.native import Library, load
from schuss.threads import chosen_threads

__all__ = ["Chooser", "Team", "launch", "runtime", "team", "team_size"]

# The control block, a cache line for each word: arrivals, generation of the barrier, sleepers at
# it, generation of the job, sleepers waiting for one, the job (function, table, threads), spins.
_ARRIVED, _TURN, _ASLEEP, _JOB, _IDLE, _WORK, _SPINS = (64 * i for i in range(7))
_CONTROL_BYTES = 64 * 8
# To sleep and be woken takes up to a tenth of a millisecond where the machine is virtual: threads
# with a core each wait about as long awake. Where they share cores, the others need them sooner.
_SPIN_TURNS, _SPIN_TURNS_SHARING = 2000, 200

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
declare void @llvm.x86.sse2.pause()
declare {"i64 @syscall(i64, ...)" if linux else "i32 @sched_yield()"}
define internal void @await(ptr %word, i32 %old, ptr %sleepers, ptr %control) nounwind {{
entry:
  %place = getelementptr i8, ptr %control, i64 {_SPINS}
  %spins = load i32, ptr %place
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
define void @schuss_barrier(ptr %control, i64 %nt) nounwind {{
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
  call void @await(ptr %word, i32 %turn, ptr %sleepers, ptr %control)
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
  call void @await(ptr %word, i32 %old, ptr %sleepers, ptr %control)
  %new = add i32 %old, 1
  %function = load ptr, ptr %where
  %table = load ptr, ptr %what
  %stop = icmp eq ptr %function, null
  br i1 %stop, label %done, label %run
run:
  call void %function(ptr %table, i64 %tid, i64 %nt)
  call void @schuss_barrier(ptr %control, i64 %nt)
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
  call void @advance(ptr %word, ptr %sleepers)
  br label %run
run:
  call void %function(ptr %table, i64 0, i64 %nt)
  call void @schuss_barrier(ptr %control, i64 %nt)
  ret void
}}
"""


@cache
def runtime() -> Library:
    """Return the compiled functions of this file."""
    symbols = ["syscall"] if sys.platform.startswith("linux") else ["sched_yield"]
    text = _runtime_text()
    if platform.machine() != "x86_64":
        text = text.replace("declare void @llvm.x86.sse2.pause()\n", "")
    library = load(text, symbols, optimise=False)
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
        self._memory = np.zeros(_CONTROL_BYTES + 64, np.uint8)
        self.control = (self._memory.__array_interface__["data"][0] + 63) // 64 * 64
        turns = _SPIN_TURNS if size <= _cores() else _SPIN_TURNS_SHARING
        ctypes.c_int32.from_address(self.control + _SPINS).value = turns
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


_LOCK = threading.Lock()
_teams: dict[int, Team] = {}


@cache
def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def team_size() -> int:
    """Return how many threads programs run on: by default, one a core."""
    chosen = chosen_threads()
    return chosen if chosen is not None else _cores()


def team(size: int) -> Team:
    """Return the team of this size, which lives as long as the process."""
    with _LOCK:
        found = _teams.get(size)
        if found is None:
            found = _teams[size] = Team(size)
        return found


class Chooser:
    """Chooses by time, while running, between one thread and all of them.

    What is faster depends on the machine and on what else it is doing. Both are tried at first,
    and now and then the slower one again.
    """

    always: int | None = None
    _first = 3
    _again = 500

    def __init__(self) -> None:
        self._best: dict[int, float] = {}
        self._runs = 0

    def size(self) -> int:
        """Return on how many threads to run now."""
        most = team_size() if self.always is None else self.always
        if most == 1 or self.always is not None:
            return most
        self._runs += 1
        turn = self._runs % self._again
        if turn < 2 * self._first:
            return (1, most)[turn % 2]
        one, many = (self._best.get(n, 0.0) for n in (1, most))
        return 1 if one <= many else most

    def took(self, size: int, seconds: float) -> None:
        """Note how long a step took."""
        if self._runs % self._again < 2:
            self._best[size] = seconds
        else:
            self._best[size] = min(seconds, self._best.get(size, seconds))


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
