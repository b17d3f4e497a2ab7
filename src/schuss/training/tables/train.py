"""train and resume: from a table to a trained network in one call."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schuss.core import Array
from schuss.data import read_table
from schuss.data.tables.reading.options import read_options
from schuss.errors import DataError, UsageError
from schuss.messages import printable, say
from schuss.modes import quietly
from schuss.nn.tabular import TabularMLP
from schuss.threads import limit_threads
from schuss.training.arguments import grouped
from schuss.training.loop.fit import Fit
from schuss.training.runs.bundle import NewerFormatError, well_formed
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.replacing import check_free
from schuss.training.tables.description import check_config, check_size
from schuss.training.tables.job import TableJob
from schuss.training.tables.load import load_run
from schuss.training.tables.options import TableOptions
from schuss.training.tables.run import Run
from schuss.training.tables.sources import (
    check_source,
    describe_source,
    open_source,
    read_training_table,
    run_name,
)
from schuss.training.trainer import Trainer
from schuss.version import __version__

__all__ = ["resume", "train"]


@dataclass(frozen=True)
class OutputOptions:
    """What is shown and saved while training, as `train` and `resume` take it; see there."""

    quiet: bool
    on_start: Callable[[Run], object] | None
    callbacks: Iterable[Any]
    checkpoint_seconds: float


def train(
    data: Any,
    target: Any = None,
    *,
    task: str | None = None,
    exclude: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
    test: Any = None,
    test_share: float | None = None,
    validation: Any = None,
    validation_share: float | None = None,
    class_weight: str | Mapping[Any, float] | None = None,
    sample_weight: str | None = None,
    group: str | None = None,
    time: str | None = None,
    target_scale: str | None = None,
    epochs: int | None = None,
    time_budget: float | str | None = None,
    batch_size: int | None = None,
    lr: float | str | None = None,
    weight_decay: float | None = None,
    patience: int | None = None,
    optimizer: str | None = None,
    hidden: Sequence[int] | None = None,
    dropout: float | None = None,
    loss: str | None = None,
    quantile: float | None = None,
    metric: str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    on_start: Callable[[Run], object] | None = None,
    callbacks: Iterable[Any] = (),
    checkpoint_seconds: float = 5.0,
    eager: bool | None = None,
    sep: str | None = None,
    header: str | None = None,
    encoding: str | None = None,
    na_values: str | float | Sequence[str | float] = (),
) -> Run:
    """Train a network on a table: the whole job in one call.

    Args:
        data: a file that `schuss.data.read_table` takes (.csv, .tsv, .jsonl, .parquet, ...); the
            name of a bundled set ("iris"); a frame; columns by name; a pair (features, target); or
            an array of features.
        target: the column to predict, or its values; a bundled set and a pair need none.
        task: "classification" or "regression"; None decides by the target.
        exclude: columns to leave out.
        kinds: kinds of columns: numeric, category, boolean, timestamp, text or identifier.
        test: rows for nothing but the final figures, instead of a share.
        test_share: share of the rows for that, in [0, 1); 0.2 by default.
        validation: rows to choose the best epoch by, instead of a share.
        validation_share: share of the remaining rows for that, in [0, 1). By default 0.2; but of
            a table of up to 2,000 rows (without group, time or validation) each training row is
            left out by one of five networks, which validates it, and their predictions are
            averaged.
        class_weight: "balanced", so that every class counts the same in sum; or factors by class.
            Probabilities are then those of rows that come as often as they count.
        sample_weight: column with each row's weight.
        group: column whose groups stay on one side of each split.
        time: column to split by: the latest rows are held out.
        target_scale: "linear", a quantity as it is; "log", its logarithms, so that errors count in
            proportion and a prediction is a median; None or "auto" for what fits left-out rows
            better where the values span three powers of ten, else "linear".
        epochs: passes over the training rows, at most; the schedule ends with them. By default 256,
            and fewer the more rows there are.
        time_budget: time to train in, at most: seconds, or text such as "90s", "10m", "1h30m". The
            schedule ends with it; reading and preparing the table come on top.
        batch_size: rows in a step.
        lr: learning rate, above 0; None or "auto" for the recipe's.
        weight_decay: at least 0.
        patience: epochs without a better one after which training stops; None for the recipe's: a
            quarter of all epochs where there are many rows and `epochs` is not given, else never.
        optimizer: "sgd", "adagrad", "rmsprop", "adam" or "adamw".
        hidden: widths of the hidden layers.
        dropout: share of the hidden neurons left out while training, in [0, 1).
        loss: what a quantity's errors cost: "mse", so that predictions are means; "mae", medians;
            "huber", in between; or "quantile". None or "auto" for "mse".
        quantile: which one that aims at, in (0, 1); 0.5 by default.
        metric: figure on the validation rows that chooses the best epoch, such as "accuracy" or
            "mae"; None for the log loss of classes, the rmse of a quantity, or the loss given.
        seed: the same seed gives the same numbers, to the last bit.
        out: the run's folder; None takes the first free runs/NAME-1, -2, ...
        overwrite: whether a run in that folder is replaced.
        quiet: show nothing.
        on_start: called with the run before its training; None prints its notes.
        callbacks: functions of an epoch's figures, or `Callback`s.
        checkpoint_seconds: least time between checkpoints.
        eager: whether steps run one by one with NumPy, and not as native code; None compiles
            them where that is faster in all.
        sep: how the files are read, as `schuss.data.read_table` takes it.
        header: as there.
        encoding: as there.
        na_values: as there; the run takes these values for missing in other rows, too.

    Returns:
        The run: `predict`, `evaluate`, `save`, `test`, `validation`, `folder`, ...

    Raises:
        UsageError: if options are out of range or contradict each other.
        DataError: if the data cannot be used.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP; `resume` goes on.
    """
    exclude = [exclude] if isinstance(exclude, str) else list(exclude)
    kinds = dict(kinds or {})
    test_share = 0.2 if test_share is None else test_share
    given = locals()
    options = TableOptions.of_call(given)
    if out is not None:
        check_free(Path(out), overwrite)
    reading = {
        **vars(read_options(sep=sep, header=header, encoding=encoding, na_values=na_values)),
        "as_text": options.rows.labels(target),
    }
    table, name, data = read_training_table(data, target, reading)
    held = None if validation is None else read_table(validation, **reading)
    tested = None if test is None else read_table(test, **reading)
    sources = {
        "data": describe_source(data, table, reading),
        "validation": None if held is None else describe_source(validation, held, reading),
        "test": None if tested is None else describe_source(test, tested, reading),
    }
    with _repeatable():
        job = TableJob.prepare(table, name, options, validation=held, test=tested)
        # The text that was read is most of the memory.
        del table, held, tested
        model = job.network()
        folder = RunFolder.create(
            job.config(model, sources),
            model.state_dict(),
            path=out,
            name=run_name(data),
            overwrite=overwrite,
        )
        return _train_and_measure(job, model, folder, grouped(OutputOptions, given), resume=False)


def resume(
    run: str | os.PathLike[str] | Run,
    data: Any = None,
    *,
    validation: Any = None,
    test: Any = None,
    quiet: bool = False,
    on_start: Callable[[Run], object] | None = None,
    callbacks: Iterable[Any] = (),
    checkpoint_seconds: float = 5.0,
) -> Run:
    """Go on with a run that was stopped; it ends bit for bit like one that never was.

    Args:
        run: the run's folder, or the run.
        data: the run's data, where it was in memory (or its file has moved).
        validation: the validation rows, likewise.
        test: the test rows, likewise.
        quiet: show nothing.
        on_start: called with the run before its training; None prints its notes.
        callbacks: functions of an epoch's figures, or `Callback`s.
        checkpoint_seconds: least time between checkpoints.

    Returns:
        The run; one that had ended already comes back as it is.

    Raises:
        DataError: if there is no such run, or its data has changed or is gone.
        FileFormatError: if its config is damaged, or a file is of a newer format.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP; `resume` goes on.
    """
    output = OutputOptions(quiet, on_start, callbacks, checkpoint_seconds)
    place = run.folder if isinstance(run, Run) else Path(run).expanduser()
    if place is None:
        raise UsageError(
            "resume: expected a run folder, got a single file; there is nothing to go on."
        )
    if place.is_file():
        raise UsageError(f"resume: expected a run folder, got the file {place}.")
    folder = RunFolder(place)
    config = folder.config
    if config.get("kind") != "table":
        raise UsageError(
            f"{place}: this run was made by a Trainer; go on with its fit(..., resume=True)."
        )
    with well_formed(place / "config.json"):
        stored = _stored(folder)
        if stored is not None:
            check_size(config["network"], stored[0])
    if stored is not None and stored[1].get("finished"):
        return load_run(place)
    with _repeatable(), folder.locked():
        job = _job_again(folder, data, validation, test)
        return _train_and_measure(job, job.network(), folder, output, resume=True)


def _job_again(folder: RunFolder, data: Any, validation: Any, test: Any) -> TableJob:
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
        options, target = TableOptions.of_config(config["options"]), str(config["target"])
        version = config["versions"]["schuss"]
    table = open_source(sources["data"], data, "data")
    assert table is not None
    job = TableJob.prepare(
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


@contextmanager
def _repeatable() -> Iterator[None]:
    """Compute the same bits on any number of cores, and leave what is not finite to the figures.

    How many threads share a product decides how its sums are rounded, so that one computes those
    that are not compiled; compiled programs give the same bits on any number.
    """
    with limit_threads(1), quietly():
        yield


def _stored(folder: RunFolder) -> tuple[dict[str, Array], dict[str, Any]] | None:
    """Return the run's weights and what goes with them; of a checkpoint if they are damaged."""
    try:
        return folder.read_model()
    except NewerFormatError:
        raise
    except DataError:
        # It is written anew at the end; what is needed to get there is in the checkpoints.
        found, _ = folder.read_checkpoint()
        return None if found is None else (found[0], {})


def _train_and_measure(
    job: TableJob, model: TabularMLP, folder: RunFolder, output: OutputOptions, *, resume: bool
) -> Run:
    """Train, measure, and leave the finished run on disk."""
    with folder.locked():
        return _train_locked(job, model, folder, output, resume=resume)


def _train_locked(
    job: TableJob, model: TabularMLP, folder: RunFolder, output: OutputOptions, *, resume: bool
) -> Run:
    run = Run(folder.config, model, {"finished": False}, folder.path)
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


def _result(run: Run, job: TableJob, fit: Fit, notes: Sequence[str]) -> dict[str, Any]:
    """Return what came of the training, with the final figures."""
    notes = [*fit.notes, *notes]
    figures: dict[str, Any] = {}
    why = (
        "since some class has no rows there"
        if run.task == "classification"
        else "since the target does not vary there"
    )
    for name, share in (("validation", job.prepared.validation), ("test", job.prepared.test)):
        found = None if share is None else run.figures(share.table)
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
    return {
        "epoch": fit.best_epoch,
        "epochs": fit.epochs,
        "seconds": fit.seconds,
        "stopped": fit.stopped,
        "finished": True,
        "notes": notes,
        **figures,
    }
