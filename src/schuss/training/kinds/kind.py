"""Kind: one is added by a folder training/NAME with a kind.py that holds KIND; no other file.

Whoever asks for a kind finds it there (`known.py`). A kind whose examples are files, a label each,
says less: it is an `ItemKind`, and training/items does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schuss.training.kinds.run import Run
    from schuss.training.runs.folder import RunFolder

__all__ = ["Kind", "Option", "OutputOptions", "Recognised", "Stored"]


@dataclass(frozen=True)
class Option:
    """An option that a kind of data has beside those of all kinds.

    Args:
        name: argument of `train`; on the command line with dashes.
        metavar: how the help names its value.
        read: makes the value of what was given, text or value; raises ValueError with what was
            expected, such as "'auto', 'yes' or 'no'".
        help: a sentence.
        decides: whether data is of this kind where the option is given.
    """

    name: str
    metavar: str
    read: Callable[[Any], Any]
    help: str
    decides: bool = False


@dataclass(frozen=True)
class Recognised:
    """What a kind took data for.

    Args:
        examples: how many examples it found; the kind that finds most takes the data.
        what: such as "a folder of pictures (2,934 in 5 classes)"; empty where that is told only
            once the data is read.
    """

    examples: int
    what: str


@dataclass(frozen=True)
class OutputOptions:
    """What is shown and saved while training, as `train` and `resume` take it; see there."""

    quiet: bool
    on_start: Callable[[Any], object] | None
    callbacks: Iterable[Any]
    checkpoint_seconds: float


@dataclass(frozen=True)
class Stored:
    """A run as its files hold it.

    Args:
        place: the folder or file, for messages.
        config: what config.json holds.
        arrays: the weights by name.
        result: what came of the training.
        folder: the run's folder, or None for a single file.
        history: an epoch's figures each.
    """

    place: Path
    config: dict[str, Any]
    arrays: dict[str, Any]
    result: dict[str, Any]
    folder: Path | None
    history: list[dict[str, Any]]


class Kind(ABC):
    """A kind of data.

    `name` is what `--kind` takes and what config.json calls the runs; `options` are those that no
    other kind has. This module and `kind.py` of each kind are loaded for `--help`: what computes
    is imported within the methods.
    """

    name: str
    options: tuple[Option, ...] = ()

    @abstractmethod
    def recognise(self, data: Any) -> Recognised | None:
        """Say what data is taken for; None where it is of another kind."""

    @abstractmethod
    def train(self, data: Any, target: Any, given: Mapping[str, Any], output: OutputOptions) -> Run:
        """Train on data, and return the run.

        Args:
            data: as `train` got it.
            target: likewise.
            given: all of its other arguments by name, None where one was left out.
            output: what is shown and saved.
        """

    @abstractmethod
    def resume(self, folder: RunFolder, sources: Mapping[str, Any], output: OutputOptions) -> Run:
        """Go on with a run that has not ended.

        Args:
            folder: the run's, locked.
            sources: "data", "validation" and "test" where they were given again, else None.
            output: what is shown and saved.
        """

    @abstractmethod
    def load(self, stored: Stored) -> Run:
        """Make the run of what its files hold; whatever fails means that these are damaged."""

    @abstractmethod
    def check_weights(self, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Refuse a description of a network that is far larger than the weights that are there."""
