"""Loading once from several threads, and locks after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from schuss.native.once import ForkSafeLock, once


def test_what_several_threads_ask_for_at_once_is_made_once() -> None:
    made = []

    @once
    def slow(number: int) -> object:
        time.sleep(0.05)
        made.append(number)
        return object()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(slow, [1, 2] * 8))
    assert sorted(made) == [1, 2]
    assert len(set(map(id, found))) == 2


def test_an_error_is_not_kept() -> None:
    tries = []

    @once
    def fails_first() -> int:
        tries.append(0)
        if len(tries) == 1:
            raise OSError
        return 7

    with pytest.raises(OSError):
        fails_first()
    assert fails_first() == fails_first() == 7
    assert len(tries) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_lock_that_another_thread_holds_is_free_in_a_child() -> None:
    lock = ForkSafeLock()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        with lock:
            os._exit(0)
    deadline = time.monotonic() + 20.0
    status = (0, 0)
    while status[0] == 0 and time.monotonic() < deadline:
        status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    done.set()
    thread.join()
    if status[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert status == (child, 0)


FIRST_USE = """
import threading, time
import schuss as ss
ss.set_num_threads(2)
wrong = []

def work():
    f = ss.compile(lambda x: (x @ x).sum() + ss.exp(x).sum())
    x = ss.ones((300, 300))
    until = time.time() + 0.4
    while time.time() < until:
        wrong.append(abs(f(x).item() / (300.0**3 + 2.718281828 * 300**2) - 1.0) > 1e-5)

threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
assert not any(wrong)
"""
FORKED = """
import os, threading, time
import schuss as ss
ss.set_num_threads(2)
f = ss.compile(lambda x: (x @ x).sum())
x = ss.ones((300, 300))
stop = []
def work():
    while not stop:
        f(x)
thread = threading.Thread(target=work)
thread.start()
time.sleep(0.2)
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        os._exit(0 if f(x).item() == 300.0**3 else 1)
    children.append(child)
for child in children:
    until = time.time() + 20
    while (found := os.waitpid(child, os.WNOHANG))[0] == 0 and time.time() < until:
        time.sleep(0.01)
    assert found == (child, 0), found
stop.append(1)
thread.join()
os._exit(0)
"""


@pytest.mark.parametrize("code", [FIRST_USE, FORKED], ids=["first use", "forked"])
def test_programs_survive_threads_and_forks(code: str) -> None:
    if code is FORKED and not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
