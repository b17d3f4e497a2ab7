"""From files to a trained network."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data.files.labelled import find_files
from schuss.data.files.source import ARCHIVES, Source
from schuss.errors import DataError
from schuss.messages import printable, say
from schuss.nn.module import Module
from schuss.training.evaluation.calibrated import calibrated_metrics
from schuss.training.evaluation.calibration import fit_temperature
from schuss.training.evaluation.evaluate import probabilities
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.metrics import CLASS_METRICS
from schuss.training.items.interface import Items
from schuss.training.items.job import TEST, TRAIN, VALIDATION, ItemJob
from schuss.training.items.mistakes import Mistakes
from schuss.training.items.options import ItemOptions
from schuss.training.items.run import ItemRun
from schuss.training.items.sheets import write_examples, write_mistakes
from schuss.training.kinds.kind import OutputOptions
from schuss.training.kinds.repeatable import repeatable
from schuss.training.runs.bundle import well_formed
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.replacing import begun_folder
from schuss.training.trainer import Trainer

__all__ = ["resume_items", "train_items"]

_SOURCES = ("data", "validation", "test")


def train_items(
    kind: Items, data: Any, target: Any, given: Mapping[str, Any], output: OutputOptions
) -> ItemRun:
    """Train a network on files.

    Args:
        kind: of data.
        data: as `train` takes it.
        target: the column of the labels, where they are in a table.
        given: all options of `train`, and the kind's own.
        output: what is shown and saved.

    Raises:
        UsageError: if options are out of range.
        DataError: if there is nothing to learn from.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP.
    """
    options = ItemOptions.of_call(kind, given)
    places = {"data": data, "validation": given["validation"], "test": given["test"]}
    parent = Path("runs") if given["out"] is None else Path(given["out"]).parent
    # The cache is made on the disk of the run, and moves there once all is decided.
    made = begun_folder(parent)
    try:
        with repeatable():
            job = ItemJob.prepare(kind, options, places, target, made, quiet=output.quiet)
            model = job.network()
            sources = {
                name: None if place is None else str(Path(place).expanduser().resolve())
                for name, place in places.items()
            }
            folder = RunFolder.create(
                job.config(model, {**sources, "target": target}),
                model.state_dict(),
                path=given["out"],
                name=_run_name(data),
                overwrite=given["overwrite"],
            )
            with folder.locked():
                job.store.move(folder.path)
                write_examples(job, folder.path)
                return _train_and_measure(job, model, folder, output, resume=False)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def resume_items(
    kind: Items, folder: RunFolder, sources: Mapping[str, Any], output: OutputOptions
) -> ItemRun:
    """Go on with a run on files, whose folder is locked.

    The files are needed only where the cache is gone, or was too small for all of them.
    """
    kind.require()
    config = folder.config
    with well_formed(folder.path / "config.json"):
        places = {name: sources.get(name) or config["sources"][name] for name in _SOURCES}
        there = [place for place in places.values() if place is not None]
        job = ItemJob.again(kind, folder.path, config, [_Lazy(place, kind) for place in there])
    job.quiet = output.quiet
    with repeatable():
        if not job.store.is_complete():
            lost = job.store.fill(f"decoding {kind.noun[1]} again", quiet=output.quiet)
            if lost:
                raise DataError(
                    f"{lost[0].name}: {lost[0].why}, so the run cannot go on; put the old file "
                    "back, or train anew."
                )
            job.store.move(folder.path)
        return _train_and_measure(job, job.network(), folder, output, resume=True)


class _Lazy(Source):
    """A source that is opened when it is first read."""

    def __init__(self, place: str, kind: Items) -> None:
        super().__init__(Path(place))
        self._kind = kind
        self._opened: Source | None = None
        self._lock = threading.Lock()

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        with self._lock:
            if self._opened is None:
                found = find_files(self.path, self._kind.suffixes, labels=False)
                if found is None:
                    raise DataError(f"{self.path} is gone; give --data where it is now")
                self._opened = found.source
        return self._opened.read(name)

    def close(self) -> None:
        """Let go of what is open."""
        if self._opened is not None:
            self._opened.close()


def _run_name(data: Any) -> str:
    name = Path(data).expanduser().resolve().name
    for ending in (*ARCHIVES, ".csv", ".tsv", ".jsonl", ".parquet"):
        name = name.removesuffix(ending)
    return re.sub(r"[^\w\-]+", "-", name) or "files"


def _train_and_measure(
    job: ItemJob, model: Module, folder: RunFolder, output: OutputOptions, *, resume: bool
) -> ItemRun:
    """Train, measure, and leave the finished run on disk."""
    run = ItemRun(job.kind, folder.config, model, {"finished": False}, folder.path)
    if output.on_start is not None:
        output.on_start(run)
    elif not output.quiet:
        for note in run.notes:
            say(printable(note))
    training = job.examples(TRAIN, augmented=True)
    validation = job.examples(VALIDATION)
    assert training is not None
    metrics = {name: CLASS_METRICS[name] for name in ("accuracy", "balanced_accuracy", "log_loss")}
    recipe, options = job.recipe, job.options
    monitor = options.metric or ("log_loss" if validation is not None else "loss")
    if monitor in CLASS_METRICS:
        metrics[monitor] = CLASS_METRICS[monitor]
    trainer = Trainer(
        model,
        job.loss(),
        optimizer=job.optimizer(model),
        schedule=recipe.schedule,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        time_budget=options.time_budget,
        patience=options.patience,
        metrics=calibrated_metrics(metrics, None),
        monitor=monitor,
        ties="last",
        average_epochs=recipe.average_epochs,
        drop_last=True,
        seed=options.seed,
        callbacks=output.callbacks,
        folder=folder,
        checkpoint_seconds=output.checkpoint_seconds,
        progress=not output.quiet,
        eager=options.eager,
    )
    inputs = training.inputs[0]
    try:
        quick = job.examples(VALIDATION, quick=True)
        fit = trainer.fit(training, quick, resume=resume)
    finally:
        inputs.close()
    waited = inputs.waited / max(fit.seconds, 1e-9)
    job.say(f"training waited {waited:.1%} of its time for {job.kind.noun[1]}")
    model.eval()
    run.history = fit.history
    run.result = _result(run, job, model, fit, validation)
    folder.write_model(model.state_dict(), run.result)
    job.store.remove()
    return run


def _result(
    run: ItemRun, job: ItemJob, model: Any, fit: Any, validation: Examples | None
) -> dict[str, Any]:
    """Calibrate the network, and return what came of the training, with the final figures."""
    notes = list(fit.notes)
    figures: dict[str, Any] = {"validation": None, "test": None}
    logits: Array | None = None
    if validation is None:
        notes.append("probabilities are not calibrated, since nothing was held out to validate")
    else:
        logits = run.logits(validation)
        temperature = fit_temperature(logits, validation.y)
        model.calibrate(temperature)
        figures["validation"] = run.figures(validation.y, logits / temperature)
    tested = job.examples(TEST)
    if tested is not None:
        logits = run.logits(tested)
        figures["test"] = run.figures(tested.y, logits)
    result = {**fit.result(), "notes": notes, **figures}
    share = TEST if tested is not None else VALIDATION
    held = tested if tested is not None else validation
    if held is not None and logits is not None:
        chances = probabilities(np.asarray(logits))
        found = Mistakes.of(chances, held.y, job.numbers(share))
        result["confusion"] = found.confusion.tolist()
        if run.folder is not None:
            write_mistakes(job, found, run.folder)
    return result
