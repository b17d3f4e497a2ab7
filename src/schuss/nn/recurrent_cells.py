"""Recurrent cells: layers that take one step."""

from __future__ import annotations

import math

import numpy.typing as npt

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn import init
from schuss.nn.arguments import require_counts
from schuss.nn.functional.recurrent import (
    Weights,
    gru_cell,
    lstm_cell,
    rnn_relu_cell,
    rnn_tanh_cell,
)
from schuss.nn.module import Module, Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """What the cells have in common: their weights.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        num_chunks: parts that lie side by side in the weights.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a size is below 1.
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_counts(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(init.empty((rows, input_size), dtype))
        self.weight_hh = Parameter(init.empty((rows, hidden_size), dtype))
        self.bias_ih = Parameter(init.empty((rows,), dtype)) if bias else None
        self.bias_hh = Parameter(init.empty((rows,), dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values, uniform in +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Return the options."""
        bias = "" if self.bias else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}"

    @property
    def _weights(self) -> Weights:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _checked(self, x: Tensor, states: tuple[Tensor, ...] | None, count: int) -> list[Tensor]:
        """Return input and states with a batch, zeros for states that are not given."""
        owner = type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{owner}: expected x of shape (batch, {self.input_size}), or ({self.input_size},) "
                f"without a batch, got {x.shape}."
            )
        shape = (*x.shape[:-1], self.hidden_size)
        if states is None:
            states = (ops.zeros(shape, dtype=x.array.dtype),) * count
        if [h.shape for h in states] != [shape] * count:
            got = " and ".join(str(h.shape) for h in states)
            raise ValueError(f"{owner}: expected states of shape {shape}, got {got}.")
        return [ops.reshape(t, (-1, t.shape[-1])) for t in (x, *states)]

    def _as_given(self, x: Tensor, h: Tensor) -> Tensor:
        """Return a state without a batch where the input has none."""
        return ops.reshape(h, h.shape[1:]) if x.ndim == 1 else h


class RNNCell(RNNCellBase):
    """One step of Elman's network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        nonlinearity: "tanh" or "relu".
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a size is below 1, or for another nonlinearity.

    >>> from schuss import nn, ones
    >>> nn.RNNCell(10, 20)(ones((3, 10))).shape
    (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: expected nonlinearity tanh or relu, got {nonlinearity!r}.")
        super().__init__(input_size, hidden_size, bias, 1, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state for x of shape (batch, input_size), or (input_size,)."""
        x, h = self._checked(input, None if hx is None else (hx,), 1)
        cell = rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell
        return self._as_given(input, cell(x, h, self._weights))

    def extra_repr(self) -> str:
        """Return the options."""
        usual = self.nonlinearity == "tanh"
        return super().extra_repr() + ("" if usual else f", nonlinearity={self.nonlinearity}")


class GRUCell(RNNCellBase):
    """One step of gated recurrent units; see `nn.functional.recurrent.gru_cell`.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        dtype: float32 (default) or float64.

    >>> from schuss import nn, ones
    >>> nn.GRUCell(10, 20)(ones((3, 10))).shape
    (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state for x of shape (batch, input_size), or (input_size,)."""
        x, h = self._checked(input, None if hx is None else (hx,), 1)
        return self._as_given(input, gru_cell(x, h, self._weights))


class LSTMCell(RNNCellBase):
    """One step of long short-term memory; see `nn.functional.recurrent.lstm_cell`.

    Args:
        input_size: features of the input.
        hidden_size: features of both states.
        bias: whether there are biases.
        dtype: float32 (default) or float64.

    >>> from schuss import nn, ones
    >>> h, c = nn.LSTMCell(10, 20)(ones((3, 10)))
    >>> h.shape, c.shape
    ((3, 20), (3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, dtype=dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next states for x of shape (batch, input_size), or (input_size,)."""
        x, h, c = self._checked(input, hx, 2)
        h, c = lstm_cell(x, h, c, self._weights)
        return self._as_given(input, h), self._as_given(input, c)
