"""ItemKind: a kind of data whose examples are files, such as pictures and recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schuss.training.items.interface import Items
from schuss.training.kinds.kind import OutputOptions, Recognised, Stored

if TYPE_CHECKING:
    from schuss.training.items.run import ItemRun
    from schuss.training.runs.folder import RunFolder

__all__ = ["ItemKind"]


class ItemKind(Items):
    """A kind of data whose examples are files: what all of these have in common."""

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
