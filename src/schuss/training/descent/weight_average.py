"""WeightAverage: a running average of the weights over the last epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.nn.module import Module

__all__ = ["WeightAverage"]


class WeightAverage:
    r"""The average of a model's parameters after each epoch, the older the less.

    .. math:: a_{k} = a_{k-1} + (w_{k} - a_{k-1}) / \min(k, n)

    so the plain mean of the first n epochs, then an exponential average over about n (Izmailov et
    al., "Averaging Weights Leads to Wider Optima and Better Generalization", arXiv 1803.05407).

    Args:
        model: whose parameters are averaged.
        epochs: n, at least 1; None for no average: the model stays as it is.

    >>> from schuss import nn
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> average = WeightAverage(layer, 2)
    >>> for epoch, weight in enumerate([1.0, 2.0, 4.0], start=1):
    ...     _ = layer.weight.assign(np.array([[weight]], np.float32))
    ...     average.update(epoch)
    >>> with average.in_place():
    ...     layer.weight.item()
    2.75
    >>> layer.weight.item()
    4.0
    """

    def __init__(self, model: Module, epochs: int | None) -> None:
        self.epochs = epochs
        self._parameters = {} if epochs is None else dict(model.named_parameters())
        self._arrays: dict[str, Array] = {}

    def update(self, epoch: int) -> None:
        """Take in the parameters after an epoch, counted from 1."""
        share = 1.0 / min(epoch, self.epochs or 1)
        for name, parameter in self._parameters.items():
            held = self._arrays.get(name)
            if held is None:
                self._arrays[name] = np.array(parameter.array)
            else:
                held += (parameter.array - held) * held.dtype.type(share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model the average for a while; nothing may train in it meanwhile."""
        if not self._arrays:
            yield
            return
        kept = {name: parameter.array.copy() for name, parameter in self._parameters.items()}
        try:
            for name, parameter in self._parameters.items():
                parameter.assign(leaf(self._arrays[name]))
            yield
        finally:
            for name, parameter in self._parameters.items():
                parameter.assign(leaf(kept[name]))

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average by the parameters' names; empty before the first epoch."""
        return {name: leaf(array) for name, array in self._arrays.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            ValueError: if it is of other parameters.
        """
        shapes = {name: parameter.shape for name, parameter in self._parameters.items()}
        if state and {name: value.shape for name, value in state.items()} != shapes:
            raise ValueError("the average is of other parameters")
        self._arrays = {name: np.array(value.array) for name, value in state.items()}
