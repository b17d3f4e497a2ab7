"""ItemJob: files found, scanned, decoded and split, with the network and recipe for them."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from schuss import random
from schuss.core import Array
from schuss.data.files.labelled import LabelledFiles, find_files
from schuss.data.files.source import LeftOut, Source
from schuss.data.splits import split_rows
from schuss.errors import DataError, UsageError
from schuss.messages import printable, say
from schuss.nn.module import Module
from schuss.optim import SGD, Optimizer
from schuss.training.descent.learner import OPTIMIZERS
from schuss.training.evaluation.examples import Examples, class_factors
from schuss.training.items.inputs import ItemInputs
from schuss.training.items.interface import Items
from schuss.training.items.mixing import MixedCrossEntropyLoss
from schuss.training.items.options import ItemOptions
from schuss.training.items.preparation import Preparation, Recipe
from schuss.training.items.scan import scan, told
from schuss.training.items.store import Item, ItemStore
from schuss.training.loop.plan import seed_for
from schuss.version import __version__

__all__ = ["TEST", "TRAIN", "VALIDATION", "ItemJob"]

TRAIN, VALIDATION, TEST = 0, 1, 2
# A group is given up to choose the best epoch by if it is at most so much more than what is asked.
_WORTH_A_GROUP = 0.7
_SHARES = ("train", "validation", "test")


@dataclass(repr=False)
class ItemJob:
    """Files made ready, with the recipe to learn from them.

    Args:
        kind: of data.
        options: as they were given.
        classes: the labels, in the order of the network's outputs.
        store: the examples.
        notes: sentences to show.
        overview: lines of three words to show.
        quiet: whether nothing is to be shown meanwhile.
        hardness: what the kind's `decide` measured, for its `recipe`.
    """

    kind: Items
    options: ItemOptions
    classes: list[str]
    store: ItemStore
    notes: list[str] = field(default_factory=list)
    overview: list[tuple[str, str, str]] = field(default_factory=list)
    quiet: bool = False
    hardness: Any = None
    recipe: Recipe = field(init=False)

    # What it is made of.

    @classmethod
    def prepare(
        cls,
        kind: Items,
        options: ItemOptions,
        data: Mapping[str, Any],
        target: str | None,
        folder: Path,
        *,
        quiet: bool,
    ) -> ItemJob:
        """Find, scan, decode and split files, and choose the recipe.

        Args:
            kind: of data.
            options: of the training.
            data: "data", "validation" and "test"; None where there is no such.
            target: the column of the labels, where they are in a table.
            folder: where the cache is made.
            quiet: whether nothing is shown meanwhile.

        Raises:
            DataError: if there is nothing to learn from.
        """
        kind.require()
        found = [_labelled(kind, data[name], target) for name in ("data", "validation", "test")]
        main = found[0]
        assert main is not None
        classes = main.classes
        items: list[Item] = []
        facts: list[Array] = []
        left_out: list[LeftOut] = []
        sources: list[Source] = []
        for number, files in enumerate(found):
            if files is not None:
                sources.append(files.source)
                left_out += files.left_out
                scanned = scan(kind, files, quiet=quiet)
                left_out += scanned.left_out
                facts.append(scanned.facts)
                labels = [files.labels[k] for k in scanned.kept]
                _check_labels(files, labels, classes)
                for k, label, digest in zip(scanned.kept, labels, scanned.digests, strict=True):
                    place = classes.index(str(label))
                    own = Item(files.names[k], len(sources) - 1, place, digest, number)
                    items.append(own)
        if not items:
            why = "; ".join(told(left_out, kind.noun)) or "there are none"
            raise DataError(f"{main.source.path}: no {kind.noun[0]} can be read: {why}")
        every = np.concatenate(facts)
        preparation = kind.plan(every, options.own)
        store = ItemStore(items, sources, preparation, folder)
        left_out += store.fill(f"decoding {kind.noun[1]}", quiet=quiet)
        job = cls(kind, options, classes, store, quiet=quiet)
        job.overview.append((kind.noun[1], "found", kind.describe(every)))
        job.overview.append(store.described())
        job.notes += told(left_out, kind.noun)
        job._split(validation=found[1] is not None, test=found[2] is not None)
        job._check_classes(main)
        kind.decide(job)
        job.recipe = kind.recipe(job)
        return job

    @classmethod
    def again(
        cls, kind: Items, folder: Path, config: Mapping[str, Any], sources: Sequence[Source]
    ) -> ItemJob:
        """Make the job of a run as it was when it began."""
        options = ItemOptions.of_config(config["options"])
        preparation = kind.preparation(config["preparation"])
        store = ItemStore(ItemStore.listed(folder), sources, preparation, folder)
        job = cls(kind, options, list(config["classes"]), store)
        job.recipe = Recipe(**config["recipe"])
        return job

    def _split(self, *, validation: bool, test: bool) -> None:
        """Hold out test and validation examples, with exact copies and groups on one side."""
        options, items = self.options, self.store.items
        for share, own, part in (
            (TEST, test, options.test_share),
            (VALIDATION, validation, options.validation_share),
        ):
            if own:
                continue
            rows = np.array([k for k, item in enumerate(items) if item.share == TRAIN])
            held = self._held_out(rows, part, share)
            for k in held:
                items[int(k)].share = share
        copies = Counter(item.digest for item in items)
        twice = sum(count - 1 for count in copies.values())
        if twice:
            self.notes.append(
                f"{twice:,} exact {'copy' if twice == 1 else 'copies'} of other files: on the same "
                "side of each split"
            )
        known = {item.digest for item in items if item.share != TRAIN}
        both = [item for item in items if item.share == TRAIN and item.digest in known]
        for item in both:
            item.share = -1
        if both:
            self.notes.append(f"{len(both):,} held-out {self.kind.noun[1]} are not learned from")
            self.store.items = [item for item in items if item.share >= 0]

    def _held_out(self, rows: Array, part: float, share: int) -> Array:
        items = [self.store.items[int(k)] for k in rows]
        groups = self.kind.groups([item.name for item in items], self.options.own)
        labels = np.array([item.label for item in items])
        seed = seed_for(self.options.seed, _SHARES[share])
        if groups is not None and part > 0.0:
            names = np.array(groups)
            count, name = len(set(groups)), _SHARES[share]
            if share == TEST or count * part >= _WORTH_A_GROUP:
                _, held = split_rows(len(rows), part, seed=seed, groups=names, stratify=labels)
                self.notes.append(f"groups held out ({name}): {_first(sorted(set(names[held])))}")
                return np.asarray(rows[held])
            self.notes.append(
                f"{name} on {self.kind.noun[1]} of groups that are learned from: of {count} groups "
                "none is to spare"
            )
        _, first, copy = np.unique(
            [item.digest for item in items], return_index=True, return_inverse=True
        )
        _, held = split_rows(len(first), part, seed=seed, stratify=labels[first])
        return np.asarray(rows[np.isin(copy, held)])

    def _check_classes(self, files: LabelledFiles) -> None:
        """Refuse data of one class, and name classes of which nothing is there to learn from."""
        place, noun = files.source.path, self.kind.noun[1]
        counts = np.bincount(self.labels(TRAIN), minlength=len(self.classes))
        if np.count_nonzero(counts) < 2:
            names = [self.classes[k] for k in np.flatnonzero(counts)]
            raise DataError(
                f"{place}: all {noun} that can be learned from are of one class "
                f"({', '.join(map(repr, names))}); expected one folder for each of two classes or "
                "more."
            )
        empty = [self.classes[k] for k in np.flatnonzero(counts == 0)]
        if empty:
            self.notes.append(f"no {noun} to learn from of: {', '.join(empty[:8])}")
        least, most = int(counts.min()), int(counts.max())
        size = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        self.overview.append(
            ("classes", f"{len(self.classes):,}", f"{_first(self.classes)}: {size} of each")
        )

    # What it is used for.

    @property
    def preparation(self) -> Preparation:
        """How files become inputs."""
        return self.store.preparation

    @preparation.setter
    def preparation(self, changed: Preparation) -> None:
        self.store.preparation = changed

    def numbers(self, share: int) -> Array:
        """Return which examples are of a share: TRAIN, VALIDATION or TEST."""
        return np.array([k for k, i in enumerate(self.store.items) if i.share == share], np.int64)

    def labels(self, share: int) -> Array:
        """Return the classes of a share's examples, int64 of shape (examples,)."""
        return np.array([i.label for i in self.store.items if i.share == share], np.int64)

    def examples(
        self, share: int, *, augmented: bool = False, quick: bool = False
    ) -> Examples | None:
        """Return the examples of a share, whose inputs are made when they are asked for.

        Args:
            share: TRAIN, VALIDATION or TEST.
            augmented: whether they are changed at random.
            quick: whether inputs are those that are validated after each epoch.
        """
        numbers = self.numbers(share)
        if not len(numbers):
            return None
        seed = seed_for(self.options.seed, "augmentation") if augmented else None
        preparation = self.kind.quick(self.preparation) if quick else self.preparation
        inputs = ItemInputs(self.store, numbers, seed, preparation)
        found = Examples((inputs,), self.labels(share))
        if augmented and self.options.class_weight is not None:
            found = found.weighted_by(class_factors("balanced", found.y, "train"))
        return found

    def network(self) -> Module:
        """Make the network, with its first weights."""
        with random.separate_draws():
            random.manual_seed(seed_for(self.options.seed, "weights"))
            return self.kind.network(self.recipe.network)

    def loss(self) -> MixedCrossEntropyLoss:
        """Return what is minimised."""
        return MixedCrossEntropyLoss(label_smoothing=self.recipe.label_smoothing)

    def optimizer(self, model: Module) -> Optimizer:
        """Make the optimizer; vectors (biases, what normalisations learn) do not decay."""
        recipe = self.recipe
        groups: list[dict[str, Any]] = [
            {"params": [p for p in model.parameters() if p.ndim > 1]},
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if recipe.optimizer == "sgd":
            return SGD(
                groups, lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
            )
        make = OPTIMIZERS[recipe.optimizer]
        return make(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)

    def config(self, model: Module, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything that rebuilds the run."""
        shares = {name: len(self.numbers(number)) for number, name in enumerate(_SHARES)}
        return {
            "kind": self.kind.name,
            "versions": {
                "schuss": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "sources": sources,
            "options": {**vars(self.options)},
            "notes": self.notes,
            "overview": self.overview + self.preparation.describe(),
            "classes": self.classes,
            "shares": shares,
            "preparation": self.preparation.to_config(),
            "recipe": vars(self.recipe),
            "parameters": sum(p.size for p in model.parameters()),
        }

    def say(self, text: str) -> None:
        """Show a line, unless nothing is to be shown."""
        if not self.quiet:
            say(printable(text))


def _labelled(kind: Items, data: Any, target: str | None) -> LabelledFiles | None:
    if data is None:
        return None
    if target is not None and not isinstance(target, str):
        raise UsageError(f"train: expected target to name a column, got {type(target).__name__}.")
    found = find_files(data, kind.suffixes, target)
    if found is None:
        raise DataError(
            f"{data}: found no {kind.noun[1]}; expected a folder, an archive or a table of paths "
            f"with files that end in {', '.join(kind.suffixes)}."
        )
    if target is not None and found.form in ("folder", "archive"):
        raise UsageError(
            f"train: expected no target, got {target!r}: the folders in {data} name the classes."
        )
    alone = [k for k, label in enumerate(found.labels) if label is None]
    if len(alone) == len(found):
        raise DataError(
            f"{data}: the {kind.noun[1]} have no classes; expected one folder for each class, or "
            "a labels.csv with the columns file and label."
        )
    for k in reversed(alone):
        found.left_out.append(LeftOut(found.names.pop(k), "in no class's folder"))
        found.labels.pop(k)
    return found


def _check_labels(
    files: LabelledFiles, labels: Sequence[str | None], classes: Sequence[str]
) -> None:
    unknown = sorted({str(label) for label in labels} - set(classes))
    if unknown:
        raise DataError(
            f"{files.source.path}: holds the class {unknown[0]!r}, which is not among those to "
            f"learn: {_first(classes)}."
        )


def _first(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
