"""Memory stays level over many steps."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim

STATM = Path("/proc/self/statm")
# The allocator's own play; a leak of ten bytes a step is beyond it.
ALLOWED = 1_000_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not STATM.exists(), reason="the process's memory is read from /proc"),
]


def resident() -> int:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def step():
    ss.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
    rule = optim.Adam(model.parameters(), lr=1e-3)

    @ss.compile
    def step(x, y):
        loss = nn.functional.cross_entropy(model(x), y)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    return step


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 4)).astype(np.float32), rng.integers(0, 3, 150)


def test_a_million_scanned_steps_take_no_more_memory(step, data):
    index = np.random.default_rng(1).integers(0, 150, (10_000, 16))
    for _ in range(5):
        step.scan(data, index)
    before = resident()
    for _ in range(100):
        losses = step.scan(data, index)
    assert resident() - before < ALLOWED
    assert np.isfinite(losses.numpy()).all()


def test_a_hundred_thousand_calls_take_no_more_memory(step, data):
    x, y = (ss.tensor(a[:16]) for a in data)
    for _ in range(5_000):
        step(x, y)
    before = resident()
    for _ in range(100_000):
        loss = step(x, y)
    assert resident() - before < ALLOWED
    assert np.isfinite(loss.item())


def test_shapes_in_turn_take_no_more_memory(step, data):
    x, y = data
    for rows in range(1, 9):
        step(ss.tensor(x[:rows]), ss.tensor(y[:rows]))
    before = resident()
    for turn in range(10_000):
        rows = turn % 8 + 1
        step(ss.tensor(x[:rows]), ss.tensor(y[:rows]))
    assert resident() - before < ALLOWED
