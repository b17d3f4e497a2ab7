"""`stft` and `istft` beside PyTorch's, of which complex numbers are pairs of reals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")
WINDOW = np.hanning(14)[1:-1]
X = np.random.default_rng(0).normal(size=(3, 41))
OPTIONS: list[dict[str, Any]] = [
    {"n_fft": 16},
    {"n_fft": 15, "hop_length": 3, "normalized": True},
    {"n_fft": 16, "win_length": 12, "window": WINDOW},
    {"n_fft": 16, "hop_length": 5, "onesided": True},
]
CENTERED: list[dict[str, Any]] = [
    {"n_fft": 16, "win_length": 12, "center": False},
    {"n_fft": 16, "pad_mode": "constant"},
    {"n_fft": 16, "pad_mode": "replicate"},
    {"n_fft": 16, "pad_mode": "circular"},
]


def hold(ours: Any, theirs: Any, x: np.ndarray) -> None:
    """Hold a value and its gradient to PyTorch's, eager and compiled."""
    mine, other = ss.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, wanted = ours(mine), theirs(other)
    np.testing.assert_allclose(y.detach(), wanted.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(ss.compile(ours)(ss.tensor(x)), y.detach(), atol=1e-12)
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    (y * ss.tensor(weights)).sum().backward()
    (wanted * torch.tensor(weights)).sum().backward()
    assert mine.grad is not None
    np.testing.assert_allclose(mine.grad, other.grad.numpy(), atol=1e-11)
    slope = ss.compile(ss.grad(lambda x: (ours(x) * weights).sum()))(ss.tensor(x))
    np.testing.assert_allclose(slope, mine.grad, atol=1e-12)


def windowed(lib: Any, options: dict[str, Any]) -> dict[str, Any]:
    return options | {k: lib.tensor(v) for k, v in options.items() if k == "window"}


@pytest.mark.parametrize("x", [X[0], X], ids=("1d", "2d"))
@pytest.mark.parametrize("options", [*OPTIONS, *CENTERED], ids=str)
@pytest.mark.filterwarnings("ignore:stft with return_complex=False is deprecated")
@pytest.mark.filterwarnings("ignore:A window was not provided")
def test_stft(options: dict[str, Any], x: np.ndarray) -> None:
    hold(
        lambda x: ss.stft(x, **windowed(ss, options), return_complex=False),
        lambda x: torch.stft(x, **windowed(torch, options), return_complex=False),
        x,
    )


@pytest.mark.parametrize("length", [None, 30])
@pytest.mark.parametrize("shape", [(), (3,)], ids=("1d", "2d"))
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.filterwarnings("ignore:A window was not provided")
def test_istft(options: dict[str, Any], shape: tuple[int, ...], length: int | None) -> None:
    z = np.random.default_rng(1).normal(size=(*shape, options["n_fft"] // 2 + 1, 9, 2))

    def theirs(z: Any) -> Any:
        z = torch.view_as_complex(z)
        return torch.istft(z, **windowed(torch, options), length=length)

    hold(lambda z: ss.istft(z, **windowed(ss, options), length=length), theirs, z)


@pytest.mark.filterwarnings("ignore:A window was not provided")
@pytest.mark.filterwarnings("ignore:The length of signal is shorter than the length parameter")
def test_a_longer_signal_ends_with_zeros() -> None:
    z = np.random.default_rng(1).normal(size=(9, 9, 2))
    hold(
        lambda z: ss.istft(z, 16, length=60),
        lambda z: torch.istft(torch.view_as_complex(z), 16, length=60),
        z,
    )


def test_one_is_the_inverse_of_the_other() -> None:
    x = ss.tensor(X)
    z = x.stft(16, 4, window=ss.tensor(np.hanning(18)[1:-1]), return_complex=False)
    back = z.istft(16, 4, window=ss.tensor(np.hanning(18)[1:-1]), length=41)
    np.testing.assert_allclose(back, X, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ss.stft(X[0], 4), "stft: expected return_complex=False"),
        (lambda: ss.stft(X[0, :10], 20, return_complex=False), "n_fft // 2 = 10"),
        (lambda: ss.istft(np.zeros((5, 3, 2)), 16), r"n_fft // 2 \+ 1 = 9, windows, 2"),
        (lambda: ss.istft(np.zeros((9, 3)), 16), "istft: expected real and imaginary parts"),
        (lambda: ss.istft(np.zeros((9, 3, 2)), 16, return_complex=True), "return_complex=False"),
        (
            lambda: ss.istft(np.zeros((9, 3, 2)), 16, 16, window=np.hanning(16), center=False),
            "istft: expected windows that cover every element",
        ),
        (lambda: ss.istft(np.zeros((9, 3, 2)), 16, window=np.ones(9)), "istft: expected a window"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()
