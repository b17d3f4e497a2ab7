"""Runs that many tests look at, and the rows of one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss.training import Run, train

OPTIONS: dict[str, Any] = {"hidden": [16], "epochs": 20, "quiet": True}


def _flats(rows: int = 120, seed: int = 0) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    size = draw.uniform(20.0, 200.0, rows)
    town = draw.choice(["Bern", "Chur", "Genf"], rows)
    factor = np.array([{"Bern": 9.0, "Chur": 5.0, "Genf": 14.0}[t] for t in town])
    kept = np.where(draw.random(rows) < 0.1, np.nan, size)
    return {
        "size": kept,
        "town": town,
        "weight": draw.integers(1, 4, rows),
        "day": np.arange(rows).astype("datetime64[D]").astype("datetime64[us]"),
        "owner": np.arange(rows) // 4,
        "rent": size * factor + draw.normal(0.0, 20.0, rows),
    }


@pytest.fixture(scope="session")
def flat_rows() -> Any:
    """The function that makes a table of flats, with their rent."""
    return _flats


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("iris", out=tmp_path_factory.mktemp("iris") / "run", **OPTIONS)


@pytest.fixture(scope="module")
def flats(tmp_path_factory: pytest.TempPathFactory, flat_rows: Any) -> Run:
    place = tmp_path_factory.mktemp("flats") / "run"
    options = OPTIONS | {"exclude": ["weight", "day", "owner"], "epochs": 60, "batch_size": 16}
    return train(flat_rows(), "rent", out=place, **options)
