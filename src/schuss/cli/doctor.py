"""`schuss doctor`: what this machine has, and whether Schuss computes and stores right on it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from schuss.cli.parser import CommandParser
from schuss.messages import printable, say
from schuss.threads import usable_cores
from schuss.version import __version__

__all__ = ["parser", "run"]

EXAMPLES = """\
examples:
  schuss doctor
  schuss doctor --json"""

CORE = ("llvmlite", "numpy", "rich", "safetensors", "scipy-openblas32", "threadpoolctl")
OPTIONAL = ("pyarrow", "pandas", "polars")


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss doctor",
        "[--json]",
        "Show versions, processor, threads and compiler, and test what Schuss computes and stores.",
        EXAMPLES,
    )
    read.add_argument("--json", action="store_true", help="end with one JSON object")
    return read


def run(arguments: argparse.Namespace) -> int:
    """Print what is found; 1 when a test fails."""
    facts = {**_versions(), **_machine()}
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    results = {}
    for title, test in SELF_TESTS.items():
        start = perf_counter()
        try:
            problem = test()
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        results[title] = problem or "passed"
        print(f"{title:<{width}}  {results[title]} ({perf_counter() - start:.2f} s)")
    failed = [title for title, result in results.items() if result != "passed"]
    if arguments.json:
        import json

        print(json.dumps({**facts, "tests": results, "ok": not failed}))
    if failed:
        say(f"schuss doctor: failed here: {', '.join(failed)}.")
    return int(bool(failed))


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    found = {"schuss": __version__, "python": platform.python_version()}
    for name in CORE + OPTIONAL:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing" if name in CORE else "not installed (optional)"
    return found


def _machine() -> dict[str, str]:
    import platform

    limits = [
        f"{name}={os.environ[name]}"
        for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
        if name in os.environ
    ]
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "threads": f"{usable_cores()} of {os.cpu_count()} cores {' '.join(limits)}".strip(),
        "BLAS": _blas(),
        "compiler": _compiler(),
        "compiled": _cache(),
        "object layout": _object_layout(),
    }


def _processor() -> str:
    import platform

    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    import numpy as np

    from schuss.threads import get_num_threads

    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if config else {}
    name = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    return f"{name}, {get_num_threads()} threads"


def _compiler() -> str:
    from schuss.native.target import target_features, vector_bytes

    cpu, features = target_features()
    has = features.split(",")
    shown = [name for name in ("avx512f", "avx2", "fma", "neon") if f"+{name}" in has]
    return f"{cpu} {' '.join(shown)}, vectors of {8 * vector_bytes()} bits"


def _cache() -> str:
    from schuss.native.disk_cache import cache_folder, why_unused

    folder, reason = cache_folder(), why_unused()
    if folder is None or reason is not None:
        return f"warning: programs are not kept on disk: {printable(str(reason))}"
    sizes = [path.stat().st_size for path in folder.glob("*.o")] if folder.is_dir() else []
    return f"{len(sizes)} programs, {sum(sizes) / 1e6:.1f} MB in {printable(str(folder))}"


def _object_layout() -> str:
    import platform

    import numpy as np

    from schuss.native.cpython import unknown_layout

    reason = unknown_layout()
    if reason:
        return (
            f"unknown, since {reason}: a call of a compiled function is checked in Python, which "
            "takes some tenths of a millisecond, and copies the states that it changes"
        )
    python, numpy = (
        ".".join(v.split(".")[:2]) for v in (platform.python_version(), np.__version__)
    )
    return f"CPython {python}, NumPy {numpy} known: calls are checked natively"


def _test_primitives() -> str | None:
    """Compare derivatives of one primitive a family with central differences, in float64."""
    from schuss import functions
    from schuss.core import Tensor, float64
    from schuss.gradcheck import check_gradients
    from schuss.random import manual_seed, rand

    manual_seed(0)
    square = rand(3, 3, dtype=float64) + 0.5
    other = rand(3, 3, dtype=float64) + 0.5
    cases: dict[str, Callable[[Tensor], Tensor]] = {
        "exp": functions.exp,
        "log": functions.log,
        "tanh": functions.tanh,
        "multiplication": lambda x: x * other,
        "division": lambda x: other / x,
        "matmul": lambda x: x @ other,
        "sum": lambda x: x.sum(axis=0),
        "max": lambda x: x.max(axis=1),
        "indexing": lambda x: x[[0, 2], 1:],
        "permute_dims": lambda x: functions.permute_dims(x, (1, 0)) * other,
        "softmax": functions.softmax,
    }
    for function in cases.values():
        check_gradients(function, square)
    return None


def _test_network() -> str | None:
    """Compare a small network's gradients with central differences, and descend a little."""
    from schuss import nn, optim
    from schuss.core import Tensor, float64, tensor
    from schuss.gradcheck import check_gradients
    from schuss.random import manual_seed, randn

    manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3))
    model.to(float64)
    x = randn(6, 4, dtype=float64)
    y = tensor([0, 1, 2, 0, 1, 2])

    def loss(x: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(x), y)

    check_gradients(loss, x)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    before = loss(x).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()
    after = loss(x).item()
    return None if after < 0.5 * before else f"the loss went from {before:.3f} to {after:.3f}"


def _test_compiled() -> str | None:
    """Take a few steps eagerly and compiled, and compare the weights."""
    import numpy as np

    from schuss import compiler, nn, optim
    from schuss.core import Tensor, tensor
    from schuss.random import manual_seed, randn

    found = []
    for compiled in (False, True):
        manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        x, y = randn(6, 4), tensor([0, 1, 2, 0, 1, 2])

        def step(
            x: Tensor, y: Tensor, model: nn.Module = model, optimizer: optim.Adam = optimizer
        ) -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = compiler.compile(step) if compiled else step
        for _ in range(5):
            run(x, y)
        found.append(np.concatenate([p.array.ravel() for p in model.parameters()]))
    furthest = float(np.abs(found[0] - found[1]).max())
    return None if furthest < 1e-5 else f"weights differ from eager ones by {furthest:.1e}"


def _test_run() -> str | None:
    """Train for a moment, read the run back, and compare predictions bit for bit."""
    from tempfile import TemporaryDirectory

    import numpy as np

    from schuss.training import load, train

    with TemporaryDirectory() as folder:
        trained = train("iris", epochs=2, out=Path(folder) / "run", quiet=True)
        rows = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
        before = trained.predict_proba(rows)
        after = load(Path(folder) / "run").predict_proba(rows)
        return None if np.array_equal(before, after) else "a run read back predicts differently"


SELF_TESTS: dict[str, Callable[[], str | None]] = {
    "gradients of primitives": _test_primitives,
    "gradients of a network": _test_network,
    "a compiled step equals an eager one": _test_compiled,
    "writing and reading a run": _test_run,
}
