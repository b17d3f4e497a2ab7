"""Attention block by block: the numbers and gradients of attention at once, in less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.functions import attention as module
from schuss.nn.functional import scaled_dot_product_attention

RNG = np.random.default_rng(0)
Q, K, V = (RNG.normal(size=(2, 3, n, d)) for n, d in ((13, 4), (11, 4), (11, 5)))
BOOLS = RNG.random((13, 11)) < 0.6
BOOLS[4] = False

CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "plain": ((Q, K, V), {}),
    "matrices": ((Q[0, 0], K[0, 0], V[0, 0]), {}),
    "keys of one batch": ((Q, K[:1], V[0]), {}),
    "causal": ((Q, K, V), {"is_causal": True}),
    "causal, more keys": ((K, Q, Q[..., :2]), {"is_causal": True}),
    "mask of queries": ((Q, K, V, BOOLS), {}),
    "mask of keys": ((Q, K, V, RNG.random((2, 1, 1, 11)) < 0.7), {}),
    "floats": ((Q, K, V, RNG.normal(size=(3, 13, 11))), {}),
}


def call(arrays: tuple[Any, ...], options: dict[str, Any]) -> Any:
    def run(q: Any, k: Any, v: Any, *masks: Any) -> Any:
        marked = [x.detach().requires_grad_() for x in (q, k, v)]
        y = scaled_dot_product_attention(*marked, *masks, **options)
        (y * y).sum().backward()
        return [y, *[x.grad for x in marked]]

    return run


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything computed in blocks of 5 or so queries."""
    monkeypatch.setattr(module, "_AT_ONCE", 0)
    monkeypatch.setattr(module, "_BLOCK", 50)
    monkeypatch.setattr(module, "_LEAST_ROWS", 1)


@pytest.mark.parametrize("name", CASES)
def test_blocks_have_the_numbers_of_all_at_once(name, request):
    arrays, options = CASES[name]
    tensors = [ss.tensor(x) for x in arrays]
    wanted = call(arrays, options)(*tensors)
    request.getfixturevalue("small_blocks")
    for run in (call(arrays, options), ss.compile(call(arrays, options))):
        for mine, theirs in zip(run(*tensors), wanted, strict=True):
            np.testing.assert_allclose(mine.array, theirs.array, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("keys", [8, 13, 20])
def test_parts_of_causal_attention_see_what_they_have_to(keys, small_blocks, monkeypatch):
    arrays = (Q, *(RNG.normal(size=(2, 3, keys, d)) for d in (4, 5)))
    tensors = [ss.tensor(x) for x in arrays]
    wanted = call(arrays, {"is_causal": True})(*tensors)
    monkeypatch.setattr(module, "_LEAST_QUERIES", 1)
    for run in (call(arrays, {"is_causal": True}), ss.compile(call(arrays, {"is_causal": True}))):
        for mine, theirs in zip(run(*tensors), wanted, strict=True):
            np.testing.assert_allclose(mine.array, theirs.array, rtol=1e-11, atol=1e-13)


def test_the_second_derivative_of_blocks(small_blocks):
    def loss(q: Any, k: Any, v: Any) -> Any:
        return (scaled_dot_product_attention(q, k, v, is_causal=True) ** 2).sum()

    arrays = (Q[0, 0], K[0, 0], V[0, 0])
    q, k, v = map(ss.tensor, arrays)

    def curved(q: Any) -> Any:
        return ss.hvp(lambda q: loss(q, k, v), (q,), (k[0] + 0 * q,))

    np.testing.assert_allclose(
        ss.compile(lambda q: curved(q)[0])(q).array, curved(q)[0].array, rtol=1e-9
    )
    assert ss.check_gradients(loss, *map(ss.tensor, arrays)).largest_error < 1e-6


def test_long_sequences_take_memory_that_grows_with_their_length():
    def temporaries(length: int) -> int:
        @ss.compile
        def run(q: Any) -> Any:
            q = q.detach().requires_grad_()
            scaled_dot_product_attention(q, q, q).sum().backward()
            return q.grad

        text = str(run.graph(ss.ones((2, length, 8))))
        return int(text.split("in an arena of ")[1].split()[0].replace(",", ""))

    short, long = temporaries(2048), temporaries(8192)
    assert long < 4.5 * short
    assert long < 2 * 8192**2 * 4 / 10


def test_eager_and_compiled_long_sequences_agree():
    q = ss.tensor(RNG.normal(size=(1, 2, 1500, 8)).astype(np.float32))
    run = call((), {"is_causal": True})
    for mine, theirs in zip(ss.compile(run)(q, q, q), run(q, q, q), strict=True):
        np.testing.assert_allclose(mine.array, theirs.array, rtol=2e-4, atol=2e-4)
