from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "schuss"]


class Done:
    """What a command printed and returned."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out.splitlines()[-1])


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "SCHUSS_DEBUG"}
    # A warning that a user would see fails the tests here as it does elsewhere.
    return kept | {"PYTHONWARNINGS": "error", "COLUMNS": "100", **more}


@pytest.fixture
def schuss(tmp_path: Path) -> Callable[..., Done]:
    """Run a command as a user does, in an empty folder."""

    def run(*words: object, **more: str) -> Done:
        return Done(
            subprocess.run(
                [*COMMAND, *map(str, words)],
                cwd=tmp_path,
                env=environment(**more),
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        )

    return run


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command and leave it running."""

    def begin(*words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin
