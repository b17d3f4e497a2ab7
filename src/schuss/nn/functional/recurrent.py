"""Cells of recurrent layers: one step from an input and a state to the next state."""

from __future__ import annotations

from typing import TypeAlias

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn.functional.layers import linear

__all__ = ["Weights", "gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]

# Of the input, of the state, and their biases, if there are any.
Weights: TypeAlias = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


def _parts(x: Tensor, h: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
    """Return what the input and the state give, each by its weights."""
    of_input, of_state, input_bias, state_bias = weights
    return linear(x, of_input, input_bias), linear(h, of_state, state_bias)


def _gates(x: Tensor, count: int) -> list[Tensor]:
    """Return the equal parts that lie side by side along the last axis."""
    n = x.shape[-1] // count
    return [x[..., k * n : (k + 1) * n] for k in range(count)]


def rnn_tanh_cell(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """Return tanh(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)."""
    ours, theirs = _parts(x, h, weights)
    return ops.tanh(ours + theirs)


def rnn_relu_cell(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """Return relu(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)."""
    ours, theirs = _parts(x, h, weights)
    return ops.relu(ours + theirs)


def gru_cell(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """Return (1 - z) n + z h, with n = tanh(a_n + r b_n) and gates r, z = sigmoid(a + b).

    a = x @ w_ih.T + b_ih and b = h @ w_hh.T + b_hh hold the parts of r, z and n side by side.
    Cho et al., 2014, arXiv:1406.1078, with the reset gate behind the product.
    """
    ours, theirs = _parts(x, h, weights)
    a_r, a_z, a_n = _gates(ours, 3)
    b_r, b_z, b_n = _gates(theirs, 3)
    r, z = ops.sigmoid(a_r + b_r), ops.sigmoid(a_z + b_z)
    n = ops.tanh(a_n + r * b_n)
    return n + z * (h - n)


def lstm_cell(
    x: Tensor, h: Tensor, c: Tensor, weights: Weights, projection: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return o tanh(c') and c' = f c + i g, of gates i, f, o = sigmoid(a) and g = tanh(a).

    a = x @ w_ih.T + b_ih + h @ w_hh.T + b_hh holds the parts of i, f, g and o side by side. With a
    projection the first result is multiplied by its transposed.
    Hochreiter and Schmidhuber, 1997, Neural Computation 9; Gers et al., 2000, ibid. 12.
    """
    ours, theirs = _parts(x, h, weights)
    i, f, g, o = _gates(ours + theirs, 4)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    h = ops.sigmoid(o) * ops.tanh(c)
    return (h if projection is None else linear(h, projection)), c
