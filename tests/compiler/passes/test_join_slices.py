"""What flows back to parts of a tensor is put together only where the parts are all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

PARTS: list[Any] = [
    [(0, 0), (0, 1), (1, 0), (1, 1)],
    [(0, slice(0, 1)), (0, slice(1, 2))],
    [(slice(0, 1), slice(0, 1)), (slice(0, 1), slice(1, 2))],
    [(slice(None), 0), (slice(None), 1)],
    [(1,), (0,)],
    [(0, 0), (0, 1)],
]


@pytest.mark.parametrize("parts", range(len(PARTS)))
def test_errors_go_where_the_parts_are(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHUSS_DEBUG", "verify")
    found = []
    for compiled in (False, True):
        x = ss.tensor(np.arange(12.0).reshape(2, 2, 3) + 1, requires_grad=True)

        def run(x: Any) -> Any:
            pieces = [x[index] for index in PARTS[parts]]
            loss = sum([(k + 2) * (p**2).sum() for k, p in enumerate(pieces)])
            loss.backward()
            return loss

        loss = (ss.compile(run) if compiled else run)(x)
        found.append((loss.item(), x.grad.numpy()))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-12)
