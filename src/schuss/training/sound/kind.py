"""Sound: short recordings in folders, by residual networks over their spectrograms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from schuss.errors import UsageError
from schuss.training.items.item_kind import ItemKind
from schuss.training.kinds.kind import Option

if TYPE_CHECKING:
    from schuss.core import Array
    from schuss.nn.module import Module
    from schuss.training.items.job import ItemJob
    from schuss.training.items.preparation import Recipe
    from schuss.training.sound.preparation import SoundPreparation

__all__ = ["KIND"]


def _pattern(given: Any) -> str:
    expected = "a regular expression with a part named group, such as '(?P<group>[a-z]+)_.*'"
    try:
        named = re.compile(given).groupindex
    except (re.error, TypeError):
        raise ValueError(expected) from None
    if "group" not in named:
        raise ValueError(expected)
    return str(given)


class SoundKind(ItemKind):
    """Recordings."""

    name = "sound"
    noun = ("recording", "recordings")
    suffixes = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif")
    facts = ("sample_rate", "channels", "frames")
    options = (
        Option(
            "group_pattern",
            "REGEX",
            _pattern,
            "takes the group (such as the speaker) of a recording from its file's name, as in "
            "'(?P<group>[a-z]+)_.*'; whole groups are held out to test",
        ),
    )

    def require(self) -> None:
        """Go on: WAV files need nothing more, and another file says what it needs."""

    def examine(self, content: bytes) -> tuple[int, ...]:
        """Return a recording's rate, channels and frames."""
        from schuss.training.sound.preparation import examine

        return examine(content)

    def describe(self, facts: Array) -> str:
        """Return lengths, rates and channels of all recordings."""
        from schuss.training.sound.preparation import describe

        return describe(facts)

    def plan(self, facts: Array, options: Mapping[str, Any]) -> SoundPreparation:
        """Choose rate and length of the spectrograms."""
        from schuss.training.sound.preparation import SoundPreparation

        return SoundPreparation.of_facts(facts)

    def preparation(self, config: Mapping[str, Any]) -> SoundPreparation:
        """Return what a config describes."""
        from schuss.training.sound.preparation import SoundPreparation

        return SoundPreparation.from_config(config)

    def decide(self, job: ItemJob) -> None:
        """Change nothing: the recipe follows from what is known."""

    def recipe(self, job: ItemJob) -> Recipe:
        """Choose the network by the number of recordings, and by the time."""
        from schuss.training.sound.recipe import sound_recipe

        return sound_recipe(job)

    def network(self, description: Mapping[str, Any]) -> Module:
        """Make a residual network over spectrograms."""
        from schuss.training.sound.network import SoundNetwork

        return SoundNetwork(**description)

    def groups(self, names: Sequence[str], options: Mapping[str, Any]) -> list[str] | None:
        """Return what the pattern finds in each file's name; one without it is a group alone."""
        if options["group_pattern"] is None:
            return None
        pattern = re.compile(options["group_pattern"])
        found = [pattern.match(PurePosixPath(name).name) or pattern.search(name) for name in names]
        if not any(found):
            raise UsageError(
                f"train: group_pattern {options['group_pattern']!r} is in no file's name, such as "
                f"{names[0]!r}."
            )
        return [
            name if match is None or match["group"] is None else match["group"]
            for name, match in zip(names, found, strict=True)
        ]

    def show(self, job: ItemJob, inputs: Array) -> Sequence[Array]:
        """Return spectrograms as the convolutions see them, low frequencies below."""
        from schuss.training.sound.sheets import shown

        return shown(self.network(job.recipe.network), inputs)


KIND = SoundKind()
