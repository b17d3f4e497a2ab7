"""Columns of free text: what their words say of the target, as numbers.

A linear model of a text's words and pairs of words (an embedding bag) is learned by descent: of all
training rows, and for each fold of all but those of the fold. So each training row has numbers from
a model that did not learn from it, as new rows have (stacking: Wolpert, 1992).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.splits import permutation
from schuss.data.tables.columns import ColumnKind, labels_of
from schuss.data.tables.preparing.dates import Numbers
from schuss.data.tables.preparing.words import WeighedWords, learn_words, weigh_words
from schuss.data.tables.table import Table
from schuss.errors import FileFormatError

__all__ = ["TextModel", "learn_text", "scale_of_said"]

Floats = npt.NDArray[np.float64]

#: Models that each leave out one part of the rows.
_FOLDS = 4
#: More rows and more classes than these are not learned from.
_MOST_ROWS, _MOST_CLASSES = 50_000, 200
#: Numbers in the padded rows of words, at most; and words of a row.
_MOST_PADDED, _MOST_TERMS = 20_000_000, 512
_BATCH, _LEAST_STEPS, _MOST_ROUNDS, _PATIENCE = 128, 20, 40, 3
_RATE = 0.1
#: A text counts if it lowers the loss of rows that were left out by so many standard errors.
_ERRORS = 2.0
#: Nearly all of what a text says lies within so many units.
_NEARLY_ALL, _FAR = 0.999, 2.5


@dataclass(frozen=True, eq=False)
class TextModel:
    """A linear model of the words of a column.

    Args:
        column: its name.
        outputs: what each number says, (outputs,).
        words: words and pairs of words.
        weights: what each weighs, float32 of shape (words,).
        table: what each adds to the outputs, float32 of shape (words, outputs).
        bias: the outputs without words, float32 of shape (outputs,).
    """

    column: str
    outputs: tuple[str, ...]
    words: list[str]
    weights: npt.NDArray[np.float32]
    table: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def columns(self, table: Table, kind: ColumnKind, said: Floats | None = None) -> Numbers:
        """Return the columns of `values`, computed when the first is asked for, or as given."""
        made = [] if said is None else [said]

        def column(place: int) -> Floats:
            if not made:
                made.append(self.values(table, kind))
            return made[0][:, place]

        numbers = Numbers()
        for place, name in enumerate(self.names):
            numbers.add(name, (self.column,), partial(column, place))
        return numbers

    @property
    def names(self) -> list[str]:
        """What the numbers are called."""
        return [f"{self.column}: {output}" for output in self.outputs]

    def values(self, table: Table, kind: ColumnKind) -> Floats:
        """Return what the texts of a table say, (rows, outputs)."""
        labels, codes = labels_of(table, kind)
        weighed = weigh_words([*labels, ""], self.words, self.weights)
        return (weighed.products(self.table) + self.bias)[codes]

    def to_config(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return {
            "column": self.column,
            "outputs": list(self.outputs),
            "words": self.words,
            **{name: _coded(getattr(self, name)) for name in ("weights", "table", "bias")},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TextModel:
        """Make the model that `to_config` described.

        Raises:
            FileFormatError: If lengths do not go together.
        """
        words, outputs = list(map(str, config["words"])), tuple(map(str, config["outputs"]))
        shapes = {"weights": (len(words),), "table": (len(words), len(outputs))}
        shapes["bias"] = (len(outputs),)
        arrays = {name: _decoded(config[name], shape) for name, shape in shapes.items()}
        return cls(str(config["column"]), outputs, words, **arrays)


def _coded(array: npt.NDArray[np.float32]) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    try:
        return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32).reshape(shape)
    except ValueError as error:
        raise FileFormatError(
            f"TextModel: expected float32 of shape {shape}, got damaged numbers ({error}); "
            "train again."
        ) from None


def scale_of_said(values: Floats) -> tuple[float, float]:
    """Return centre and factor of what a text says: far from all others is what it says most."""
    most = float(np.quantile(np.abs(values), _NEARLY_ALL))
    return 0.0, _FAR / most if most else 0.0


def learn_text(
    table: Table, kind: ColumnKind, y: npt.NDArray[Any], classes: Sequence[str] | None, seed: int
) -> tuple[TextModel, Floats] | str:
    """Learn what the words of a column say of the target.

    Args:
        table: the training rows.
        kind: of the column.
        y: codes of the classes, or standardised values, (rows,).
        classes: their names; None for values.
        seed: decides the folds and the order of the rows.

    Returns:
        The model, and what it says of these rows, (rows, outputs), each from rows other than it;
        or why nothing was learned.
    """
    if classes is not None and len(classes) > _MOST_CLASSES:
        return f"free text is not learned with more than {_MOST_CLASSES} classes, left out"
    labels, codes = labels_of(table, kind)
    texts = [*labels, ""]
    counts = np.bincount(codes[codes >= 0], minlength=len(texts)).astype(np.int64)
    words, weights = learn_words(texts, counts)
    weighed = weigh_words(texts, words, weights)
    if not words:
        return "no word is in two rows, left out"
    descent = _Descent(weighed, codes % len(texts), y, classes, len(words), seed)
    rows = descent.run()
    if rows is None:
        return "its words say nothing of the target, left out"
    found, bias = descent.model()
    outputs: tuple[str, ...] = ("its words",)
    if classes is not None and len(classes) > 2:
        outputs = tuple(f"words for {name}" for name in classes)
    model = TextModel(kind.name, outputs, words, weights, found, bias)
    return model, rows


def learn_texts(
    kinds: Iterable[ColumnKind],
    learner: Callable[[ColumnKind], tuple[TextModel, Floats] | str],
    notes: dict[str, str],
) -> tuple[list[TextModel], dict[str, Floats]]:
    """Learn of all columns of free text; return the models, and what they say of the rows.

    Args:
        kinds: of all columns.
        learner: `learn_text` of the kind of a column.
        notes: what becomes of each is added.
    """
    texts: list[TextModel] = []
    said: dict[str, Floats] = {}
    for kind in kinds:
        if not kind.used or kind.kind != "text":
            continue
        found = learner(kind)
        if isinstance(found, str):
            notes[kind.name] = found
            continue
        text, said[kind.name] = found
        texts.append(text)
        notes[kind.name] = f"{len(text.words):,} words and pairs of words are weighed"
    return texts, said


class _Descent:
    """The models of all folds and the one of all rows, trained side by side.

    Args:
        weighed: the words of the texts.
        codes: the text of each row, (rows,).
        y: its target.
        classes: names of the classes; None for values.
        words: how many there are.
        seed: decides the folds and the order of the rows.
    """

    def __init__(
        self,
        weighed: WeighedWords,
        codes: npt.NDArray[np.int64],
        y: npt.NDArray[Any],
        classes: Sequence[str] | None,
        words: int,
        seed: int,
    ) -> None:
        self._weighed, self._codes, self._y = weighed, codes, y
        self._classes = None if classes is None else len(classes)
        self._words = words
        self._order = permutation(len(y), seed)
        # Copies of a text stay together: what was learned of one would be known of the other.
        texts = permutation(len(weighed.starts) - 1, seed + 1)
        self._folds = (texts % _FOLDS)[codes]
        self._width = self._classes or 1
        self._best: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None

    def run(self) -> Floats | None:
        """Descend until rows left out are no longer told better; return what is said of them.

        None where that is no better than what most rows are.
        """
        from schuss import nn, optim
        from schuss.compiler import compile
        from schuss.core import leaf, tensor
        from schuss.functions import zeros
        from schuss.nn import functional

        columns = (_FOLDS + 1) * self._width
        table = nn.Parameter(zeros(self._words + 1, columns))
        start = np.tile(self._prior(), _FOLDS + 1).astype(np.float32)
        bias = nn.Parameter(tensor(start))
        optimizer = optim.Adam([table, bias], lr=_RATE)

        def step(words: Any, weights: Any, y: Any, counts: Any) -> Any:
            optimizer.zero_grad()
            out = functional.embedding_bag(words, table, per_sample_weights=weights, mode="sum")
            out = (out + bias).reshape((len(y), _FOLDS + 1, self._width))
            loss = (self._losses(out, y) * counts).sum() / len(y)
            loss.backward()
            optimizer.step()
            return loss

        compiled = compile(step)
        learned = self._order[:_MOST_ROWS]
        arrays = self._arrays(learned)
        batch = min(_BATCH, len(learned))
        rounds = -(-_LEAST_STEPS * batch // len(learned))
        plain = self._each_loss(np.tile(self._prior(), (len(self._y), 1)))
        best, waited, kept = plain, 0, None
        for number in range(_MOST_ROUNDS):
            index = np.concatenate(
                [permutation(len(learned), number * rounds + i) for i in range(rounds)]
            )
            index = index[: len(index) // batch * batch].reshape(-1, batch)
            compiled.scan(tuple(leaf(a) for a in arrays), index)
            self._now = table.numpy()[:-1], bias.numpy()
            rows = self._left_out(*self._now)
            losses = self._each_loss(rows)
            waited += 1
            if losses.mean() < best.mean():
                best, waited = losses, 0
                kept = rows, *(x[..., -self._width :].copy() for x in self._now)
            if waited == _PATIENCE:
                break
        gain = plain - best
        error = float(gain.std()) / max(len(gain), 1) ** 0.5
        if kept is None or gain.mean() <= _ERRORS * error:
            return None
        self._best = kept[1], kept[2]
        return self._numbers(kept[0])

    def model(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return table and bias of the model of all rows."""
        assert self._best is not None  # run() has found it
        table, bias = self._best
        return self._numbers(table).astype(np.float32), self._numbers(bias).astype(np.float32)

    def _numbers(self, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return logits as numbers: less their mean, or the one's distance to the other's."""
        if self._classes is None:
            return out
        less = out[..., :1] if self._classes == 2 else out.mean(axis=-1, keepdims=True)
        centred: npt.NDArray[Any] = out - less
        return centred[..., 1:] if self._classes == 2 else centred

    def _prior(self) -> Floats:
        if self._classes is None:
            return np.array([self._y.mean()], dtype=np.float64)
        counts = np.bincount(self._y, minlength=self._classes) + 1.0
        logs: Floats = np.log(counts / counts.sum())
        return logs

    def _arrays(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], ...]:
        lengths = np.diff(self._weighed.starts)
        width = max(min(int(lengths.max()), _MOST_TERMS, _MOST_PADDED // len(rows)), 1)
        words, weights = self._weighed.padded(self._codes[rows], width, self._words)
        counts = (self._folds[rows][:, None] != np.arange(_FOLDS + 1)).astype(np.float32)
        kind = np.float32 if self._classes is None else np.int64
        return words, weights, self._y[rows].astype(kind), counts

    def _losses(self, out: Any, y: Any) -> Any:
        """Return the loss of each row for each model, (rows, models)."""
        from schuss import functions
        from schuss.nn import functional

        if self._classes is None:
            gap = out[..., 0] - y.reshape((-1, 1))
            return gap * gap
        models = out.shape[1]
        flat = out.reshape((len(y) * models, self._width))
        spread = functions.broadcast_to(y.reshape((-1, 1)), (len(y), models)).reshape((-1,))
        return functional.cross_entropy(flat, spread, reduction="none").reshape((len(y), models))

    def _left_out(
        self, table: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]
    ) -> npt.NDArray[Any]:
        """Return the outputs for each row of the model that has not learned from it."""
        out = np.empty((len(self._y), self._width))
        for fold in range(_FOLDS):
            columns = slice(fold * self._width, (fold + 1) * self._width)
            mine = self._folds == fold
            values = self._weighed.products(np.ascontiguousarray(table[:, columns]))
            out[mine] = (values + bias[columns])[self._codes[mine]]
        return out

    def _each_loss(self, out: npt.NDArray[Any]) -> Floats:
        if self._classes is None:
            gap: Floats = out[:, 0] - self._y
            return gap * gap
        top = out - out.max(axis=1, keepdims=True)
        logs = top - np.log(np.exp(top).sum(axis=1, keepdims=True))
        losses: Floats = -logs[np.arange(len(out)), self._y]
        return losses
