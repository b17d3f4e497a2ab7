from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Several test processes share the processor; a thread per core in each only slows them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Tests that a shell has started in the background ignore Ctrl-C, which some of them press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the data folder ../shared/data is not here")
    return folder
