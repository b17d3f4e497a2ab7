from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss import special
from schuss.functions.special import digamma, lgamma

torch = pytest.importorskip("torch")
POINTS = [-17.3, -2.5, -1.0, -0.4, -1e-9, 0.0, 1e-12, 0.2, 0.5, 1.0, 1.5, 2.0, 5.0, 7.99, 8.0, 30.0]
POINTS += [1e4, 1e30, np.inf, np.nan]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_values_and_slopes_are_pytorchs(name: str, dtype: str) -> None:
    ours = ss.tensor(POINTS, dtype, requires_grad=True)
    theirs = torch.tensor(POINTS, dtype=getattr(torch, dtype), requires_grad=True)
    y, expected = {"lgamma": lgamma, "digamma": digamma}[name](ours), getattr(torch, name)(theirs)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(
        y.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance
    )
    y.sum().backward()
    expected.sum().backward()
    assert ours.grad is not None
    regular = np.isfinite(theirs.grad.numpy()) & np.isfinite(y.array) & np.isfinite(ours.array)
    np.testing.assert_allclose(
        ours.grad.numpy()[regular],
        theirs.grad.numpy()[regular],
        # PyTorch's trigamma(1) is off by 5e-10 of pi^2 / 6, ours by 3e-15.
        rtol=1e-8 if (name, dtype) == ("digamma", "float64") else 20 * tolerance,
    )


def test_derivatives() -> None:
    x = ss.tensor([-1.3, 0.3, 0.7, 4.0, 11.0])
    ss.check_gradients(lgamma, x)
    ss.check_gradients(digamma, x)
    compiled = ss.compile(lambda x: (lgamma(x), digamma(x)))(x)
    for found, eager in zip(compiled, (lgamma(x), digamma(x)), strict=True):
        np.testing.assert_allclose(found.numpy(), eager.numpy(), rtol=1e-5)


