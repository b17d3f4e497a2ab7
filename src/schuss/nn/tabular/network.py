"""TabularMLP, the default network for tables.

`TabularMLP` follows RealMLP (Holzmüller, Grinsztajn and Steinwart, "Better by Default: Strong
Pre-Tuned MLPs and Boosted Trees on Tabular Data", arXiv 2407.04491): periodic embeddings of the
numbers, learned embeddings of the large categories, a learned scale for each input, and linear
layers in the neural tangent parametrisation whose weights and biases start from the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss import functions as F
from schuss.core import TRACER, Array, Tensor, leaf, no_grad, tensor
from schuss.nn.containers import ModuleList
from schuss.nn.dropout import Dropout
from schuss.nn.module import Module
from schuss.nn.tabular.baseline import LinearBaseline
from schuss.nn.tabular.layers import (
    CategoryEmbedding,
    FeatureScale,
    NTKLinear,
    ParametricActivation,
    PeriodicEmbedding,
)

__all__ = ["TabularMLP"]

# Beyond so many inputs, none of them embedded, their scales are part of the first layer's weights.
WIDE = 500


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
        embedding_std: their standard deviation at the start.
        baseline: add a `LinearBaseline`; for one value that `start_from` is given.
        members: networks side by side, each with parameters of its own; at least 2; None for one.
        calibrated: calibrate the logits in evaluation by what `calibrate` is given.
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
        embedding_std: float = 1.0,
        baseline: bool = False,
        members: int | None = None,
        calibrated: bool = False,
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
        # Given folds, evaluation sorts the rows by them.
        self.evaluates_by_values = members is not None
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
            self.categories = CategoryEmbedding(
                cardinalities, embedding_size, std=embedding_std, **own
            )
            width += len(cardinalities) * embedding_size
        self.wide = width == numeric_features > WIDE
        self.scale = FeatureScale(width, **own)
        widths = (width, *hidden)
        self.linears = ModuleList([NTKLinear(a, b, **own) for a, b in pairwise(widths)])
        self.activations = ModuleList([ParametricActivation(b, activation, **own) for b in hidden])
        self.dropout = Dropout(dropout)
        self.head = NTKLinear(widths[-1], out_features, **own)
        self.baseline = None
        if baseline and numeric_features:
            self.baseline = LinearBaseline(numeric_features, dtype=dtype)
        self.calibrated = calibrated
        if calibrated:
            self.register_buffer("temperature", F.ones((), dtype=dtype))

    def inputs(self, numeric: Tensor, categories: Tensor | None = None) -> Tensor:
        """Return what the first layer gets: embedded numbers, other numbers, embedded categories.

        Args:
            numeric: numbers, (batch, numeric_features), the dtype of the network.
            categories: codes, (batch, columns of categories), int64; None where there are none.

        Returns:
            A tensor of shape (batch, inputs of the first layer), the members before that. They
            may come before the batch of the arguments, too, with rows of their own.
        """
        parts = []
        if self.numbers is not None:
            if self.embedded < self.numeric_features:
                others = numeric[..., self.embedded :]
                parts += [self.numbers(numeric[..., : self.embedded]), others]
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

    def _first(self, numeric: Tensor, categories: Tensor | None) -> Tensor:
        """Return the first layer's outputs.

        Many numbers, which go in as they are, are not scaled for each member anew: that would be
        most of the memory and the time of a step.
        """
        first = (*self.linears, self.head)[0]
        if self.wide:
            scaled: Tensor = first.of_scaled(numeric, self.scale.scale)
            return scaled
        outputs: Tensor = first(self.inputs(numeric, categories))
        return outputs

    def forward(
        self, numeric: Tensor, categories: Tensor | None = None, folds: Tensor | None = None
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
        if folds is not None and not self.training and TRACER.get() is None:
            return self._left_out(numeric, categories, folds)
        y = self._each(numeric, categories)
        return y if self.members is None else self._together(y, folds)

    def _each(self, numeric: Tensor, categories: Tensor | None) -> Tensor:
        """Return the outputs of each member, (members, batch, out_features), or of the one."""
        y = self._first(numeric, categories)
        for activation, linear in zip(
            self.activations, (*self.linears, self.head)[1:], strict=True
        ):
            y = linear(self.dropout(activation(y)))
        if self.baseline is not None:
            y = y * self.baseline.remainder + self.baseline(numeric)
        return y / self.temperature if self.calibrated and not self.training else y

    def calibrate(self, temperature: float, biases: Array) -> None:
        """Divide the logits of evaluation by a temperature, and then add the classes' biases.

        So it is for each member before the mean.

        Args:
            temperature: above 0, such as `fit_temperature` finds; above 1 it makes probabilities
                milder.
            biases: (out_features,), such as `fit_biases` finds. They go into the last layer, which
                has such already.
        """
        self.temperature.assign(np.array(temperature, self.temperature.dtype))
        moved = self.head.bias.array + temperature * biases
        self.head.bias.assign(moved.astype(self.head.bias.dtype))

    def _left_out(self, numeric: Tensor, categories: Tensor | None, folds: Tensor) -> Tensor:
        """Return each row's output by the member that must not learn from it.

        No other computes it: the rows are sorted by their members, with some repeated so that all
        members have the same number.
        """
        counts = np.bincount(folds.array, minlength=self.members or 0)
        there = np.arange(counts.max()) < counts[:, None]
        order = np.argsort(folds.array, kind="stable")
        rows = np.zeros(there.shape, np.int64)
        rows[there] = order
        chosen = leaf(rows)
        codes = None if categories is None else F.take(categories, chosen, axis=0)
        y = self._each(F.take(numeric, chosen, axis=0), codes)
        places = np.empty_like(order)
        places[order] = np.flatnonzero(there)
        return F.take(F.reshape(y, (-1, self.out_features)), leaf(places), axis=0)

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
            # All scales are 1 at the start.
            x = numeric if self.wide else self.inputs(numeric, categories)
            for linear, activation in zip(self.linears, self.activations, strict=True):
                linear.start_from(x)
                x = activation(linear(x))
            self.head.start_from(x)
            if self.baseline is not None and target is not None:
                self.baseline.fit(numeric, target)
