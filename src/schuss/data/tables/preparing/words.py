"""Words and pairs of words of texts, weighed by how much each tells (tf-idf)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["WeighedWords", "is_prose", "learn_words", "weigh_words", "words_of"]

# Characters of scripts that put no blanks between words: each is a word.
_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f"[{_ALONE}]")
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+")
#: Of a text longer than this, in characters, the rest is left out.
_LONGEST = 20_000
#: Words and pairs that are learned at most, the most frequent ones.
_MOST_WORDS = 30_000
#: In fewer texts than this, a word tells nothing of others.
_LEAST_TEXTS = 2


@dataclass(frozen=True)
class WeighedWords:
    """The words of some texts.

    Args:
        starts: where the words of each text begin among all, and the end, (texts + 1,).
        words: numbers of the words, int64.
        weights: of each, float32; the squares of a text's add up to 1.
    """

    starts: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]

    def products(self, table: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the weighed sum of each text's rows of a table, (texts, columns)."""
        texts = len(self.starts) - 1
        out = np.zeros((texts, table.shape[1]))
        step = max(1, (1 << 22) // max(table.shape[1], 1))
        first = 0
        while first < texts:
            # As many texts as have about so many numbers in all.
            last = int(np.searchsorted(self.starts, self.starts[first] + step, side="right")) - 1
            last = min(max(last, first + 1), texts)
            low, high = self.starts[first], self.starts[last]
            rows = table[self.words[low:high]] * self.weights[low:high, None]
            sums = np.zeros((high - low + 1, table.shape[1]))
            np.cumsum(rows, axis=0, dtype=np.float64, out=sums[1:])
            out[first:last] = np.diff(sums[self.starts[first : last + 1] - low], axis=0)
            first = last
        return out

    def padded(self, texts: npt.NDArray[np.int64], width: int, nothing: int) -> tuple[
        npt.NDArray[np.int32], npt.NDArray[np.float32]
    ]:  # fmt: skip
        """Return words and weights of texts in rows of equal width; of longer ones the first.

        Args:
            texts: which ones, (rows,).
            width: of the rows.
            nothing: the number that stands where there is no word, with the weight 0.
        """
        count = np.minimum(np.diff(self.starts), width)[texts]
        there = np.arange(width) < count[:, None]
        places = np.where(there, self.starts[texts][:, None] + np.arange(width), 0)
        if not len(self.words):
            return np.full(there.shape, nothing, np.int32), np.zeros(there.shape, np.float32)
        words = np.where(there, self.words[places], nothing).astype(np.int32)
        return words, np.where(there, self.weights[places], 0).astype(np.float32)


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters.

    >>> words_of("It's 5 o'clock; 日本!")
    ['it', 's', '5', 'o', 'clock', '日', '本']
    """
    return _WORD.findall(text[:_LONGEST].lower())


def is_prose(texts: Sequence[str]) -> bool:
    """Tell whether most of some texts have several words, with blanks or in scripts without.

    >>> is_prose(["a red house", "two cars"]), is_prose(["日本語"]), is_prose(["a-1", "b-2"])
    (True, True, False)
    """
    several = sum(
        len(text[:200].split()) > 1 or len(_UNSPACED.findall(text[:200])) > 1 for text in texts
    )
    return several > len(texts) / 2


def _terms(text: str) -> Iterator[str]:
    words = words_of(text)
    yield from words
    for a, b in pairwise(words):
        yield f"{a} {b}"


def learn_words(
    texts: Sequence[str], counts: npt.NDArray[np.int64]
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return words and pairs that repeat, with what each weighs: log((1 + n) / (1 + df)) + 1.

    Args:
        texts: different ones.
        counts: in how many rows each is.
    """
    found: Counter[str] = Counter()
    for text, count in zip(texts, counts.tolist(), strict=True):
        if count:
            found.update(dict.fromkeys(_terms(text), count))
    often = [(n, word) for word, n in found.items() if n >= _LEAST_TEXTS]
    often.sort(key=lambda x: (-x[0], x[1]))
    kept = often[:_MOST_WORDS]
    frequency = np.array([n for n, _ in kept], dtype=np.float64)
    weights = np.log((1.0 + float(counts.sum())) / (1.0 + frequency)) + 1.0
    return [word for _, word in kept], weights.astype(np.float32)


def weigh_words(
    texts: Sequence[str], words: Sequence[str], weights: npt.NDArray[np.float32]
) -> WeighedWords:
    """Return the known words of texts, each (1 + log count) times what it weighs, normalised."""
    place = {word: i for i, word in enumerate(words)}
    starts = np.zeros(len(texts) + 1, np.int64)
    found: list[npt.NDArray[np.int64]] = []
    values: list[npt.NDArray[np.float32]] = []
    for i, text in enumerate(texts):
        counts = Counter(place[term] for term in _terms(text) if term in place)
        ids = np.fromiter(counts, np.int64, len(counts))
        tf = 1.0 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))
        weighed = tf * weights[ids]
        norm = float(np.sqrt(weighed @ weighed))
        starts[i + 1] = starts[i] + len(ids)
        found.append(ids)
        values.append((weighed / norm if norm else weighed).astype(np.float32))
    none_found = np.zeros(0, np.int64), np.zeros(0, np.float32)
    return WeighedWords(
        starts,
        np.concatenate(found) if found else none_found[0],
        np.concatenate(values) if values else none_found[1],
    )
