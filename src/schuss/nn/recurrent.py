"""Recurrent layers: RNN, LSTM and GRU over whole sequences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy.typing as npt

from schuss import functions as ops
from schuss.core import TRACER, Tensor, TensorLike, int64
from schuss.functions.scan import scan
from schuss.nn import init
from schuss.nn.arguments import require_counts
from schuss.nn.functional import dropout
from schuss.nn.functional.recurrent import (
    Weights,
    gru_cell,
    lstm_cell,
    rnn_relu_cell,
    rnn_tanh_cell,
)
from schuss.nn.module import Module, Parameter
from schuss.nn.utils.rnn import PackedSequence, packed_rows, pad_rows
from schuss.primitives.base import as_tensor

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]


class RNNBase(Module):
    """What recurrent layers have in common: weights by layer and direction, and the way through.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size: features of each step's input.
        hidden_size: features of the state.
        num_layers: how many layers there are; each reads what the one before returns.
        bias: whether there are biases.
        batch_first: whether sequences are (batch, steps, features), not (steps, batch, features).
        dropout: probability of zeroing what one layer hands to the next, while training.
        bidirectional: whether a second direction goes from the last step to the first.
        proj_size: features that an LSTM's state is projected to, 0 for none.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a size is below 1, `dropout` is outside of [0, 1], or `proj_size` is not
            smaller than `hidden_size`, or not an LSTM's.
    """

    # Parts that lie side by side in the weights.
    _PARTS: ClassVar[dict[str, int]] = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self._name = "RNN" if mode.startswith("RNN") else mode
        require_counts(
            self._name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers
        )
        if mode not in self._PARTS:
            raise ValueError(f"RNNBase: expected one of {list(self._PARTS)}, got {mode!r}.")
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"{self._name}: expected dropout from 0 to 1, got {dropout}.")
        if not 0 <= proj_size < hidden_size or (proj_size and mode != "LSTM"):
            raise ValueError(
                f"{self._name}: expected proj_size from 0 to hidden_size - 1, and 0 but for an "
                f"LSTM, got {proj_size}."
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._directions = 2 if bidirectional else 1
        returned = proj_size or hidden_size
        rows = self._PARTS[mode] * hidden_size
        for layer in range(num_layers):
            features = input_size if layer == 0 else returned * self._directions
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (rows, features),
                "weight_hh": (rows, returned),
            }
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for direction in range(self._directions):
                for name, shape in shapes.items():
                    place = f"{name}{_suffix(layer, direction)}"
                    setattr(self, place, Parameter(init.empty(shape, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values, uniform in +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: what it is for elsewhere is on graphics cards."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [
            [p for name, p in self.named_parameters() if name.endswith(_suffix(layer, direction))]
            for layer in range(self.num_layers)
            for direction in range(self._directions)
        ]

    def extra_repr(self) -> str:
        """Return the options."""
        shown = [f"{self.input_size}, {self.hidden_size}"]
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False}
        for name, value in (usual | {"dropout": 0.0, "bidirectional": False}).items():
            if getattr(self, name) != value:
                shown.append(f"{name}={getattr(self, name)}")
        return ", ".join(shown)

    # The way through.

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Any, Any]:
        """Return what the last layer returns at all steps, and the last states of all layers.

        Args:
            input: of shape (steps, batch, input_size), or with `batch_first` (batch, steps,
                input_size), or (steps, input_size) without a batch; or a packed sequence.
            hx: the states to begin with, of shape (num_layers * directions, batch, features), for
                an LSTM a pair (h_0, c_0); zeros by default.
            lengths: of each sequence, int of shape (batch,), where those behind the end are not to
                count; there the result is 0.

        Raises:
            ValueError: for shapes other than these, or without a step.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            raise ValueError(
                f"{self._name}: expected x of shape (..., {self.input_size}) with 2 or 3 axes, got "
                f"{input.shape}."
            )
        batched = input.ndim == 3
        if not batched:
            input = ops.expand_dims(input, 1)
            hx = _each(lambda h: ops.expand_dims(h, 1), hx)
        elif self.batch_first:
            input = ops.swapaxes(input, 0, 1)
        output, states = self._through(input, hx, lengths)
        if not batched:
            return ops.squeeze(output, 1), _each(lambda h: ops.squeeze(h, 1), states)
        return (ops.swapaxes(output, 0, 1) if self.batch_first else output), states

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        places, lengths = packed_rows(packed.batch_sizes)
        order, back = packed.sorted_indices, packed.unsorted_indices
        if order is not None:
            hx = _each(lambda h: h[:, order], hx)
        output, states = self._through(pad_rows(packed.data, places, lengths), hx, lengths)
        if back is not None:
            states = _each(lambda h: h[:, back], states)
        return PackedSequence(output[places], packed.batch_sizes, order, back), states

    def _through(self, x: Tensor, hx: Any, lengths: Any) -> tuple[Tensor, Any]:
        """Return output and states for x of shape (steps, batch, features)."""
        steps, batch = x.shape[:2]
        if steps < 1:
            raise ValueError(f"{self._name}: expected at least one step, got shape {x.shape}.")
        starts = self._starts(hx, batch, x)
        inside = None if lengths is None else _inside(self._name, lengths, steps, batch)
        last: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                tracer = TRACER.get()
                p = self.dropout if tracer is None else tracer.attribute(self, "dropout")
                x = dropout(x, p, self.training)
            parts = []
            for direction in range(self._directions):
                start = tuple(s[layer * self._directions + direction] for s in starts)
                step = self._step(_suffix(layer, direction), masked=inside is not None)
                xs = x if inside is None else (x, inside)
                state, y = scan(step, start, xs, reverse=direction == 1)
                last.append(state)
                parts.append(y)
            x = parts[0] if len(parts) == 1 else ops.concat(parts, axis=-1)
        states = tuple(ops.stack(column) for column in zip(*last, strict=True))
        return x, states if self.mode == "LSTM" else states[0]

    live_numbers = ("dropout",)

    def _starts(self, hx: Any, batch: int, x: Tensor) -> tuple[Tensor, ...]:
        """Return the states to begin with."""
        features = [self.proj_size or self.hidden_size]
        if self.mode == "LSTM":
            features.append(self.hidden_size)
        shapes = [(self.num_layers * self._directions, batch, n) for n in features]
        if hx is None:
            return tuple(ops.zeros(shape, dtype=x.array.dtype) for shape in shapes)
        given = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
        if [h.shape for h in given] != shapes:
            raise ValueError(
                f"{self._name}: expected states of shape {' and '.join(map(str, shapes))}, got "
                f"{' and '.join(str(h.shape) for h in given)}."
            )
        return given

    def _step(self, suffix: str, *, masked: bool) -> Callable[[Any, Any], tuple[Any, Any]]:
        """Return the step of one layer and direction."""
        weights: Weights = (
            getattr(self, f"weight_ih{suffix}"),
            getattr(self, f"weight_hh{suffix}"),
            getattr(self, f"bias_ih{suffix}") if self.bias else None,
            getattr(self, f"bias_hh{suffix}") if self.bias else None,
        )
        projection = getattr(self, f"weight_hr{suffix}") if self.proj_size else None

        def next_state(state: tuple[Tensor, ...], x: Tensor) -> tuple[Tensor, ...]:
            if self.mode == "LSTM":
                return lstm_cell(x, state[0], state[1], weights, projection)
            return (_CELLS[self.mode](x, state[0], weights),)

        def step(state: tuple[Tensor, ...], x: Any) -> tuple[Any, Tensor]:
            if not masked:
                state = next_state(state, x)
                return state, state[0]
            x, here = x
            new = next_state(state, x)
            kept = tuple(ops.where(here, n, s) for n, s in zip(new, state, strict=True))
            return kept, ops.where(here, new[0], 0.0)

        return step


