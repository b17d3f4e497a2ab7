"""Calls of many lengths share a few programs, and get what they would get alone."""

from __future__ import annotations

import gc
import re
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile, specialization
from schuss.compiler.compiled import Compiled
from schuss.compiler.padding import paddings
from schuss.compiler.trace.pytree import flatten
from schuss.nn import functional as F

RNG = np.random.default_rng(0)
W = ss.tensor(RNG.normal(size=(4, 4)))
TABLE = ss.tensor(RNG.normal(size=(50, 4)))
# Beyond the two that get programs of their own: below and above a capacity, and again.
LENGTHS = (3, 5, 6, 7, 1, 0, 12, 13, 6)


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def reals(*shape: int) -> Any:
    return ss.tensor(RNG.normal(size=shape))


def integers(most: int, *shape: int) -> Any:
    return ss.tensor(RNG.integers(0, most, shape))


def programs(run: Compiled) -> int:
    """How many programs there are."""
    kept = [*run._specializations.values(), *run._padded.values()]
    return len({id(s.program) for found in kept for s in found})


def as_eager(
    function: Callable[..., Any],
    arguments: Callable[[int], tuple[Any, ...]],
    lengths: tuple[int, ...] = LENGTHS,
) -> Compiled:
    """Hold a compiled function to the eager one, and return it."""
    run = compile(function)
    for n in lengths:
        given = arguments(n)
        try:
            wanted = flatten(function(*given), left := [], numbers=False)
        except ValueError as error:
            with pytest.raises(ValueError, match=re.escape(str(error))):
                run(*given)
            continue
        found = flatten(run(*given), right := [], numbers=False)
        assert found == wanted
        for x, y in zip(right, left, strict=True):
            assert (x.shape, x.dtype) == (y.shape, y.dtype), n
            np.testing.assert_allclose(x.array, y.array, rtol=1e-10, atol=1e-12, err_msg=str(n))
    return run


def attention(x: Any) -> Any:
    return (x @ W @ x.permute(0, 2, 1) / 2.0).softmax(-1) @ x


def causal(x: Any) -> Any:
    n = x.shape[1]
    seen = ss.tensor(np.tril(np.ones((n, n), bool)))
    return ss.where(seen, x @ x.permute(0, 2, 1), -1e9).softmax(-1) @ x


def pooled(x: Any, lengths: Any) -> Any:
    inside = ss.arange(x.shape[1])[None, :] < lengths[:, None]
    return (x * inside[:, :, None]).sum(1) / lengths[:, None]


def loss_of_words(table: Any, x: Any, y: Any) -> Any:
    logits = attention(table[x]) @ table.T
    return F.cross_entropy(logits.reshape(-1, 50), y.reshape(-1))


def drawn(x: Any) -> Any:
    ss.manual_seed(1)
    return x * (ss.rand(*x.shape) < 0.5)


