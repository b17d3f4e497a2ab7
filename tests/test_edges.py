"""Values and derivatives at nan, infinities and poles, eager and compiled: PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.nn import functional as F

FLOATS = ("float32", "float64")
INF, NAN = math.inf, math.nan
EDGES = (NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 0.5, -0.5, 6.0, 20.0, 30.0, 89.0, 1e30)
NAMES = [
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp",
    "expm1", "floor", "log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sigmoid", "sin",
    "sinh", "sqrt", "square", "tan", "tanh", "trunc",
]  # fmt: skip
ACTIVATIONS = [
    "relu6", "hardtanh", "hardsigmoid", "hardswish", "softsign", "softplus", "logsigmoid", "silu",
    "mish", "leaky_relu", "elu", "selu",
]  # fmt: skip
# Where PyTorch has other derivatives: no number at nan, and beyond where a value is one.
OTHER = {"acosh": (-1.0, -3.0, -0.5, 0.0, -0.0, 0.5, -INF), **dict.fromkeys(ACTIVATIONS, (NAN,))}


def both(f: Any) -> list[Any]:
    return [f, ss.compile(f)]


def slope(f: Any) -> Any:
    return ss.grad(lambda *xs: f(*xs).sum())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*NAMES, *ACTIVATIONS])
def test_functions_of_one_tensor(name: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    mine = getattr(F if name in ACTIVATIONS else ss, name)
    theirs = getattr(torch.nn.functional if name in ACTIVATIONS else torch, name)
    x = np.array(EDGES, dtype)
    t = torch.tensor(x, requires_grad=True)
    y = theirs(t)
    tolerance = {"rtol": 1e-5 if dtype == "float32" else 1e-7, "atol": 2e-30}
    for f in both(mine):
        np.testing.assert_allclose(f(ss.tensor(x)).numpy(), y.detach().numpy(), **tolerance)
    if not y.requires_grad or name in ("ceil", "floor", "trunc"):
        return
    (wanted,) = torch.autograd.grad(y.sum(), t)
    same = ~np.isin(x, OTHER.get(name, ())) & ~(np.isnan(x) & (name in OTHER))
    recorded = ss.tensor(x, requires_grad=True)
    mine(recorded).sum().backward()
    found = [recorded.grad, *[g(ss.tensor(x)) for g in both(slope(mine))]]
    for gradient in found:
        np.testing.assert_allclose(gradient.numpy()[same], wanted.numpy()[same], **tolerance)


POINTS: dict[str, list[tuple[float, float]]] = {
    "atan2": [(0.0, 0.0), (0.0, -1.0), (1.0, 0.0), (INF, 1.0)],
    "pow": [(0.0, -1.0), (0.0, 0.0), (0.0, 2.0), (-2.0, 3.0), (INF, 0.0)],
    "remainder": [(1.0, 0.1), (0.6, 0.2), (-1.0, 0.3), (7.5, -2.0), (-1.0, INF)],
}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_of_two_tensors(name: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    for pair in POINTS[name]:
        x, y = (np.array(v, dtype) for v in pair)
        a, b = (torch.tensor(v, requires_grad=True) for v in (x, y))
        wanted = torch.autograd.grad(getattr(torch, name)(a, b), (a, b))
        for by in (0, 1):
            for g in both(ss.grad(getattr(ss, name), by)):
                found = g(ss.tensor(x), ss.tensor(y)).numpy()
                np.testing.assert_allclose(found, wanted[by].numpy(), 1e-5, err_msg=str(pair))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("name", "base"), [("log2", 2.0), ("log10", 10.0)])
def test_logarithms_are_exact_at_powers(name: str, base: float, dtype: str) -> None:
    powers = np.arange(0 if base == 10.0 else -30, 23 if dtype == "float64" else 11)
    for f in both(getattr(ss, name)):
        assert f(ss.tensor((base**powers).astype(dtype))).tolist() == powers.tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [2, 3, 4, 5.0, 6, 7, 8.0, 9, -1, 0.5, 0])
def test_powers_by_numbers(exponent: float, dtype: str) -> None:
    x = np.array([0.3, 1.7, 2.0, 11.0], dtype)
    for f in both(lambda x: x**exponent):
        np.testing.assert_allclose(f(ss.tensor(x)).numpy(), x**exponent, rtol=1e-6)


@pytest.mark.parametrize("loss", [F.huber_loss, F.smooth_l1_loss])
def test_losses_of_infinite_errors(loss: Any) -> None:
    x = ss.tensor([INF, -INF, 2.0, 0.5])
    recorded = ss.tensor(x.numpy(), requires_grad=True)
    loss(recorded, ss.zeros(4), reduction="sum").backward()
    for gradient in (recorded.grad, *[g(x) for g in both(slope(lambda x: loss(x, x * 0.0 * 0.0)))]):
        assert gradient is not None
    compiled = ss.compile(slope(lambda x: loss(x, ss.zeros(4), reduction="sum")))
    assert recorded.grad is not None
    assert recorded.grad.tolist() == compiled(x).tolist() == [1.0, -1.0, 1.0, 0.5]


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("weight", [None, [0.0, 1.0, 1.0]])
@pytest.mark.parametrize("power", [1, 3])
def test_a_batch_that_is_ignored_changes_nothing(loss: Any, weight: Any, power: int) -> None:
    weight = weight and ss.tensor(weight)
    target = ss.tensor([0, 0] if weight is not None else [-100, -100])
    x = ss.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for f in both(ss.value_and_grad(lambda x: loss(x, target, weight) ** power)):
        value, gradient = f(x)
        assert math.isnan(value.item())
        assert np.all(gradient.numpy() == 0.0)


def test_binary_cross_entropy_at_certainties() -> None:
    p, y = ss.tensor([0.0, 0.25, 1.0, 1.0, 0.0]), ss.tensor([0.0, 0.0, 1.0, 0.0, 1.0])
    eager, compiled = (f(p).tolist() for f in both(ss.grad(lambda p: F.binary_cross_entropy(p, y))))
    assert eager == compiled
    assert np.all(np.isfinite(eager))


@pytest.mark.parametrize("p", [2.0, -1.0, NAN])
def test_binary_cross_entropy_of_what_is_no_probability(p: float) -> None:
    x = ss.tensor([0.5, p])
    for y in ([0.0, 0.0], [0.0, 1.0]):
        for f in both(F.binary_cross_entropy):
            with pytest.raises(ValueError, match="from 0 to 1"):
                f(x, ss.tensor(y))


def test_hard_functions_are_zero_far_below() -> None:
    x = ss.tensor([-3.0, -100.0, -1e6, -1e30])
    for f in both(F.hardsigmoid):
        assert f(x).tolist() == [0.0] * 4
    for f in both(F.hardswish):
        assert f(x).tolist() == [0.0] * 4


# Elements, index arrays, and refusals.


@pytest.mark.parametrize(
    "pick",
    [
        lambda x: x[1, 2], lambda x: x[0][-1] * 2, lambda x: sum(v for v in x[0]),
        lambda x: ss.softmax(x[1], 0)[2], lambda x: x[[0, 1], :, None, None][:, 0, 0],
        lambda x: x.reshape(1, 2, 1, 3)[0, :, :, [0, 2]],
        lambda x: x[None][:, [0, 1], None, [2, 1]],
        lambda x: x.reshape(1, 2, 1, 3)[[0, 0], :, :, [0, 2]],
    ],
)  # fmt: skip
def test_what_an_index_picks(pick: Any) -> None:
    x = ss.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
    eager, compiled = (f(x) for f in both(pick))
    np.testing.assert_allclose(compiled.numpy(), eager.numpy(), 1e-6, 1e-7)
    eager, compiled = (f(x) for f in both(slope(lambda x: pick(x) * pick(x))))
    np.testing.assert_allclose(compiled.numpy(), eager.numpy(), 1e-6, 1e-7)


@pytest.mark.parametrize("place", [-1, -3, 3])
def test_a_class_out_of_range_is_refused(place: int) -> None:
    x, y = ss.ones((2, 3)), ss.tensor([0, place])
    for f in (F.cross_entropy, F.nll_loss, lambda x, y: F.embedding(y, x.T)):
        for run in both(f):
            with pytest.raises(IndexError):
                run(x, y)


@pytest.mark.parametrize("axis", [0.5, False, True, np.float32(1.0), "0"])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "argmax", "std", "softmax", "flip", "sort"])
def test_an_axis_is_an_integer(name: str, axis: Any) -> None:
    for spelled in ({"dim": axis}, {"axis": axis}):
        if name == "flip" and "dim" in spelled:
            spelled = {"dims": (axis,)}
        if name == "std" and isinstance(axis, bool) and "dim" in spelled:
            continue  # it says there whether the estimate is unbiased
        with pytest.raises(TypeError, match="expected an integer as axis"):
            getattr(ss, name)(ss.ones((2, 2)), **spelled)


@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: ss.sum([a, b]), lambda a, b: ss.ones(2) + [a[0], b[1]],
        lambda a, b: ss.where([True, False], [a[0], b[1]], 0.0), lambda a, b: ss.asarray([a, b]),
        lambda a, b: ss.max([[a[0], 1.0], [b[0], b[1]]]), lambda a, b: ss.norm((a, b)),
    ],
)  # fmt: skip
def test_lists_of_tensors_keep_the_gradient(call: Any) -> None:
    a, b = ss.tensor([1.0, 2.0]), ss.tensor([3.0, 4.0])
    gradients = [f(a, b) for f in both(ss.grad(lambda a, b: call(a, b).sum(), argnums=(0, 1)))]
    for eager, compiled in zip(*gradients, strict=True):
        np.testing.assert_array_equal(eager.numpy(), compiled.numpy())
    assert any(np.any(g.numpy() != 0.0) for g in gradients[0])


def test_lists_of_tensors_have_one_shape() -> None:
    with pytest.raises(ValueError, match=r"regular shape.*\(2,\), \(3,\)"):
        ss.sum([ss.ones(2), ss.ones(3)])


def test_numpy_functions_do_not_lose_a_gradient() -> None:
    with pytest.raises(ValueError, match=r"^np.exp: .*differentiation"):
        np.exp(ss.tensor([1.0], requires_grad=True))
    assert type(np.exp(ss.tensor([0.0]))) is np.ndarray


def test_the_gradient_given_is_not_shared() -> None:
    p, g = ss.tensor([1.0, 2.0], requires_grad=True), np.ones(2, np.float32)
    for given in (g, ss.from_numpy(g)):
        p.grad = None
        (p + 0.0).backward(given)
        g += 1.0
        assert p.grad is not None
        assert p.grad.tolist() == (g - 1.0).tolist()


@pytest.mark.parametrize(
    ("formula", "shapes"),
    [
        ("...ij,...j", [(2, 1, 3, 3), (2, 4, 3)]), ("ij,j->i", [(2, 1), (3,)]),
        ("bij,bjk->bik", [(1, 2, 3), (4, 3, 2)]), ("ij,ij,j->i", [(2, 3), (1, 3), (1,)]),
    ],
)  # fmt: skip
def test_einsum_broadcasts(formula: str, shapes: list[tuple[int, ...]]) -> None:
    parts = [np.random.default_rng(n).normal(size=s) for n, s in enumerate(shapes)]
    for f in both(lambda *xs: ss.einsum(formula, *xs)):
        found = f(*[ss.tensor(x) for x in parts]).numpy()
        np.testing.assert_allclose(found, np.einsum(formula, *parts), rtol=1e-12)


@pytest.mark.parametrize("number", [np.float32, np.float64, ss.tensor])
def test_hyperparameters_are_numbers_of_any_kind(number: Any) -> None:
    p = ss.tensor([1.0], requires_grad=True)
    for rule in (optim.SGD([p], lr=number(0.5)), optim.Adam([p], betas=(number(0.5), number(0.5)))):
        group = rule.param_groups[0]
        assert type(group["lr"]) is float
        assert all(type(b) is float for b in group.get("betas", ()))


def test_gradients_are_set_to_zero_in_a_compiled_step() -> None:
    model = nn.Linear(2, 1)
    rule = optim.Adam(model.parameters())

    def step(x: Any) -> Any:
        loss = (model(x) ** 2).mean()
        loss.backward()
        rule.step()
        rule.zero_grad(set_to_none=False)
        return loss

    x = ss.ones((3, 2))
    step(x)
    run = ss.compile(step)
    losses = [run(x).item() for _ in range(3)]
    assert losses == sorted(losses, reverse=True)
    assert all(np.all(p.grad.numpy() == 0.0) for p in model.parameters() if p.grad is not None)
