"""The network for tables, and the layers that it is made of.

`TabularMLP` follows RealMLP (Holzmüller, Grinsztajn and Steinwart, "Better by Default: Strong
Pre-Tuned MLPs and Boosted Trees on Tabular Data", arXiv 2407.04491): periodic embeddings of the
numbers, learned embeddings of the large categories, a learned scale for each input, and linear
layers in the neural tangent parametrisation whose weights and biases start from the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss import functions as F
from schuss import random
from schuss.nn.baseline import LinearBaseline
from schuss.nn.containers import ModuleList
from schuss.nn.dropout import Dropout
from schuss.nn.module import Module, Parameter
from schuss.tensor import Tensor, no_grad, tensor

ACTIVATIONS = ("selu", "mish")


def _lead(members: int | None) -> tuple[int, ...]:
    """Return the first axes of a parameter: one for the members, where there are such."""
    return () if members is None else (members,)


def _row(members: int | None, features: int) -> tuple[int, ...]:
    """Return the shape of one number for each feature, (features,) or (members, 1, features)."""
    return (features,) if members is None else (members, 1, features)


class FeatureScale(Module):
    r"""A learned factor for each input, so that useless columns can be turned down.

    .. math:: y_{i} = s_{i} x_{i}

    Args:
        features: number of columns, at least 0; every factor starts at 1.
        members: networks side by side, each with parameters of its own; None for a single one.
        dtype: float32 (default) or float64.

    >>> FeatureScale(2)(tensor([[3.0, 4.0]])).tolist()
    [[3.0, 4.0]]
    """

    def __init__(
        self, features: int, *, members: int | None = None, dtype: npt.DTypeLike | None = None
    ) -> None:
        super().__init__()
        self.features = features
        self.scale = Parameter(F.ones(_row(members, features), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return x of shape (..., batch, features) with each column times its factor."""
        return x * self.scale

    def extra_repr(self) -> str:
        """Describe the layer inside a network's repr."""
        return f"{self.features}"