XS = np.r_[np.linspace(-9, 9, 73), 1e-9, -1e-3, 25.0, 60.0, -40.0, 0.0, np.inf, -np.inf, np.nan]
UNIT = np.r_[np.linspace(-1, 1, 41), 1e-9, 0.999999, -1 + 1e-7, 1.5, np.nan]
POSITIVE = np.r_[np.linspace(0.05, 12, 40), 1e-4, 300.0]
# By the name in torch.special: where, and what comes before the numbers.
FUNCTIONS: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {
    "digamma": (POSITIVE, ()), "psi": (POSITIVE, ()), "gammaln": (POSITIVE, ()),
    "entr": (XS, ()), "erf": (XS, ()), "erfc": (XS, ()), "erfcx": (np.clip(XS, -4, 1e9), ()),
    "erfinv": (UNIT, ()), "exp2": (XS, ()), "expit": (XS, ()), "expm1": (XS, ()),
    "i0": (np.clip(XS, -70, 70), ()), "i0e": (XS, ()), "i1": (np.clip(XS, -70, 70), ()),
    "i1e": (XS, ()), "log1p": (POSITIVE, ()),
    "log_ndtr": (XS, ()), "logit": (0.5 + 0.49 * UNIT, ()), "ndtr": (XS, ()),
    "ndtri": (0.5 + 0.5 * UNIT, ()), "sinc": (XS, ()), "polygamma": (POSITIVE, (2,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_of_two_orders(name: str) -> None:
    points, first = FUNCTIONS[name]
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-5)):
        ours = ss.tensor(points, dtype, requires_grad=True)
        theirs = torch.tensor(points, dtype=getattr(torch, dtype), requires_grad=True)
        y = getattr(special, name)(*first, ours)
        wanted = getattr(torch.special, name)(*first, theirs)
        np.testing.assert_allclose(y.detach(), wanted.detach().numpy(), tolerance, tolerance)
        plain = ss.tensor(points, dtype)
        compiled = ss.compile(lambda x: getattr(special, name)(*first, x))(plain)
        np.testing.assert_allclose(compiled, y.detach(), tolerance, tolerance)
        y.sum().backward()
        wanted.sum().backward()
        assert ours.grad is not None
        slope = theirs.grad.numpy()
        # At nan PyTorch's slopes are numbers for some.
        regular = np.isfinite(slope) & ~np.isnan(points)
        np.testing.assert_allclose(
            np.asarray(ours.grad)[regular], slope[regular], 100 * tolerance, 100 * tolerance
        )
        total = lambda x: getattr(special, name)(*first, x).sum()  # noqa: E731
        np.testing.assert_allclose(
            np.asarray(ss.compile(ss.grad(total))(plain))[regular],
            np.asarray(ours.grad)[regular], 10 * tolerance, 10 * tolerance,
        )  # fmt: skip
    near = {"logit": [0.3, 0.6], "ndtri": [0.2, 0.7], "erfinv": [-0.4, 0.7]}
    ss.check_gradients(
        lambda x: getattr(special, name)(*first, x), near.get(name, [0.3, 1.7, 2.9]), order=3
    )


def test_tails_keep_all_digits() -> None:
    x = ss.tensor([6.0, 15.0, 26.0], ss.float64)
    np.testing.assert_allclose(special.erfc(x), torch.special.erfc(torch.tensor(x.numpy())), 1e-14)
    p = ss.tensor([1e-300, 1e-30, 1e-5], ss.float64)
    np.testing.assert_allclose(special.ndtr(special.ndtri(p)), p.numpy(), 1e-11)
    assert special.log_ndtr(ss.tensor(-50.0, ss.float64)).item() == pytest.approx(-1254.831361)
    assert special.i0(ss.tensor(700.0, ss.float64)).item() == pytest.approx(1.529593347671874e302)
    # PyTorch has nan there.
    assert special.i0(ss.tensor(-math.inf)).item() == math.inf
    assert special.i1(ss.tensor(-math.inf)).item() == -math.inf
    low = ss.tensor([-7.5, -0.5, -3.25], ss.float64)
    for n in (1, 2, 3, 4):
        turned = special.polygamma(n, low + 1) - special.polygamma(n, low)
        step = (-1) ** n * math.factorial(n) / low.numpy() ** (n + 1)
        np.testing.assert_allclose(turned, step, 1e-9)


def test_of_two() -> None:
    x, y = np.array([0.0, 0.5, 2.0, 0.0]), np.array([-1.0, 0.5, 3.0, np.nan])
    for name in ("xlogy", "xlog1py"):
        found = getattr(special, name)(ss.tensor(x), ss.tensor(y))
        wanted = getattr(torch.special, name)(torch.tensor(x), torch.tensor(y))
        np.testing.assert_allclose(found, wanted, 1e-6)


def test_mvlgamma() -> None:
    x = ss.tensor([2.5, 7.0], requires_grad=True)
    theirs = torch.tensor([2.5, 7.0], requires_grad=True)
    for name in ("mvlgamma", "multigammaln"):
        lib, other = (ss, torch) if name == "mvlgamma" else (special, torch.special)
        y, wanted = getattr(lib, name)(x, 3), getattr(other, name)(theirs, 3)
        np.testing.assert_allclose(y.detach(), wanted.detach().numpy(), 1e-5)
    with pytest.raises(ValueError, match=r"mvlgamma: expected numbers above \(p - 1\) / 2 = 1.0"):
        ss.mvlgamma(ss.tensor([1.0]), 3)
    with pytest.raises(ValueError, match="polygamma: expected n of at least 0, got -1"):
        ss.polygamma(-1, x)
    assert x.polygamma(1).shape == (2,)


def test_the_module() -> None:
    assert "entr" in dir(special)
    assert special.erfc is ss.erfc
    with pytest.raises(AttributeError, match="'schuss.special' has no attribute 'airy_ai'"):
        _ = special.airy_ai
