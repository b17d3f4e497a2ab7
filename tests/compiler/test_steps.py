"""Whole training steps: compiled equals eager, through everything that may change in between."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.nn import functional as F

pytestmark = pytest.mark.usefixtures("natively_and_in_plain_python")

RULES: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "dampened": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
    "adam": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.01),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
}

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)),
    "norm": lambda: nn.Sequential(
        nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.3), nn.Linear(8, 3)
    ),
    "batch": lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)),
}


def data(rows: int = 16) -> tuple[ss.Tensor, ss.Tensor]:
    rng = np.random.default_rng(0)
    x = ss.tensor(rng.normal(size=(rows, 4)).astype("f4"))
    return x, ss.tensor(rng.integers(0, 3, rows))


def setting(
    network: str = "relu", rule: str = "adam"
) -> tuple[nn.Module, optim.Optimizer, Callable[[Any, Any], Any]]:
    ss.manual_seed(0)
    model = NETWORKS[network]()
    optimizer = RULES[rule](model.parameters())

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def values(model: nn.Module) -> dict[str, np.ndarray]:
    return {k: np.array(v.array) for k, v in model.state_dict().items()}


def same(a: nn.Module, b: nn.Module, tolerance: float = 2e-5) -> None:
    theirs = values(b)
    for name, value in values(a).items():
        np.testing.assert_allclose(value, theirs[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule: str) -> None:
    x, y = data()
    eager, _, plain = setting(rule=rule)
    expected = [plain(x, y).item() for _ in range(8)]
    model, _, step = setting(rule=rule)
    compiled = compile(step)
    got = [compiled(x, y).item() for _ in range(8)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    same(model, eager)
    assert len(compiled._builds) == 1, "every step after the first uses the same program"


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network(network: str) -> None:
    x, y = data()
    eager, _, plain = setting(network)
    expected = [plain(x, y).item() for _ in range(6)]
    key = ss.random.get_state()
    model, _, step = setting(network)
    compiled = compile(step)
    np.testing.assert_allclose([compiled(x, y).item() for _ in range(6)], expected, rtol=1e-4)
    same(model, eager, 1e-4)
    np.testing.assert_array_equal(ss.random.get_state(), key)
    model.eval()
    eager.eval()
    predict = compile(lambda x: model(x))
    np.testing.assert_allclose(predict(x).array, eager(x).array, rtol=1e-4, atol=1e-5)


def test_training_mode_is_part_of_the_program() -> None:
    x, _ = data()
    model, _, _ = setting("norm")
    predict = compile(lambda x: model(x))
    predict(x)
    model.eval()
    np.testing.assert_allclose(predict(x).array, model(x).array, rtol=1e-5, atol=1e-6)
    assert len(compile_variants(predict)) == 2


def compile_variants(compiled: Any) -> list[Any]:
    return [v for specializations in compiled._specializations.values() for v in specializations]


def test_a_learning_rate_that_changes_needs_no_new_program() -> None:
    x, y = data()
    eager, plain_rule, plain = setting()
    model, rule, step = setting()
    compiled = compile(step)
    schedules = [optim.lr_scheduler.ExponentialLR(r, 0.5) for r in (plain_rule, rule)]
    for _ in range(5):
        plain(x, y)
        compiled(x, y)
        for schedule in schedules:
            schedule.step()
    same(model, eager)
    assert len(compiled._builds) == 1


def test_a_condition_on_a_hyperparameter_makes_another_program_when_it_changes() -> None:
    x, y = data()
    eager, plain_rule, plain = setting(rule="sgd")
    model, rule, step = setting(rule="sgd")
    compiled = compile(step)
    for decay in (0.0, 0.1, 0.2, 0.0):
        for optimizer in (plain_rule, rule):
            optimizer.param_groups[0]["weight_decay"] = decay
        plain(x, y)
        compiled(x, y)
    same(model, eager)
    assert len(compiled._builds) == 2


def test_shapes_make_programs_of_their_own() -> None:
    eager, _, plain = setting()
    model, _, step = setting()
    compiled = compile(step)
    for rows in (16, 7, 1, 16):
        x, y = data(rows)
        plain(x, y)
        compiled(x, y)
    same(model, eager)
    # The third size shares one with others, had it any.
    assert len(compiled._builds) == 2
    assert len(compiled._padded) == 1


def test_gradients_are_left_as_after_an_eager_step() -> None:
    x, y = data()
    eager, _, plain = setting()
    model, _, step = setting()
    compiled = compile(step)
    for _ in range(3):
        plain(x, y)
        compiled(x, y)
    for p, q in zip(model.parameters(), eager.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.array, q.grad.array, rtol=1e-4, atol=1e-6)
    held = [np.array(p.grad.array) for p in model.parameters()]
    shared = [p.grad.array for p in model.parameters()]
    compiled(x, y)
    for before, now in zip(held, shared, strict=True):
        np.testing.assert_array_equal(before, now)


def test_accumulation_over_separate_programs() -> None:
    x, y = data()
    model, rule, _ = setting()
    eager, plain_rule, _ = setting()

    def backward(network: nn.Module) -> Callable[[Any, Any], Any]:
        def run(x: Any, y: Any) -> Any:
            loss = F.cross_entropy(network(x), y)
            loss.backward()
            return loss

        return run

    def update(optimizer: optim.Optimizer) -> Callable[[], None]:
        def run() -> None:
            optimizer.step()
            optimizer.zero_grad()

        return run

    accumulate, step = compile(backward(model)), compile(update(rule))
    plain, plain_step = backward(eager), update(plain_rule)
    for _ in range(3):
        for part in (slice(0, 8), slice(8, 12), slice(12, 16)):
            accumulate(x[part], y[part])
            plain(x[part], y[part])
        step()
        plain_step()
    same(model, eager)
    assert all(p.grad is None for p in model.parameters())


def test_what_was_given_out_follows_compiled_steps() -> None:
    """States and NumPy's arrays share memory with what they are of; copies stay what they were."""
    x, y = data()
    model, rule, step = setting()
    compiled = compile(step)
    compiled(x, y)
    given = model.state_dict()
    kept = copy.deepcopy(given)
    moments = rule.state_dict()["state"][0]["exp_avg"]
    moment = np.array(moments.array)
    view = next(model.parameters()).numpy()[:1]
    compiled(x, y)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(given[name].array, value.array)
        assert not np.array_equal(kept[name].array, value.array)
    assert not np.array_equal(moments.array, moment)
    np.testing.assert_array_equal(view, next(model.parameters()).array[:1])
    model.load_state_dict(kept)
    twin, _, _ = setting()
    twin.load_state_dict(kept)
    np.testing.assert_allclose(
        compile(lambda x: model(x))(x).array, twin(x).array, rtol=1e-5, atol=1e-6
    )


