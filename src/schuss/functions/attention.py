"""Attention of queries to keys: at once, or block by block in memory that grows with the length.

Rabe and Staats, 2021, arXiv 2112.05682: blocks of queries look at all keys one after the other,
and going back computes their shares once more instead of keeping them.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf, no_grad
from schuss.functions.scan import scan
from schuss.functions.softmaxes import softmax_slope
from schuss.modes import AUTOCAST, autocasting
from schuss.primitives.custom import custom, with_slope
from schuss.primitives.indexing import look_up

__all__ = ["attention", "attention_weights", "causal_mask"]

# Products of queries and keys that are more than this are computed block by block,
_AT_ONCE = 1 << 22
# each block of about so many of them, but of no fewer queries than this.
_BLOCK, _LEAST_ROWS = 1 << 17, 32
# Causal attention is cut into so many parts, which leave out the keys behind their last query,
# where each has so many queries at least.
_PARTS, _LEAST_QUERIES = 4, 256


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """Return the share of each key for each query, or zeros where a query sees none.

    Args:
        query: shape (..., queries, features), scaled.
        key: shape (..., keys, features).
        mask: broadcasts to (..., queries, keys): bools, True where a query sees a key, or floats
            that are added; or None.
    """
    scores = ops.matmul(query, ops.matrix_transpose(key))
    if not scores.shape[-1]:
        return scores
    if mask is None:
        return ops.softmax(scores, -1)
    is_bool = mask.array.dtype.kind == "b"
    return _shares(ops.where(mask, scores, -math.inf) if is_bool else scores + mask, (-1,))


@with_slope(softmax_slope)
def _shares(scores: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the softmax of scores, and zeros where all are -inf."""
    largest = ops.max(scores.detach(), axes, keepdims=True)
    e = ops.exp(scores - ops.where(largest == -math.inf, 0.0, largest))
    total = ops.sum(e, axes, keepdims=True)
    return e / ops.where(total == 0.0, 1.0, total)


