"""Items: what a kind of data whose examples are files has to say; `ItemKind` does the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schuss.training.kinds.kind import Kind

if TYPE_CHECKING:
    from schuss.core import Array
    from schuss.nn.module import Module
    from schuss.training.items.preparation import Preparation, Recipe

__all__ = ["Items"]


class Items(Kind):
    """What a kind of data whose examples are files with a label each has to say.

    `job` is the `ItemJob` that is being made ready, or trained.

    `noun` is what one and several are called; `suffixes` are those of the files, in lower case.
    """

    noun: tuple[str, str]
    suffixes: tuple[str, ...]
    #: Names of the numbers that `examine` returns.
    facts: tuple[str, ...]

    @abstractmethod
    def require(self) -> None:
        """Refuse to go on where a library is missing; raises UsageError that names the extra."""

    @abstractmethod
    def examine(self, content: bytes) -> tuple[int, ...]:
        """Return what is known of a file without decoding all of it, as many numbers as `facts`.

        Called in several threads. Raises DataError with a phrase such as "not a picture".
        """

    @abstractmethod
    def describe(self, facts: Array) -> str:
        """Return a line about all files, such as their sizes.

        Args:
            facts: what `examine` returned of each, int64 of shape (files, numbers).
        """

    @abstractmethod
    def plan(self, facts: Array, options: Mapping[str, Any]) -> Preparation:
        """Choose how files become inputs.

        Args:
            facts: what `examine` returned of each file, int64 of shape (files, numbers).
            options: the kind's own, by name; None where one was not given.
        """

    @abstractmethod
    def preparation(self, config: Mapping[str, Any]) -> Preparation:
        """Return what `Preparation.to_config` described."""

    @abstractmethod
    def decide(self, job: Any) -> None:
        """Measure what the data bears, and change `job.preparation` by it; add to `job.notes`."""

    @abstractmethod
    def recipe(self, job: Any) -> Recipe:
        """Choose the network and how it is trained, by the data and the options."""

    @abstractmethod
    def network(self, description: Mapping[str, Any]) -> Module:
        """Make the network that `Recipe.network` describes; its weights come from elsewhere.

        It is called with a batch of `Preparation.evaluation_batch`, and returns logits; while
        training also with what `mixed` returns, where it mixes its examples. Its
        `calibrate(temperature)` sets what divides them in evaluation.
        """

    def quick(self, preparation: Any) -> Any:
        """Return the preparation of what is validated after each epoch: one that takes less time.

        Args:
            preparation: that of the final figures, and of predictions.
        """
        return preparation

    def groups(self, names: Sequence[str], options: Mapping[str, Any]) -> list[str] | None:
        """Return the group of each file, all of which is to stay on one side of a split; or None.

        Args:
            names: of the files.
            options: all of `train`'s, and the kind's own.
        """
        return None

    @abstractmethod
    def show(self, job: Any, inputs: Array) -> Sequence[Array]:
        """Return what inputs look like to the network: pictures for the sheets of a run.

        Args:
            job: an `ItemJob`.
            inputs: a batch of the preparation.

        Returns:
            For each of the batch, uint8 of shape (height, width, channels).
        """
