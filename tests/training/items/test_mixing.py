from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.training.items.mixing import MixedCrossEntropyLoss, mixed

Y = np.array([0, 2, 1])
LOGITS = np.random.default_rng(0).normal(size=(3, 4))


def test_each_example_is_mixed_with_the_one_from_the_end() -> None:
    x = ss.tensor([[[1.0]], [[10.0]], [[100.0]]])
    found, share = mixed(x, ss.tensor([0.9, 0.3, 0.25]))
    np.testing.assert_allclose(share, [0.9, 0.7, 0.75], rtol=1e-6)
    np.testing.assert_allclose(found.reshape(-1), [10.9, 10.0, 75.25], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_mixed_labels(smoothing: float) -> None:
    share = np.array([0.9, 0.7, 0.75])
    labels = np.eye(4)[Y]
    targets = labels * share[:, None] + labels[::-1] * (1.0 - share[:, None])
    plain = nn.CrossEntropyLoss(label_smoothing=smoothing)
    loss = MixedCrossEntropyLoss(label_smoothing=smoothing)
    given = (ss.tensor(LOGITS), ss.tensor(share))
    wanted = plain(ss.tensor(LOGITS), ss.tensor(targets)).item()
    assert loss(given, ss.tensor(Y)).item() == pytest.approx(wanted, rel=1e-12)
    compiled = ss.compile(lambda x, s, y: loss((x, s), y))
    assert compiled(*given, ss.tensor(Y)).item() == pytest.approx(wanted, rel=1e-6)
    # Logits alone are not mixed.
    alone = loss(ss.tensor(LOGITS), ss.tensor(Y)).item()
    assert alone == plain(ss.tensor(LOGITS), ss.tensor(Y)).item()


def test_the_loss_of_each_example() -> None:
    loss = MixedCrossEntropyLoss(reduction="none")
    each = loss((ss.tensor(LOGITS), ss.tensor([1.0, 1.0, 1.0])), ss.tensor(Y))
    wanted = nn.CrossEntropyLoss(reduction="none")(ss.tensor(LOGITS), ss.tensor(Y))
    np.testing.assert_allclose(each, wanted, rtol=1e-6)
