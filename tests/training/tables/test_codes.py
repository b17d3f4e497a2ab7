from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.data.tables.preparing import scaling
from schuss.data.tables.reading import gather
from schuss.training import Run, train
from schuss.training.tables.codes import Codes, widened


def test_codes_are_widened_as_they_are_taken() -> None:
    small = np.array([[1, 200], [0, 255]], np.uint8)
    found = widened(small)
    assert isinstance(found, Codes)
    assert (len(found), found.shape) == (2, (2, 2))
    assert found[np.array([1])].dtype == np.int32
    assert found[:].tolist() == small.tolist()
    wide = small.astype(np.int32)
    assert widened(wide) is wide


@pytest.mark.parametrize("rows", [1500, 3000], ids=["members", "one"])
def test_less_memory_gives_the_same_bits(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, places = rng.normal(size=rows), rng.integers(0, 30, rows)
    y = np.where(x + places % 3 + rng.normal(size=rows) > 1.0, "yes", "no")
    file = tmp_path / "table.csv"
    lines = [f"{a:.5f},p{b},{c}" for a, b, c in zip(x, places, y, strict=True)]
    file.write_text("\n".join(["x,place,y", *lines]))

    def trained(name: str) -> Run:
        options: dict[str, Any] = {"hidden": [8], "epochs": 3, "quiet": True}
        return train(file, target="y", out=tmp_path / name, **options)

    monkeypatch.setattr(gather, "_BATCH", 1000)  # the words are numbered as they come
    plain = trained("plain")
    monkeypatch.setattr(gather, "_STORED_BYTES", 0)
    monkeypatch.setattr(scaling, "_MANY_BYTES", 0)
    less = trained("less")
    for name, value in plain.model.state_dict().items():
        assert np.array_equal(value.array, less.model.state_dict()[name].array), name
    assert (plain.test, plain.validation) == (less.test, less.validation)
    assert plain.result["confusion"] == less.result["confusion"]
