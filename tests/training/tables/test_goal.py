"""What a training aims at: probabilities that are right, and a quantity's loss and scale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.data import Table
from schuss.errors import DataError, UsageError
from schuss.nn.tabular.network import TabularMLP
from schuss.training import Run, load, train
from schuss.training.evaluation.evaluate import outputs, softmax
from schuss.training.evaluation.examples import Examples
from schuss.training.runs.bundle import read_bundle, write_bundle
from schuss.training.tables.goal import calibrate

OPTIONS: dict[str, Any] = {"hidden": [16], "epochs": 20, "quiet": True}


def _rare(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two columns, and a class that about 3 of 100 rows have."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 2))
    chance = 1.0 / (1.0 + np.exp(5.0 - 2.0 * x[:, 0]))
    return x, np.where(draw.random(rows) < chance, "yes", "no")


@pytest.fixture(scope="module", params=[1500, 3000], ids=["members", "one"])
def rare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("rare") / "run"
    return train(_rare(request.param), out=place, test_share=0.0, **OPTIONS)


def test_rare_classes_have_their_chance(rare: Run) -> None:
    x, y = _rare(6000, seed=1)
    chances = rare.predict_proba(x)[:, 1]
    share = np.mean(y == "yes")
    assert chances.mean() == pytest.approx(share, rel=0.25)
    assert chances.min() < 0.01
    found = rare.evaluate((x, y))["log_loss"]
    assert found is not None
    assert found < -(share * np.log(share) + (1 - share) * np.log(1 - share))


@pytest.mark.parametrize("members", [None, 5])
def test_the_mean_chance_of_held_out_rows_is_their_share(members: int | None) -> None:
    x, y = _rare(4000)
    codes = (y == "yes").astype(np.int64)
    folds = (np.arange(4000) % 5,) if members else ()
    inputs = (x, np.zeros((4000, 0), np.int32), *folds) if members else (x,)
    model = TabularMLP(2, 2, hidden=(8,), members=members, calibrated=True)
    rows = Examples.of((inputs, codes))
    calibrate(model, rows, None)
    assert softmax(outputs(model, rows))[:, 1].mean() == pytest.approx(codes.mean(), rel=0.25)


def test_the_epoch_is_that_of_the_least_log_loss(rare: Run) -> None:
    losses = [record["validation_log_loss"] for record in rare.history]
    assert losses[rare.best_epoch - 1] == min(losses)


def test_the_temperature_goes_with_the_run(rare: Run, tmp_path: Path) -> None:
    assert rare.folder is not None
    assert rare.goal == {"temperature": rare.model.temperature.item()}
    assert rare.goal["temperature"] != 1.0
    rare.save(tmp_path / "run.schuss")
    x, _ = _rare(50, seed=2)
    for again in (load(rare.folder), load(tmp_path / "run.schuss")):
        assert again.goal == rare.goal
        assert np.array_equal(again.predict_proba(x), rare.predict_proba(x))


def test_a_run_of_an_earlier_version_is_used_as_it_is(rare: Run, tmp_path: Path) -> None:
    x, _ = _rare(50, seed=2)
    file = tmp_path / "old.schuss"
    rare.save(file)
    arrays, header = read_bundle(file, "model")
    temperature = float(arrays.pop("temperature"))
    config = header["config"]
    for name in ("seen", "class_factors"):
        del config[name]
    for name in ("loss", "quantile", "metric", "target_scale"):
        del config["options"][name]
    for name in ("value_loss", "quantile"):
        del config["recipe"][name]
    for name in ("scale", "shift"):
        del config["target_encoding"][name]
    del config["network"]["calibrated"]
    state = {name: value for name, value in rare.model.state_dict().items() if name in arrays}
    write_bundle(file, state, "model", header)
    old = load(file)
    assert old.goal == {"temperature": 1.0}
    rare.model.calibrate(1.0, np.zeros(2))
    try:
        assert np.array_equal(old.predict_proba(x), rare.predict_proba(x))
    finally:
        rare.model.calibrate(temperature, np.zeros(2))


def test_a_named_metric_chooses_the_epoch(tmp_path: Path) -> None:
    run = train("iris", metric="accuracy", out=tmp_path / "run", **OPTIONS)
    found = [record["validation_accuracy"] for record in run.history]
    assert found[run.best_epoch - 1] == max(found)
    assert max(found[run.best_epoch :], default=0.0) < max(found)
    with pytest.raises(UsageError, match="metric 'rmse' needs a quantity, but 'species' holds"):
        train("iris", metric="rmse", out=tmp_path / "no", **OPTIONS)
    with pytest.raises(UsageError, match="expected metric one of loss, accuracy, .*got 'acuracy'"):
        train("iris", metric="acuracy", out=tmp_path / "no", **OPTIONS)
    assert not (tmp_path / "no").exists()


def test_class_weights_say_what_probabilities_are(tmp_path: Path) -> None:
    x, y = _rare(3000)
    run = train((x, y), class_weight="balanced", out=tmp_path / "run", **OPTIONS)
    assert any("probabilities are those of rows that come as often" in n for n in run.notes)
    found = [record["validation_weighted_log_loss"] for record in run.history]
    assert found[run.best_epoch - 1] == min(found)
    assert set(run.test) == set(run.validation)
    new, truth = _rare(6000, seed=1)
    balanced = np.where(truth == "yes", 0.5 / np.mean(truth == "yes"), 0.5 / np.mean(truth == "no"))
    chances = run.predict_proba(new)[:, 1]
    assert np.average(chances, weights=balanced) == pytest.approx(0.5, abs=0.1)
    again = load(tmp_path / "run").evaluate((new, truth))
    assert again == run.evaluate((new, truth))
    assert again["weighted_log_loss"] is not None
    assert again["weighted_log_loss"] < np.log(2.0)


def test_without_validation_rows_nothing_is_calibrated_and_that_is_said(tmp_path: Path) -> None:
    run = train("iris", validation_share=0.0, out=tmp_path / "run", **OPTIONS)
    assert run.goal == {"temperature": 1.0}
    assert "probabilities are not calibrated, since no rows were held out to validate" in run.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "quantile"}, "loss needs a quantity, but 'species' holds classes"),
        ({"target_scale": "log"}, "target_scale needs a quantity, but 'species' holds classes"),
        ({"loss": "quantile", "quantile": 0.9}, 'leave it out, or give task="regression"'),
        ({"quantile": 0.9}, 'quantile goes with the loss .* give loss="quantile", too'),
        ({"quantile": 1.0, "loss": "quantile"}, "expected quantile between 0 and 1, got 1.0"),
        ({"loss": "mea"}, "expected loss one of auto, mse, mae, huber, quantile, got 'mea'"),
        ({"target_scale": "ln"}, "expected target_scale one of auto, linear, log, got 'ln'"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train("iris", out=tmp_path / "no", **options, **OPTIONS)
    assert not (tmp_path / "no").exists()


def _values(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.uniform(0.0, 10.0, (rows, 2))
    return x, 3.0 * x[:, 0] - x[:, 1] + draw.normal(size=rows)


def test_powers_of_ten_are_learned_by_their_logarithms(tmp_path: Path) -> None:
    x, line = _values()
    y = np.exp(line / 2.0)
    run = train((x, y), out=tmp_path / "log", **OPTIONS)
    assert run.goal == {"loss": "mse", "target_scale": "log"}
    assert any("learned on a log scale (it spans many powers of ten" in n for n in run.notes)
    new, line = _values(200, seed=1)
    error = np.abs(np.log(run.predict(new)) - line / 2.0)
    assert np.median(error) < 0.5
    assert np.array_equal(load(tmp_path / "log").predict(new), run.predict(new))
    told = train((x, y), target_scale="linear", out=tmp_path / "linear", **OPTIONS)
    assert told.goal["target_scale"] == "linear"
    # As many powers of ten, but what is added has one size.
    y = np.abs(_values()[1]) + 1e-3
    assert train((x, y), out=tmp_path / "no", **OPTIONS).goal["target_scale"] == "linear"
    given = train((x, y), target_scale="log", out=tmp_path / "told", **OPTIONS)
    assert any("learned on a log scale (as you said)" in n for n in given.notes)
    assert any(n.endswith("a prediction is a median, not a mean") for n in given.notes)
    options = OPTIONS | {"loss": "quantile", "quantile": 0.9, "target_scale": "log"}
    quantile = train((x, y), out=tmp_path / "quantile", **options)
    assert not any("median" in n for n in quantile.notes)
    with pytest.raises(DataError, match="expected a target of 0 or more for a log scale"):
        train((x, y - 1.0), target_scale="log", out=tmp_path / "negative", **OPTIONS)


def test_quantiles_have_their_share_below(tmp_path: Path) -> None:
    x, y = _values(1000)
    options = OPTIONS | {"epochs": 60, "test_share": 0.0}
    found = {}
    for q in (0.1, 0.9):
        run = train((x, y), loss="quantile", quantile=q, out=tmp_path / f"{q}", **options)
        assert run.goal == {"loss": "quantile", "quantile": q, "target_scale": "linear"}
        found[q] = run.evaluate(_values(2000, seed=1))["coverage"]
        losses = [record["validation_loss"] for record in run.history]
        assert losses[run.best_epoch - 1] == min(losses)
        assert set(run.validation) >= {"pinball_loss", "coverage", "mae"}
    assert found[0.1] == pytest.approx(0.1, abs=0.06)
    assert found[0.9] == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_robust_losses_do_not_follow_odd_values(loss: str, tmp_path: Path) -> None:
    x, y = _values()
    odd = np.where(np.arange(400) % 20 == 0, 1e6, y)
    options = OPTIONS | {"epochs": 60}
    run = train((x, odd), loss=loss, out=tmp_path / "run", **options)
    new, truth = _values(200, seed=1)
    assert np.median(np.abs(run.predict(new) - truth)) < 3.0


def test_a_trend_goes_on_and_what_is_cut_is_told(tmp_path: Path) -> None:
    x, y = _values()
    run = train((x, y), out=tmp_path / "line", **OPTIONS)
    new = np.array([[30.0, 5.0], [5.0, 5.0], [-20.0, 5.0]])
    assert run.predict(new) == pytest.approx(3.0 * new[:, 0] - new[:, 1], abs=4.0)
    found = run.predict_table(Table({"x0": new[:, 0], "x1": new[:, 1]}))
    assert found.beyond is not None
    assert found.cut is not None
    assert (found.beyond.tolist(), found.cut.any()) == ([True, False, True], False)
    assert run.seen == json.loads((tmp_path / "line" / "config.json").read_text())["seen"]
    # No line explains a parabola.
    bent = train((x, (x[:, 0] - 5.0) ** 2), out=tmp_path / "bent", **OPTIONS)
    assert bent.config["range"] == bent.seen
    found = bent.predict_table(Table({"x0": x[:, 0], "x1": x[:, 1]}))
    assert found.beyond is not None
    assert not found.beyond.any()


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_targets_of_any_size_have_the_same_figures(scale: float, tmp_path: Path) -> None:
    x, y = _values()
    plain = train((x, y), out=tmp_path / "plain", **OPTIONS)
    sized = train((x, y * scale), out=tmp_path / "sized", **OPTIONS)
    for share in ("test", "validation"):
        expected, found = getattr(plain, share), getattr(sized, share)
        for name in ("rmse", "mae"):
            assert found[name] == pytest.approx(expected[name] * scale, rel=1e-3)
        assert found["r2"] == pytest.approx(expected["r2"], rel=1e-3)
