"""Imports run one way, downward, and nowhere in a circle; every module can be the first one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "schuss"

# What stands later may import what stands before it, never the other way round: not inside of
# functions, and not for types alone.
ORDER = [
    *(
        "version",
        "counts",
        "devices",
        "data_type",
        "dtypes",
        "messages",
        "errors",
        "modes",
        "threads",
        "lowering",
        "native",
        "core",
        "trees",
        "hooks",
        "values",
    ),
    *(
        "primitives",
        "backprop",
        "functions",
        "protocols",
        "einops_backend",
        "spelling",
        "methods",
        "transforms",
        "array_api",
        "linalg",
        "fft",
        "short_time",
        "audio",
        "gradcheck",
        "random",
        "pytorch",
        "special",
        "settings",
        "mixed_precision",
        "amp",
        "cuda",
        "backends",
        "jit",
    ),
    *(
        "autograd",
        "distributions",
        "utils",
        "compiler",
        "optim",
        "nn",
        "func",
        "serialization",
        "data",
        "inspect",
        "training",
        "cli",
        "__main__",
    ),
]
# What PyTorch's users look for in a folder below its place.
PLACED = {"schuss.optim.swa_utils": "func"}
COMPILER = [
    *("graph", "trace", "kernels", "passes", "schedule", "codegen", "runtime"),
    *("pipeline", "build", "padding", "from_outside", "specialization", "kept", "ahead", "storm"),
    *("signature", "listing", "method", "compiled", "decorator"),
]

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in FILES}


def names_of_the_face(tree: ast.AST) -> set[str]:
    """The names, but for modules, that are asked of `schuss` itself."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "schuss":
            found |= {a.name for a in node.names if f"schuss.{a.name}" not in MODULES}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "schuss":
            found.add(node.attr)
    return found


def imported(path: Path, tree: ast.AST) -> set[str]:
    """The modules of Schuss that the statements below a node import."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module_name(path).split(".")
                drop = node.level - (path.name == "__init__.py")
                base = ".".join([*package[: len(package) - drop], *filter(None, [node.module])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in MODULES else base)
    return {name for name in found if name.split(".")[0] == "schuss"}


GRAPH = {module_name(path): imported(path, ast.parse(path.read_text("utf-8"))) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_go_downward(path: Path) -> None:
    module = module_name(path)
    assert not names_of_the_face(ast.parse(path.read_text("utf-8")))
    for depth, order, folder in ((1, ORDER, "schuss."), (2, COMPILER, "schuss.compiler.")):
        if not module.startswith(folder):
            continue
        mine = PLACED.get(module, module.split(".")[depth])
        assert mine in order, f"{mine} has no place in the order; give it one"
        for name in GRAPH[module]:
            if name.startswith(folder):
                other = PLACED.get(name, name.split(".")[depth])
                assert order.index(other) <= order.index(mine), f"{module} imports {name} above it"


def test_there_are_no_circles() -> None:
    TopologicalSorter({name: needs - {name} for name, needs in GRAPH.items()}).prepare()


_ALONE = """
import os, sys
import llvmlite.binding, numpy, rich.console, safetensors.numpy
failed = []
for name in sys.argv[1:]:
    # A copy of the process, in which nothing of Schuss has been loaded.
    child = os.fork()
    if not child:
        status = 1
        try:
            __import__(name)
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(f"cannot be imported as the first one: {failed}" if failed else 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of a process are made by fork")
def test_every_module_can_be_imported_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, *sorted(GRAPH)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_the_check_sees_a_wrong_import() -> None:
    tree = ast.parse(
        "from schuss.training import train\nfrom schuss import nn\nimport numpy\n"
        "def late():\n    from schuss.nn.module import Module\n"
        "if TYPE_CHECKING:\n    from . import core\n"
    )
    found = {"schuss.training", "schuss.nn", "schuss.nn.module", "schuss.core"}
    assert imported(PACKAGE / "methods.py", tree) == found
    face = ast.parse("from schuss import Tensor, nn\nschuss.tensor(1)")
    assert names_of_the_face(face) == {"Tensor", "tensor"}
