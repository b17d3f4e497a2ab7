"""Machine code in memory: where it is laid must not matter."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Fills the gaps between what is mapped, leaves room for single pages there, and puts 8 GB between
# these and everything that is mapped later: a program's constants and its code come apart.
IN_PIECES = """
import ctypes, mmap
import schuss as ss

ss.compile(lambda x: x * 2)(ss.ones((3,)))
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_size_t]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE

def pieces(size, count):
    return [libc.mmap(None, size, i % 2, kind, -1, 0) for i in range(count)]

for size in (1 << 20, 1 << 16, 1 << 14, 1 << 13):
    pieces(size, 2000)
single = pieces(4096, 4000)
libc.mmap(None, 8 << 30, 0, kind, -1, 0)
for page in single[::2]:
    libc.munmap(page, 4096)

f = lambda x: ss.exp(ss.tanh(x)).sum() + ss.log_softmax(x, -1).sum()
x = ss.ones((300, 5))
assert abs(ss.compile(f)(x).item() - f(x).item()) < 1e-2
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="maps memory as Linux does")
def test_code_and_constants_may_lie_far_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHUSS_CACHE", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", IN_PIECES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
