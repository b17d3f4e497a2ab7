"""Writing in place, and through views: what PyTorch does, eager and compiled, with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

X = np.random.default_rng(0).normal(size=(3, 4))


def into_row(lib: Any, t: Any, v: Any) -> Any:
    t[0][1] = v[0, 2] ** 2
    return t


def into_row_of_row(lib: Any, t: Any, v: Any) -> Any:
    row = t[1]
    row[1:3] = v[0, :2] * v[1, 1:3]
    return t * 1, row * 2


def into_transposed(lib: Any, t: Any, v: Any) -> Any:
    t.T[0] = v[:, 1].exp()
    t.T[1:].T[2, :2] = 7.0
    return t


def into_flat(lib: Any, t: Any, v: Any) -> Any:
    t.view(-1)[3] = v[2, 3]
    t.reshape(2, 6)[1] *= 3.0
    return t


def filled(lib: Any, t: Any, v: Any) -> Any:
    t[0].fill_(3.0)
    t[:, 1].zero_()
    t[1:].add_(v[1:])
    t[2].copy_(v[0] * 2)
    return t


def element_by_element(lib: Any, t: Any, v: Any) -> Any:
    y = lib.zeros(4)
    y = y.to(v.dtype)
    for k in range(4):
        y[k] = v[0, k] ** 2 + (y[k - 1] * 2 if k else 0)
    return y


def of_a_result(lib: Any, t: Any, v: Any) -> Any:
    y = v * 2
    z = y + 1
    y[0] = 5.0
    y[:, 3] = v[:, 0] * y[:, 1].clone()
    return y * z


def augmented(lib: Any, t: Any, v: Any) -> Any:
    y = v * 2
    before = y.mean()
    held = [y]
    y += v
    y -= 1
    y *= v
    y /= 2.0
    held[0] += before
    return y, before


def augmented_item(lib: Any, t: Any, v: Any) -> Any:
    t[0] += v[1]
    t[1, 2] *= v[0, 0]
    return t


def itself(lib: Any, t: Any, v: Any) -> Any:
    y = v * 1
    y += y
    y *= y[0] + 0
    return y


def by_lists(lib: Any, t: Any, v: Any) -> Any:
    t[[0, 2], 1:3] = v[:2, :2]
    t[:, [3, 0]] = 1.5
    t[[2, 1]] = v[:2] * 2
    return t


def by_mask(lib: Any, t: Any, v: Any) -> Any:
    t[t < 0] = 0.0
    t[lib.tensor([True, False, True])] = v[1] * 3
    return t


def by_rows(lib: Any, t: Any, v: Any) -> Any:
    t[lib.tensor([2, 0])] = v[:2] ** 2
    t[lib.tensor(1)] = v[2].sum()
    return t


def whole(lib: Any, t: Any, v: Any) -> Any:
    t[...] = v.T.reshape(3, 4)
    t[None, 1:, ::2] = v[:1, :2]
    return t


def copied(lib: Any, t: Any, v: Any) -> Any:
    t.T.reshape(-1)[0] = 100.0
    t.clone()[0] = 100.0
    t[[0]][0] = 100.0
    return t + v


def into_flat_of_a_turned_result(lib: Any, t: Any, v: Any) -> Any:
    y = v.t() * 2
    y.reshape(-1)[0] = 5.0
    z = v.t() + lib.zeros_like(v).t()
    z += 1
    z.reshape(2, 6)[1] = 7.0
    u = v * 2
    u.reshape(-1)[1] = 9.0
    return y, z, u


CASES = [
    into_row, into_row_of_row, into_transposed, into_flat, filled, element_by_element, of_a_result,
    augmented, augmented_item, itself, by_lists, by_mask, by_rows, whole, copied,
    into_flat_of_a_turned_result,
]  # fmt: skip


def total(lib: Any, case: Any, t: Any, v: Any) -> Any:
    found = case(lib, t * 1, v)
    parts = found if isinstance(found, tuple) else (found,)
    return sum(((part * part).sum() for part in parts), parts[0].sum() * 0)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_writing_equals_torch(case: Any, dtype: str, plain: bool, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    v, t = X.astype(dtype), (X[::-1] * 0.7).astype(dtype)
    theirs = [torch.tensor(a.copy(), requires_grad=not plain) for a in (t, v)]
    expected = total(torch, case, *theirs)

    def step(t: Any, v: Any) -> Any:
        if plain:
            return total(ss, case, t, v), ()
        return ss.value_and_grad(lambda t, v: total(ss, case, t, v), argnums=(0, 1))(t, v)

    run = ss.compile(step) if compiled else step
    value, gradients = run(ss.tensor(t), ss.tensor(v))
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(value.numpy(), expected.detach().numpy(), rtol=tolerance)
    if not plain:
        expected.backward()
        for mine, theirs_ in zip(gradients, theirs, strict=True):
            wanted = np.zeros_like(v) if theirs_.grad is None else theirs_.grad.numpy()
            np.testing.assert_allclose(mine.numpy(), wanted, rtol=tolerance, atol=tolerance)


def test_a_tensor_that_is_not_finished_does_not_keep_views_from_being_found() -> None:
    half = ss.Tensor.__new__(ss.Tensor)
    x = ss.zeros(3)
    view = x[:2]
    x.add_(ss.ones(3, requires_grad=True))
    view.sum().backward()
    assert view.requires_grad
    assert not hasattr(half, "stamp")
