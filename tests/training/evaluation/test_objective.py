from __future__ import annotations

import pytest

from schuss import Tensor, nn, tensor
from schuss.errors import UsageError
from schuss.nn import functional as F
from schuss.training.evaluation.objective import Objective

LOGITS = tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]])
CLASSES = tensor([0, 1, 0])
WEIGHT = tensor([0.5, 1.0, 1.5])


def _weighted(output: Tensor, y: Tensor) -> float:
    each = F.cross_entropy(output, y, reduction="none")
    return (each * WEIGHT).mean().item()


@pytest.mark.parametrize(
    "loss", ["cross_entropy", nn.CrossEntropyLoss(), F.cross_entropy], ids=["name", "layer", "f"]
)
def test_losses_by_name_layer_and_function_are_the_same(loss: object) -> None:
    objective = Objective(loss)  # type: ignore[arg-type]
    assert objective(LOGITS, CLASSES).item() == F.cross_entropy(LOGITS, CLASSES).item()
    assert objective.weighs
    assert objective(LOGITS, CLASSES, WEIGHT).item() == pytest.approx(_weighted(LOGITS, CLASSES))


def test_a_layers_options_hold_for_weighted_rows() -> None:
    layer = nn.CrossEntropyLoss(label_smoothing=0.2)
    plain = Objective(layer)(LOGITS, CLASSES).item()
    ones = tensor([1.0, 1.0, 1.0])
    assert Objective(layer)(LOGITS, CLASSES, ones).item() == pytest.approx(plain)
    assert layer.reduction == "mean"


def test_a_loss_that_takes_weights_is_given_them() -> None:
    def loss(output: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
        each = F.cross_entropy(output, y, reduction="none")
        return each.mean() if weights is None else (each * weights).sum() / weights.sum()

    found = Objective(loss)(LOGITS, CLASSES, WEIGHT * 2.0).item()
    assert found == pytest.approx(2.0 * _weighted(LOGITS, CLASSES))


def test_one_output_meets_targets_without_an_axis() -> None:
    output = tensor([[1.0], [2.0]])
    assert Objective("mse")(output, tensor([1.0, 4.0])).item() == 2.0
    assert Objective("mse")(output, tensor([1.0, 4.0]), tensor([2.0, 0.0])).item() == 0.0
    whole = Objective("binary_cross_entropy")(output, tensor([1, 0])).item()
    float_y = F.binary_cross_entropy_with_logits(output, tensor([[1.0], [0.0]]))
    assert whole == float_y.item()


def test_wrong_losses_are_named() -> None:
    with pytest.raises(UsageError, match="no loss 'mes'; did you mean 'mse'"):
        Objective("mes")
    with pytest.raises(UsageError, match="got int"):
        Objective(3)  # type: ignore[arg-type]
    own = Objective(lambda output, y: (output * 0.0).sum())
    assert not own.weighs
    with pytest.raises(UsageError, match="cannot weigh rows"):
        own(LOGITS, CLASSES, WEIGHT)
