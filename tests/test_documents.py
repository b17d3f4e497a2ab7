"""The code in the documents runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IRIS = ROOT / "src" / "schuss" / "data" / "bundled" / "iris.csv"

# What the README's examples have before them, and what holds after CONTRIBUTING's.
BEFORE = {"README.md": "rows = [[5.1, 3.5, 1.4, 0.2]]\n", "CONTRIBUTING.md": ""}
AFTER = {
    "README.md": "assert run.predict(rows).tolist() == ['setosa'] and loss.item() < 1.2\n",
    "CONTRIBUTING.md": """
import schuss as ss
from schuss.compiler.kernels.registry import KERNELS
KERNELS["discounted_sum"] = DiscountedSum()
for axis in (0, 1):
    for reverse in (False, True):
        def f(x):
            y = apply(discounted_sum, (x,), {"axis": axis, "factor": 0.5, "reverse": reverse})
            return (y * y).sum()
        x = ss.tensor(np.random.default_rng(0).normal(size=(5, 7)), requires_grad=True)
        both = ss.value_and_grad(f)
        for got, expected in zip(ss.compile(both)(x), both(x), strict=True):
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12)
        ss.check_gradients(f, x)
assert ss.nn.Sequential(Scale(3))(ss.ones((2, 3))).tolist() == [[1.0] * 3] * 2
x = ss.tensor([1.0], requires_grad=True)
bell(x).backward()
assert abs(x.grad.item() + 2.0 * bell(x).item()) < 1e-6
def root(x):
    require(Positive("sqrt"), x)
    return ss.sqrt(x)
for f in (root, ss.compile(root)):
    assert f(ss.tensor([4.0])).tolist() == [2.0]
    try:
        f(ss.tensor([-4.0]))
    except ValueError as error:
        assert str(error) == "sqrt: expected numbers above 0, got -4.0."
    else:
        raise AssertionError
p = ss.tensor([3.0], requires_grad=True)
optimizer = Lion([p], lr=0.1)
for _ in range(20):
    optimizer.zero_grad()
    (p * p).sum().backward()
    optimizer.step()
assert abs(p.item() - 1.0) < 1e-5
""",
}


@pytest.mark.parametrize("name", sorted(BEFORE))
def test_examples_run(name: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    for file in ("iris.csv", "test.csv"):
        (tmp_path / file).write_bytes(IRIS.read_bytes())
    program = tmp_path / "program.py"
    program.write_text(BEFORE[name] + "\n".join(blocks) + AFTER[name], "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env=os.environ | {"SCHUSS_CACHE": str(tmp_path / "programs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_names_every_command() -> None:
    from schuss.cli.parser import COMMANDS

    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"`schuss {command}" in readme for command in COMMANDS)


def test_the_changelog_has_this_version_or_what_is_to_come() -> None:
    from schuss import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog or f"## [{__version__}]" in changelog
