"""TableJob: a table split and preprocessed, with the network, optimizer and metrics for it."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from schuss import random
from schuss.data import PreparedTable, Share, Table, fold_of_rows, permutation, prepare_table
from schuss.errors import UsageError
from schuss.optim import Optimizer
from schuss.training.descent.learner import OPTIMIZERS
from schuss.training.evaluation.calibrated import calibrated_metrics
from schuss.training.evaluation.examples import Examples, class_factors
from schuss.training.evaluation.metrics import Metric
from schuss.training.loop.plan import seed_for
from schuss.training.tables.codes import widened
from schuss.training.tables.goal import (
    calibrate,
    check_task,
    choose_scale,
    is_robust,
    value_metrics,
)
from schuss.training.tables.options import RowOptions, TableOptions, TrainingOptions
from schuss.training.tables.recipe import TabularRecipe, tabular_recipe
from schuss.training.tables.run import TableRun, build_network, network_inputs
from schuss.training.tables.sizes import FEW_ROWS, MEMBERS, changes_by_size
from schuss.version import __version__

__all__ = ["WEIGHTED", "TableJob", "factors_by_class", "named"]

# So many rows tell how large the layers' outputs are.
_START_ROWS = 10_000

WEIGHTED = (
    "class weights: probabilities are those of rows that come as often as they count, and "
    "weighted_log_loss measures them; log_loss counts all rows the same"
)
_LARGEST = sys.float_info.max


@dataclass(repr=False)
class TableJob:
    """A table made ready, with the recipe to learn from it."""

    #: What its options and its runs are.
    options_of: ClassVar[type[TableOptions]] = TableOptions
    run_of: ClassVar[type[TableRun]] = TableRun
    #: The kind of data that its runs are of.
    name: ClassVar[str] = "table"

    prepared: PreparedTable
    recipe: TabularRecipe
    options: TableOptions
    target: str
    training: Examples
    validation: Examples | None
    class_factors: list[float] | None = None

    @classmethod
    def prepare(
        cls,
        table: Table,
        target: str,
        options: TableOptions,
        *,
        validation: Table | None,
        test: Table | None,
    ) -> TableJob:
        """Split the table, learn its preprocessing, and choose the recipe.

        Raises:
            DataError: if the data cannot be used.
            UsageError: if the options contradict each other.
        """
        cross_validated = _is_cross_validated(table, options.rows, validation)
        rows, seed = dict(vars(options.rows)), options.training.seed
        class_weight, rows["weight"] = rows.pop("class_weight"), rows.pop("sample_weight")
        rows["target_scale"] = rows["target_scale"] or "linear"
        rows["robust"] = is_robust(options.training.loss)
        if rows["validation_share"] is None:
            rows["validation_share"] = 0.0 if cross_validated else 0.2
        prepared = prepare_table(table, target, **rows, test=test, validation=validation, seed=seed)
        task, train = prepared.target.task, prepared.train
        validated = cross_validated or prepared.validation is not None
        check_task(options, prepared.target)
        prepared.notes += choose_scale(prepared, options, seed)
        if options.training.patience is not None and not validated:
            raise UsageError(
                "train: patience needs validation rows to tell better from worse; give a "
                "validation share, or leave patience out."
            )
        inputs = network_inputs(train.numeric, train.categories)
        if cross_validated:
            labels = train.y if task == "classification" else None
            folds = fold_of_rows(len(train), MEMBERS, seed=seed + 1, stratify=labels)
            if train.copies is not None:
                _, first, copy = np.unique(train.copies, return_index=True, return_inverse=True)
                folds = folds[first][copy]
            inputs = (train.numeric, widened(train.categories), folds)
        learned_from = named(
            Examples.of((inputs, train.y), weight=train.weight, owner="train"), train
        )
        factors = factors_by_class(class_weight, prepared)
        if factors is not None:
            prepared.notes.append(WEIGHTED)
        return cls(
            prepared,
            _recipe(prepared, options.training, cross_validated=cross_validated),
            options,
            target,
            learned_from if factors is None else learned_from.weighted_by(factors),
            # Class weights count in training alone.
            learned_from if cross_validated else _examples(prepared.validation),
            None if factors is None else factors.tolist(),
        )

    @property
    def cross_validated(self) -> bool:
        """Whether the training rows are validated on themselves, by members that left them out."""
        return self.validation is not None and self.prepared.validation is None

    def table_of(self, share: Share) -> Table:
        """Return the rows of a share as a run reads them."""
        return share.table

    def network(self) -> Any:
        """Make the network, with weights that fit the training rows."""
        with random.separate_draws():
            random.manual_seed(seed_for(self.options.training.seed, "weights"))
            model = build_network(self.description())
            chosen = permutation(len(self.training), self.options.training.seed)[:_START_ROWS]
            (numeric, *categories), y, _ = self.training.batch(np.sort(chosen))
            model.start_from(numeric, categories[0] if categories else None, y)
        return model

    def optimizer(self, model: Any) -> Optimizer:
        """Make the optimizer of the network's parameters."""
        name = self.options.training.optimizer
        if name is None:
            return self.recipe.optimizer(model)
        return OPTIMIZERS[name](self.recipe.param_groups(model), lr=self.recipe.lr)

    def description(self) -> dict[str, Any]:
        """Return what `build_network` makes the network from."""
        preprocessor = self.prepared.preprocessor
        return {
            "numeric_features": preprocessor.n_numeric,
            "out_features": self.prepared.target.n_outputs,
            "cardinalities": list(preprocessor.category_sizes),
            "embedded": preprocessor.n_continuous if self.recipe.waves else 0,
            **self.recipe.network_options(),
        }

    def learned(self) -> dict[str, Any]:
        """Return what follows from the rows and the options, and a resumed run must find again."""
        return {
            "preprocessing": self.prepared.preprocessor.to_config(),
            "target_encoding": self.prepared.target.to_config(),
            "network": self.description(),
            "recipe": {
                field.name: getattr(self.recipe, field.name)
                for field in fields(self.recipe)
                if field.name != "schedules"
            },
            "shares": {
                name: 0 if share is None else len(share)
                for name, share in (
                    ("train", self.prepared.train),
                    ("validation", self.prepared.validation),
                    ("test", self.prepared.test),
                )
            },
        }

    def config(self, model: Any, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything that rebuilds the run."""
        return {
            "kind": self.name,
            "versions": {
                "schuss": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "task": self.prepared.target.task,
            "target": self.target,
            "sources": sources,
            "options": self.options.to_config(),
            "notes": self.prepared.notes,
            "parameters": sum(p.size for p in model.parameters()),
            "range": self.range(model),
            "seen": self.seen(),
            "class_factors": self.class_factors,
            **self.learned(),
        }

    def seen(self) -> list[float] | None:
        """Return the least and the greatest value of a quantity in the training rows."""
        if self.prepared.target.task == "classification":
            return None
        values, there = self.prepared.target.values(self.prepared.train.table)
        return [float(values[there].min()), float(values[there].max())]

    def range(self, model: Any) -> list[float] | None:
        """Return where predictions of a quantity may lie.

        From the least to the greatest target of the training rows; but where a line carries the
        prediction, it may go on: on a linear scale as far as it will, on a log scale by as many
        powers of ten as the training rows span.
        """
        seen = self.seen()
        if seen is None or model.baseline is None or not model.baseline.in_use:
            return seen
        if self.prepared.target.scale == "linear":
            return [-_LARGEST, _LARGEST]
        shift = self.prepared.target.shift
        low, high = (math.log(value + shift) for value in seen)
        far = min(2.0 * high - low, math.log(_LARGEST))
        return [math.exp(2.0 * low - high) - shift, math.exp(far) - shift]

    def metrics(self, model: Any) -> dict[str, Metric]:
        """Return what is measured of the outputs after each epoch, under the names of `Run`."""
        metrics = self.recipe.metrics(self.class_factors)
        bounds = self.range(model)
        if bounds is None:
            return calibrated_metrics(metrics, self.class_factors)
        return value_metrics(self.prepared, (bounds[0], bounds[1]), metrics)

    def monitor(self) -> str:
        """Return the figure that chooses the best epoch."""
        if self.validation is None:
            return "loss"
        weighted = self.class_factors is not None
        chosen = "weighted_log_loss" if weighted else self.recipe.metric
        return self.options.training.metric or chosen

    def calibrate(self, model: Any) -> list[str]:
        """Give a network of classes its temperature, and say where there is nothing to fit it to.

        Returns:
            Sentences to show.
        """
        if not model.calibrated:
            return []
        if self.validation is None:
            return ["probabilities are not calibrated, since no rows were held out to validate"]
        calibrate(model, self.validation, self.class_factors)
        return []


def named(examples: Examples, share: Share) -> Examples:
    """Have rows called by their lines in the file, where there is one."""
    lines = share.table.lines
    if lines is None:
        return replace(examples, numbers=share.rows + 1)
    return replace(examples, numbers=lines, word="line")


def _examples(share: Share | None) -> Examples | None:
    if share is None:
        return None
    inputs = network_inputs(share.numeric, share.categories)
    return Examples.of((inputs, share.y), weight=share.weight, owner="train")


def _recipe(
    prepared: PreparedTable, options: TrainingOptions, *, cross_validated: bool
) -> TabularRecipe:
    """Return the recipe for a table's size, with what the options change in it."""
    target, numbers = prepared.target, prepared.preprocessor.n_numeric
    validated = cross_validated or prepared.validation is not None
    changes = changes_by_size(
        target.task, len(prepared.train), numbers, cross_validated=cross_validated
    )
    if options.epochs is not None or not validated:
        # Whoever says how many epochs there are gets them; and without validation none is better.
        changes["patience"] = None
    if options.loss not in (None, "mse") or target.scale == "log":
        # Squares in the target's unit are not what is learned.
        changes["metric"] = "loss"
    if options.hidden is not None:
        changes["hidden"] = tuple(options.hidden)
    if options.loss is not None:
        changes["value_loss"] = options.loss
    for name in ("epochs", "batch_size", "lr", "weight_decay", "dropout", "patience", "quantile"):
        if (value := getattr(options, name)) is not None:
            changes[name] = value
    return tabular_recipe(target.task, **changes)


def _is_cross_validated(table: Table, rows: RowOptions, validation: Table | None) -> bool:
    """Tell whether to validate by folds: on few rows, and where no other way was asked for."""
    asked = ("validation_share", "group", "time")
    if validation is not None or any(getattr(rows, name) is not None for name in asked):
        return False
    return 4 * MEMBERS <= table.rows <= FEW_ROWS


def factors_by_class(given: Any, prepared: PreparedTable) -> Any:
    """Return a factor for each class, or None."""
    if given is None or isinstance(given, str):
        return None if given is None else class_factors(given, prepared.train.y, "train")
    classes = prepared.target.classes
    factors = np.ones(len(classes))
    for label, factor in given:
        found = [k for k, c in enumerate(classes) if c == label or str(c) == str(label)]
        if not found:
            shown = ", ".join(str(c) for c in classes[:8])
            raise UsageError(f"train: class_weight names {label!r}; the classes are {shown}.")
        factors[found[0]] = factor
    return class_factors(factors, prepared.train.y, "train")