_CELLS = {"RNN_TANH": rnn_tanh_cell, "RNN_RELU": rnn_relu_cell, "GRU": gru_cell}


def _suffix(layer: int, direction: int) -> str:
    return f"_l{layer}{'_reverse' if direction else ''}"


def _each(function: Callable[[Tensor], Tensor], states: Any) -> Any:
    """Return states with a function applied to each of them."""
    if states is None:
        return None
    if isinstance(states, tuple | list):
        return tuple(map(function, states))
    return function(states)


def _inside(owner: str, lengths: TensorLike, steps: int, batch: int) -> Tensor:
    """Return whether each step of each sequence is before its end, of shape (steps, batch, 1)."""
    ends = as_tensor(lengths)
    if ends.shape != (batch,) or ends.array.dtype.kind != "i":
        raise ValueError(
            f"{owner}: expected lengths, integers of shape ({batch},), got {ends.array.dtype} "
            f"of shape {ends.shape}."
        )
    if TRACER.get() is None and not (ends.array <= steps).all():
        raise ValueError(
            f"{owner}: expected lengths of at most {steps} steps, got {int(ends.array.max())}."
        )
    places = ops.reshape(ops.arange(steps, dtype=int64), (steps, 1, 1))
    return places < ops.reshape(ends, (1, batch, 1))


