"""ItemRun: a network trained on files, with all that it takes to use it on new ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data.files.labelled import LabelledFiles, find_files
from schuss.errors import DataError
from schuss.modes import quietly
from schuss.nn.module import Module
from schuss.training.evaluation.compiled_forward import CompiledForward
from schuss.training.evaluation.evaluate import outputs, probabilities
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.metrics import CLASS_METRICS, measure
from schuss.training.items.description import check_run
from schuss.training.items.interface import Items
from schuss.training.items.scan import parallel
from schuss.training.kinds.describing import shares_text
from schuss.training.kinds.kind import Stored
from schuss.training.kinds.run import Figures, Predicted, Predictions, Run

__all__ = ["ItemRun"]

# So many files are in memory at a time.
_CHUNK = 512
# And so many in the network.
_BATCH = 32


class ItemRun(Run):
    """A network trained on files, what makes its inputs of them, and how good it is.

    Made by `train`, `resume` and `load`.

    Args:
        kind: of data.
        config: what the run's config.json holds.
        model: the network with its weights.
        result: what came of the training.
        folder: where the run is on disk, or None.
        history: an epoch's figures each.
    """

    def __init__(
        self,
        kind: Items,
        config: Mapping[str, Any],
        model: Module,
        result: Mapping[str, Any],
        folder: Path | None = None,
        history: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(config, model, result, folder, history)
        self.kind = kind
        self.preparation = kind.preparation(config["preparation"])
        self._forward: CompiledForward | None = None
        self._lock = threading.Lock()

    @classmethod
    def of_stored(cls, kind: Items, stored: Stored) -> ItemRun:
        """Make the run of what its files hold.

        Raises:
            KeyError, TypeError, ValueError: if a part is damaged.
        """
        check_run(stored.config, stored.result)
        model = kind.network(stored.config["recipe"]["network"])
        model.load_state_dict(stored.arrays)
        model.eval()
        return cls(kind, stored.config, model, stored.result, stored.folder, stored.history)

    def __getstate__(self) -> dict[str, Any]:
        # Native code and locks belong to a process; both are made anew where they are needed.
        return {**vars(self), "_forward": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    @property
    def next_data(self) -> tuple[str, str]:
        """Folders."""
        return f"new_{self.kind.noun[1]}", f"test_{self.kind.noun[1]}"

    @property
    def task(self) -> str:
        """What is learned: always "classification"."""
        return "classification"

    @property
    def classes(self) -> Array:
        """The classes in the order of the columns of `predict_proba`."""
        return np.array(self.config["classes"])

    @property
    def target_name(self) -> str:
        """What is learned is called so."""
        return str(self.config["sources"].get("target") or "class")

    @property
    def goal(self) -> dict[str, Any]:
        """The temperature by which logits are divided."""
        temperature = self.model.state_dict()["temperature"]
        return {"temperature": temperature.item()}

    def description(self) -> list[tuple[str, str, str]]:
        """Return what was found, and what was chosen for it."""
        return [tuple(line) for line in self.config["overview"]]

    def shares_text(self) -> str:
        """Return how the examples are shared out."""
        return shares_text(self.kind.noun[1], self.shares)

    # Using it.

    def predict(self, rows: Any) -> Array:
        """Return the class of each example.

        Args:
            rows: a path of a file, folder or archive; or a list of paths, arrays or objects of the
                kind, such as PIL's pictures.

        Raises:
            DataError: if one cannot be read; it names the first.
        """
        found: Array = self.classes[self.predict_proba(rows).argmax(axis=1)]
        return found

    def predict_proba(self, rows: Any) -> Array:
        """Return the probability of each class, float64 of shape (examples, classes).

        Args:
            rows: as `predict` takes them.

        Raises:
            DataError: if one cannot be read; it names the first.
        """
        parts = [np.empty((0, len(self.classes)))]
        values = iter(self._values(rows))
        with quietly():
            while chunk := list(islice(values, _CHUNK)):
                items = list(parallel(lambda value: self._item(*value), chunk))
                parts.append(self._chances(items))
        return np.concatenate(parts)

    def evaluate(self, data: Any) -> Figures:
        """Return figures on files that have classes, by name; None where one is undefined.

        Args:
            data: a folder, an archive or a table of paths, as `train` takes them.

        Raises:
            DataError: if there are none, or a class was never learned.
        """
        return self.measured(data)[0]

    def measured(self, data: Any, **reading: Any) -> tuple[Figures, int, int]:
        """Return figures on files, on how many files, and on how many without a class."""
        found = self._find(data)
        known = {label: k for k, label in enumerate(self.config["classes"])}
        unknown = sorted({x for x in found.labels if x is not None} - set(known))
        if unknown:
            raise DataError(
                f"{data}: holds the class {unknown[0]!r}, which was not learned; the classes are "
                f"{', '.join(self.config['classes'][:8])}."
            )
        labelled = [
            (name, known[label])
            for name, label in zip(found.names, found.labels, strict=True)
            if label is not None
        ]
        logits, y = [], []
        rest = iter(labelled)
        with quietly():
            while chunk := list(islice(rest, _CHUNK)):
                items = list(parallel(lambda one: self._file(found, one[0]), chunk))
                good = [k for k, item in enumerate(items) if not isinstance(item, str)]
                if good:
                    logits.append(self._logits([items[k] for k in good]))
                    y += [chunk[k][1] for k in good]
        found.source.close()
        if not y:
            raise DataError(f"{data}: no {self.kind.noun[0]} with a class can be read there.")
        figures = self.figures(np.array(y, np.int64), np.concatenate(logits))
        return figures, len(found), len(found) - len(y)

    def stream(self, data: Any, **reading: Any) -> Iterator[Predicted]:
        """Yield files with predictions, a part at a time; one that cannot be read says so."""
        found = self._find(data)
        names = iter(found.names)
        with quietly():
            while chunk := list(islice(names, _CHUNK)):
                items = list(parallel(lambda name: self._file(found, name), chunk))
                yield self._predicted(chunk, items)
        found.source.close()

    def _predicted(self, names: Sequence[str], items: Sequence[Array | str]) -> Predicted:
        good = [k for k, item in enumerate(items) if not isinstance(item, str)]
        chances = np.full((len(items), len(self.classes)), np.nan)
        if good:
            chances[good] = self._chances([items[k] for k in good])
        labels = np.full(len(items), "", object)
        labels[good] = self.classes[chances[good].argmax(axis=1)]
        errors = [item if isinstance(item, str) else "" for item in items]
        return Predicted(
            {"file": np.array(list(map(_encodable, names)), np.dtypes.StringDType())},
            Predictions(labels.astype(np.dtypes.StringDType()), chances),
            more={"error": np.array(errors, np.dtypes.StringDType())},
        )

    def figures(self, y: Array, logits: Array) -> Figures:
        """Return figures by name.

        Args:
            y: classes, int64 of shape (examples,).
            logits: of shape (examples, classes).
        """
        return measure(CLASS_METRICS, y, probabilities(logits))

    def logits(self, examples: Examples) -> Array:
        """Return the network's outputs on examples, (examples, classes)."""
        with self._lock:
            if self._forward is None:
                self._forward = CompiledForward(self.model, needed=False, batch=_BATCH)
            forward = self._forward
        return outputs(self.model, examples, forward=forward)

    # How it does that.

    def _find(self, data: Any) -> LabelledFiles:
        self.kind.require()
        found = find_files(data, self.kind.suffixes, self.config["sources"].get("target"))
        if found is None:
            raise DataError(f"{data}: found no {self.kind.noun[1]} there.")
        return found

    def _values(self, rows: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what reads an example, and what is to be read."""
        if isinstance(rows, str | os.PathLike):
            path = Path(rows).expanduser()
            if path.suffix.lower() in self.kind.suffixes and path.is_file():
                yield None, path
                return
            found = self._find(rows)
            for name in found.names:
                yield found, name
            return
        if isinstance(rows, np.ndarray) and rows.ndim in (1, 2):
            rows = [rows]
        for row in rows:
            yield None, row

    def _item(self, found: LabelledFiles | None, value: Any) -> Array:
        """Return what a value is decoded to."""
        self.kind.require()
        is_path = isinstance(value, str | os.PathLike)
        try:
            if found is not None:
                return self.preparation.store(found.source.read(value))
            if not is_path:
                return self.preparation.take(value)
            return self.preparation.store(Path(value).expanduser().read_bytes())
        except OSError as error:
            raise DataError(f"{value}: cannot be read ({error.strerror or error}).") from None
        except (DataError, TypeError, ValueError) as error:
            name = value if is_path else type(value).__name__
            raise DataError(f"{name}: {error}") from None

    def _file(self, found: LabelledFiles, name: str) -> Array | str:
        """Return what a file is decoded to, or why it cannot be read."""
        try:
            return self.preparation.store(found.source.read(name))
        except DataError as error:
            return str(error)

    def _logits(self, items: Sequence[Any]) -> Array:
        inputs = self.preparation.evaluation_batch(items)
        return self.logits(Examples((inputs,), np.zeros(len(items), np.int64)))

    def _chances(self, items: Sequence[Any]) -> Array:
        return probabilities(self._logits(items))


def _encodable(name: str) -> str:
    """Return a file's name as text that can be written, whatever bytes the name is of."""
    return name.encode("utf-8", "backslashreplace").decode()
