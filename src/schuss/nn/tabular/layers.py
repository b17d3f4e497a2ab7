"""The layers of the network for tables; see `schuss.nn.tabular`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from schuss import functions as F
from schuss import random
from schuss.core import Tensor, tensor
from schuss.nn.module import Module, Parameter

__all__ = [
    "CategoryEmbedding",
    "FeatureScale",
    "NTKLinear",
    "ParametricActivation",
    "PeriodicEmbedding",
]

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

    _shown = "{0.features}"

    def __init__(
        self, features: int, *, members: int | None = None, dtype: npt.DTypeLike | None = None
    ) -> None:
        super().__init__()
        self.features = features
        self.scale = Parameter(F.ones(_row(members, features), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return x of shape (..., batch, features) with each column times its factor."""
        return x * self.scale


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

    _shown = "{0.features}, waves={0.waves}, size={0.size}"

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
        """Return the embedding of x, (..., batch, features) to (..., batch, features * size)."""
        # The columns come first, so that the small layers are one batched matrix product.
        columns = F.expand_dims(x.mT, axis=-1)
        waves = F.cos(columns * (self.frequency * (2.0 * math.pi)) + self.phase)
        learned = waves @ self.weight + self.bias
        *lead, features, batch, size = learned.shape
        axes = (*range(len(lead)), -2 + learned.ndim, -3 + learned.ndim, -1 + learned.ndim)
        flat = F.reshape(F.permute_dims(learned, axes), (*lead, batch, features * size))
        return F.concat([flat, F.broadcast_to(x, (*lead, *x.shape[-2:]))], axis=-1)


class CategoryEmbedding(Module):
    """Learned vectors for the categories of several columns, in one table.

    Code 0 of each column stands for missing and unseen values. Its vector starts at zero, in the
    middle of the others, which are drawn from N(0, std^2).

    Args:
        cardinalities: number of codes of each column, the 0 counted.
        size: numbers for each category.
        std: standard deviation of the vectors' numbers at the start.
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
        std: float = 1.0,
        members: int | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.cardinalities = tuple(cardinalities)
        self.size = size
        starts = np.concatenate([[0], np.cumsum(self.cardinalities)]).astype(np.int64)
        shape = (*_lead(members), int(starts[-1]), size)
        rows = np.array(random.randn(*shape, dtype=dtype).array)
        rows *= rows.dtype.type(std)
        rows[..., starts[:-1], :] = 0.0
        self.weight = Parameter(tensor(rows))
        self.register_buffer("starts", tensor(starts[:-1]), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the vectors of codes, (..., batch, columns) to (..., batch, columns * size)."""
        places = codes + self.starts
        if codes.ndim == 2:
            rows = F.take(self.weight, places, axis=self.weight.ndim - 2)
        else:
            # Codes of each member's own are looked up in its own part of one long table.
            members, count, size = self.weight.shape
            first = F.reshape(F.arange(members) * count, (members, 1, 1))
            rows = F.take(F.reshape(self.weight, (-1, size)), places + first, axis=0)
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

    _shown = "{0.in_features}, {0.out_features}"
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

    def of_scaled(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return the layer's outputs for x times a factor for each input, without that product.

        The weights are multiplied instead, which takes less memory where there are more rows than
        outputs, and none for each member's own copy of the inputs.

        Args:
            x: inputs, (..., batch, in_features); members may share those of shape (batch,
                in_features).
            scale: factors, as `FeatureScale` has them.
        """
        weight = self.weight * scale
        if x.ndim == weight.ndim:
            products: Tensor = x @ weight.mT
        else:
            members, outputs, inputs = weight.shape
            together = x @ F.reshape(weight, (members * outputs, inputs)).mT
            apart = F.reshape(together, (x.shape[0], members, outputs))
            products = F.permute_dims(apart, (1, 0, 2))
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
        weight = random.randn(*self.weight.shape, dtype=self.weight.array.dtype).array
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

    _shown = "{0.features}, {0.activation}"

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