def causal_mask(queries: int, keys: int) -> Tensor:
    """Return bools of shape (queries, keys): whether the key is not behind the query."""
    return leaf(np.tri(queries, keys, dtype=bool))


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, is_causal: bool
) -> Tensor:
    """Return attention_weights(query, key, mask) @ value.

    Args:
        query: shape (..., queries, features), scaled.
        key: shape (..., keys, features).
        value: shape (..., keys, values).
        mask: see `attention_weights`.
        is_causal: whether query i sees the keys up to i alone; without mask.
    """
    queries, keys = query.shape[-2], key.shape[-2]
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    is_learned = mask is not None and mask.requires_grad
    if math.prod(batch) * queries * keys <= _AT_ONCE or is_learned:
        mask = causal_mask(queries, keys) if is_causal else mask
        return ops.matmul(attention_weights(query, key, mask), value)
    query, key, value = (
        x if x.shape[:-2] == batch else ops.broadcast_to(x, (*batch, *x.shape[-2:]))
        for x in (query, key, value)
    )
    if mask is not None:
        mask = ops.reshape(mask, (1,) * (query.ndim - mask.ndim) + mask.shape)
    if not is_causal or queries < _PARTS * _LEAST_QUERIES:
        return _in_blocks(query, key, value, mask, 0 if is_causal else None)
    bounds = [i * queries // _PARTS for i in range(_PARTS + 1)]
    return ops.concat(
        [
            _in_blocks(query[..., a:b, :], key[..., :b, :], value[..., :b, :], None, a)
            for a, b in pairwise(bounds)
        ],
        axis=-2,
    )


def _in_blocks(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, first: int | None
) -> Tensor:
    """Return attention block by block; see `_Blocks`."""
    batch, queries = query.shape[:-2], query.shape[-2]
    if len(batch) > 1 and (mask is None or mask.size == math.prod(mask.shape[-2:])):
        # One axis of all pairs of sequences and heads, so that threads share them.
        q, k, v = (ops.reshape(x, (-1, *x.shape[-2:])) for x in (query, key, value))
        mask = None if mask is None else ops.reshape(mask, (1, *mask.shape[-2:]))
        return ops.reshape(_in_blocks(q, k, v, mask, first), (*batch, queries, value.shape[-1]))
    blocks = _Blocks(query.shape[-2], key.shape[-2], first)
    with no_grad():
        out = blocks.forward(query.detach(), key.detach(), value.detach(), mask)

    is_autocast = AUTOCAST.get()

    def derivative(g: Tensor, y: Tensor) -> dict[int, Any]:
        with autocasting(enabled=is_autocast):
            return dict(enumerate(blocks.backward(query, key, value, mask, y, g)))

    return custom("attention", (query, key, value), out, derivative)


class _Blocks:
    """Attention block by block of queries, for each index of the leading axes.

    Which block it is, and its result, are carried from one to the next: a compiled scan computes
    what it can for all steps at once, and none of this may be.

    Args:
        queries: how many there are.
        keys: how many there are.
        first: query i sees the keys up to first + i alone; all of them where None.
    """

    def __init__(self, queries: int, keys: int, first: int | None) -> None:
        rows = max(_BLOCK // max(keys, 1), _LEAST_ROWS)
        self.count = -(-queries // rows)
        self.rows = -(-queries // self.count)
        self.queries = queries
        self.keys = keys
        self.first = first

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Return what the queries take."""
        if q.ndim > 2:
            return self._for_each(self.forward, (q, k, v), mask)  # type: ignore[no-any-return]

        def step(carry: tuple[Tensor, Tensor], _: Any) -> tuple[Any, Tensor]:
            at = self._places(carry[0])
            shares = attention_weights(look_up(q, at), k, self._seen(mask, at))
            taken = ops.matmul(shares, v)
            return (carry[0] + 1, taken), taken

        _, found = scan(step, (self._first(), self._nothing(v)), length=self.count)
        return self._joined(found)

    def backward(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, y: Tensor, g: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the errors of queries, keys and values for that of the result."""
        if q.ndim > 2:

            def each(q: Tensor, k: Tensor, v: Tensor, y: Tensor, g: Tensor, mask: Any) -> Any:
                return self.backward(q, k, v, mask, y, g)

            return self._for_each(each, (q, k, v, y, g), mask)  # type: ignore[no-any-return]

        def step(carry: Any, _: Any) -> tuple[Any, Tensor]:
            t, _, to_key, to_value = carry
            at = self._places(t)
            rows, error = look_up(q, at), look_up(g, at)
            if self.count * self.rows > self.queries:
                error = ops.where(self._is_there(t), error, 0.0)
            shares = attention_weights(rows, k, self._seen(mask, at))
            along = ops.sum(look_up(y, at) * error, -1, keepdims=True)
            to_scores = shares * (ops.matmul(error, ops.matrix_transpose(v)) - along)
            to_key = to_key + ops.matmul(ops.matrix_transpose(to_scores), rows)
            to_value = to_value + ops.matmul(ops.matrix_transpose(shares), error)
            to_query = ops.matmul(to_scores, k)
            return (t + 1, to_query, to_key, to_value), to_query

        start = (self._first(), self._nothing(k), ops.zeros_like(k), ops.zeros_like(v))
        (*_, to_key, to_value), to_query = scan(step, start, length=self.count)
        return self._joined(to_query), to_key, to_value

    def _for_each(self, function: Any, xs: tuple[Tensor, ...], mask: Tensor | None) -> Any:
        """Return the results of a function for each index of the first axis, stacked."""
        if mask is None or len(mask) == 1:
            own = None if mask is None else mask[0]
            _, found = scan(lambda _, x: (None, function(*x, own)), None, xs)
        else:
            _, found = scan(lambda _, x: (None, function(*x)), None, (*xs, mask))
        return found

    def _first(self) -> Tensor:
        return leaf(np.zeros((), np.int64))

    def _nothing(self, x: Tensor) -> Tensor:
        return ops.zeros((self.rows, x.shape[-1]), dtype=x.array.dtype)

    def _rows_of(self, t: Tensor) -> Tensor:
        return t * self.rows + leaf(np.arange(self.rows))

    def _places(self, t: Tensor) -> Tensor:
        """Return which queries a block is of; the last ones again behind the end."""
        return ops.minimum(self._rows_of(t), self.queries - 1)

    def _is_there(self, t: Tensor) -> Tensor:
        return ops.expand_dims(self._rows_of(t) < self.queries, axis=1)

    def _seen(self, mask: Tensor | None, at: Tensor) -> Tensor | None:
        """Return a block's part of the mask."""
        if self.first is not None:
            return leaf(np.arange(self.keys)) <= ops.expand_dims(at + self.first, axis=1)
        if mask is None or len(mask) == 1:
            return mask
        return look_up(mask, at)

    def _joined(self, found: Tensor) -> Tensor:
        """Return blocks one behind the other, without what is behind the end."""
        flat = ops.reshape(found, (self.count * self.rows, found.shape[-1]))
        return flat if len(flat) == self.queries else flat[: self.queries]
