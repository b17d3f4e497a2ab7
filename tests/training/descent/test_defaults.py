from __future__ import annotations

import pytest

from schuss import nn
from schuss.training.descent.defaults import default_optimizer, set_decay


def test_matrices_decay_and_vectors_do_not() -> None:
    optimizer = default_optimizer(nn.Linear(4, 3), lr=0.1, weight_decay=0.3)
    assert [(g["params"][0].shape, g["weight_decay"]) for g in optimizer.param_groups] == [
        ((3, 4), 0.3),
        ((3,), 0.0),
    ]


def test_the_decay_is_the_same_over_any_number_of_steps_and_less_with_more_to_learn() -> None:
    found = []
    for rate, numbers, steps in [(0.1, 1, 100), (0.01, 1, 1000), (0.1, 15, 100)]:
        optimizer = default_optimizer(nn.Linear(4, 3), lr=rate)
        set_decay(optimizer, numbers, steps)
        found.append(optimizer.param_groups[0]["weight_decay"] * rate * steps)
        assert optimizer.param_groups[1]["weight_decay"] == 0.0
    assert found == pytest.approx([1.0, 1.0, 0.25])


def test_a_model_of_vectors_alone_and_a_rate_of_zero_are_taken() -> None:
    vectors = default_optimizer(nn.LayerNorm(3), lr=0.0)
    set_decay(vectors, 1, 10)
    still = default_optimizer(nn.Linear(2, 2), lr=0.0)
    set_decay(still, 1, 10)
    assert still.param_groups[0]["weight_decay"] == 0.0
