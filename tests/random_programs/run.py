"""Random programs without an end: each is held to eager evaluation, and made small if it fails.

    python tests/random_programs/run.py [--torch] [--first SEED] [--seconds S]

Every stage is shared between threads; the same bits have to come out of one, two and three of them,
and of every order in which threads may run between two barriers. With `--torch`, programs and whole
sessions as PyTorch's users write them are held to PyTorch, eager ones and compiled ones.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
import traceback

from checks import everything_shared

# Programs from one word on how it goes to the next.
_BLOCK = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="seed of the first program")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="when to end")
    parser.add_argument("--torch", action="store_true", help="hold programs to PyTorch")
    options = parser.parse_args()
    check = importlib.import_module("torch_checks" if options.torch else "checks").check
    failed, seed, begin = 0, options.first, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, everything_shared():
        os.environ["SCHUSS_CACHE"] = folder
        while time.monotonic() - begin < options.seconds:
            try:
                report = check(seed)
            except Exception:
                report = traceback.format_exc()
            if report is not None:
                failed += 1
                print(f"seed {seed} fails:\n{report}\n", flush=True)
            seed += 1
            if (seed - options.first) % _BLOCK == 0:
                print(f"{seed - options.first} programs, {failed} with a difference", flush=True)
    print(f"{seed - options.first} programs, {failed} with a difference")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
