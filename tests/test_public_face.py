from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import schuss

SOURCE = Path(schuss.__file__)


def typed_names() -> dict[str, str]:
    """Each name with its module, as the imports under TYPE_CHECKING say it."""
    (block,) = (
        node
        for node in ast.parse(SOURCE.read_text("utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    )
    names = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                names |= dict.fromkeys(importlib.import_module(module).__all__, module)
            else:
                assert alias.asname == alias.name, "`x as x` is what makes a name public"
                names[alias.name] = module
    return names


def test_the_table_and_the_types_are_equal() -> None:
    assert typed_names() == schuss._SOURCES


@pytest.mark.parametrize("name", schuss.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(schuss, name) is not None
    assert name in dir(schuss)


def test_no_name_twice() -> None:
    assert len(schuss.__all__) == len(set(schuss.__all__))


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'schuss' has no attribute 'tensr'"):
        _ = schuss.tensr


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_nothing_heavy() -> None:
    # Modules are counted, not seconds: the count is the same on every machine.
    added = modules_after("import schuss") - modules_after("import __future__, typing, importlib")
    assert {name.split(".")[0] for name in added} == {"schuss"}


def test_a_tensor_loads_numpy_and_nothing_heavier() -> None:
    added = modules_after("import schuss; schuss.tensor([1.0])") - modules_after("import numpy")
    outside = {name.split(".")[0] for name in added} - set(sys.stdlib_module_names)
    assert outside <= {"schuss", "numpy"}
    assert not {"schuss.training", "schuss.data", "schuss.nn"} & added


def test_the_function_tensor_survives_its_module() -> None:
    code = "import schuss.core, schuss; print(schuss.tensor([1.0]).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(1,)\n"
