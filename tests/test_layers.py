"""Imports run one way, downward, and nowhere in a circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "schuss"

LAYERS = (
    {"dtypes", "errors", "modes", "threads", "version"},
    {"core", "primitives", "compiler", "lowering", "native", "values"},
    {"functions", "methods", "array_api", "at_once", "backprop", "gradcheck", "random"},
    {"nn", "optim", "data"},
    {"training", "inspect"},
    {"cli", "watch", "report", "__main__"},
)
# Loading a tensor loads what attaches its operators and methods, and `x.backward()` calls the
# reverse pass, and a tensor names its namespace; the lower module builds on none of them.
UPWARD = {
    ("core", "functions"),
    ("primitives", "functions"),
    ("core", "backprop"),
    ("core", "array_api"),
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in FILES}


def face_names(tree: ast.AST) -> set[str]:
    """The names that are asked of `schuss` itself."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "schuss"
    } | {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "schuss"
        for alias in node.names
        if f"schuss.{alias.name}" not in MODULES
    }


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


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


def at_import_time(tree: ast.Module) -> ast.Module:
    """The statements that run when a module loads: no bodies of functions, no type checking."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if is_type_checking(node) else self.generic_visit(node)

    return Strip().visit(tree)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_go_downward(path: Path) -> None:
    part = module_name(path).split(".")[1]
    assert part in LEVEL, f"{part} has no layer; add it to LAYERS"
    tree = ast.parse(path.read_text("utf-8"))
    for name in imported(path, tree):
        pieces = name.split(".")
        # A lower part that asks the public face for a name would reach everything through it.
        assert len(pieces) > 1 or not face_names(tree)
        if len(pieces) > 1 and (part, pieces[1]) not in UPWARD:
            assert LEVEL[pieces[1]] <= LEVEL[part], f"{path} imports {name}, which is above it"


def test_no_circles_while_loading() -> None:
    graph = {}
    for path in FILES:
        needs = imported(path, at_import_time(ast.parse(path.read_text("utf-8"))))
        part = module_name(path).split(".")[1]
        graph[module_name(path)] = {
            name
            for name in needs - {"schuss", module_name(path)}
            if (part, name.split(".")[1]) not in UPWARD
        }
    TopologicalSorter(graph).prepare()


def test_the_check_sees_a_wrong_import() -> None:
    tree = ast.parse("from schuss.training import train\nfrom schuss import nn\nimport numpy")
    assert imported(PACKAGE / "tensor.py", tree) == {"schuss.training", "schuss.nn"}
