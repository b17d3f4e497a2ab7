"""The steps of JAX: a jitted step with donated buffers, called, and `jax.lax.scan`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from peers.driver import Steps
from peers.networks import (
    LR,
    Activation,
    Data,
    Dropout,
    Embedding,
    Layer,
    Linear,
    Lstm,
    Network,
    Norm,
    Residual,
)


def lstm(weights: Iterator[Any], x: Any, hidden: int) -> Any:
    of_input, of_state, input_bias, state_bias = [next(weights) for _ in range(4)]

    def step(state: Any, a: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(a + h @ of_state.T + state_bias, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((len(x), hidden), x.dtype)
    # One product for all steps.
    gates = jnp.swapaxes(x @ of_input.T + input_bias, 0, 1)
    return jax.lax.scan(step, (start, start), gates)[0][0]


def apply(layer: Layer, weights: Iterator[Any], keys: Iterator[Any], x: Any) -> Any:
    match layer:
        case Linear():
            return x @ next(weights).T + next(weights)
        case Embedding(_, _, _, pooling):
            rows = next(weights)[x]
            return rows.mean(1) if pooling == "mean" else rows.reshape(len(rows), -1)
        case Lstm(_, hidden):
            return lstm(weights, x, hidden)
        case Norm():
            centred = x - x.mean(-1, keepdims=True)
            scale = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
            return centred * scale * next(weights) + next(weights)
        case Activation("relu"):
            return jnp.maximum(x, 0)
        case Activation():
            return jax.nn.gelu(x, approximate=False)
        case Dropout(p):
            return jnp.where(jax.random.bernoulli(next(keys), 1 - p, x.shape), x / (1 - p), 0)
        case Residual(layers):
            inner = x
            for part in layers:
                inner = apply(part, weights, keys, inner)
            return x + inner


def fresh(key: Any) -> Iterator[Any]:
    count = 0
    while True:
        yield jax.random.fold_in(key, count)
        count += 1


def build(option: str, network: Network, data: Data) -> Steps:
    def loss_of(weights: Any, x: Any, y: Any, key: Any) -> Any:
        parameters, keys = iter(weights), fresh(key)
        for layer in network.layers:
            x = apply(layer, parameters, keys, x)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

    def step(state: Any, x: Any, y: Any) -> Any:
        weights, m, v, t, key = state
        if network.is_random:
            key, drawn = jax.random.split(key)
        else:
            drawn = key
        loss, g = jax.value_and_grad(loss_of)(weights, x, y, drawn)
        t = t + 1
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        c1, c2 = 1 - 0.9**t, 1 - 0.999**t
        weights = jax.tree.map(
            lambda w, a, b: w - LR * (a / c1) / (jnp.sqrt(b / c2) + 1e-8), weights, m, v
        )
        return (weights, m, v, t, key), loss

    weights = [jnp.array(w) for w in data.weights]
    m, v = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    held = (weights, m, v, jnp.float32(0), jax.random.key(0))

    if option == "call":
        jitted = jax.jit(step, donate_argnums=0)
        x, y = jnp.array(data.x[: network.batch]), jnp.array(data.y[: network.batch])

        def call(count: int) -> float:
            nonlocal held
            for _ in range(count):
                held, loss = jitted(held, x, y)
            return float(loss)

        return Steps(call)

    everything = jnp.array(data.x), jnp.array(data.y)
    index = jnp.array(data.index)

    def many(state: Any, index: Any) -> Any:
        return jax.lax.scan(lambda s, i: step(s, everything[0][i], everything[1][i]), state, index)

    scanned = jax.jit(many, donate_argnums=0)

    def scan(count: int) -> float:
        nonlocal held
        held, losses = scanned(held, index[:count])
        return float(losses[-1])

    return Steps(scan)
