"""The page of PyTorch's names says what is so."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_page = script("make_pytorch_page")
COMPARISONS = {c.namespace: c for c in make_page.comparisons()[1]}


def test_the_page_is_what_the_code_gives() -> None:
    written = (DOCS / "pytorch.md").read_text("utf-8")
    assert written == make_page.page(), "run python docs/make_pytorch_page.py"


def test_every_reason_is_of_use() -> None:
    used = set()
    groups = make_page.groups()
    for namespace, comparison in COMPARISONS.items():
        for name in comparison.absent:
            group = next(g for g in groups if g.matching(namespace, name))
            used |= {(group.title, *pattern) for pattern in group.matching(namespace, name)}
    unused = [
        (group.title, place, pattern)
        for group in groups
        for place, patterns in group.patterns.items()
        for pattern in patterns
        if (group.title, place, pattern) not in used
    ]
    assert not unused
    assert {place for g in groups for place in g.patterns} <= {"", *COMPARISONS}


def test_a_name_without_a_reason_is_an_error() -> None:
    absent = make_page.Comparison("torch.nn", [], [], [], ["Frobnicate"])
    with pytest.raises(ValueError, match=r"expected a reason for torch.nn.Frobnicate, got none"):
        make_page.section(absent)


def test_arguments_are_compared() -> None:
    compare = make_page.difference
    assert compare("torch", "zeros", ["size", "dtype", "out"], {"*size", "dtype"})[1:] == ([], [])
    assert compare("torch.nn", "Embedding", ["a", "b"], {"a", "c"})[1:] == (["b"], ["c"])
    assert compare("torch.nn", "L1Loss", ["size_average", "reduction"], {"reduction"})[1:] == (
        [],
        [],
    )
    tensor = COMPARISONS["torch.Tensor"]
    assert {"max", "add_", "T", "size"} <= {*tensor.same}
    assert not {*tensor.same} & {*tensor.own, *tensor.absent}


def test_the_list_of_names_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    names = script("list_pytorch_names")
    written = names.TARGET.read_text("utf-8")
    if f'"version": "{torch.__version__.partition("+")[0]}"' not in written:
        pytest.skip("another version of PyTorch")
    assert written == names.text()
