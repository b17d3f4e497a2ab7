"""From a table to a trained network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from schuss.data import read_table
from schuss.data.tables.reading.options import read_options
from schuss.errors import DataError
from schuss.messages import printable, say
from schuss.nn.module import Module
from schuss.training.kinds.kind import OutputOptions
from schuss.training.kinds.repeatable import repeatable
from schuss.training.loop.fit import Fit
from schuss.training.runs.bundle import well_formed
from schuss.training.runs.folder import RunFolder
from schuss.training.tables.description import check_config
from schuss.training.tables.job import TableJob
from schuss.training.tables.run import TableRun
from schuss.training.tables.sources import (
    check_source,
    describe_source,
    open_source,
    read_training_table,
    run_name,
)
from schuss.training.trainer import Trainer
from schuss.version import __version__

__all__ = ["resume_table", "train_table"]


def train_table(
    data: Any, target: Any, given: Mapping[str, Any], output: OutputOptions, kind: type[TableJob]
) -> TableRun:
    """Train a network on a table.

    Args:
        data: as `train` takes it.
        target: likewise.
        given: all of its options by name.
        output: what is shown and saved.
        kind: what makes the table ready.

    Raises:
        UsageError: if options are out of range or contradict each other.
        DataError: if the table cannot be used.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP.
    """
    exclude = given["exclude"]
    whole = {
        **given,
        "exclude": [exclude] if isinstance(exclude, str) else list(exclude),
        "kinds": dict(given["kinds"] or {}),
        "test_share": 0.2 if given["test_share"] is None else given["test_share"],
    }
    options = kind.options_of.of_call(whole)
    how = {name: given[name] for name in ("sep", "header", "encoding", "na_values")}
    reading = {**vars(read_options(**how)), "as_text": options.labels(target)}
    table, name, data = read_training_table(data, target, reading)
    validation, test = given["validation"], given["test"]
    held = None if validation is None else read_table(validation, **reading)
    tested = None if test is None else read_table(test, **reading)
    sources = {
        "data": describe_source(data, table, reading),
        "validation": None if held is None else describe_source(validation, held, reading),
        "test": None if tested is None else describe_source(test, tested, reading),
    }
    with repeatable():
        job = kind.prepare(table, name, options, validation=held, test=tested)
        # The text that was read is most of the memory.
        del table, held, tested
        model = job.network()
        folder = RunFolder.create(
            job.config(model, sources),
            model.state_dict(),
            path=given["out"],
            name=run_name(data),
            overwrite=given["overwrite"],
        )
        with folder.locked():
            return _train_and_measure(job, model, folder, output, resume=False)


def resume_table(
    folder: RunFolder, sources: Mapping[str, Any], output: OutputOptions, kind: type[TableJob]
) -> TableRun:
    """Go on with a table's run, whose folder is locked.

    Raises:
        DataError: if its table has changed or is gone.
        FileFormatError: if its config is damaged.
    """
    with repeatable():
        job = job_again(folder, sources["data"], sources["validation"], sources["test"], kind)
        return _train_and_measure(job, job.network(), folder, output, resume=True)


def job_again(
    folder: RunFolder, data: Any, validation: Any, test: Any, kind: type[TableJob]
) -> TableJob:
    """Prepare the tables of a run as they were when it began.

    Raises:
        DataError: if they have changed or are gone, or are prepared differently now.
        FileFormatError: if the run's config does not describe a training.
    """
    config = folder.config
    with well_formed(folder.path / "config.json"):
        sources = {name: config["sources"][name] for name in ("data", "validation", "test")}
        for source in sources.values():
            check_source(source)
        if sources["data"] is None:
            raise ValueError("there is no table to learn from")
        check_config(config)
        options, target = kind.options_of.of_config(config["options"]), str(config["target"])
        version = config["versions"]["schuss"]
    table = open_source(sources["data"], data, "data")
    assert table is not None
    job = kind.prepare(
        table,
        target,
        options,
        validation=open_source(sources["validation"], validation, "validation"),
        test=open_source(sources["test"], test, "test"),
    )
    learned = json.loads(json.dumps(job.learned()))
    if learned != {name: config.get(name) for name in learned}:
        raise DataError(
            f"{folder.path}: the table is prepared differently now than when the run began (with "
            f"Schuss {version}, this is {__version__}); train anew."
        )
    return job


def _train_and_measure(
    job: TableJob, model: Module, folder: RunFolder, output: OutputOptions, *, resume: bool
) -> TableRun:
    """Train, measure, and leave the finished run on disk."""
    run = job.run_of(folder.config, model, {"finished": False}, folder.path)
    if output.on_start is not None:
        output.on_start(run)
    elif not output.quiet:
        for note in run.notes:
            say(printable(note))
    recipe = job.recipe
    trainer = Trainer(
        model,
        recipe.loss,
        optimizer=job.optimizer(model),
        schedule=recipe.schedules,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        time_budget=job.options.training.time_budget,
        patience=recipe.patience,
        metrics=job.metrics(model),
        monitor=job.monitor(),
        ties="last",
        average_epochs=recipe.average_epochs,
        drop_last=True,
        seed=job.options.training.seed,
        callbacks=output.callbacks,
        folder=folder,
        checkpoint_seconds=output.checkpoint_seconds,
        progress=not output.quiet,
        eager=job.options.training.eager,
    )
    fit = trainer.fit(job.training, job.validation, resume=resume)
    model.eval()
    notes = job.calibrate(model)
    run.history = fit.history
    run.result = _result(run, job, fit, notes)
    folder.write_model(model.state_dict(), run.result)
    return run


def _result(run: TableRun, job: TableJob, fit: Fit, notes: Sequence[str]) -> dict[str, Any]:
    """Return what came of the training, with the final figures."""
    notes = [*fit.notes, *notes]
    figures: dict[str, Any] = {}
    why = (
        "since some class has no rows there"
        if run.task == "classification"
        else "since the target does not vary there"
    )
    for name, share in (("validation", job.prepared.validation), ("test", job.prepared.test)):
        found = None if share is None else run.figures(job.table_of(share))
        if name == "validation" and job.cross_validated:
            measured = fit.best.items()
            found = {
                key.removeprefix("validation_"): value
                for key, value in measured
                if key.startswith("validation_")
            }
        figures[name] = found
        undefined = [key for key, value in (found or {}).items() if value is None]
        if undefined:
            notes.append(f"{', '.join(undefined)} of the {name} rows: undefined, {why}")
    return {**fit.result(), "notes": notes, **figures, "confusion": _confusion(run, job)}


def _confusion(run: TableRun, job: TableJob) -> list[list[int]] | None:
    """Return which held-out rows were taken for which class; None where nothing is held out."""
    share = job.prepared.validation if job.prepared.test is None else job.prepared.test
    if share is None or run.task != "classification":
        return None
    found: list[list[int]] = run.confusion_of(job.table_of(share)).tolist()
    return found
