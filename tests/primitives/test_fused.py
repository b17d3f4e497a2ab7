"""Every fused function, from one table: value and derivatives are those of its composition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
import schuss.nn.functional  # noqa: F401  # has all of them defined
from schuss.core import RECORDING, TRACER, Tensor, leaf
from schuss.gradcheck import check_gradients
from schuss.primitives.base import REGISTRY, Primitive
from schuss.primitives.fused import FUSED, Fused, fused

TOLERANCE = {"float32": 3e-6, "float64": 1e-14}


def numbers(*shape: int, low: float = -3, high: float = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape)


X34 = numbers(3, 4, seed=2)
X234 = numbers(2, 3, 4, seed=3)
MANY = numbers(9, 150, seed=4)
CLASSES = np.array([3, 0, 3])
DEEP_CLASSES = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
ODD = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1.0], [-1.0, 90.0, -90.0]])
ROWS = ((X34, (1,)), (X34, (0,)), (X34[0], (0,)), (X234, (1,)), (MANY, (1,)), (X34.T, (1,)))
REDUCED = (
    (X34, (0, 1), False), (X34, (1,), True), (X34, (0,), False), (X34, (1,), False),
    (X234, (0, 2), True), (X34[0], (0,), False), (MANY, (1,), False), (X34.T, (0, 1), True),
)  # fmt: skip
ELEMENTS = (X34, X234[:, ::-2], X34.T, X34[0, 0], MANY)

# For each function the arguments of calls: arrays of floats take each dtype.
SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "mean": list(REDUCED),
    "matvec": [(X34, numbers(4)), (X34.T, numbers(3)[::-1]), (MANY, numbers(150))],
    "linear": [
        (X34, numbers(2, 4), numbers(2)),
        (X34.T, X34[::2, 2::-1], numbers(2)),
        (MANY, numbers(5, 150), numbers(5)),
    ],
    "softmax": list(ROWS),
    "log_softmax": list(ROWS),
    "logsumexp": list(REDUCED),
    "euclidean_norm": list(REDUCED),
    "variance": [
        (X34, (0, 1), False, 0), (X34, (1,), True, 1), (X34, (0,), False, 1),
        (X234, (0, 2), True, 0), (X34[0], (0,), False, 1), (MANY, (1,), False, 1),
    ],
    "standardize": [(x, axes, 1e-3) for x, axes in (*ROWS, (X234, (1, 2)))],
    "standardize_affine": [
        (X34, numbers(4), numbers(4, seed=1), (1,), 1e-3),
        (X34, numbers(4), numbers(4, seed=1), (0,), 1e-3),
        (X34[0], numbers(4), numbers(4, seed=1), (0,), 1e-3),
        (X234, numbers(3, 4), numbers(3, 4, seed=1), (1, 2), 1e-3),
        (X234, numbers(3, 1), numbers(3, 1, seed=1), (0, 2), 1e-3),
        (MANY, numbers(150), numbers(150, seed=1), (0,), 1e-3),
    ],
    "class_loss": [(X34, CLASSES, 1), (X34[0], np.array(2), 0), (X234, DEEP_CLASSES, 1)],
    "likelihood_loss": [(X34, CLASSES, 1), (X34[0], np.array(2), 0), (X234, DEEP_CLASSES, 1)],
    "binary_loss": [(x, np.abs(x) / 3) for x in ELEMENTS],
    "huber": [(x, x * x, *rest) for x in ELEMENTS for rest in ((0.5, 1.0), (2.0, 0.5))],
    "leaky_relu": [(x, 0.1) for x in ELEMENTS],
    "exponential_unit": [(x, *rest) for x in ELEMENTS for rest in ((1.0, 1.0), (2.0, 0.5))],
    **{name: [(x,) for x in ELEMENTS]
       for name in ("silu", "mish", "softplus", "logsigmoid", "softsign")},
}  # fmt: skip

# What is not finite, both zeros, and numbers at which exponentials end.
ODD_SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "mean": [(ODD, (1,), False)],
    "softmax": [(x, (1,)) for x in (ODD, np.full((2, 3), -np.inf), np.zeros((0, 3)))],
    "log_softmax": [(x, (1,)) for x in (ODD, np.full((2, 3), -np.inf), np.zeros((0, 3)))],
    "logsumexp": [
        (x, (1,), False)
        for x in (ODD, np.full((2, 3), -np.inf), np.array([[np.inf, 1.0]]), np.zeros((0, 3)))
    ],
    "euclidean_norm": [(ODD, (1,), False), (np.zeros(3), (0,), False), (np.zeros(()), (), True)],
    "variance": [(ODD, (1,), False, 0), (X34[:, :1], (1,), False, 1)],
    "standardize": [(ODD, (1,), 1e-3), (np.ones((2, 1)), (1,), 1e-3)],
    "class_loss": [(ODD[1:], np.array([0, 2]), 1), (np.zeros((0, 3)), np.zeros(0, int), 1)],
    "binary_loss": [(ODD[1:], np.array([[0.0, 1.0, 0.5]])[[0, 0]])],
    "huber": [(ODD, np.zeros((3, 3)), 1.0, 1.0)],
    "leaky_relu": [(ODD, 0.1), (ODD, 0.0), (np.zeros((0, 2)), 0.1)],
    "exponential_unit": [(ODD, 1.0, 1.0), (np.zeros((0, 2)), 2.0, 1.0)],
    **{
        name: [(x,) for x in (ODD, np.array([19.9, 20.1, 1e4, -1e4]), np.zeros((0, 2)))]
        for name in ("silu", "mish", "softplus", "logsigmoid", "softsign")
    },
}

CASES = [
    pytest.param(name, given, dtype, id=f"{name}-{n}-{dtype}")
    for table in (SAMPLES, ODD_SAMPLES)
    for name, calls in table.items()
    for n, given in enumerate(calls)
    for dtype in TOLERANCE
]


def cast(given: tuple[Any, ...], dtype: str) -> list[Any]:
    """The arguments with arrays and NumPy's numbers as tensors, floats in one dtype."""
    return [
        leaf(np.asarray(x, dtype if x.dtype.kind == "f" else None)) if hasattr(x, "dtype") else x
        for x in given
    ]


