"""The same seed gives the same bits on any number of cores, alone or beside other trainings."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.training import Run, Trainer

PROGRAM = """if True:
    import hashlib, sys
    import numpy as np
    import schuss as ss
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 8))
    y = np.where(x[:, 0] * x[:, 1] > 0, "a", "b")
    seen = []
    def note(run):
        values = run.model.state_dict().values()
        seen.append(hashlib.sha256(b"".join(v.array.tobytes() for v in values)).hexdigest())
    eager = sys.argv[2] == "eager"
    run = ss.train((x, y), seed=5, epochs=2, quiet=True, out=sys.argv[1], on_start=note,
                   eager=eager, hidden=[256, 256], batch_size=1024)
    note(run)
    print(*seen, run.test)
"""


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_the_number_of_cores_changes_no_bit(mode: str, tmp_path: Path) -> None:
    found = set()
    for threads in ("1", "2"):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
        words = [sys.executable, "-c", PROGRAM, str(tmp_path / threads), mode]
        done = subprocess.run(
            words, env={**environment, "OMP_NUM_THREADS": threads}, capture_output=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


def _bits(model: nn.Module) -> str:
    return hashlib.sha256(
        b"".join(value.array.tobytes() for value in model.state_dict().values())
    ).hexdigest()


def test_trainings_side_by_side_do_not_change_each_other(tmp_path: Path) -> None:
    before = ss.get_num_threads()
    ss.set_num_threads(2)
    try:

        def of_table(name: str, seed: int) -> str:
            options: dict[str, Any] = {"epochs": 4, "quiet": True, "eager": True}
            run = ss.train("iris", seed=seed, out=tmp_path / f"{name}-{seed}", **options)
            return _bits(run.model)

        def of_network(name: str, seed: int) -> str:
            x = np.random.default_rng(seed).normal(size=(200, 4))
            model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
            for parameter in model.parameters():
                parameter.assign(np.full(parameter.shape, 0.1))
            Trainer(model, "mse", epochs=4, seed=seed, progress=False, eager=True).fit((x, x[:, 0]))
            return _bits(model)

        ss.manual_seed(3)
        drawn = ss.rand(2).tolist()
        for fit in (of_table, of_network):
            alone = [fit("alone", seed) for seed in range(4)]
            ss.manual_seed(3)
            with ThreadPoolExecutor(4) as pool:
                beside = list(pool.map(fit, ["beside"] * 4, range(4)))
            assert beside == alone
            # A layer that is made draws its first weights.
            assert fit is of_network or ss.rand(2).tolist() == drawn
            assert ss.get_num_threads() == 2
    finally:
        ss.set_num_threads(before)


def test_threads_may_share_a_run(iris_run: Run) -> None:
    x = np.random.default_rng(0).normal(size=(20_000, 4)) + 4.0
    expected = iris_run.predict_proba(x)
    parts = [x[start:] for start in (0, 1000, 5000, 19_900)] * 2
    with ThreadPoolExecutor(4) as pool:
        for part, found in zip(parts, pool.map(iris_run.predict_proba, parts), strict=True):
            assert found == pytest.approx(expected[-len(part) :], abs=1e-6)


@pytest.fixture(scope="module")
def iris_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return ss.train("iris", epochs=2, quiet=True, out=tmp_path_factory.mktemp("iris") / "run")