def test_clipping_inside() -> None:
    x, y = data()

    def clipped(model: nn.Module, rule: optim.Optimizer) -> Callable[[Any, Any], Any]:
        def step(x: Any, y: Any) -> Any:
            rule.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = optim.clip_grad_norm_(model.parameters(), 0.1)
            optim.clip_grad_value_(model.parameters(), 0.01)
            rule.step()
            return loss, {"norm": norm}

        return step

    model, rule, _ = setting()
    eager, plain_rule, _ = setting()
    compiled, plain = compile(clipped(model, rule)), clipped(eager, plain_rule)
    for _ in range(4):
        got, wanted = compiled(x, y), plain(x, y)
        np.testing.assert_allclose(got[1]["norm"].item(), wanted[1]["norm"].item(), rtol=1e-5)
    same(model, eager)


def test_random_numbers_are_the_same_bit_for_bit() -> None:
    def draws() -> Any:
        return ss.rand(5, 7), ss.rand(3, dtype="float64"), ss.randint(0, 10, (9,)), ss.rand(16)

    compiled = compile(draws)
    for seed in (0, -3, 2**62):
        ss.manual_seed(seed)
        expected = [draws() for _ in range(3)]
        ss.manual_seed(seed)
        got = [compiled() for _ in range(3)]
        for a, b in zip(got, expected, strict=True):
            for mine, wanted in zip(a, b, strict=True):
                np.testing.assert_array_equal(mine.array, wanted.array)


def test_derivatives_of_every_kind_inside() -> None:
    def f(x: Any) -> Any:
        return (ss.tanh(x) * x * x).sum()

    x, v = ss.randn(5), ss.randn(5)
    for build in (
        lambda x, v: ss.grad(f)(x),
        lambda x, v: ss.jvp(f, x, v),
        lambda x, v: ss.hvp(f, x, v),
        lambda x, v: ss.vjp(lambda x: x * x * v, x)[1](v)[0],
        lambda x, v: ss.grad(lambda x: (ss.grad(f)(x) * v).sum())(x),
    ):
        got, wanted = compile(build)(x, v), build(x, v)
        for a, b in zip(
            got if isinstance(got, tuple) else (got,),
            wanted if isinstance(wanted, tuple) else (wanted,),
            strict=True,
        ):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-5)


