from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import fft

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(3, 7, 6)), RNG.normal(size=(3, 7, 6, 2))
NORMS = (None, "backward", "ortho", "forward")


def like_pytorch(ours: Any, theirs: Any, x: np.ndarray) -> None:
    """Value and gradient are PyTorch's, and the compiled value is the same."""
    torch = pytest.importorskip("torch")
    a, b = ss.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, wanted = ours(a), theirs(torch, b)
    np.testing.assert_allclose(y.array, wanted.detach().numpy(), atol=1e-12)
    error = np.random.default_rng(1).normal(size=y.shape)
    y.backward(ss.tensor(error))
    wanted.backward(torch.tensor(error))
    assert a.grad is not None
    np.testing.assert_allclose(a.grad.array, b.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize(("norm", "n", "dim"), list(product(NORMS, (None, 5, 9), (-1, 0))))
def test_one_axis(norm: str | None, n: int | None, dim: int) -> None:
    for name, x in (("rfft", X), ("fft", Z), ("ifft", Z), ("irfft", Z)):

        def theirs(torch: Any, x: Any, name: str = name) -> Any:
            given = x if name == "rfft" else torch.view_as_complex(x)
            found = getattr(torch.fft, name)(given, n, dim, norm)
            return found if name == "irfft" else torch.view_as_real(found)

        ours = getattr(fft, f"{name}_as_real")
        like_pytorch(lambda x, ours=ours: ours(x, n, dim, norm), theirs, x)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("s", "dim"), [(None, None), ((4, 8), None), ((4, -1), (0, 2)), (None, (2, 0)), (None, (-1,))]
)
def test_several_axes(norm: str | None, s: Any, dim: Any) -> None:
    for name, x in (("rfftn", X), ("fftn", Z), ("ifftn", Z), ("irfftn", Z)):

        def theirs(torch: Any, x: Any, name: str = name) -> Any:
            given = x if name == "rfftn" else torch.view_as_complex(x)
            found = getattr(torch.fft, name)(given, s, dim, norm)
            return found if name == "irfftn" else torch.view_as_real(found)

        ours = getattr(fft, f"{name}_as_real")
        like_pytorch(lambda x, ours=ours: ours(x, s, dim, norm), theirs, x)


def test_two_axes_go_back() -> None:
    for there, back, x in (
        (fft.rfft2_as_real, fft.irfft2_as_real, X),
        (fft.fft2_as_real, fft.ifft2_as_real, Z),
    ):
        np.testing.assert_allclose(back(there(x, norm="ortho"), norm="ortho").array, x, atol=1e-14)


def test_derivatives_of_higher_order_and_compiled() -> None:
    def magnitudes(x: Any) -> Any:
        return ss.norm(fft.rfft_as_real(x * x), axis=-1)

    assert ss.check_gradients(magnitudes, X[0, 0]).largest_error <= 1e-6
    slope = ss.grad(lambda x: magnitudes(x).sum())
    x = ss.tensor(X.astype(np.float32))
    compiled = ss.compile(slope)(x)
    assert compiled.dtype == np.float32
    np.testing.assert_allclose(compiled.array, slope(x).array, rtol=1e-5)


def test_a_convolution() -> None:
    x, weight = X[0, :, 0], X[0, 0, :4]
    a, b = (fft.rfft_as_real(v, n=10) for v in (x, weight))
    real = a[:, 0] * b[:, 0] - a[:, 1] * b[:, 1]
    imaginary = a[:, 0] * b[:, 1] + a[:, 1] * b[:, 0]
    found = fft.irfft_as_real(ss.stack([real, imaginary], axis=-1), n=10)
    np.testing.assert_allclose(found.array, np.convolve(x, weight), atol=1e-14)


@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2)])
def test_shifts_and_frequencies(dim: Any) -> None:
    np.testing.assert_array_equal(fft.fftshift(X, dim).array, np.fft.fftshift(X, dim))
    np.testing.assert_array_equal(fft.ifftshift(X, dim).array, np.fft.ifftshift(X, dim))
    for n in (5, 6):
        np.testing.assert_array_equal(fft.fftfreq(n, 0.5, dtype="float64"), np.fft.fftfreq(n, 0.5))
        np.testing.assert_array_equal(fft.rfftfreq(n, dtype="float64"), np.fft.rfftfreq(n))
    assert fft.fftfreq(4).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: fft.rfft_as_real([1, 2]), TypeError, "rfftn: expected floats"),
        (lambda: fft.fft_as_real(X), ValueError, "fft: expected real and imaginary parts"),
        (lambda: fft.rfft_as_real(X, norm="both"), ValueError, "expected norm 'backward'"),
        (lambda: fft.rfft_as_real(X, n=0), ValueError, "expected a positive length"),
        (lambda: fft.rfft_as_real(X[:0], dim=0), ValueError, "at least one element"),
        (lambda: fft.irfft_as_real(Z[:1], dim=0), ValueError, "length of at least 1, got 0"),
        (lambda: fft.rfftn_as_real(X, dim=3), IndexError, "expected an axis from -3 to 2"),
        (lambda: fft.rfft, AttributeError, "rfft_as_real has their real and imaginary parts"),
        (lambda: fft.hfft, AttributeError, "no attribute 'hfft'"),
    ],
)
def test_errors(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
