"""Inside of `training`, imports run one way too, and each module loads alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import schuss

SOURCE = Path(schuss.__file__).parent
ROOMS = (
    {"arguments"},
    {"evaluation", "runs"},
    {"descent"},
    {"escape"},
    {"loop"},
    {"diagnosing"},
    {"trainer"},
    {"kinds"},
    {"items", "tables"},
    {"pictures", "sequences", "sound"},
    {"finding", "loading"},
    {"__init__"},
)
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}
UPPER = ("nn", "optim", "data", "training", "cli")
MODULES = [
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for part in UPPER
    for path in sorted((SOURCE / part).rglob("*.py"))
]


@pytest.mark.parametrize("path", sorted((SOURCE / "training").rglob("*.py")), ids=str)
def test_imports_between_rooms_go_downward(path: Path) -> None:
    own = path.relative_to(SOURCE / "training").with_suffix("").parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("schuss.training."):
            room = str(node.module).split(".")[2]
            assert room == own or LEVEL[room] < LEVEL[own], f"{path} imports {node.module}"


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_each_module_loads_first_in_a_fresh_interpreter(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
