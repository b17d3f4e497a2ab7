"""train and resume: from data of any kind to a trained network in one call."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from schuss.errors import UsageError
from schuss.messages import printable, say
from schuss.training.arguments import grouped
from schuss.training.kinds.kind import Kind, OutputOptions
from schuss.training.kinds.known import find_kind, kind_meant, known_kinds
from schuss.training.kinds.load import kind_of_run, load_run, stored_weights
from schuss.training.kinds.run import Run
from schuss.training.runs.bundle import well_formed
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.replacing import check_free

__all__ = ["resume", "train"]

_NOT_OPTIONS = ("data", "target", "kind", "more", *OutputOptions.__dataclass_fields__)


def train(
    data: Any,
    target: Any = None,
    *,
    kind: str | None = None,
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
    **more: Any,
) -> Run:
    """Train a network on a table or a folder of examples: the whole job in one call.

    Args:
        data: a file that `schuss.data.read_table` takes (.csv, .tsv, .jsonl, .parquet, ...); the
            name of a bundled set ("iris"); a frame; columns by name; a pair (features, target); or
            an array of features. Or a folder (or .zip or .tar of one) with one folder a class, a
            folder with a labels.csv, or a table with a column of paths to such files.
        target: the column to predict, or its values; a bundled set, a pair and folders of classes
            need none.
        kind: what data is ("table", "pictures", ...); None decides by looking at it.
        task: "classification" or "regression"; None decides by the target.
        exclude: columns to leave out.
        kinds: kinds of columns: numeric, category, boolean, timestamp, text or identifier.
        test: rows for nothing but the final figures, instead of a share.
        test_share: share of the rows for that, in [0, 1); by default 0.2, of files 0.1.
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
        more: options of one kind of data, such as `mirror` of pictures; `schuss train --help`
            lists them.

    Returns:
        The run: `predict`, `evaluate`, `save`, `test`, `validation`, `folder`, ...

    Raises:
        UsageError: if options are out of range or contradict each other.
        DataError: if the data cannot be used.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP; `resume` goes on.
    """
    given = locals()
    found, recognised = find_kind(data, kind or kind_meant(more))
    options = {name: value for name, value in given.items() if name not in _NOT_OPTIONS}
    options |= _own_options(found, more)
    if out is not None:
        check_free(Path(out), overwrite)
    if (
        recognised is not None
        and recognised.what
        and not quiet
        and isinstance(data, str | os.PathLike)
    ):
        say(printable(f"took {data} for {recognised.what}"))
    return found.train(data, target, options, grouped(OutputOptions, given))


def _own_options(kind: Kind, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a kind's own options, None where they were not given.

    Raises:
        UsageError: if one is not known, or its value is none that it takes.
    """
    known = {option.name: option for option in kind.options}
    values: dict[str, Any] = dict.fromkeys(known)
    for name, value in more.items():
        if value is None:
            continue
        if name not in known:
            owners = [k.name for k in known_kinds().values() if name in {o.name for o in k.options}]
            near = difflib.get_close_matches(name, known, n=1)
            why = f"it is one of {', '.join(owners)}" if owners else "there is none of that name"
            hint = f"; did you mean {near[0]}?" if near else f", and this data is {kind.name}."
            raise UsageError(f"train: expected no option {name}: {why}{hint}")
        try:
            values[name] = known[name].read(value)
        except (ValueError, TypeError) as error:
            raise UsageError(f"train: expected {name} to be {error}, got {value!r}.") from None
    return values


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
    kind = kind_of_run(folder.config)
    if kind is None:
        raise UsageError(
            f"{place}: this run was made by a Trainer; go on with its fit(..., resume=True)."
        )
    with well_formed(place / "config.json"):
        stored = stored_weights(folder)
        if stored is not None:
            kind.check_weights(folder.config, stored[0])
    if stored is not None and stored[1].get("finished"):
        return load_run(place)
    with folder.locked():
        given = {"data": data, "validation": validation, "test": test}
        return kind.resume(folder, given, output)