SHARED: dict[str, tuple[Any, Any]] = {
    "rows": (lambda x: (ss.relu(x @ W) @ W).softmax(-1), lambda n: (reals(n, 4),)),
    "sum": (lambda x: (x.sum(), x.mean(0), x.sum(1)), lambda n: (reals(n, 4),)),
    "extremes": (lambda x: (x.max(0), x.argmax(0), x.min()), lambda n: (reals(n, 4),)),
    "the length twice": (lambda x: (x @ x.T, (x @ x.T).sum(0)), lambda n: (reals(n, 4),)),
    "the length inside": (lambda x: x.T @ x, lambda n: (reals(n, 4),)),
    "a square": (lambda a, x: ss.relu(a @ x @ W), lambda n: (reals(n, n), reals(n, 4))),
    "the length as a number": (
        lambda x: (x / x.shape[0], x.sum() * (x.shape[0] - 1)),
        lambda n: (reals(n, 4),),
    ),
    "counted from the end": (
        lambda x: x * (x.shape[0] - ss.arange(x.shape[0]))[:, None],
        lambda n: (reals(n, 4),),
    ),
    "a choice by the length": (
        lambda x: x * 2.0 if x.shape[0] % 2 else x * 3.0,
        lambda n: (reals(n, 4),),
    ),
    "sorted": (
        lambda x: (ss.sort(x, axis=0), ss.argsort(x, axis=0, descending=True)),
        lambda n: (reals(n, 4),),
    ),
    "running sums": (
        lambda x: (ss.cumulative_sum(x, axis=0), ss.flip(ss.cumulative_sum(x.T, axis=0), 0)),
        lambda n: (reals(n, 4),),
    ),
    "looked up": (lambda x, table: table[x], lambda n: (integers(10, n), reals(10, 3))),
    "by rows of its own": (
        lambda x, i: x[i],
        lambda n: (reals(n, 3), ss.tensor(RNG.integers(-n, max(n, 1), 5 if n else 0))),
    ),
    "picked along": (
        lambda x, i: ss.take_along_axis(x, i, axis=1),
        lambda n: (reals(n, 4), integers(4, n, 2)),
    ),
    "the first row": (lambda x: x[0] + x[:1], lambda n: (reals(n + 1, 4),)),
    "reshaped": (lambda x: x.reshape(-1) * 2.0, lambda n: (reals(n, 4),)),
    "joined": (lambda x: ss.concat([x, ss.ones_like(x)], 1), lambda n: (reals(n, 4),)),
    "integers": (lambda x: (x * 3, x.sum(), x.max(), x > 2), lambda n: (integers(10, n),)),
    "positions": (lambda x: x + TABLE[: x.shape[1]], lambda n: (reals(2, n, 4),)),
    "positions by number": (
        lambda x: x + TABLE[ss.arange(x.shape[1])],
        lambda n: (reals(2, n, 4),),
    ),
    "normalized": (
        lambda x: (x - x.mean(axis=0, keepdims=True)) / (x.std(axis=0, correction=0) + 1.0),
        lambda n: (reals(n + 1, 4),),
    ),
    "drawn": (drawn, lambda n: (reals(n, 4),)),
    "classes": (
        ss.value_and_grad(lambda w, x, y: F.cross_entropy(x @ w, y)),
        lambda n: (W, reals(n + 1, 4), integers(4, n + 1)),
    ),
    "attention": (attention, lambda n: (reals(3, n, 4),)),
    "causal": (causal, lambda n: (reals(3, n, 4),)),
    "two lengths": (attention, lambda n: (reals(n % 4 + 1, n, 4),)),
    "two lengths, pooled": (pooled, lambda n: (reals(n % 4 + 1, n, 4), integers(4, n % 4 + 1) + 1)),
    "words": (
        ss.value_and_grad(loss_of_words),
        lambda n: (TABLE, integers(50, 3, n + 1), integers(50, 3, n + 1)),
    ),
    "words of two lengths": (
        ss.value_and_grad(loss_of_words),
        lambda n: (TABLE, integers(50, n % 4 + 1, n + 1), integers(50, n % 4 + 1, n + 1)),
    ),
    "gradient of positions": (
        ss.grad(lambda p, x: ((x + p[: x.shape[1]]) ** 2).sum()),
        lambda n: (TABLE, reals(2, n, 4)),
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_calls_of_many_lengths_share_programs(name: str) -> None:
    run = as_eager(*SHARED[name])
    assert len(run._padded) >= 4
    assert programs(run) < len(run._specializations) + len(run._padded)
    assert len(run._specializations) <= 4


ALONE: dict[str, tuple[Any, Any]] = {
    "turned round": (lambda x: ss.flip(x, 0), lambda n: (reals(n, 4),)),
    "the last row": (lambda x: x[-1:] + x[1 - x.shape[0] :], lambda n: (reals(n + 2, 4),)),
    "joined along it": (lambda x: ss.concat([x, x], 0), lambda n: (reals(n, 4),)),
    "half of it": (lambda x: x[: x.shape[0] // 2], lambda n: (reals(n, 4),)),
    "normal numbers": (
        lambda x: ss.manual_seed(0) or x + ss.randn(*x.shape, dtype=x.dtype),
        lambda n: (reals(n, 4),),
    ),
    "places in joined axes": (
        lambda x: x.reshape(-1)[[0, 5]],
        lambda n: (reals(n % 3 + 2, n + 4),),
    ),
    "a table of the length": (
        lambda x: x * ss.tensor(np.cos(np.arange(4.0) * x.shape[0])),
        lambda n: (reals(n, 4),),
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_what_depends_on_the_length_otherwise_has_programs_of_its_own(name: str) -> None:
    run = as_eager(*ALONE[name], (3, 5, 6, 7, 12))
    assert not run._padded


def test_rows_of_a_call_are_looked_up_within_its_own_length() -> None:
    run = as_eager(*SHARED["by rows of its own"], (3, 5, 6, 7))
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 6"):
        run(reals(6, 3), ss.tensor([0, 1, 2, 3, 6]))
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 6"):
        run(reals(6, 3), ss.tensor([0, 1, 2, 3, -7]))


def test_what_is_not_finite_stays_where_it_is() -> None:
    run = compile(lambda x, y: (x.T @ y, x.sum(0), 1.0 / x))
    for n in (3, 5, 6, 7):
        x, y = RNG.normal(size=(n, 2)), RNG.normal(size=(n, 3))
        x[-1, 0], x[0, 1] = np.inf, 0.0
        product, total, inverse = run(ss.tensor(x), ss.tensor(y))
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(product.array, x.T @ y)
            np.testing.assert_allclose(total.array, x.sum(0))
            np.testing.assert_array_equal(inverse.array, 1.0 / x)


def training(seed: int = 0) -> tuple[nn.Module, Any, Any]:
    ss.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3)
    )
    optimizer = optim.AdamW(model.astype("float64").parameters(), lr=0.02, eps=1e-3)

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def test_training_on_batches_of_many_sizes_is_as_eager() -> None:
    sizes = [8, 12, 9, 7, 8, 3, 2, 16, 31, 15, 9]
    batches = [(reals(n, 4), integers(3, n)) for n in sizes]
    found = []
    for compiled in (False, True):
        model, optimizer, step = training()
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        run = compile(step) if compiled else step
        losses = []
        for x, y in batches:
            losses.append(run(x, y).item())
            schedule.step()
        found.append([np.array(losses), *[v.array for v in model.state_dict().values()]])
        found[-1].append(ss.random.get_state())
    for eager, native in zip(*found, strict=True):
        np.testing.assert_allclose(native, eager, rtol=1e-9, atol=1e-11)
    assert len(run._padded) == 7  # type: ignore[attr-defined]
    # Gradients are written over, and not copied, as nobody keeps them.
    assert programs(run) == 2 + 3  # type: ignore[arg-type]
    left = [s._copied for kept in run._padded.values() for s in kept]  # type: ignore[attr-defined]
    assert not any(left)


def test_a_gradient_that_is_kept_stays() -> None:
    model, _, step = training()
    run = compile(step)
    weight = next(iter(model.parameters()))
    kept = []
    for n in (3, 5, 6, 7, 8, 6, 7):
        run(reals(n, 4), integers(3, n))
        kept.append((weight.grad, weight.grad.numpy().copy()))
    for gradient, numbers in kept:
        np.testing.assert_array_equal(gradient.numpy(), numbers)


def test_modes_and_numbers_are_read_anew() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).astype("float64").eval()
    run = compile(lambda x, factor: model(x) * factor)
    for n in (3, 5, 6, 7, 8, 6):
        x = reals(n, 4)
        np.testing.assert_allclose(run(x, 1.0 + n).array, (model(x) * (1.0 + n)).array)
    model.train()
    assert (run(reals(6, 4), 1.0).array == 0).any()
    model.eval()
    assert not (run(reals(6, 4), 1.0).array == 0).any()
    model[0].weight.assign(np.zeros((4, 4)))
    x = reals(6, 4)
    np.testing.assert_allclose(run(x, 1.0).array, model(x).array)


def test_an_argument_that_is_also_a_state() -> None:
    held = reals(6, 4)
    run = compile(lambda x: x.sum(0) + held.sum())
    for n in (3, 5, 7, 8):
        x = reals(n, 4)
        np.testing.assert_allclose(run(x).array, x.sum(0).array + held.sum().item())
    np.testing.assert_allclose(run(held).array, held.sum(0).array + held.sum().item())


def test_arguments_that_do_not_lie_in_order() -> None:
    run = compile(lambda x: x * 2.0)
    for n in (3, 5, 6, 7, 7):
        x = RNG.normal(size=(4, 2 * n)).T[::2]
        np.testing.assert_array_equal(run(ss.tensor(x)).array, x * 2.0)
        np.testing.assert_array_equal(run(x).array, x * 2.0)


def test_results_are_kept_apart() -> None:
    run = compile(lambda x: (x * 2.0, x.sum()))
    given = [reals(n, 4) for n in (3, 5, 6, 7, 6)]
    results = [run(x) for x in given]
    for x, (twice, total) in zip(given, results, strict=True):
        np.testing.assert_allclose(twice.array, x.array * 2.0)
        np.testing.assert_allclose(total.array, x.array.sum())


def test_a_function_may_refuse_other_lengths() -> None:
    def limited(x: Any) -> Any:
        if x.shape[0] > 8:
            raise ValueError("too long")
        return x * 2.0

    run = as_eager(limited, lambda n: (reals(n, 4),), (3, 5, 6, 7, 8))
    assert not run._padded
    with pytest.raises(ValueError, match="too long"):
        run(reals(9, 4))


def test_the_listing_says_that_arguments_are_padded() -> None:
    run = as_eager(*SHARED["rows"], (3, 5, 6))
    assert "padded" not in str(run.graph(reals(3, 4)))
    listing = str(run.graph(reals(6, 4)))
    assert "padded, and masked beyond: x0 [6, 4] as [10, 4]" in listing


def test_a_model_shows_the_shapes_of_calls() -> None:
    model = nn.Sequential(nn.Linear(4, 3)).astype("float64")
    run = compile(lambda x: model(x))
    for n in (3, 5, 6):
        run(reals(n, 4))
    assert "-> (6, 3)" in str(model)


def test_scans_have_programs_of_their_own() -> None:
    run = compile(lambda x: x.sum())
    data = reals(40)
    for n in (3, 4, 5, 6, 7):
        run(data[:n])
        found = run.scan(data, np.arange(2 * n).reshape(2, n))
        np.testing.assert_allclose(found.array, data.array[: 2 * n].reshape(2, n).sum(1))


def test_programs_are_bounded_and_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paddings, "_MOST_CAPACITIES", 2)
    run = as_eager(*SHARED["rows"], (3, 5, 6, 12, 15, 25, 6, 12))
    assert len(run._paddings._kept) == 2
    assert programs(run) <= 4
    held = [weakref.ref(s.program) for found in run._padded.values() for s in found]
    assert held
    del run
    gc.collect()
    assert not any(reference() for reference in held)


def test_a_new_length_does_not_look_at_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    references = specialization._references_of_programs

    def looking(identities: Any) -> Any:
        looked.extend(identities)
        return references(identities)

    monkeypatch.setattr(specialization, "_references_of_programs", looking)
    run = as_eager(*SHARED["rows"], (3, 5, 6, 7, 8, 9))
    assert len(run._padded) == 4
    assert not looked