class PeriodicEmbedding(Module):
    r"""Embed each number by a small network of its own on cosine waves, and keep the number.

    For column i, with frequencies w, phases b and a linear layer (V, c), all its own:

    .. math:: e_{i} = V_{i}^{T} \cos(2 \pi w_{i} x_{i} + b_{i}) + c_{i}

    and the result is all e, then all x. This is "PBLD" of RealMLP (arXiv 2407.04491), after the
    periodic embeddings of Gorishniy, Rubachev and Babenko (arXiv 2203.05556).

    Args:
        features: number of columns, at least 0.
        waves: cosine waves for each column.
        size: numbers that come out for each column, with the column itself; at least 2.
        sigma: standard deviation of the frequencies at the start.
        members: networks side by side, each with parameters of its own; None for a single one.
        dtype: float32 (default) or float64.

    >>> PeriodicEmbedding(3)(tensor([[0.0, 1.0, 2.0]])).shape
    (1, 12)
    """

    def __init__(
        self,
        features: int,
        *,
        waves: int = 16,
        size: int = 4,
        sigma: float = 0.1,
        members: int | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.waves = waves
        self.size = size
        bound = 1.0 / math.sqrt(waves)
        lead = (*_lead(members), features)
        shapes = {"weight": (*lead, waves, size - 1), "bias": (*lead, 1, size - 1)}
        self.frequency = Parameter(random.randn(*lead, 1, waves, dtype=dtype) * sigma)
        phases = random.rand(*lead, 1, waves, dtype=dtype)
        self.phase = Parameter((phases * 2.0 - 1.0) * math.pi)
        self.weight = Parameter((random.rand(*shapes["weight"], dtype=dtype) * 2.0 - 1.0) * bound)
        self.bias = Parameter((random.rand(*shapes["bias"], dtype=dtype) * 2.0 - 1.0) * bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding of x, (batch, features) to (..., batch, features * size)."""
        # The columns come first, so that the small layers are one batched matrix product.
        columns = F.expand_dims(x.mT, axis=2)
        waves = F.cos(columns * (self.frequency * (2.0 * math.pi)) + self.phase)
        learned = waves @ self.weight + self.bias
        *lead, features, batch, size = learned.shape
        axes = (*range(len(lead)), -2 + learned.ndim, -3 + learned.ndim, -1 + learned.ndim)
        flat = F.reshape(F.permute_dims(learned, axes), (*lead, batch, features * size))
        return F.concat([flat, F.broadcast_to(x, (*lead, *x.shape))], axis=-1)

    def extra_repr(self) -> str:
        """Describe the layer inside a network's repr."""
        return f"{self.features}, waves={self.waves}, size={self.size}"


class CategoryEmbedding(Module):
    """Learned vectors for the categories of several columns, in one table.

    Code 0 of each column stands for missing and unseen values. Its vector starts at zero, in the
    middle of the others, which are drawn from N(0, 1).

    Args:
        cardinalities: number of codes of each column, the 0 counted.
        size: numbers for each category.
        members: networks side by side, each with parameters of its own; None for a single one.
        dtype: float32 (default) or float64.

    >>> CategoryEmbedding([10, 12], 8)(tensor([[0, 11]])).shape
    (1, 16)
    """

    def __init__(
        self,
        cardinalities: Sequence[int],
        size: int = 8,
        *,
        members: int | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.cardinalities = tuple(cardinalities)
        self.size = size
        starts = np.concatenate([[0], np.cumsum(self.cardinalities)]).astype(np.int64)
        shape = (*_lead(members), int(starts[-1]), size)
        rows = np.array(random.randn(*shape, dtype=dtype).array)
        rows[..., starts[:-1], :] = 0.0
        self.weight = Parameter(tensor(rows))
        self.register_buffer("starts", tensor(starts[:-1]), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors of codes, (batch, columns) to (..., batch, columns * size)."""
        rows = F.take(self.weight, codes + self.starts, axis=self.weight.ndim - 2)
        *lead, batch, columns, size = rows.shape
        return F.reshape(rows, (*lead, batch, columns * size))

    def extra_repr(self) -> str:
        """Describe the layer inside a network's repr."""
        return f"{list(self.cardinalities)}, size={self.size}"


class NTKLinear(Module):
    r"""A linear layer in the neural tangent parametrisation.

    .. math:: y = x W^{T} / \sqrt{n} + b

    with n inputs, so that weights of order 1 give outputs of order 1 at any width and one learning
    rate fits all widths (Jacot, Gabriel and Hongler, arXiv 1806.07572).

    Args:
        in_features: n, at least 1.
        out_features: number of outputs.
        members: networks side by side, each with parameters of its own; None for a single one.
        dtype: float32 (default) or float64.

    >>> NTKLinear(4, 3)(tensor([[1.0, 2.0, 3.0, 4.0]])).shape
    (1, 3)
    """

    unit_axes = MappingProxyType({"weight": (-1,)})

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        members: int | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        shape = (*_lead(members), out_features, in_features)
        self.weight = Parameter(random.randn(*shape, dtype=dtype))
        self.bias = Parameter(F.zeros(_row(members, out_features), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's outputs, (..., batch, in_features) to (..., batch, out_features)."""
        products: Tensor = x @ self.weight.mT
        return products * (1.0 / math.sqrt(self.in_features)) + self.bias

    def start_from(self, x: Tensor, *, rows: int = 5) -> None:
        """Draw weights and biases that fit the inputs x.

        Each output's weights are scaled so that its product with x has standard deviation 1; its
        bias is minus a random convex combination of that product at a few random rows, so that the
        activation's kink falls among the data ("he+5" after Steinwart, arXiv 1903.11482).

        Args:
            x: inputs of this layer, (..., batch, in_features).
            rows: number of rows in the convex combination.
        """
        weight = random.randn(*self.weight.shape, dtype=self.weight.dtype).array
        products = (x.array @ weight.swapaxes(-1, -2)) / math.sqrt(self.in_features)
        spread = products.std(axis=-2, keepdims=True)
        spread = np.where(spread > 1e-6, spread, 1.0).astype(weight.dtype)
        shape = (*products.shape[:-2], rows, self.out_features)
        chosen = random.randint(0, x.shape[-2], shape).array
        shares = -np.log1p(-random.rand(*shape, dtype=weight.dtype).array)
        shares /= np.maximum(shares.sum(axis=-2, keepdims=True), 1e-6)
        at = np.take_along_axis(products, chosen, axis=-2) / spread
        self.weight.assign(weight / spread.swapaxes(-1, -2))
        bias = -(at * shares).sum(axis=-2).astype(weight.dtype)
        self.bias.assign(bias.reshape(self.bias.shape))

    def extra_repr(self) -> str:
        """Describe the layer inside a network's repr."""
        return f"{self.in_features}, {self.out_features}"


class ParametricActivation(Module):
    r"""SELU or Mish with a learned strength for each neuron.

    .. math:: y = x + a (f(x) - x)

    with a = 1 at the start: a = 0 would be the identity (RealMLP, arXiv 2407.04491).

    Args:
        features: number of neurons.
        activation: "selu" (Klambauer et al., arXiv 1706.02515) or "mish" (Misra, arXiv 1908.08681).
        members: networks side by side, each with parameters of its own; None for a single one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: for another activation.

    >>> ParametricActivation(1, "selu")(tensor([[0.0]])).tolist()
    [[0.0]]
    """

    def __init__(
        self,
        features: int,
        activation: str = "selu",
        *,
        members: int | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"ParametricActivation: expected activation to be one of {ACTIVATIONS}, "
                f"got {activation!r}."
            )
        self.features = features
        self.activation = activation
        self.strength = Parameter(F.ones(_row(members, features), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations of x, (..., batch, features)."""
        bend = _selu_bend(x) if self.activation == "selu" else _mish_bend(x)
        return x + self.strength * bend

    def extra_repr(self) -> str:
        """Describe the layer inside a network's repr."""
        return f"{self.features}, {self.activation}"


SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


def _selu_bend(x: Tensor) -> Tensor:
    """Return selu(x) - x in few operations: its parts below and above 0 added, not chosen."""
    below = F.minimum(x, 0.0)
    curve = F.exp(below) * (SELU_SCALE * SELU_ALPHA) - SELU_SCALE * SELU_ALPHA
    return x * (SELU_SCALE - 1.0) - below * SELU_SCALE + curve


def _mish_bend(x: Tensor) -> Tensor:
    """Return mish(x) - x = -2x / ((1 + e^x)^2 + 1), which needs one exponential only."""
    # Beyond 20 the quotient is 0 in both dtypes; without the bound the square overflows.
    growth = F.exp(F.minimum(x, 20.0)) + 1.0
    return x * -2.0 / (growth * growth + 1.0)


class TabularMLP(Module):
    """The default network for tables, RealMLP (arXiv 2407.04491).

    The inputs are numbers, of which the first `embedded` columns are embedded by cosine waves and
    the others (one-hot columns) go in as they are, and codes of categories with many values. Call
    `start_from` with the training rows before training: it draws the weights that fit them.

    With members it is that many networks side by side, whose predictions are averaged. Given the
    rows' folds, which name the one member that must not learn from a row, training has every row
    learned by all the others, and evaluation predicts it by that one: cross-validation in a
    single run.

    Args:
        numeric_features: columns of numbers, one-hot columns counted; at least 0.
        out_features: number of classes, or 1 for a value.
        cardinalities: number of codes of each category column, the 0 for unknown counted.
        embedded: how many of the first columns of numbers get a periodic embedding; None for all.
        hidden: widths of the hidden layers.
        activation: "selu" (RealMLP's for classes) or "mish" (for values).
        dropout: share of the hidden neurons left out while training, in [0, 1).
        embedding_size: numbers for each category.
        baseline: add a `LinearBaseline`; for one value that `start_from` is given.
        members: networks side by side, each with parameters of its own; at least 2; None for one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: when there is no input column at all, or `embedded` is out of range.

    >>> network = TabularMLP(3, 2, cardinalities=[10])
    >>> network(tensor([[0.1, 0.2, 0.3]]), tensor([[4]])).shape
    (1, 2)
    >>> several = TabularMLP(3, 2, members=5)
    >>> several(tensor([[0.1, 0.2, 0.3]])).shape, several.eval()(tensor([[0.1, 0.2, 0.3]])).shape
    ((5, 1, 2), (1, 2))
    """

    def __init__(
        self,
        numeric_features: int,
        out_features: int,
        *,
        cardinalities: Sequence[int] = (),
        embedded: int | None = None,
        hidden: Sequence[int] = (256, 256, 256),
        activation: str = "selu",
        dropout: float = 0.15,
        embedding_size: int = 8,
        baseline: bool = False,
        members: int | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        embedded = numeric_features if embedded is None else embedded
        if numeric_features + len(cardinalities) < 1:
            raise ValueError("TabularMLP: expected at least one input column, got none.")
        if not 0 <= embedded <= numeric_features:
            raise ValueError(
                f"TabularMLP: expected embedded between 0 and {numeric_features} "
                f"(numeric_features), got {embedded}."
            )
        if members is not None and members < 2:
            raise ValueError(
                f"TabularMLP: expected members of at least 2, got {members}; None makes one."
            )
        self.numeric_features = numeric_features
        self.out_features = out_features
        self.embedded = embedded
        self.members = members
        if members is not None:
            others = [[m for m in range(members) if m != fold] for fold in range(members)]
            self.register_buffer("others", tensor(others), persistent=False)
        own: dict[str, Any] = {"members": members, "dtype": dtype}
        width = numeric_features
        self.numbers = self.categories = None
        if embedded:
            self.numbers = PeriodicEmbedding(embedded, **own)
            width += embedded * (self.numbers.size - 1)
        if cardinalities:
            self.categories = CategoryEmbedding(cardinalities, embedding_size, **own)
            width += len(cardinalities) * embedding_size
        self.scale = FeatureScale(width, **own)
        widths = (width, *hidden)
        self.linears = ModuleList([NTKLinear(a, b, **own) for a, b in pairwise(widths)])
        self.activations = ModuleList([ParametricActivation(b, activation, **own) for b in hidden])
        self.dropout = Dropout(dropout)
        self.head = NTKLinear(widths[-1], out_features, **own)
        self.baseline = None
        if baseline and numeric_features:
            self.baseline = LinearBaseline(numeric_features, dtype=dtype)

    def inputs(self, numeric: Tensor, categories: Tensor | None = None) -> Tensor:
        """Return what the first layer gets: embedded numbers, other numbers, embedded categories.

        Args:
            numeric: numbers, (batch, numeric_features), the dtype of the network.
            categories: codes, (batch, columns of categories), int64; None where there are none.

        Returns:
            A tensor of shape (batch, inputs of the first layer), the members before that.
        """
        parts = []
        if self.numbers is not None:
            if self.embedded < self.numeric_features:
                parts += [self.numbers(numeric[:, : self.embedded]), numeric[:, self.embedded :]]
            else:
                parts.append(self.numbers(numeric))
        elif self.numeric_features:
            parts.append(numeric)
        if self.categories is not None:
            parts.append(self.categories(categories))
        if self.members is not None:
            parts = [F.broadcast_to(part, (self.members, *part.shape[-2:])) for part in parts]
        x: Tensor = self.scale(parts[0] if len(parts) == 1 else F.concat(parts, axis=-1))
        return x

    def forward(
        self,
        numeric: Tensor,
        categories: Tensor | None = None,
        folds: Tensor | None = None,
    ) -> Tensor:
        """Return the logits or values.

        Args:
            numeric: as for `inputs`.
            categories: as for `inputs`.
            folds: which member must not learn from each row, (batch,), int64; or None.

        Returns:
            (batch, out_features). In training with members, (members, batch, out_features), or
            (members - 1, batch, out_features) with folds.
        """
        x = self.inputs(numeric, categories)
        for linear, activation in zip(self.linears, self.activations, strict=True):
            x = self.dropout(activation(linear(x)))
        y: Tensor = self.head(x)
        if self.baseline is not None:
            y = y * self.baseline.remainder + self.baseline(numeric)
        return y if self.members is None else self._together(y, folds)

    def _together(self, y: Tensor, folds: Tensor | None) -> Tensor:
        """Choose among the members' outputs, (members, batch, out_features), or average them."""
        if folds is not None:
            wanted = F.take(self.others, folds, axis=0).mT if self.training else folds
            shape = (-1, folds.shape[0], 1)
            indices = F.broadcast_to(
                F.reshape(wanted, shape), (wanted.size // folds.shape[0], *y.shape[1:])
            )
            chosen = F.take_along_axis(y, indices, axis=0)
            return chosen if self.training else chosen[0]
        if self.training:
            return y
        if self.out_features == 1:
            return y.mean(axis=0)
        # The logits of the mean of the probabilities.
        logs = F.log_softmax(y, axis=-1)
        return F.logsumexp(logs, axis=0) - math.log(y.shape[0])

    def start_from(
        self, numeric: Tensor, categories: Tensor | None = None, target: Tensor | None = None
    ) -> None:
        """Draw the weights of all linear layers, one after the other, to fit these rows.

        Args:
            numeric: training rows as for `forward`; a few thousand are enough.
            categories: codes of the same rows, or None.
            target: standardised values of the same rows, (rows,), for the baseline; or None.
        """
        with no_grad():
            x = self.inputs(numeric, categories)
            for linear, activation in zip(self.linears, self.activations, strict=True):
                linear.start_from(x)
                x = activation(linear(x))
            self.head.start_from(x)
            if self.baseline is not None and target is not None:
                self.baseline.fit(numeric, target)
