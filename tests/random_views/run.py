"""Random sequences of views, writes and reads: Schuss does what PyTorch does, or says no.

Run from the repository's root, to go on until something is found:

    python tests/random_views/run.py --first 0 --seconds 60 --compiled
"""

from __future__ import annotations

import argparse
import time

import torch
from comparison import OUTCOMES, check, steps_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    seed = options.first
    failed = 0
    while time.monotonic() < end and failed < 5:
        try:
            check(torch, seed, compiled=options.compiled)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}\n{steps_of(torch, seed)}")
        seed += 1
    print(f"{seed - options.first} sequences, {failed} differ")
    for outcome, times in OUTCOMES.most_common():
        print(f"{times:8} {outcome}")


if __name__ == "__main__":
    main()
