from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import autograd

torch = pytest.importorskip("torch")


def two(m: Any) -> Any:
    def f(x: Any, y: Any) -> Any:
        return (x * y.sum()).sin(), (x[:2] * y) ** 2, m.ones(1, dtype=m.float64)

    return f


def one(m: Any) -> Any:
    return lambda x, y: ((x**3).sum() * m.exp(y)).sum()


def single(m: Any) -> Any:
    return lambda x: (x * x * x).cos()


def flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in flat(part)]
    return [value.detach().numpy()]


POINTS = ([0.5, -1.0, 2.0], [0.3, 0.7])
CALLS: list[tuple[str, Any, Any]] = [
    ("jacobian", two, lambda f, x, y, m: f(two(m), (x, y))),
    ("jacobian", single, lambda f, x, y, m: f(single(m), x)),
    ("jacobian", one, lambda f, x, y, m: f(one(m), (x, y))),
    ("hessian", one, lambda f, x, y, m: f(one(m), (x, y))),
    ("hessian", single, lambda f, x, y, m: f(lambda x: single(m)(x).sum(), x)),
    ("vjp", two, lambda f, x, y, m: f(two(m), (x, y), (x * 2, y * 3, y[:1]))),
    ("vjp", one, lambda f, x, y, m: f(one(m), (x, y))),
    ("jvp", two, lambda f, x, y, m: f(two(m), (x, y), (x * 2, y + 1))),
    ("jvp", single, lambda f, x, y, m: f(single(m), x, x * 3)),
    ("hvp", one, lambda f, x, y, m: f(one(m), (x, y), (x * 2, y + 1))),
    ("vhp", one, lambda f, x, y, m: f(one(m), (x, y), (x * 2, y + 1))),
]


@pytest.mark.parametrize(("name", "_", "call"), CALLS)
def test_as_pytorch_has_it(name: str, _: Any, call: Any) -> None:
    found = []
    for m in (ss, torch):
        x, y = (m.tensor(p, dtype=m.float64) for p in POINTS)
        found.append(call(getattr(m.autograd.functional, name), x, y, m))
    assert isinstance(found[0], tuple) == isinstance(found[1], tuple)
    ours, theirs = flat(found[0]), flat(found[1])
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_further_derivatives() -> None:
    found = []
    for m in (ss, torch):
        x = m.tensor(POINTS[0], dtype=m.float64, requires_grad=True)
        j = m.autograd.functional.jacobian(single(m), x, create_graph=True)
        (g,) = m.autograd.grad((j**2).sum(), x)
        found.append(g.numpy())
    np.testing.assert_allclose(*found, rtol=1e-12)
    x = ss.tensor(POINTS[0], requires_grad=True)
    assert not autograd.functional.jacobian(single(ss), x).requires_grad


def test_errors() -> None:
    x = ss.ones(2)
    with pytest.raises(RuntimeError, match="vjp: expected v, which is only left out"):
        autograd.functional.vjp(lambda x: x * 2, x)
    with pytest.raises(RuntimeError, match=r"jvp: expected v of shapes \[\(2,\)\], got \[\(3,\)\]"):
        autograd.functional.jvp(lambda x: x * 2, x, ss.ones(3))
    with pytest.raises(RuntimeError, match="hessian: expected func to return one element"):
        autograd.functional.hessian(lambda x: x * 2, x)
