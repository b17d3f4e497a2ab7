"""Every fused function, from one table: value and derivatives are those of its composition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
import schuss.nn.functional  # has all of them defined
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
ODD = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1.0], [-1.0, 90.0, -90.0]])
ROWS = ((X34, (1,)), (X34, (0,)), (X34[0], (0,)), (X234, (1,)), (MANY, (1,)), (X34.T, (1,)))
ALONG = [(x, {"axes": axes}) for x, axes in ROWS]
REDUCED = [
    (x, {"axes": axes, "keepdims": keepdims})
    for x, axes, keepdims in (
        (X34, (0, 1), False), (X34, (1,), True), (X34, (0,), False), (X34, (1,), False),
        (X234, (0, 2), True), (X234, (2, 0), False), (X234, (0, 1), False), (X234, (1, 2), False),
        (X34[0], (0,), False), (MANY, (1,), False), (X34.T, (0, 1), True),
    )
]  # fmt: skip
CLASSIFIED = [
    (x, classes, {"axis": axis, "averaged": averaged})
    for x, classes, axis in (
        (X34, np.array([3, 0, 3]), 1), (X34[0], np.array(2), 0),
        (X234, np.array([[0, 1, 2, 0], [2, 2, 1, 0]]), 1),
    )
    for averaged in (False, True)
]  # fmt: skip
ELEMENTS = (X34, X234[:, ::-2], X34.T, X34[0, 0], MANY)

# For each function the arguments of calls: arrays of floats take each dtype.
SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "mean": REDUCED,
    "matvec": [(X34, numbers(4)), (X34.T, numbers(3)[::-1]), (MANY, numbers(150))],
    "linear": [
        (X34, numbers(2, 4), numbers(2)),
        (X34.T, X34[::2, 2::-1], numbers(2)),
        (MANY, numbers(5, 150), numbers(5)),
    ],
    "softmax": ALONG,
    "log_softmax": ALONG,
    "logsumexp": REDUCED,
    "euclidean_norm": REDUCED,
    "variance": [(x, {**rest, "correction": n}) for x, rest in REDUCED for n in (0, 1)],
    "standardize": [(x, {"axes": axes, "eps": 1e-3}) for x, axes in (*ROWS, (X234, (1, 2)))],
    "standardize_affine": [
        (x, numbers(*shape), numbers(*shape, seed=1), {"axes": axes, "eps": 1e-3})
        for x, shape, axes in (
            (X34, (4,), (1,)), (X34, (4,), (0,)), (X34[0], (4,), (0,)), (X234, (3, 4), (1, 2)),
            (X234, (3, 1), (0, 2)), (MANY, (150,), (0,)),
        )
    ],
    "class_loss": CLASSIFIED,
    "likelihood_loss": CLASSIFIED,
    "binary_loss": [(x, np.abs(x) / 3) for x in ELEMENTS],
    "huber": [
        (x, x * x, {"delta": d, "scale": s}) for x in ELEMENTS for d, s in ((0.5, 1.0), (2.0, 0.5))
    ],
    "leaky_relu": [(x, {"slope": 0.1}) for x in ELEMENTS],
    "hardtanh": [(x, {"low": -0.5, "high": 0.75}) for x in ELEMENTS],
    "exponential_unit": [
        (x, {"alpha": a, "rate": r}) for x in ELEMENTS for a, r in ((1.0, 1.0), (2.0, 0.5))
    ],
    **{name: [(x,) for x in ELEMENTS]
       for name in ("silu", "mish", "softplus", "logsigmoid", "softsign")},
}  # fmt: skip

# What is not finite, both zeros, and numbers at which exponentials end.
ODD_SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "mean": [(ODD, {"axes": (1,), "keepdims": False})],
    "softmax": [(x, {"axes": (1,)}) for x in (ODD, np.full((2, 3), -np.inf), np.zeros((0, 3)))],
    "log_softmax": [(x, {"axes": (1,)}) for x in (ODD, np.full((2, 3), -np.inf), np.zeros((0, 3)))],
    "logsumexp": [
        (x, {"axes": (1,), "keepdims": False})
        for x in (ODD, np.full((2, 3), -np.inf), np.array([[np.inf, 1.0]]), np.zeros((0, 3)))
    ],
    "euclidean_norm": [
        (x, {"axes": axes, "keepdims": False})
        for x, axes in ((ODD, (1,)), (np.zeros(3), (0,)), (np.zeros(()), ()))
    ],
    "variance": [
        (ODD, {"axes": (1,), "keepdims": False, "correction": 0}),
        (X34[:, :1], {"axes": (1,), "keepdims": False, "correction": 1}),
    ],
    "standardize": [(x, {"axes": (1,), "eps": 1e-3}) for x in (ODD, np.ones((2, 1)))],
    "class_loss": [
        (x, classes, {"axis": 1, "averaged": False})
        for x, classes in ((ODD[1:], np.array([0, 2])), (np.zeros((0, 3)), np.zeros(0, int)))
    ],
    "binary_loss": [(ODD[1:], np.array([[0.0, 1.0, 0.5]])[[0, 0]])],
    "huber": [(ODD, np.zeros((3, 3)), {"delta": 1.0, "scale": 1.0})],
    "leaky_relu": [(x, {"slope": s}) for x in (ODD, np.zeros((0, 2))) for s in (0.1, 0.0)],
    "hardtanh": [(x, {"low": -1.0, "high": 2.0}) for x in (ODD, np.zeros((0, 2)))],
    "exponential_unit": [(x, {"alpha": 2.0, "rate": 1.0}) for x in (ODD, np.zeros((0, 2)))],
    **{
        name: [(x,) for x in (ODD, np.array([19.9, 20.1, 1e4, -1e4]), np.zeros((0, 2)))]
        for name in ("silu", "mish", "softplus", "logsigmoid", "softsign")
    },
}  # fmt: skip

CASES = [
    pytest.param(name, given, dtype, id=f"{name}-{n}-{dtype}")
    for table in (SAMPLES, ODD_SAMPLES)
    for name, calls in table.items()
    for n, given in enumerate(calls)
    for dtype in TOLERANCE
]


def cast(given: tuple[Any, ...], dtype: str) -> tuple[list[Tensor], dict[str, Any]]:
    """The tensors of a call, floats in one dtype, and its static arguments."""
    arrays = [np.asarray(x) for x in given if not isinstance(x, dict)]
    tensors = [leaf(np.asarray(x, dtype if x.dtype.kind == "f" else None)) for x in arrays]
    return tensors, given[-1] if isinstance(given[-1], dict) else {}


def passed(function: Any, given: tuple[Any, ...], dtype: str) -> list[np.ndarray]:
    """The value, and the gradients of the floats."""
    tensors, static = cast(given, dtype)
    marked = [x.requires_grad_() if x.dtype.kind == "f" else x for x in tensors]
    y = function(*marked, **static)
    error = np.random.default_rng(0).normal(size=y.shape).astype(y.dtype)
    y.backward(leaf(np.asarray(error)))
    return [y.array, *[x.grad.array for x in marked if x.requires_grad]]


def test_every_fused_function_has_samples() -> None:
    assert set(SAMPLES) == set(FUSED), "a fused function needs samples in this file"
    assert not set(FUSED) & set(REGISTRY)


@pytest.mark.parametrize(("name", "given", "dtype"), CASES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_value_and_derivative_are_the_compositions(
    name: str, given: tuple[Any, ...], dtype: str
) -> None:
    function = FUSED[name]
    found = passed(function, given, dtype)
    expected = passed(function.composition, given, dtype)
    for place, (mine, wanted) in enumerate(zip(found, expected, strict=True)):
        if place:
            # At an infinity a rule may know the limit where going back through all steps does not.
            mine = np.where(np.isnan(wanted), wanted, mine)
        assert (mine.shape, mine.dtype) == (wanted.shape, wanted.dtype)
        scale = np.nanmax(np.abs(wanted), initial=1.0, where=np.isfinite(wanted))
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("name", "given"), [(name, given) for name, calls in SAMPLES.items() for given in calls]
)
def test_derivatives_of_order_one_and_two(name: str, given: tuple[Any, ...]) -> None:
    tensors, static = cast(given, "float64")
    report = check_gradients(lambda *xs: FUSED[name](*xs, **static), *[x.array for x in tensors])
    assert report.largest_error <= 1e-6


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_one_node(name: str) -> None:
    for given in SAMPLES[name]:
        inputs, static = cast(given, "float64")
        inputs[0].requires_grad_()
        y = FUSED[name](*inputs, **static)
        assert y.primitive is FUSED[name]
        assert y.inputs == tuple(inputs)
        with ss.no_grad():
            assert FUSED[name](*inputs, **static).node is None


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

    memory = contents


@pytest.mark.parametrize("name", SAMPLES)
def test_a_trace_sees_the_composition_alone(name: str) -> None:
    listener = Listener()
    token = TRACER.set(listener)
    inputs, static = cast(SAMPLES[name][0], "float64")
    try:
        FUSED[name](*inputs, **static)
    finally:
        TRACER.reset(token)
    assert listener.seen
    assert all(isinstance(primitive, Primitive) for primitive in listener.seen)


@pytest.mark.parametrize("name", SAMPLES)
def test_compiled_equals_eager(name: str) -> None:
    for dtype, tolerance in (("float32", 4e-6), ("float64", 1e-13)):
        for given in (*SAMPLES[name], *ODD_SAMPLES.get(name, ())):
            inputs, static = cast(given, dtype)
            with np.errstate(all="ignore"):
                expected = FUSED[name](*inputs, **static)
            got = ss.compile(lambda *xs, static=static: FUSED[name](*xs, **static))(*inputs)
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
    assert FUSED["leaky_relu"](ss.tensor([-10, 2]), slope=0.5).tolist() == [-5.0, 2.0]


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="fused silu: expected a new name"):
        example(name="silu")
    assert "example" not in FUSED


def test_a_norm_of_nothing_stops_an_infinite_error() -> None:
    x = ss.zeros(3).requires_grad_()
    ss.norm(x).backward(ss.tensor(np.float32("inf")))
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
