"""`autocast`: PyTorch's numbers for products, convolutions, gradients, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    # Roundings that differ by one bit go as far as the weights let them.
    ss.manual_seed(0)


def linear(lib: Any) -> Any:
    return lib.nn.Sequential(lib.nn.Linear(24, 40), lib.nn.GELU(), lib.nn.Linear(40, 6))


def convolutional(lib: Any) -> Any:
    return lib.nn.Sequential(
        lib.nn.Unflatten(1, (1, 4, 6)), lib.nn.Conv2d(1, 8, 3, padding=1), lib.nn.BatchNorm2d(8),
        lib.nn.ReLU(), lib.nn.Conv2d(8, 8, 1), lib.nn.ConvTranspose2d(8, 2, 2, stride=2),
        lib.nn.Flatten(), lib.nn.Linear(192, 6),
    )  # fmt: skip


def attentive(lib: Any) -> Any:
    layer = lib.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return lib.nn.Sequential(
        lib.nn.Unflatten(1, (3, 8)), layer, lib.nn.Flatten(), lib.nn.Linear(24, 6)
    )


NETWORKS = [linear, convolutional, attentive]


def loss_of(lib: Any, model: Any, x: Any, y: Any, *, inside: bool) -> Any:
    """Return the loss in autocast, gone back through inside or outside of it."""
    for p in model.parameters():
        p.grad = None
    with lib.autocast("cpu", dtype=lib.bfloat16):
        loss = lib.nn.functional.cross_entropy(model(x), y)
        if inside:
            loss.backward()
    if not inside:
        loss.backward()
    return loss


def gradients(model: Any) -> list[np.ndarray]:
    return [p.grad.numpy().copy() for p in model.parameters()]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(16, 24)).astype("f"), rng.integers(0, 6, 16)


def near(got: list[np.ndarray], right: list[np.ndarray], tolerance: float) -> None:
    for a, b in zip(got, right, strict=True):
        # Of parameters that change nothing, gradients are rounding alone.
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-3)


@pytest.mark.parametrize("network", NETWORKS)
def test_losses_and_gradients_are_those_of_torch(network: Callable[[Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = network(ss), network(torch)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    x, y = data()
    mine = loss_of(ss, ours, ss.tensor(x), ss.tensor(y), inside=False)
    other = loss_of(torch, theirs, torch.tensor(x), torch.tensor(y), inside=False)
    assert float(mine) == pytest.approx(float(other.detach()), rel=2e-2)
    near(gradients(ours), gradients(theirs), 0.06)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("inside", [True, False])
def test_compiled_is_eager_and_rounded(network: Callable[[Any], Any], inside: bool) -> None:
    model = network(ss)
    x, y = map(ss.tensor, data())
    eager = float(loss_of(ss, model, x, y, inside=inside))
    right = gradients(model)
    step = ss.compile(lambda x, y: loss_of(ss, model, x, y, inside=inside))
    assert float(step(x, y)) == pytest.approx(eager, rel=5e-3)
    near(gradients(model), right, 0.03)
    exact = float(ss.nn.functional.cross_entropy(model(x), y))
    assert exact != eager
    assert exact == pytest.approx(eager, rel=3e-2)


def test_going_back_inside_or_outside_is_the_same() -> None:
    for network in NETWORKS:
        model = network(ss)
        x, y = map(ss.tensor, data())
        model.eval()
        found = []
        for inside in (True, False):
            loss_of(ss, model, x, y, inside=inside)
            found.append(gradients(model))
        for a, b in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)


def test_results_hold_what_bfloat16_holds() -> None:
    x, y = (ss.tensor(RNG.normal(size=(5, 5)).astype("f")) for _ in range(2))
    with ss.autocast("bfloat16"):
        made = [x @ y, x.matmul(y), ss.einsum("ij,jk->ik", x, y), nn.Linear(5, 3)(x), x.mv(y[0])]
        made += [nn.Conv1d(5, 2, 1)(x[None]), ss.bmm(x[None], y[None])]
        unrounded = [x + y, x.softmax(-1), nn.LayerNorm(5)(x), ss.linalg.inv(x)]
    for z in made:
        assert z.dtype == ss.float32
        assert not (z.detach().numpy().view(np.int32) & 0xFFFF).any()
    for z in unrounded:
        assert (z.detach().numpy().view(np.int32) & 0xFFFF).any()


def test_other_dtypes_are_left_alone() -> None:
    x = ss.tensor(RNG.normal(size=(4, 4)))
    whole = ss.tensor(np.arange(300, 316).reshape(4, 4))
    with ss.autocast("bfloat16"):
        np.testing.assert_array_equal((x @ x).numpy(), x.numpy() @ x.numpy())
        np.testing.assert_array_equal((whole @ whole).numpy(), whole.numpy() @ whole.numpy())


def test_a_compiled_function_has_a_program_for_each_precision() -> None:
    x = ss.tensor([[1.001]])
    f = ss.compile(lambda x: x @ x)
    plain = f(x).item()
    with ss.autocast("bfloat16"):
        assert f(x).item() == 1.0
        with ss.autocast(enabled=False):
            assert f(x).item() == plain
        assert f(x).item() == 1.0
    assert f(x).item() == plain != 1.0


def test_a_checkpoint_is_computed_again_as_it_was() -> None:
    model = linear(ss)
    x, y = map(ss.tensor, data())
    found = []
    for run in (model, lambda x: nn.checkpoint(model, x)):
        for p in model.parameters():
            p.grad = None
        with ss.autocast("bfloat16"):
            loss = ss.nn.functional.cross_entropy(run(x), y)
        loss.backward()
        found.append(gradients(model))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_derivatives_from_outside_of_a_compiled_function_are_rounded_as_its_values() -> None:
    w = ss.tensor([[1.001, 2.003]], requires_grad=True)
    f = ss.compile(lambda x: x @ w)
    with ss.autocast("bfloat16"):
        y = f(ss.tensor([[1.0], [1.004]]))
    y.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [[2.0, 2.0]]


def test_long_attention_is_rounded_block_by_block() -> None:
    q, k, v = (
        ss.tensor(RNG.normal(size=(1, 2300, 16)).astype("f"), requires_grad=True) for _ in range(3)
    )

    def run() -> list[np.ndarray]:
        for t in (q, k, v):
            t.grad = None
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        (y * y).sum().backward()
        return [y.detach().numpy(), *gradients_of(q, k, v)]

    def gradients_of(*ts: Any) -> list[np.ndarray]:
        return [t.grad.numpy().copy() for t in ts]

    exact = run()
    with ss.autocast("bfloat16"):
        found = run()
    compiled = ss.autocast("bfloat16")(ss.compile(run_compiled(q, k, v)))
    for t in (q, k, v):
        t.grad = None
    y = compiled()
    near([y.detach().numpy(), *gradients_of(q, k, v)], found, 0.05)
    near(found, exact, 0.1)
    assert not (found[0].view(np.int32) & 0xFFFF).any()


def run_compiled(q: Any, k: Any, v: Any) -> Callable[[], Any]:
    def step() -> Any:
        for t in (q, k, v):
            t.grad = None
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        (y * y).sum().backward()
        return y

    return step


def test_it_is_a_decorator_and_says_what_it_is() -> None:
    @ss.autocast("cpu", ss.bfloat16)
    def inside() -> bool:
        return ss.is_autocast_enabled("cpu")

    assert inside()
    assert not ss.is_autocast_enabled()
    assert ss.get_autocast_dtype("cpu") is ss.bfloat16
    assert repr(ss.bfloat16) == "schuss.bfloat16"


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="expected dtype bfloat16, got schuss.float32"):
        ss.autocast("cpu", dtype=ss.float32)
    with pytest.raises(ValueError, match="cuda"):
        ss.autocast("cuda", dtype=ss.bfloat16)
    with ss.autocast("cuda", enabled=False):
        assert not ss.is_autocast_enabled()
    with pytest.raises(TypeError, match="no tensor has it"):
        ss.zeros(2, dtype=ss.bfloat16)
    with pytest.raises(TypeError, match="no tensor has it"):
        ss.zeros(2).to(ss.bfloat16)
