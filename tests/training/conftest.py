"""What tests of trainings share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import schuss as ss
from schuss.training import load_run


@pytest.fixture
def ends_alike_when_killed(tmp_path: Path) -> Callable[..., None]:
    """Return what trains a run whole, and one that is killed and resumed, and compares them."""

    def check(
        folder: Path, options: str, before_resuming: Callable[[], object] = lambda: None
    ) -> None:
        code = (
            "import schuss as ss, sys\n"
            f"ss.train(sys.argv[1], out=sys.argv[2], quiet=True, checkpoint_seconds=0.05, "
            f"{options})"
        )
        words = [sys.executable, "-c", code, str(folder)]
        subprocess.run([*words, str(tmp_path / "whole")], check=True)
        process = subprocess.Popen([*words, str(tmp_path / "killed")])
        for _ in range(1200):
            time.sleep(0.05)
            if list((tmp_path / "killed").glob("checkpoints/step-*")):
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not load_run(tmp_path / "killed").finished
        before_resuming()
        run = ss.resume(tmp_path / "killed", quiet=True)
        assert run.finished
        found = run.model.state_dict()
        for name, value in load_run(tmp_path / "whole").model.state_dict().items():
            assert np.array_equal(value.array, found[name].array), name

    return check
