from __future__ import annotations

from typing import Any

from schuss.training.loop.fit import Fit


def _record(epoch: int, loss: float | None) -> dict[str, Any]:
    return {"epoch": epoch, "train_loss": 0.25, "validation_loss": loss, "gradient_norm": 1.0}


def test_a_fit_is_shown_on_a_line() -> None:
    history = [_record(epoch, 1.0 / epoch) for epoch in range(1, 501)]
    assert repr(Fit(500, 4, history, 75.0, "patience")) == (
        "Fit(500 epochs in 1:15, stopped by 'patience'; "
        "best epoch 4: train_loss 0.25, validation_loss 0.25)"
    )
    undefined = Fit(1, 1, [_record(1, None)], 0.5, "epochs")
    assert repr(undefined).endswith("validation_loss undefined)")
    assert repr(Fit(1, 0, [], 0.5, "diverged")) == "Fit(1 epoch in 0.5 s, stopped by 'diverged')"


def test_the_line_that_ends_the_progress() -> None:
    fit = Fit(9, 4, [_record(epoch, 1.0) for epoch in range(1, 10)], 3.0, "patience")
    assert fit.summary(5) == (
        "trained 9 epochs in 3.0 s (no better epoch in the last 5); the best was epoch 4"
    )
