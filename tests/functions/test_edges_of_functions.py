"""Values and gradients at kinks, at infinities, and of huge and tiny numbers, beside PyTorch's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import schuss as ss

INF, NAN = float("inf"), float("nan")
POINTS = [
    NAN,
    -INF,
    INF,
    -6.0,
    -3.0,
    -2.0,
    -1.0,
    -0.5,
    -0.0,
    0.0,
    0.5,
    1.0,
    2.0,
    3.0,
    6.0,
    20.0,
    21.0,
]
POINTS += [1e30, -1e30, 1e-30]
VECTORS = {
    "zeros": [0.0, 0.0, 0.0],
    "ties": [1.0, 2.0, 2.0],
    "equal": [3.0, 3.0, 3.0],
    "one -inf": [-INF, 0.0, 1.0],
    "one zero": [0.0, 2.0, 3.0],
    "huge": [1e30, -1e30, 2e30],
    "tiny": [1e-30, -1e-30, 2e-30],
}
ACTIVATIONS = [
    "relu",
    "relu6",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "softplus",
    "softsign",
    "silu",
    "mish",
    "logsigmoid",
]
ELEMENTWISE: dict[str, Any] = {
    name: lambda lib, x, name=name: getattr(lib.nn.functional, name)(x) for name in ACTIVATIONS
}
ELEMENTWISE |= {
    name: lambda lib, x, name=name: getattr(lib, name)(x)
    for name in [
        "abs",
        "sqrt",
        "exp",
        "log",
        "log2",
        "log10",
        "log1p",
        "expm1",
        "tanh",
        "sigmoid",
        "erf",
        "atan",
        "asinh",
        "acosh",
        "sign",
    ]
}
ELEMENTWISE |= {
    f"** {k}": lambda lib, x, k=k: x**k for k in (0, 1, 2, 3, -1, -2, 1.5, 0.5, -0.5)
}  # fmt: skip
ELEMENTWISE |= {
    "clamp": lambda lib, x: x.clamp(-1.0, 2.0),
    "maximum": lambda lib, x: lib.maximum(x, lib.zeros_like(x)),
    "minimum": lambda lib, x: lib.minimum(x, lib.ones_like(x)),
    "maximum of nan": lambda lib, x: lib.maximum(lib.zeros_like(x) + NAN, x),
    "minimum of nan": lambda lib, x: lib.minimum(x, lib.zeros_like(x) + NAN),
    "clamp by tensors": lambda lib, x: x.clamp(lib.zeros_like(x) - 1, lib.zeros_like(x) + 2),
    "clamp crossing": lambda lib, x: x.clamp(lib.zeros_like(x) + 2, lib.zeros_like(x) - 1),
    "clamp to a lower": lambda lib, x: (lib.zeros_like(x) + 0.75).clamp(min=x),
    "clamp to an upper": lambda lib, x: (lib.zeros_like(x) + 0.75).clamp(max=x),
    "clamp by nan": lambda lib, x: x.clamp(min=lib.zeros_like(x) + NAN),
    "prelu": lambda lib, x: lib.nn.functional.prelu(x, lib.tensor([0.25], dtype=x.dtype)),
    "l1 of zeros": lambda lib, x: lib.nn.functional.l1_loss(x, lib.zeros_like(x), reduction="none"),
    "l1 of itself": lambda lib, x: lib.nn.functional.l1_loss(x, x.detach(), reduction="none"),
    "hypot of zero": lambda lib, x: lib.hypot(x, lib.zeros_like(x)),
    "hypot of itself": lambda lib, x: lib.hypot(x, x),
    "hypot of one": lambda lib, x: lib.hypot(lib.ones_like(x), x),
    "fmod of two": lambda lib, x: lib.fmod(x, 2.0),
    "fmod of zero": lambda lib, x: lib.fmod(x, lib.zeros_like(x)),
    "remainder of two": lambda lib, x: lib.remainder(x, 2.0),
    "xlogy": lambda lib, x: lib.xlogy(x, lib.zeros_like(x) + 2),
    "xlogy of zero": lambda lib, x: lib.xlogy(x, lib.zeros_like(x)),
    "smooth_l1": lambda lib, x: lib.nn.functional.smooth_l1_loss(x, x * 0, reduction="none"),
    "huber": lambda lib, x: lib.nn.functional.huber_loss(x, lib.zeros_like(x), reduction="none"),
}
ELEMENTWISE |= {
    f"{name} of {a}": lambda lib, x, name=name, a=a: getattr(lib.nn.functional, name)(x, a)
    for name in ("leaky_relu", "elu", "celu")
    for a in (0.0, -1.0, INF, -INF, NAN)
    if (name, a) != ("celu", 0.0)
}
OF_VECTORS: dict[str, Any] = {
    name: lambda lib, x, name=name: getattr(x, name)()
    for name in ["sum", "mean", "amax", "amin", "std", "norm"]
}
OF_VECTORS |= {
    "std of all": lambda lib, x: x.std(correction=0),
    "logsumexp": lambda lib, x: lib.logsumexp(x, 0),
    "softmax": lambda lib, x: lib.softmax(x, 0),
    "cross_entropy": lambda lib, x: lib.nn.functional.cross_entropy(
        x.reshape(1, 3), lib.tensor([2])
    ),
}
PROBABILITIES = [0.0, 1e-30, 1e-12, 1e-7, 0.5, 1.0 - 1e-7, 1.0]


def both(torch: Any, f: Any, x: Any, dtype: str, compiled: bool) -> list[tuple[Any, Any]]:
    """Return ours and PyTorch's value and gradient."""
    array = np.array(x, dtype)
    theirs = torch.tensor(array, requires_grad=True)
    y = f(torch, theirs)
    error = np.linspace(1.0, 2.0, y.numel()).reshape(tuple(y.shape)).astype(dtype)
    y.backward(torch.tensor(error))

    def run(x: Any) -> Any:
        value, pull = ss.vjp(lambda x: f(ss, x), x)
        return value, pull(ss.tensor(error))[0]

    value, gradient = (ss.compile(run) if compiled else run)(ss.tensor(array))
    assert theirs.grad is not None
    return [(value.numpy(), y.detach().numpy()), (gradient.numpy(), theirs.grad.numpy())]


