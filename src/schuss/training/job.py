"""The whole job: a table in, a trained network out; and going on with one that was stopped."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import schuss
from schuss import random
from schuss.data import PreparedTable, Share, Table, permutation, prepare_table, read_table
from schuss.errors import DataError, UsageError
from schuss.nn.tabular import TabularMLP
from schuss.tensor import leaf
from schuss.training import state
from schuss.training.examples import class_factors
from schuss.training.folder import NewerFormatError, RunFolder, check_free
from schuss.training.loop import Fit
from schuss.training.metrics import CLASS_METRICS, VALUE_METRICS, Metric
from schuss.training.run import Run, build_network, load, network_inputs
from schuss.training.sources import (
    describe_source,
    open_source,
    read_training_table,
    run_name,
)
from schuss.training.tabular import TabularRecipe, tabular_recipe
from schuss.training.trainer import OPTIMIZERS, Trainer, seed_for

__all__ = ["resume", "train"]

_START_ROWS = 10_000


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
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    patience: int | None = None,
    optimizer: str | None = None,
    hidden: Sequence[int] | None = None,
    dropout: float | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    on_start: Callable[[Run], object] | None = None,
    callbacks: Iterable[Any] = (),
    checkpoint_seconds: float = 5.0,
) -> Run:
    """Train a network on a table: the whole job in one call.

    Args:
        data: a .csv, .tsv, .jsonl or .parquet file; the name of a bundled set ("iris"); a frame;
            columns by name; a pair (features, target); or an array of features.
        target: the column to predict, or its values; a bundled set and a pair need none.
        task: "classification" or "regression"; None decides by the target.
        exclude: columns to leave out.
        kinds: kinds of columns: numeric, category, boolean, timestamp, text or identifier.
        test: rows for nothing but the final figures, instead of a share.
        test_share: share of the rows for that, in [0, 1); 0.2 by default.
        validation: rows to choose the best epoch by, instead of a share.
        validation_share: share of the remaining rows for that, in [0, 1); 0.2 by default.
        class_weight: "balanced", so that every class counts the same in sum; or factors by class.
        sample_weight: column with each row's weight.
        group: column whose groups stay on one side of each split.
        time: column to split by: the latest rows are held out.
        epochs: passes over the training rows.
        batch_size: rows in a step.
        lr: learning rate, above 0.
        weight_decay: at least 0.
        patience: epochs without a better one after which training stops; None for never.
        optimizer: "sgd", "adagrad", "rmsprop", "adam" or "adamw".
        hidden: widths of the hidden layers.
        dropout: share of the hidden neurons left out while training, in [0, 1).
        seed: the same seed gives the same numbers, to the last bit.
        out: the run's folder; None takes the first free runs/NAME-1, -2, ...
        overwrite: whether a run in that folder is replaced.
        quiet: show nothing.
        on_start: called with the run before its training; None prints its notes.
        callbacks: functions of an epoch's figures, or `Callback`s.
        checkpoint_seconds: least time between checkpoints.

    Returns:
        The run: `predict`, `evaluate`, `save`, `test`, `validation`, `folder`, ...

    Raises:
        UsageError: if options are out of range or contradict each other.
        DataError: if the data cannot be used.
        Interrupted: after Ctrl-C; `resume` goes on.
    """
    options: dict[str, Any] = {
        "task": task,
        "exclude": list(exclude) if not isinstance(exclude, str) else [exclude],
        "kinds": dict(kinds or {}),
        "test_share": 0.2 if test_share is None else test_share,
        "validation_share": 0.2 if validation_share is None else validation_share,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "group": group,
        "time": time,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "weight_decay": weight_decay,
        "patience": patience,
        "optimizer": optimizer,
        "hidden": None if hidden is None else list(hidden),
        "dropout": dropout,
        "seed": seed,
    }
    _check_options(options)
    if isinstance(class_weight, Mapping):
        options["class_weight"] = [[_plain(k), float(v)] for k, v in class_weight.items()]
    if out is not None:
        check_free(Path(out), overwrite)
    table, name, data = read_training_table(data, target)
    job = _Job.prepare(
        table,
        name,
        options,
        validation=None if validation is None else read_table(validation),
        test=None if test is None else read_table(test),
    )
    sources = {
        "data": describe_source(data, table),
        "validation": None
        if job.validation is None
        else describe_source(validation, job.validation),
        "test": None if job.test is None else describe_source(test, job.test),
    }
    model = job.network()
    folder = RunFolder.create(
        job.config(model, sources),
        state.copy_of(model),
        {"epoch": 0, "finished": False},
        path=out,
        name=run_name(data),
        overwrite=overwrite,
    )
    return _descend(
        job,
        model,
        folder,
        resume=False,
        quiet=quiet,
        on_start=on_start,
        callbacks=callbacks,
        checkpoint_seconds=checkpoint_seconds,
    )


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
        Interrupted: after Ctrl-C; `resume` goes on.
    """
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
    if _is_finished(folder):
        return load(place)
    sources = config["sources"]
    if isinstance(data, tuple) or data is None or isinstance(data, (str, os.PathLike)):
        table = open_source(sources["data"], data, "data")
    else:
        table = open_source(sources["data"], data, "data")
    assert table is not None
    job = _Job.prepare(
        table,
        config["target"],
        config["options"],
        validation=open_source(sources["validation"], validation, "validation"),
        test=open_source(sources["test"], test, "test"),
    )
    if job.learned() != {name: config[name] for name in job.learned()}:
        raise DataError(
            f"{place}: the table is prepared differently now than when the run began (with Schuss "
            f"{config['versions']['schuss']}, this is {schuss.__version__}); train anew."
        )
    return _descend(
        job,
        job.network(),
        folder,
        resume=True,
        quiet=quiet,
        on_start=on_start,
        callbacks=callbacks,
        checkpoint_seconds=checkpoint_seconds,
    )


