"""kill -9, twenty times for each kind of data: nothing is lost, and the weights are the same."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from schuss.training import load

KILLS = 20
BEGIN = (
    "import sys, schuss; schuss.train(sys.argv[1], out=sys.argv[2], quiet=True, "
    "checkpoint_seconds=0.0, {options})"
)
GO_ON = "import sys, schuss; schuss.resume(sys.argv[2], quiet=True, checkpoint_seconds=0.0)"


def pictures(place: Path) -> tuple[Path, str]:
    image = pytest.importorskip("PIL.Image")
    draw = np.random.default_rng(0)
    for label, stripes in (("across", 0), ("along", 1)):
        (place / label).mkdir(parents=True)
        for number in range(40):
            pixels = draw.integers(0, 90, (12, 12))
            part = [slice(None), slice(None)]
            part[stripes] = slice(int(draw.integers(3)), None, 3)
            pixels[tuple(part)] += 150
            image.fromarray(pixels.astype(np.uint8)).save(place / label / f"{number}.png")
    return place, "epochs=12, batch_size=16, mirror=True"


def sound(place: Path) -> tuple[Path, str]:
    draw = np.random.default_rng(0)
    for label, sign in (("rising", 1), ("falling", -1)):
        (place / label).mkdir(parents=True)
        for number in range(30):
            count = int(draw.integers(2000, 3000))
            pitch = 900.0 + sign * np.linspace(-500.0, 500.0, count)
            tone = 0.5 * np.sin(np.cumsum(pitch) * (2 * np.pi / 8000))
            tone += 0.01 * draw.normal(size=count)
            with wave.open(str(place / label / f"{number}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes((tone * 32000).astype("<i2").tobytes())
    return place, "epochs=12, batch_size=12"


def sequences(place: Path) -> tuple[Path, str]:
    draw = np.random.default_rng(0)
    lines = ["id,t,x,y"]
    for number in range(60):
        fast = bool(draw.integers(2))
        for t in range(int(draw.integers(5, 40))):
            x = np.sin(t * (1.6 if fast else 0.5)) + 0.3 * draw.normal()
            lines.append(f"s{number},{t},{x:.4f},{'fast' if fast else 'slow'}")
    place.mkdir()
    (place / "log.csv").write_text("\n".join(lines))
    options = 'target="y", sequence="id", order="t", hidden=(16, 16), epochs=30'
    return place / "log.csv", options


def weights(run: Path) -> dict[str, bytes]:
    return {name: value.array.tobytes() for name, value in load(run).model.state_dict().items()}


def is_killed(words: list[str], seconds: float) -> bool:
    """Run a program, kill it after some time, and tell whether it was still at work."""
    process = subprocess.Popen(words)
    try:
        assert process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("made", [pictures, sound, sequences])
def test_killed_twenty_times(made: Callable[[Path], tuple[Path, str]], tmp_path: Path) -> None:
    data, options = made(tmp_path / "data")
    whole = tmp_path / "runs" / "whole"
    begun = time.monotonic()
    begin = [sys.executable, "-c", BEGIN.format(options=options), str(data)]
    subprocess.run([*begin, str(whole)], check=True)
    seconds = time.monotonic() - begun
    go_on = [sys.executable, "-c", GO_ON, str(data)]
    kills = runs = 0
    while kills < KILLS:
        run, runs = tmp_path / "runs" / f"killed-{runs}", runs + 1
        while True:
            moment = random.SystemRandom().uniform(0.0, seconds) if kills < KILLS else 600.0
            words = go_on if run.exists() else begin
            if not is_killed([*words, str(run)], moment):
                break
            kills += 1
        assert load(run).finished
        assert weights(run) == weights(whole)
        assert load(run).test == load(whole).test
    print(f"{made.__name__}: {kills} kills in {runs} runs")
