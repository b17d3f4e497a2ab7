"""Code of other libraries, written for the array API standard or for einops, takes tensors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import schuss as ss
from schuss import array_api as xp

CALLS = Path(__file__).with_name("consumer_calls.py")
X = np.arange(24.0).reshape(2, 3, 4)
# Results that are numbers, or counts, in scikit-learn and SciPy.
NUMBERS = {
    *("accuracy_score", "f1_score", "zero_one_loss", "brier_score_loss"),
    *("log_loss", "r2_score", "mean_squared_error", "explained_variance_score"),
    *("confusion_matrix", "LDA", "pearsonr", "ttest_ind"),
}


@pytest.mark.parametrize("library", ["sklearn", "scipy"])
def test_dispatching_libraries(library: str) -> None:
    pytest.importorskip(library)
    done = subprocess.run(
        [sys.executable, str(CALLS), library],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) >= 20
    for name, is_tensor, difference in lines:
        # Counts are averaged in float32, the default.
        assert float(difference) <= (1e-7 if name in NUMBERS else 1e-9), name
        assert int(is_tensor) or name in NUMBERS, f"{name} gave up tensors"


def test_array_api_compat() -> None:
    compat = pytest.importorskip("array_api_compat")
    x = ss.tensor(X)
    assert compat.is_array_api_obj(x)
    assert compat.array_namespace(x) is xp
    assert compat.device(x) == "cpu"
    assert compat.to_device(x, "cpu") is x
    assert compat.size(x) == 24


def test_einops() -> None:
    einops = pytest.importorskip("einops")
    x = ss.tensor(X, requires_grad=True)
    y = einops.rearrange(x, "a b c -> b (a c)")
    np.testing.assert_array_equal(y.array, X.transpose(1, 0, 2).reshape(3, 8))
    y[0].sum().backward()
    assert x.grad is not None
    assert x.grad.sum(axis=(0, 2)).tolist() == [8.0, 0.0, 0.0]
    for name in ("sum", "mean", "max", "min", "prod"):
        found = einops.reduce(x, "a b c -> c", name)
        np.testing.assert_allclose(found.array, getattr(X, name)((0, 1)))
    assert einops.repeat(x, "a b c -> a r b c", r=5)[:, 3].tolist() == X.tolist()
    packed, shapes = einops.pack([x, x], "* b c")
    assert packed.shape == (4, 3, 4)
    assert [part.tolist() for part in einops.unpack(packed, shapes, "* b c")] == [X.tolist()] * 2
    found = einops.einsum(x, x, "a b c, a d c -> a b d")
    np.testing.assert_allclose(found.array, X @ X.swapaxes(1, 2))
    compiled = ss.compile(lambda x: einops.reduce(x, "a (b d) c -> a d", "max", d=3))
    np.testing.assert_array_equal(compiled(ss.tensor(X)).array, X.max(2))


@pytest.mark.parametrize("first", ["einops", "schuss.methods"])
def test_einops_is_not_imported_by_us(first: str) -> None:
    pytest.importorskip("einops")
    code = (
        f"import sys, {first}; before = 'einops' in sys.modules; import schuss, einops; "
        "print(before, einops.rearrange(schuss.ones((2, 3)), 'a b -> b a').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{first == 'einops'} (3, 2)\n"
