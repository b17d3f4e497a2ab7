"""Sheets: pictures beside each other with a line of text below each, as one PNG file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schuss.core import Array
from schuss.nn.serialization import write_atomically
from schuss.training.evaluation.examples import epoch_order
from schuss.training.items.inputs import ItemInputs
from schuss.training.items.job import TRAIN, ItemJob
from schuss.training.items.mistakes import Mistakes
from schuss.training.loop.plan import seed_for

__all__ = ["write_examples", "write_mistakes"]

_EXAMPLES, _MISTAKES = 48, 32
_COLUMNS = 8
# Small pictures are shown larger than they are.
_CELL, _MARGIN, _LINE, _LETTER = 104, 8, 13, 6.2


def write_examples(job: ItemJob, folder: Path) -> None:
    """Write examples.png: training examples as the network sees them in the first epoch."""
    numbers, labels = job.numbers(TRAIN), job.labels(TRAIN)
    seed = job.options.seed
    rows = epoch_order(len(numbers), seed_for(seed, "steps"), 0)[:_EXAMPLES]
    inputs = ItemInputs(job.store, numbers, seed_for(seed, "augmentation"))
    seen = inputs.augmented(0, 0, rows)
    texts = [[job.classes[k]] for k in labels[rows]]
    what = f"{len(rows)} of {len(numbers):,} {job.kind.noun[1]} to learn from"
    _write(job, folder / "examples.png", f"{what}, as the network sees them", seen, texts)


def write_mistakes(job: ItemJob, mistakes: Mistakes, folder: Path) -> None:
    """Write mistakes.png: those of which the network was surest, and what would be right."""
    chosen = range(min(_MISTAKES, len(mistakes.numbers)))
    items = [job.store[int(mistakes.numbers[k])] for k in chosen]
    seen = job.preparation.evaluation_batch(items) if items else None
    texts = [
        [
            f"is {job.classes[mistakes.true[k]]}",
            f"not {job.classes[mistakes.given[k]]} {mistakes.chances[k]:.0%}",
            job.store.items[int(mistakes.numbers[k])].name.rpartition("/")[2],
        ]
        for k in chosen
    ]
    total = int(mistakes.confusion.sum())
    count = f"{len(mistakes.numbers):,} of {total:,} held-out {job.kind.noun[1]}"
    _write(job, folder / "mistakes.png", f"{count} were mistaken; the surest first", seen, texts)


def _write(
    job: ItemJob, path: Path, title: str, inputs: Array | None, texts: Sequence[Sequence[str]]
) -> None:
    """Write a sheet of what inputs look like, with the lines of each."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        job.say(f"no {path.name}, which needs Pillow: pip install 'schuss[images]'")
        return
    pictures = [] if inputs is None else job.kind.show(job, inputs)
    font = _font(ImageFont)
    lines = max((len(text) for text in texts), default=0)
    columns = min(max(len(pictures), 4), _COLUMNS)
    rows = -(-len(pictures) // columns)
    high = max((round(_CELL * min(1.0, p.shape[0] / p.shape[1])) for p in pictures), default=0)
    tall = high + lines * _LINE + _MARGIN
    size = (columns * (_CELL + _MARGIN) + _MARGIN, rows * tall + 2 * _MARGIN + _LINE)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN // 2), _fitting(title, size[0] - 2 * _MARGIN), "black", font)
    for number, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        left = _MARGIN + number % columns * (_CELL + _MARGIN)
        top = 2 * _MARGIN + _LINE + number // columns * tall
        made = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
        scale = _CELL / max(made.size)
        shown = [max(round(side * scale), 1) for side in made.size]
        how = Image.Resampling.NEAREST if scale > 2.0 else Image.Resampling.BICUBIC
        sheet.paste(made.convert("RGB").resize((shown[0], shown[1]), how), (left, top))
        for line, words in enumerate(text):
            draw.text((left, top + high + line * _LINE), _fitting(words, _CELL), "black", font)
    content = io.BytesIO()
    sheet.save(content, "PNG")
    write_atomically(path, content.getvalue())


def _font(fonts: Any) -> Any:
    """Return Pillow's font, which has more letters where Pillow has FreeType."""
    try:
        return fonts.load_default(11)
    except (OSError, TypeError, ImportError):
        return fonts.load_default()


def _fitting(text: str, width: int) -> str:
    """Cut a text to a width in pixels."""
    most = int(width / _LETTER)
    shown = text if len(text) <= most else text[: most - 1] + "…"
    try:
        shown.encode("latin-1")
    except UnicodeEncodeError:
        # Pillow's own font has no other letters.
        shown = "".join(c if ord(c) < 0x250 or c == "…" else "?" for c in shown)
    return shown