def test_float_arguments_are_read_anew_and_others_fixed() -> None:
    @compile
    def scaled(x: Any, factor: float, flag: bool = True, name: str = "a") -> Any:
        return x * factor + (1.0 if flag else 0.0)

    x = ss.tensor([1.0, 2.0])
    assert scaled(x, 2.0).tolist() == [3.0, 5.0]
    assert scaled(x, 3.0).tolist() == [4.0, 7.0]
    assert len(scaled._builds) == 1
    assert scaled(x, 3.0, flag=False).tolist() == [3.0, 6.0]
    assert scaled(np.ones(2, "f4"), 3.0, name="b").tolist() == [4.0, 4.0]


def test_states_that_depend_on_each_other() -> None:
    a, b, c = ss.tensor([1.0, 2.0]), ss.tensor([3.0, 4.0]), ss.tensor([5.0, 6.0])

    def swap() -> Any:
        old = a.detach()
        held = a + b
        a.assign(b)
        b.assign(old)
        c.assign(c[::-1] + held)
        return old

    expected = [(swap().tolist(), a.tolist(), b.tolist(), c.tolist()) for _ in range(3)]
    a.assign([1.0, 2.0])
    b.assign([3.0, 4.0])
    c.assign([5.0, 6.0])
    compiled = compile(swap)
    for wanted in expected:
        assert (compiled().tolist(), a.tolist(), b.tolist(), c.tolist()) == wanted


def test_a_result_beside_gradients_is_cut_off_from_differentiation_and_says_so() -> None:
    x = ss.tensor([1.0], requires_grad=True)

    def step(x: Any) -> Any:
        (x * x).sum().backward()
        return x * 3

    y = compile(step)(x)
    with pytest.raises(RuntimeError, match="inside of the compiled function"):
        y.backward()


def test_gradients_of_arguments() -> None:
    x = ss.tensor([1.0, 2.0], requires_grad=True)

    @compile
    def run(x: Any) -> None:
        (x * x).sum().backward()

    run(x)
    assert x.grad.tolist() == [2.0, 4.0]
    run(x)
    assert x.grad.tolist() == [4.0, 8.0]
    run(x)
    assert x.grad.tolist() == [6.0, 12.0]


# Many steps in one native call.


def test_scan_is_the_loop() -> None:
    x, y = data(50)
    rng = np.random.default_rng(1)
    index = np.stack([rng.permutation(50)[:16] for _ in range(12)])
    eager, _, plain = setting("norm")
    expected = [plain(x[rows], y[rows]).item() for rows in index]
    model, _, step = setting("norm")
    losses = compile(step).scan((x, y), index)
    assert losses.shape == (12,)
    np.testing.assert_allclose(losses.array, expected, rtol=1e-4)
    same(model, eager, 1e-4)


def test_scan_and_calls_take_turns() -> None:
    x, y = data(32)
    rows = np.arange(32).reshape(2, 16)
    eager, _, plain = setting()
    model, _, step = setting()
    compiled = compile(step)
    for _ in range(2):
        for part in rows:
            plain(x[part], y[part])
        compiled.scan((x, y), rows)
        plain(x[:16], y[:16])
        compiled(x[:16], y[:16])
    same(model, eager)


def test_structures_and_rows_from_the_end() -> None:
    @compile
    def both(x: Any) -> Any:
        return {"sum": x.sum(), "rows": (x * 2,)}

    x = ss.tensor([[1.0], [2.0], [3.0]])
    out = both.scan(x, [[0, -1], [1, 1]])
    assert out["sum"].tolist() == [4.0, 4.0]
    assert out["rows"][0].tolist() == [[[2.0], [6.0]], [[4.0], [4.0]]]


def test_bad_indices() -> None:
    total = compile(lambda x: x.sum())
    with pytest.raises(ValueError, match=r"scan: expected an index of shape \(steps, batch\)"):
        total.scan(ss.ones(3), [0, 1])
    with pytest.raises(IndexError, match=r"scan: expected rows from -3 to 2, got 3 at index\[1, 0"):
        total.scan(ss.ones(3), [[0, 2], [3, 1]])