class RNN(RNNBase):
    """Elman's recurrent network: h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh).

    Elman, 1990, Cognitive Science 14.

    Args:
        input_size: features of each step's input.
        hidden_size: features of the state.
        num_layers: how many layers there are.
        nonlinearity: "tanh" or "relu".
        options: as of `RNNBase`: bias, batch_first, dropout, bidirectional, dtype.

    Raises:
        ValueError: for another nonlinearity, and as `RNNBase` does.

    >>> from schuss import nn, ones
    >>> output, h_n = nn.RNN(10, 20)(ones((5, 3, 10)))
    >>> output.shape, h_n.shape
    ((5, 3, 20), (1, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *arguments: Any,
        **options: Any,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: expected nonlinearity tanh or relu, got {nonlinearity!r}.")
        if "proj_size" in options:
            raise ValueError("RNN: proj_size is an LSTM's alone.")
        self.nonlinearity = nonlinearity
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(mode, input_size, hidden_size, num_layers, *arguments, **options)


class LSTM(RNNBase):
    """Long short-term memory; see `nn.functional.recurrent.lstm_cell` for a step's formula.

    Hochreiter and Schmidhuber, 1997, Neural Computation 9; Gers et al., 2000, ibid. 12.

    Args:
        input_size: features of each step's input.
        hidden_size: features of the state.
        options: as of `RNNBase`: num_layers, bias, batch_first, dropout, bidirectional, proj_size,
            dtype.

    >>> from schuss import nn, ones
    >>> output, (h_n, c_n) = nn.LSTM(10, 20, num_layers=2)(ones((5, 3, 10)))
    >>> output.shape, h_n.shape, c_n.shape
    ((5, 3, 20), (2, 3, 20), (2, 3, 20))
    """

    def __init__(self, input_size: int, hidden_size: int, *arguments: Any, **options: Any) -> None:
        super().__init__("LSTM", input_size, hidden_size, *arguments, **options)


class GRU(RNNBase):
    """Gated recurrent units; see `nn.functional.recurrent.gru_cell` for a step's formula.

    Cho et al., 2014, arXiv:1406.1078.

    Args:
        input_size: features of each step's input.
        hidden_size: features of the state.
        options: as of `RNNBase`: num_layers, bias, batch_first, dropout, bidirectional, dtype.

    Raises:
        ValueError: as `RNNBase` does.

    >>> from schuss import nn, ones
    >>> output, h_n = nn.GRU(10, 20, bidirectional=True)(ones((5, 3, 10)))
    >>> output.shape, h_n.shape
    ((5, 3, 40), (2, 3, 20))
    """

    def __init__(self, input_size: int, hidden_size: int, *arguments: Any, **options: Any) -> None:
        if "proj_size" in options:
            raise ValueError("GRU: proj_size is an LSTM's alone.")
        super().__init__("GRU", input_size, hidden_size, *arguments, **options)
