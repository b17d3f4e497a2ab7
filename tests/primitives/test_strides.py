"""Views at any strides, as PyTorch's `as_strided`: written through, and gone back through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss


def overlapping(lib: Any, x: Any) -> list[Any]:
    return [lib.as_strided(x * 2, (2, 3, 2), (1, 2, 0), 1)]


def windows_of_a_transpose(lib: Any, x: Any) -> list[Any]:
    y = x * x
    z = y.t().as_strided((5, 4), (2, 1))
    return [z, z * z * lib.arange(4.0)]


def written_through(lib: Any, x: Any) -> list[Any]:
    y = x * 1
    z = y[1:].as_strided((2, 2), (2, 1))
    z.fill_(9.0)
    z[0] = 3.0
    y[2, 1] = 7
    return [y, z]


def errors_through_writes(lib: Any, x: Any) -> list[Any]:
    y = x * 1
    z = y[1:].as_strided((2, 2), (2, 1))
    z *= x[0, 2]
    z[1] += 3.0
    return [y * y, z]


CALLS: list[Callable[[Any, Any], list[Any]]] = [
    overlapping,
    windows_of_a_transpose,
    written_through,
    errors_through_writes,
    lambda lib, x: [x.t()[1].as_strided((2, 2), (1, 3)), x.as_strided((), (), 3)],
    lambda lib, x: [x[1:].detach().as_strided((2, 2), (1, 1)) * x[0, 0]],
    lambda lib, x: [x.as_strided(size=(0, 3), stride=(1, 1), storage_offset=3)],
]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("call", range(len(CALLS)))
def test_values_and_gradients_are_pytorch_s(call: int, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for lib in (torch, ss):
        x = lib.arange(12.0).reshape(3, 4).requires_grad_()

        def run(x: Any, lib: Any = lib) -> Any:
            results = CALLS[call](lib, x)
            sum([y.sum() for y in results]).backward()
            return results

        found.append([*(ss.compile(run) if compiled and lib is ss else run)(x), x.grad])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_array_equal(mine.detach().numpy(), theirs.detach().numpy())


def test_what_is_kept_between_calls_is_written_through() -> None:
    x = ss.zeros(3, 4)

    @ss.compile
    def step(v: Any) -> Any:
        x.as_strided((3,), (5,)).copy_(v)
        return x.sum()

    assert [float(step(ss.ones(3) * k)) for k in (1, 2)] == [3.0, 6.0]
    np.testing.assert_array_equal(x, [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]])


def test_each_of_a_batch_has_its_own() -> None:
    found = ss.func.vmap(lambda x: x.as_strided((2, 2), (1, 2)))(ss.arange(12.0).reshape(2, 6))
    np.testing.assert_array_equal(found, [[[0, 2], [1, 3]], [[6, 8], [7, 9]]])


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [((3,), (2,), 0), ((3,), (2, 1), 0), ((3,), (-1,), 3), (1, 1, -1)]
)
def test_what_would_lie_outside_is_refused(size: Any, stride: Any, offset: int) -> None:
    with pytest.raises(ValueError, match=r"as_strided: expected"):
        ss.arange(4.0).as_strided(size, stride, offset)


def test_a_part_of_an_array_is_refused() -> None:
    part = np.arange(12.0).reshape(3, 4)[:, ::2]
    with pytest.raises(ValueError, match=r"without gaps, got a part of another one"):
        ss.from_numpy(part).as_strided((2,), (1,))
    x = ss.arange(6.0).requires_grad_()
    with pytest.raises(ValueError, match="no storage_offset for a part of what is not known"):
        x[1:].detach().as_strided((2,), (1,), 1)
    turned = ss.from_numpy(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    np.testing.assert_array_equal(turned.as_strided((6,), (1,)), [0, 3, 1, 4, 2, 5])
