from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import schuss as ss
from schuss import manual_seed, nn
from schuss.cli import main
from schuss.errors import UsageError
from schuss.training import Trainer


def _trainer(rule: str = "auto") -> tuple[Trainer, tuple[np.ndarray, np.ndarray]]:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
    x = np.random.default_rng(0).normal(size=(300, 3))
    trainer = Trainer(model, "mse", optimizer=rule, epochs=20, batch_size=16, progress=False)
    return trainer, (x, x @ np.array([1.0, -2.0, 0.5]))


@pytest.mark.parametrize("rule", ["auto", "sgd", "adam"])
def test_the_curve_has_its_three_zones_and_nothing_changes(rule: str) -> None:
    trainer, rows = _trainer(rule)
    before = [t.array.copy() for t in trainer.model.state_dict().values()]
    curve = trainer.find_lr(rows)
    assert {curve.zone(rate) for rate in curve.rates} == {"too small", "right", "too big"}
    assert curve.low <= curve.best <= curve.high
    right = [v for r, v in zip(curve.rates, curve.losses, strict=True) if curve.zone(r) == "right"]
    assert max(right) < 0.5 * curve.losses[0]
    for array, value in zip(before, trainer.model.state_dict().values(), strict=True):
        assert np.array_equal(array, value.array)
    # A training after it is one without it.
    fit = trainer.fit(rows)
    other, _ = _trainer(rule)
    assert fit.history[-1]["train_loss"] == other.fit(rows).history[-1]["train_loss"]


def test_it_is_drawn(tmp_path: Path) -> None:
    trainer, rows = _trainer()
    curve = trainer.find_lr(rows)
    lines = str(curve).splitlines()
    assert max(map(len, lines)) < 100
    assert "=" in lines[-3]
    assert lines[-1] == curve.summary()
    curve.save(tmp_path / "curve.svg")
    picture = (tmp_path / "curve.svg").read_text()
    assert picture.startswith("<svg")
    assert picture.count("<circle") == len(curve.rates)
    for word in ("too small", "right", "too big"):
        assert word in picture
    with pytest.raises(UsageError, match=r"ends in \.svg"):
        curve.save(tmp_path / "curve.gif")


def test_tables_have_one_and_leave_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["find-lr", "iris", "--epochs", "30", "--picture", "rates.svg", "--json"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert found["low"] <= found["best"] <= found["high"]
    assert "are right" in out
    assert [path.name for path in tmp_path.iterdir()] == ["rates.svg"]
    same = ss.find_lr("iris", epochs=30)
    assert same.best == pytest.approx(found["best"])
    assert all(loss > 0 for loss in same.losses if math.isfinite(loss))
    with pytest.raises(UsageError, match="expected no out"):
        ss.find_lr("iris", out="run")
