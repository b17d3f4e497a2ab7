"""ItemKind: a kind of data whose examples are files, such as pictures and recordings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schuss.training.kinds.kind import Kind, OutputOptions, Recognised, Stored

if TYPE_CHECKING:
    from schuss.core import Array
    from schuss.nn.module import Module
    from schuss.training.items.job import ItemJob
    from schuss.training.items.preparation import Preparation, Recipe
    from schuss.training.items.run import ItemRun
    from schuss.training.runs.folder import RunFolder

__all__ = ["ItemKind"]


class ItemKind(Kind):
    """A kind of data whose examples are files with a label each.

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
    def decide(self, job: ItemJob) -> None:
        """Measure what the data bears, and change `job.preparation` by it; add to `job.notes`."""

    @abstractmethod
    def recipe(self, job: ItemJob) -> Recipe:
        """Choose the network and how it is trained, by the data and the options."""

    @abstractmethod
    def network(self, description: Mapping[str, Any]) -> Module:
        """Make the network that `Recipe.network` describes; its weights come from elsewhere.

        It is called with a batch of `Preparation.evaluation_batch`, and returns logits. Its
        `calibrate(temperature)` sets what divides them in evaluation.
        """

    def groups(self, names: Sequence[str], options: Mapping[str, Any]) -> list[str] | None:
        """Return the group of each file, all of which is to stay on one side of a split; or None.

        Args:
            names: of the files.
            options: all of `train`'s, and the kind's own.
        """
        return None

    def show_examples(self, job: ItemJob, folder: Path) -> None:
        """Write what shows examples as the network sees them into the run's folder."""

    def show_mistakes(self, job: ItemJob, mistakes: Any, folder: Path) -> None:
        """Write what shows the worst mistakes on held-out examples into the run's folder."""

    # What all of them have.

    def recognise(self, data: Any) -> Recognised | None:
        """Say what data is taken for, where it holds such files."""
        from schuss.data.files.labelled import find_files

        found = find_files(data, self.suffixes, labels=False)
        if found is None:
            return None
        found.source.close()
        where = f"a {found.form} of {self.noun[1]}"
        count = f"{len(found):,} in {len(found.classes):,} classes"
        if not found.classes:
            count = f"{len(found):,}"
        return Recognised(len(found), f"{where} ({count})")

    def train(
        self, data: Any, target: Any, given: Mapping[str, Any], output: OutputOptions
    ) -> ItemRun:
        """Train on files."""
        from schuss.training.items.train import train_items

        return train_items(self, data, target, given, output)

    def resume(
        self, folder: RunFolder, sources: Mapping[str, Any], output: OutputOptions
    ) -> ItemRun:
        """Go on with a run on files."""
        from schuss.training.items.train import resume_items

        return resume_items(self, folder, sources, output)

    def load(self, stored: Stored) -> ItemRun:
        """Make the run of what its files hold."""
        from schuss.training.items.run import ItemRun

        return ItemRun.of_stored(self, stored)

    def check_weights(self, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Refuse a network that is not the one that the weights are of, before it is built."""
        from schuss.training.items.description import check_size

        check_size(config, arrays)