def _is_finished(folder: RunFolder) -> bool:
    try:
        return bool(folder.read_model()[1].get("finished"))
    except NewerFormatError:
        raise
    except DataError:
        # It is written anew at the end; what is needed to get there is in the checkpoints.
        return False


@dataclass
class _Job:
    """A table made ready, with the recipe to learn from it."""

    prepared: PreparedTable
    recipe: TabularRecipe
    options: dict[str, Any]
    target: str
    validation: Table | None
    test: Table | None

    @classmethod
    def prepare(
        cls,
        table: Table,
        target: str,
        options: dict[str, Any],
        *,
        validation: Table | None,
        test: Table | None,
    ) -> _Job:
        prepared = prepare_table(
            table,
            target,
            task=options["task"],
            exclude=options["exclude"],
            kinds=options["kinds"],
            weight=options["sample_weight"],
            group=options["group"],
            time=options["time"],
            test=test,
            test_share=options["test_share"],
            validation=validation,
            validation_share=options["validation_share"],
            seed=options["seed"],
        )
        task = prepared.target.task
        if options["class_weight"] is not None and task != "classification":
            raise UsageError(
                f"train: class_weight needs classes, but {target!r} is a quantity; leave it out, "
                'or give task="classification".'
            )
        chosen = ("epochs", "batch_size", "lr", "weight_decay", "dropout")
        changes = {name: options[name] for name in chosen}
        hidden = options["hidden"]
        recipe = tabular_recipe(task, hidden=None if hidden is None else tuple(hidden), **changes)
        return cls(prepared, recipe, options, target, validation, test)

    def network(self) -> TabularMLP:
        """Make the network, with weights that fit the training rows."""
        outer = random.get_state()
        random.manual_seed(seed_for(self.options["seed"], "weights"))
        try:
            model = build_network(self.description())
            rows = permutation(len(self.prepared.train), self.options["seed"])[:_START_ROWS]
            inputs = _inputs(self.prepared.train)
            rows.sort()
            start = [leaf(np.ascontiguousarray(x[rows])) for x in inputs]
            model.start_from(*start, target=leaf(self.prepared.train.y[rows]))
        finally:
            random.set_state(outer)
        return model

    def description(self) -> dict[str, Any]:
        """Return what `build_network` makes the network from."""
        preprocessor = self.prepared.preprocessor
        return {
            "numeric_features": preprocessor.n_numeric,
            "out_features": self.prepared.target.n_outputs,
            "cardinalities": list(preprocessor.category_sizes),
            "embedded": preprocessor.n_continuous,
            "hidden": list(self.recipe.hidden),
            "activation": self.recipe.activation,
            "dropout": self.recipe.dropout,
            "baseline": self.recipe.baseline,
        }

    def learned(self) -> dict[str, Any]:
        """Return what was learned from the training rows, which a resumed run must find again."""
        return {
            "preprocessing": self.prepared.preprocessor.to_config(),
            "target_encoding": self.prepared.target.to_config(),
            "network": self.description(),
            "shares": {
                name: 0 if share is None else len(share)
                for name, share in (
                    ("train", self.prepared.train),
                    ("validation", self.prepared.validation),
                    ("test", self.prepared.test),
                )
            },
        }

    def config(self, model: TabularMLP, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything that rebuilds the run."""
        return {
            "kind": "table",
            "versions": {
                "schuss": schuss.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "task": self.prepared.target.task,
            "target": self.target,
            "sources": sources,
            "options": self.options,
            "notes": self.prepared.notes,
            "parameters": sum(p.size for p in model.parameters()),
            "loss": {"label_smoothing": self.recipe.label_smoothing},
            "range": self.range(),
            **self.learned(),
        }

    def range(self) -> list[float] | None:
        """Return the least and the greatest target of the training rows, for a quantity."""
        if self.prepared.target.task == "classification":
            return None
        values, there = self.prepared.target.values(self.prepared.train.table)
        return [float(values[there].min()), float(values[there].max())]

    def metrics(self) -> dict[str, Metric]:
        """Return what is measured after each epoch; values in the target's own unit."""
        if self.prepared.target.task == "classification":
            return dict(CLASS_METRICS)
        decode = self.prepared.target.decode
        low, high = self.range() or (-np.inf, np.inf)

        def in_unit(metric: Metric) -> Metric:
            return lambda y, output, weight: metric(
                decode(y), np.clip(decode(output), low, high), weight
            )

        return {name: in_unit(metric) for name, metric in VALUE_METRICS.items()}

    def monitor(self) -> str:
        """Return the figure that chooses the best epoch."""
        if self.prepared.validation is None:
            return "loss"
        if self.options["class_weight"] is not None:
            return "balanced_accuracy"
        return self.recipe.metric

    def class_factors(self) -> Any:
        """Return a factor for each class, or None."""
        given = self.options["class_weight"]
        y = self.prepared.train.y
        if given is None or isinstance(given, str):
            return None if given is None else class_factors(given, y, "train")
        classes = self.prepared.target.classes
        factors = np.ones(len(classes))
        for label, factor in given:
            found = [k for k, c in enumerate(classes) if c == label or str(c) == str(label)]
            if not found:
                shown = ", ".join(str(c) for c in classes[:8])
                raise UsageError(f"train: class_weight names {label!r}; the classes are {shown}.")
            factors[found[0]] = factor
        return factors

    def optimizer(self) -> Callable[..., Any]:
        """Return what makes the optimizer of the parameters."""
        name = self.options["optimizer"]
        recipe = self.recipe

        def make(parameters: Any, model: TabularMLP) -> Any:
            if name is None:
                return recipe.optimizer(model)
            return OPTIMIZERS[name](recipe.param_groups(model), lr=recipe.lr)

        return make


def _inputs(share: Share) -> tuple[Any, ...]:
    return network_inputs(share.numeric, share.categories)


def _descend(
    job: _Job,
    model: TabularMLP,
    folder: RunFolder,
    *,
    resume: bool,
    quiet: bool,
    on_start: Callable[[Run], object] | None,
    callbacks: Iterable[Any],
    checkpoint_seconds: float,
) -> Run:
    """Train, measure, and leave the finished run on disk."""
    run = Run(folder.config, model, {"finished": False}, folder.path)
    if on_start is not None:
        on_start(run)
    elif not quiet:
        for note in run.notes:
            print(note, file=sys.stderr)
    prepared = job.prepared
    recipe = job.recipe
    trainer = Trainer(
        model,
        recipe.loss,
        optimizer=job.optimizer()(None, model),
        schedule=recipe.schedules,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        patience=job.options["patience"],
        class_weight=job.class_factors(),
        metrics=job.metrics(),
        monitor=job.monitor(),
        mode=None,
        ties="last",
        drop_last=True,
        seed=job.options["seed"],
        callbacks=callbacks,
        folder=folder,
        checkpoint_seconds=checkpoint_seconds,
        progress=not quiet,
    )
    train = prepared.train
    held = prepared.validation
    fit = trainer.fit(
        (_inputs(train), train.y),
        None if held is None else (_inputs(held), held.y, held.weight),
        sample_weight=train.weight,
        resume=resume,
    )
    model.eval()
    run.history = fit.history
    run.result = _result(run, job, fit)
    folder.write_model(model.state_dict(), run.result)
    return run


def _result(run: Run, job: _Job, fit: Fit) -> dict[str, Any]:
    """Return what came of the training, with the final figures."""
    notes = list(fit.notes)
    figures: dict[str, Any] = {}
    for name, share in (("validation", job.prepared.validation), ("test", job.prepared.test)):
        figures[name] = None
        if share is not None:
            figures[name] = found = run.figures(share.table)
            undefined = [key for key, value in found.items() if value is None]
            if undefined:
                notes.append(
                    f"{', '.join(undefined)} of the {name} rows: undefined, since they do not "
                    "hold every class"
                    if job.prepared.target.task == "classification"
                    else f"{', '.join(undefined)} of the {name} rows: undefined, since their target "
                    "does not vary"
                )
    return {
        "epoch": fit.best_epoch,
        "epochs": fit.epochs,
        "seconds": fit.seconds,
        "stopped": fit.stopped,
        "finished": True,
        "notes": notes,
        **figures,
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse options out of range, all of them at once."""
    problems = []
    for name in ("epochs", "batch_size", "patience"):
        value = options[name]
        if value is not None and not (isinstance(value, int) and value >= 1):
            problems.append(f"{name} a whole number of at least 1, got {value!r}")
    for name in ("test_share", "validation_share", "dropout"):
        value = options[name]
        if value is not None and not (isinstance(value, (int, float)) and 0.0 <= value < 1.0):
            problems.append(f"{name} in [0, 1), got {value!r}")
    if options["lr"] is not None and not 0.0 < options["lr"] < np.inf:
        problems.append(f"lr above 0, got {options['lr']!r}")
    if options["weight_decay"] is not None and not 0.0 <= options["weight_decay"] < np.inf:
        problems.append(f"weight_decay of at least 0, got {options['weight_decay']!r}")
    if options["optimizer"] is not None and options["optimizer"] not in OPTIMIZERS:
        problems.append(f"optimizer one of {', '.join(OPTIMIZERS)}, got {options['optimizer']!r}")
    hidden = options["hidden"]
    if hidden is not None and not all(isinstance(n, int) and n >= 1 for n in hidden):
        problems.append(f"hidden to be widths of at least 1, got {hidden!r}")
    if not isinstance(options["seed"], int) or options["seed"] < 0:
        problems.append(f"seed a whole number from 0, got {options['seed']!r}")
    weight = options["class_weight"]
    if isinstance(weight, str) and weight != "balanced":
        problems.append(f"class_weight 'balanced' or factors by class, got {weight!r}")
    for name in ("sample_weight", "group", "time"):
        if options[name] is not None and not isinstance(options[name], str):
            problems.append(f"{name} to name a column, got {type(options[name]).__name__}")
    if problems:
        raise UsageError(f"train: expected {'; '.join(problems)}.")
