"""CTC: PyTorch's losses, and behind a log_softmax its gradients; all ways summed by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

F = nn.functional
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 4, 5))
TARGETS = np.array([[1, 2, 2], [3, 1, 0], [4, 4, 4], [0, 0, 0]])
SIZES, COUNTS = np.array([7, 6, 7, 3]), np.array([3, 2, 3, 0])
JOINED = np.concatenate([row[:n] for row, n in zip(TARGETS, COUNTS, strict=True)])


def test_the_loss_is_the_sum_over_all_ways():
    x = np.log(RNG.dirichlet(np.ones(3), (4, 1)))
    labels = [1, 2]
    total = 0.0
    for way in itertools.product(range(3), repeat=4):
        merged = [c for i, c in enumerate(way) if c and (i == 0 or c != way[i - 1])]
        if merged == labels:
            total += np.exp(sum(x[t, 0, c] for t, c in enumerate(way)))
    loss = F.ctc_loss(ss.tensor(x), ss.tensor([labels]), [4], [2], reduction="sum")
    np.testing.assert_allclose(loss.item(), -np.log(total), rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("targets", [TARGETS, JOINED], ids=["rows", "joined"])
def test_the_loss_is_pytorchs(reduction, targets, same_as_pytorch):
    def call(lib: Any, x: Any, *lengths: Any) -> Any:
        x = lib.nn.functional.log_softmax(x, -1)
        return lib.nn.functional.ctc_loss(x, *lengths, reduction=reduction)

    same_as_pytorch(call, LOGITS, targets, SIZES, COUNTS)


def test_without_batch_and_another_blank(same_as_pytorch):
    def call(lib: Any, x: Any) -> Any:
        x = lib.nn.functional.log_softmax(x, -1)
        labels = lib.tensor([1, 0, 1])
        return lib.nn.CTCLoss(blank=4)(x, labels, lib.tensor(7), lib.tensor(3))

    same_as_pytorch(call, LOGITS[:, 0])


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_more_labels_than_there_is_room_for(zero_infinity, same_as_pytorch):
    def call(lib: Any, x: Any) -> Any:
        x = lib.nn.functional.log_softmax(x, -1)
        found = lib.nn.functional.ctc_loss(
            x, lib.tensor(TARGETS), lib.tensor([7, 2, 3, 0]), lib.tensor(COUNTS), reduction="none",
            zero_infinity=zero_infinity,
        )  # fmt: skip
        return found if zero_infinity else found.detach()

    same_as_pytorch(call, LOGITS)


def test_its_derivative_is_that_of_the_loss():
    def loss(x: Any) -> Any:
        return F.ctc_loss(x, ss.tensor(TARGETS), SIZES, COUNTS)

    assert ss.check_gradients(loss, ss.tensor(LOGITS)).comparisons > 0


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"input_lengths": [8, 1, 1, 1]}, ValueError, "input_lengths from 0 to 7, got 1 to 8"),
        ({"target_lengths": [1]}, ValueError, r"target_lengths of shape \(4,\)"),
        ({"targets": ss.tensor([1, 2])}, ValueError, "expected 8 targets"),
        ({"targets": ss.tensor(TARGETS + 2)}, IndexError, "expected targets from 0 to 4"),
        ({"blank": 5}, ValueError, "blank from 0 to 4"),
    ],
)
def test_what_does_not_fit_is_an_error(change, kind, message):
    given = {
        "log_probs": ss.tensor(LOGITS),
        "targets": ss.tensor(TARGETS),
        "input_lengths": SIZES,
        "target_lengths": COUNTS,
    }
    with pytest.raises(kind, match=message):
        F.ctc_loss(**(given | change))
