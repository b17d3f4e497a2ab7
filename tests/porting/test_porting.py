"""Scripts as PyTorch's users write them: with Schuss in PyTorch's place, the losses are the same.

Each file in `scripts` imports `torch` and its parts, and has a function `train(given, compiled)`
that returns the losses of its steps, and leaves `compiled` out where what is repeated is no
function. `given` has the same numbers for either library. With Schuss, nothing but the imports is
another: `import schuss as torch`, `import schuss.nn as nn`, `from schuss.utils.data import ...`.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss

SCRIPTS = sorted(Path(__file__).with_name("scripts").glob("*.py"))


class Given:
    """Data, noise and initial weights in float64, the same for every library."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.rng = np.random.default_rng(7)

    def normal(self, *shape: int) -> Any:
        return self.torch.from_numpy(self.rng.normal(size=shape))

    def uniform(self, *shape: int) -> Any:
        return self.torch.from_numpy(self.rng.uniform(size=shape))

    def integers(self, high: int, *shape: int) -> Any:
        return self.torch.from_numpy(self.rng.integers(high, size=shape))

    def fill(self, model: Any) -> Any:
        """Fill a model with weights of a reasonable size."""
        model = model.double()
        weights = {
            name: self.normal(*p.shape) / math.sqrt(max([4, *p.shape[-1:]]))
            for name, p in model.named_parameters()
        }
        model.load_state_dict({**model.state_dict(), **weights})
        return model


class FromSchuss(ast.NodeTransformer):
    """Imports of Schuss in the place of PyTorch's."""

    def visit_Import(self, node: ast.Import) -> ast.Import:  # ast's name
        for alias in node.names:
            if alias.name == "torch":
                alias.name, alias.asname = "schuss", "torch"
            elif alias.name.startswith("torch."):
                alias.name = alias.name.replace("torch", "schuss", 1)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:  # the same
        if node.module and node.module.split(".")[0] == "torch":
            node.module = node.module.replace("torch", "schuss", 1)
        return node


def loaded(torch: Any, script: Path) -> Callable[..., Any]:
    """Return a script's function, with a library."""
    tree = ast.parse(script.read_text("utf-8"))
    if torch is ss:
        tree = FromSchuss().visit(tree)
    module = types.ModuleType(f"porting_{script.stem}")
    # Data classes look for the module that they are in.
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, str(script), "exec", dont_inherit=True), vars(module))
    finally:
        del sys.modules[module.__name__]
    train: Callable[..., Any] = module.train
    return train


def losses(torch: Any, script: Path, compiled: Callable[[Any], Any] = lambda f: f) -> list[float]:
    train = loaded(torch, script)
    arguments = (Given(torch), compiled)[: len(inspect.signature(train).parameters)]
    return [float(loss) for loss in train(*arguments)]


@pytest.mark.filterwarnings("ignore:.* is evaluated eagerly from now on:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:size_average= and reduce= are given up:DeprecationWarning")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_losses_are_pytorch_s(script: Path) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings(action="ignore"):
        expected = losses(torch, script)
    assert len(set(expected)) >= 3
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(losses(ss, script), expected, rtol=1e-9, atol=1e-12)
    if "compiled" in inspect.signature(loaded(ss, script)).parameters:
        found = losses(ss, script, ss.compile)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