def passed(function: Any, given: list[Any]) -> list[np.ndarray]:
    """The value, and the gradients of the floats."""
    marked = [
        leaf(x.array).requires_grad_() if isinstance(x, Tensor) and x.dtype.kind == "f" else x
        for x in given
    ]
    y = function(*marked)
    error = np.random.default_rng(0).normal(size=y.shape).astype(y.dtype)
    y.backward(leaf(np.asarray(error)))
    return [y.array, *[x.grad.array for x in marked if isinstance(x, Tensor) and x.requires_grad]]


def test_every_fused_function_has_samples() -> None:
    assert set(SAMPLES) == set(FUSED), "a fused function needs samples in this file"
    assert not set(FUSED) & set(REGISTRY)


@pytest.mark.parametrize(("name", "given", "dtype"), CASES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_value_and_derivative_are_the_compositions(
    name: str, given: tuple[Any, ...], dtype: str
) -> None:
    function = FUSED[name]
    found = passed(function, cast(given, dtype))
    expected = passed(function.composition, cast(given, dtype))
    for place, (mine, wanted) in enumerate(zip(found, expected, strict=True)):
        if place:
            # At an infinity a rule may know the limit where going back through all steps does not.
            mine = np.where(np.isnan(wanted), wanted, mine)
        assert (mine.shape, mine.dtype) == (wanted.shape, wanted.dtype)
        scale = np.nanmax(np.abs(wanted), initial=1.0, where=np.isfinite(wanted))
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("name", "given"),
    [pytest.param(name, g, id=f"{name}-{n}") for name in SAMPLES for n, g in enumerate(SAMPLES[name])],
)  # fmt: skip
def test_derivatives_of_order_one_and_two(name: str, given: tuple[Any, ...]) -> None:
    tensors = [x for x in given if hasattr(x, "dtype")]
    statics = given[len(tensors) :]
    floats = [np.array(x) if x.dtype.kind == "f" else x for x in map(np.asarray, tensors)]
    report = check_gradients(lambda *xs: FUSED[name](*xs, *statics), *floats)
    assert report.largest_error <= 1e-6


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_one_node(name: str) -> None:
    for given in SAMPLES[name]:
        inputs = cast(given, "float64")
        inputs[0].requires_grad_()
        y = FUSED[name](*inputs)
        assert y.primitive is FUSED[name]
        assert y.inputs == tuple(inputs)
        with ss.no_grad():
            assert FUSED[name](*inputs).node is None


