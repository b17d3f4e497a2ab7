"""What a kind of files says of its examples: Preparation, how they become inputs; Recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from schuss.core import Array

__all__ = ["Preparation", "Recipe"]


class Preparation(Protocol):
    """How files become inputs; plain numbers and names that config.json holds."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what `store` returns."""

    @property
    def draws(self) -> int:
        """How many random numbers the augmentation of one example takes."""

    def to_config(self) -> dict[str, Any]:
        """Return what makes the same preparation again, as JSON can hold it."""

    def describe(self) -> list[tuple[str, str, str]]:
        """Return what was chosen, as lines of three words for a person."""

    def store(self, content: bytes) -> Array:
        """Decode a file into what the cache holds of it, which is small and quick to use.

        Called in several threads.

        Returns:
            Of `dtype`, of any shape with the same number of axes for all files.

        Raises:
            DataError: with a phrase that says why it cannot be read.
        """

    def take(self, value: Any) -> Array:
        """Return the same of an example in memory: an array, or an object of a library.

        Raises:
            DataError, TypeError, ValueError: if it is none.
        """

    def training_batch(self, items: Sequence[Array], draws: Array) -> Array:
        """Augment what `store` returned, and make the network's input of it.

        Args:
            items: of the batch's examples.
            draws: uniform random numbers in [0, 1), of shape (batch, draws); the result depends on
                nothing else.
        """

    def evaluation_batch(self, items: Sequence[Array]) -> Array:
        """Make the network's input of what `store` returned, without augmentation."""


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Args:
        network: what `Items.network` makes it from, as JSON can hold it.
        epochs: passes over the training examples.
        batch_size: examples in a step.
        optimizer: "sgd" (with Nesterov's momentum), "adam", "adamw", ...
        lr: its highest learning rate.
        weight_decay: of matrices and kernels; vectors, such as biases, have none.
        schedule: of the learning rate, by name.
        label_smoothing: share of each label that goes to all classes alike, in [0, 1).
        average_epochs: epochs over which weights are averaged, or None.
        more: whatever else the kind keeps.
    """

    network: dict[str, Any]
    epochs: int
    batch_size: int
    optimizer: str = "sgd"
    lr: float = 0.1
    weight_decay: float = 5e-4
    schedule: str = "one_cycle"
    label_smoothing: float = 0.1
    average_epochs: int | None = None
    more: dict[str, Any] = field(default_factory=dict)