def hold(pairs: list[tuple[Any, Any]], dtype: str) -> None:
    for mine, theirs in pairs:
        tolerance = 2e-5 if dtype == "float32" else 1e-7
        least = tolerance * min(1.0, float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)))
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=least)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_elementwise(name: str, dtype: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    # The loss of an infinity and zero times it is no number, and means nothing.
    points = [x for x in POINTS if abs(x) < INF] if "smooth" in name else POINTS
    # PyTorch's float32 and float64 differ where x is not a number.
    points = points[1:] if name.split()[0] in ("elu", "selu", "celu", "hardswish") else points
    hold(both(torch, ELEMENTWISE[name], points, dtype, compiled), dtype)


@pytest.mark.parametrize("name", ["silu", "mish", "gelu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_errors_times_huge_numbers_go_through(name: str, dtype: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    largest = float(np.finfo(dtype).max)
    points = [-largest, -1e30, -80.0, -1.0, 0.0, 1.0, 100.0, 1e30, largest / 8, largest / 2]

    for factor in (4.0, largest / 8):

        def scaled(lib: Any, x: Any, factor: float = factor) -> Any:
            return getattr(lib.nn.functional, name)(x) * factor

        _, gradients = both(torch, scaled, points, dtype, compiled)
        hold([gradients], dtype)


@pytest.mark.parametrize("name", OF_VECTORS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_of_vectors(name: str, dtype: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    for x in VECTORS.values():
        hold(both(torch, OF_VECTORS[name], x, dtype, compiled), dtype)


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_binary_cross_entropy_of_probabilities(target: float, dtype: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")

    def loss(lib: Any, p: Any) -> Any:
        targets = lib.zeros_like(p) + target
        return lib.nn.functional.binary_cross_entropy(p, targets, reduction="none")

    hold(both(torch, loss, PROBABILITIES, dtype, compiled), dtype)


@pytest.mark.parametrize("module", ["functions", "nn", "nn.functional", "random", "optim"])
def test_tensors_have_operators_whatever_is_imported_first(module: str) -> None:
    code = (
        f"import schuss.{module}\nfrom schuss.core import tensor\n"
        "x = tensor([1.0, 2.0])\nassert (x + x).sum().item() == 6.0"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