class Listener:
    """Runs in the place of a tracer, and notes what is applied."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def apply(self, primitive: Any, inputs: Any, attributes: dict[str, Any]) -> Tensor:
        self.seen.append(primitive)
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        return leaf(np.asarray(primitive.value(*arrays, **attributes)))

    def contents(self, x: Tensor) -> Any:
        return x.array


@pytest.mark.parametrize("name", SAMPLES)
def test_a_trace_sees_the_composition_alone(name: str) -> None:
    listener = Listener()
    token = TRACER.set(listener)
    try:
        FUSED[name](*cast(SAMPLES[name][0], "float64"))
    finally:
        TRACER.reset(token)
    assert listener.seen
    assert all(isinstance(primitive, Primitive) for primitive in listener.seen)


@pytest.mark.parametrize("name", SAMPLES)
def test_compiled_equals_eager(name: str) -> None:
    for dtype, tolerance in (("float32", 4e-6), ("float64", 1e-13)):
        for given in (*SAMPLES[name], *ODD_SAMPLES.get(name, ())):
            inputs = cast(given, dtype)
            tensors = [x for x in inputs if isinstance(x, Tensor)]
            statics = inputs[len(tensors) :]
            with np.errstate(all="ignore"):
                expected = FUSED[name](*inputs)
            compiled = ss.compile(lambda *xs, rest=statics: FUSED[name](*xs, *rest))
            got = compiled(*tensors)
            np.testing.assert_allclose(got.array, expected.array, rtol=tolerance, atol=tolerance)


def example(derivative: Any = None, name: str = "example") -> Fused:
    def composition(x: Any, y: Any) -> Tensor:
        return x * ss.tanh(y) + x

    composition.__name__ = name
    made = fused(value=lambda x, y: x * np.tanh(y) + x, derivative=derivative)(composition)
    del FUSED[name]
    return made


def test_without_a_derivative_errors_go_through_the_composition() -> None:
    function = example()
    x = ss.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    function(x, x).backward(ss.ones(2, dtype="float64"))
    t = np.tanh(x.numpy())
    np.testing.assert_allclose(x.grad.numpy(), t + x.numpy() * (1 - t * t) + 1, rtol=1e-12)


def test_recorded_errors_go_through_the_composition() -> None:
    calls = []

    def noted(g: Any, *_: Any) -> Any:
        assert not RECORDING.get()
        calls.append(1)
        return g

    # Wrong on purpose, so that it shows where it is used.
    function = example((noted, noted))
    x, y = ss.tensor([2.0], requires_grad=True), ss.tensor([3.0], requires_grad=True)
    assert ss.grad(lambda x: function(x, y).sum())(x).item() == pytest.approx(np.tanh(3.0) + 1)
    assert not calls
    function(x, y).backward(ss.tensor([5.0]))
    assert (x.grad.item(), y.grad.item(), len(calls)) == (5.0, 5.0, 2)


def test_rules_are_asked_only_for_what_is_wanted() -> None:
    function = example((None, None))
    x, y = ss.tensor([2.0], requires_grad=True), ss.tensor([3.0])
    function(x, y).backward(ss.tensor([5.0]))
    assert x.grad is None


def test_integers_go_through_the_composition() -> None:
    assert ss.nn.functional.silu(ss.tensor([0, 1])).dtype == ss.float32
    assert FUSED["leaky_relu"](ss.tensor([-10, 2]), 0.5).tolist() == [-5.0, 2.0]


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="fused silu: expected a new name"):
        example(name="silu")
    assert "example" not in FUSED


def test_a_norm_of_nothing_stops_an_infinite_error() -> None:
    x = ss.zeros(3).requires_grad_()
    ss.norm(x).backward(ss.tensor(np.float32("inf")))
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
