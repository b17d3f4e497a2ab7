"""What is measured before the training: colours, how hard the pictures are, mirror images.

A small network learns from some of the pictures, as they are, for some seconds. Whether it takes
mirror images, which it has never seen, for what the pictures are says whether they may be mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import cast

import numpy as np

from schuss import random
from schuss.core import Array
from schuss.data.splits import permutation
from schuss.nn.vision import ResidualNetwork
from schuss.training.evaluation.compiled_forward import CompiledForward
from schuss.training.evaluation.evaluate import outputs
from schuss.training.evaluation.examples import Examples
from schuss.training.items.inputs import ItemInputs
from schuss.training.items.job import TRAIN, VALIDATION, ItemJob
from schuss.training.loop.plan import seed_for
from schuss.training.pictures.preparation import PicturePreparation
from schuss.training.pictures.recipe import Hardness, operations
from schuss.training.trainer import Trainer

__all__ = ["decide", "may_be_mirrored"]

# So many pictures tell the colours, and so many are looked at in the quick training.
_FOR_COLOURS = 1_000
_FOR_PROBE, _SEEN, _MOST_EPOCHS = 3_000, 15_000, 40
_WIDTHS = (16, 32, 64)
# Mirror images may be taken for the right class so much more rarely, of all and of any one class.
_LEAST_SHARE, _LEAST_CLASS_SHARE, _ENOUGH = 0.9, 0.5, 10


@dataclass(frozen=True)
class _Probe:
    right: Array
    mirrored_right: Array
    y: Array
    rate: float


def decide(job: ItemJob) -> None:
    """Learn the pictures' colours, how hard they are, and whether mirror images are as good."""
    preparation = cast(PicturePreparation, job.preparation)
    mean, std = _colours(job)
    mirror = job.options.own["mirror"]
    job.preparation = preparation.changed(mean=mean, std=std)
    if mirror is not None and job.options.epochs is not None:
        job.hardness = Hardness(1.0, 0.0)
    else:
        probe = _probe(job)
        job.hardness = Hardness(1.0 - float(probe.right.mean()), probe.rate)
    if mirror is None:
        mirror = may_be_mirrored(probe.right, probe.mirrored_right, probe.y)
        said = "mirror images count as the same" if mirror else "mirror images are not used"
        job.notes.append(
            f"{said}: a quick network that never saw any is right on "
            f"{probe.mirrored_right.mean():.0%} of the mirrored pictures, and on "
            f"{probe.right.mean():.0%} of them as they are"
        )
    job.preparation = preparation.changed(mean=mean, std=std, mirror=mirror)


def may_be_mirrored(right: Array, mirrored_right: Array, y: Array) -> bool:
    """Tell whether mirror images are of the same class as the pictures.

    Args:
        right: which pictures are taken for the right class, bool of shape (pictures,).
        mirrored_right: the same of their mirror images.
        y: their classes.

    >>> y = np.zeros(100, int)
    >>> may_be_mirrored(y == 0, y == 0, y), may_be_mirrored(y == 0, y != 0, y)
    (True, False)
    """
    if mirrored_right.sum() < _LEAST_SHARE * right.sum():
        return False
    whole, mirrored = np.bincount(y[right]), np.bincount(y[mirrored_right], minlength=y.max() + 1)
    many = np.flatnonzero(whole >= _ENOUGH)
    return bool((mirrored[many] >= _LEAST_CLASS_SHARE * whole[many]).all())


def _some(rows: Array, most: int, seed: int) -> Array:
    return np.sort(rows[permutation(len(rows), seed)[:most]])


def _colours(job: ItemJob) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel over training pictures."""
    chosen = _some(job.numbers(TRAIN), _FOR_COLOURS, job.options.seed)
    parts = [job.store[int(k)].astype(np.float64) for k in chosen]
    means = np.array([part.mean(axis=(0, 1)) for part in parts])
    squares = np.array([(part * part).mean(axis=(0, 1)) for part in parts])
    mean = means.mean(axis=0)
    std = np.sqrt(np.maximum(squares.mean(axis=0) - mean * mean, 1.0))
    return (tuple(round(float(x), 3) for x in mean), tuple(round(float(x), 3) for x in std))


def _probe(job: ItemJob) -> _Probe:
    """Train a small network for a moment, without mirroring, and look at held-out pictures."""
    preparation = cast(PicturePreparation, job.preparation)
    seed = job.options.seed
    learned = _some(job.numbers(TRAIN), _FOR_PROBE, seed)
    held = job.numbers(VALIDATION)
    held = _some(held if len(held) else job.numbers(TRAIN), _FOR_PROBE, seed)
    labels = np.array([item.label for item in job.store.items])
    job.say(f"trying {job.kind.noun[1]} out on a small network")
    with random.separate_draws():
        random.manual_seed(seed_for(seed, "probe"))
        model = ResidualNetwork(
            preparation.channels,
            len(job.classes),
            widths=_WIDTHS,
            stride=2 if preparation.photos else 1,
            mean=preparation.mean,
            std=preparation.std,
        )
    inputs = ItemInputs(job.store, learned, seed_for(seed, "probe"))
    epochs = min(max(round(_SEEN / len(learned)), 1), _MOST_EPOCHS)
    begun: list[float] = []
    batch = min(64, len(learned))
    trainer = Trainer(
        model,
        "cross_entropy",
        optimizer="adam",
        lr=3e-3,
        schedule="one_cycle",
        batch_size=batch,
        epochs=epochs,
        drop_last=True,
        seed=seed,
        callbacks=[lambda record: begun.append(perf_counter())],
        progress=False,
        eager=False,
    )
    try:
        trainer.fit(Examples((inputs,), labels[learned]), None)
    finally:
        inputs.close()
    seconds = (begun[-1] - begun[0]) if len(begun) > 1 else 0.0
    steps = (len(begun) - 1) * (len(learned) // batch) * batch
    done = operations(preparation, _WIDTHS) * steps
    rate = done / seconds if seconds > 0.0 else 0.0
    y = labels[held]
    items = [job.store[int(k)] for k in held]
    shown = preparation.changed(views=1).evaluation_batch(items)
    forward = CompiledForward(model)
    answers = [
        outputs(model, Examples((x,), y), forward=forward).argmax(axis=1) == y
        for x in (shown, np.ascontiguousarray(shown[:, :, ::-1]))
    ]
    return _Probe(answers[0], answers[1], y, rate)