def test_an_optimiser_that_gets_another_state_gets_another_program() -> None:
    x, y = data()
    eager, plain_rule, plain = setting()
    model, rule, step = setting()
    compiled = compile(step)
    for optimizer, run in ((plain_rule, plain), (rule, compiled)):
        run(x, y)
        kept = optimizer.state_dict()
        run(x, y)
        optimizer.load_state_dict(kept)
        run(x, y)
        optimizer.state.clear()
        run(x, y)
        run(x, y)
    same(model, eager)
    extra = ss.tensor([1.0], requires_grad=True)
    for optimizer, run in ((plain_rule, plain), (rule, compiled)):
        extra.grad = ss.ones(1)
        optimizer.add_param_group({"params": [extra], "lr": 0.5})
        run(x, y)
    same(model, eager)


def test_parameters_without_a_gradient_stay() -> None:
    x, _ = data()
    results = []
    for wrap in (compile, lambda f: f):
        used, unused = ss.ones(4, dtype="float32"), ss.ones(4)
        used.requires_grad_()
        unused.requires_grad_()
        rule = optim.Adam([used, unused], lr=0.1)

        def step(x: Any, flag: bool, used: Any = used, unused: Any = unused, rule: Any = rule):
            rule.zero_grad()
            weight = used + unused if flag else used
            loss = (x * weight).sum()
            loss.backward()
            rule.step()
            return loss

        run = wrap(step)
        for flag in (True, False, False, True, False):
            run(x, flag)
        results.append((used.tolist(), unused.tolist()))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


def test_a_network_that_changes_its_dtype_gets_another_program() -> None:
    x, y = data()
    results = []
    for wrap in (compile, lambda f: f):
        model, _, step = setting(rule="sgd")
        run = wrap(step)
        run(x, y)
        model.double()
        run(x.astype("float64"), y)
        run(x.astype("float64"), y)
        assert model[0].weight.dtype == np.float64
        predict = wrap(lambda x, model=model: model(x))
        predict(x.astype("float64"))
        model.float()
        results.append(predict(x).array)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_a_state_that_changes_its_shape_gets_another_program() -> None:
    weight = ss.ones(3)
    total = compile(lambda: weight.sum())
    assert total().item() == 3.0
    weight.array = np.ones((2, 2), np.float32)
    assert total().item() == 4.0
    rows = compile(lambda x: (x * weight.sum()).sum())
    assert rows.scan(ss.ones(2), [[0, 1]]).tolist() == [8.0]
    weight.array = np.ones(5, np.float32)
    assert rows.scan(ss.ones(2), [[0, 1]]).tolist() == [10.0]


def test_a_loss_that_the_step_went_back_from_has_no_graph() -> None:
    weight = ss.tensor([1.0, 2.0], requires_grad=True)

    @compile
    def step(x: Any) -> Any:
        loss = (weight * x).sum()
        before = loss * 2.0
        weight.grad = None
        loss.backward()
        return loss, before

    loss, before = step(ss.tensor([3.0, 4.0]))
    assert not loss.requires_grad
    assert str(loss) == "tensor(11.)"
    # What it did not go back from is wanted outside, where there is nothing to be had.
    assert before.requires_grad
    with pytest.raises(RuntimeError, match="backward\\(\\) \\(or grad\\) inside"):
        before.backward()


def test_calls_from_several_threads() -> None:
    weight = ss.ones(64, 64)

    @compile
    def product(x: Any, factor: float) -> Any:
        return (x @ weight) * factor

    def work(number: int) -> list[bool]:
        x = np.full((48, 64), float(number), "f4")
        wanted = np.full((48, 64), 64.0 * number, "f4")
        found = [product(ss.tensor(x), float(turn)).array for turn in range(1, 60)]
        return [bool((f == wanted * turn).all()) for turn, f in enumerate(found, 1)]

    # The first call, too, comes from all at once.
    with ThreadPoolExecutor(8) as pool:
        assert all(map(all, pool.map(work, range(1, 9))))


def test_gradients_may_be_assigned() -> None:
    weight = ss.tensor([1.0, 1.0], requires_grad=True)

    def step(x: Any) -> Any:
        weight.grad = x * 2.0
        return x.sum()

    for run in (step, compile(step)):
        for turn in (1.0, 2.0):
            run(ss.tensor([turn, 3.0]))
            assert weight.grad is not None
            assert weight.grad.tolist() == [2.0 * turn, 6.0]
        weight.grad = None
