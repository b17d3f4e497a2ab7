"""A training that is stuck says why, and a trainer can be asked."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.cli import main
from schuss.errors import UsageError
from schuss.training import Trainer

X = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


def test_a_stuck_training_says_why():
    ss.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    model[0].bias.assign(np.full(4, -100.0, np.float32))
    trainer = Trainer(model, "binary_cross_entropy", optimizer="sgd", lr=0.1, progress=False)
    fit = trainer.fit((X, Y), None)
    assert fit.notes[-1].startswith("hardly anything was learned")
    assert "layer 0 (Linear): 4 of 4 units are dead" in fit.notes[-1]


def test_a_training_that_learns_says_nothing():
    ss.manual_seed(0)
    trainer = Trainer(nn.Linear(2, 1), "binary_cross_entropy", optimizer="adam", progress=False)
    fit = trainer.fit((X, Y), None)
    assert not any("hardly" in note for note in fit.notes)
    assert trainer.diagnose().findings == ()
    assert trainer.diagnose((X[:9], Y[:9])).loss > 0.0


def test_there_have_to_be_rows():
    with pytest.raises(UsageError, match="diagnose needs rows"):
        Trainer(nn.Linear(2, 1), "mse").diagnose()


def test_the_command_says_where_a_run_stands(tmp_path, capsys):
    table = tmp_path / "rows.csv"
    lines = [f"{a:.4f},{b:.4f},{int(y)}" for (a, b), y in zip(X, Y, strict=True)]
    table.write_text("a,b,y\n" + "\n".join(lines) + "\n")
    run = str(tmp_path / "run")
    words = [str(table), "--target", "y", "--epochs", "2", "--hidden", "8", "--out", run, "--quiet"]
    assert main(["train", *words]) == 0
    capsys.readouterr()
    assert main(["diagnose", run]) == 0
    shown = capsys.readouterr().out
    assert "loss" in shown
    assert "curvature from" in shown
