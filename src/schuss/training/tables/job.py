"""TableJob: a table split and preprocessed, with the network, optimizer and metrics for it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from schuss import random
from schuss.data import PreparedTable, Share, Table, fold_of_rows, permutation, prepare_table
from schuss.errors import UsageError
from schuss.nn.tabular import TabularMLP
from schuss.optim import Optimizer
from schuss.training.descent.learner import OPTIMIZERS
from schuss.training.evaluation.examples import Examples, class_factors
from schuss.training.evaluation.metrics import CLASS_METRICS, VALUE_METRICS, Metric
from schuss.training.loop.plan import seed_for
from schuss.training.tables.options import RowOptions, TableOptions, TrainingOptions
from schuss.training.tables.recipe import TabularRecipe, tabular_recipe
from schuss.training.tables.run import build_network, network_inputs
from schuss.version import __version__

__all__ = ["TableJob"]

# So many rows tell how large the layers' outputs are.
_START_ROWS = 10_000

# Tables of at most so many rows get several narrower networks, each of which leaves out a fold of
# the training rows, so that all rows are learned from and all help to choose the epoch.
_FEW_ROWS = 2_000
_MEMBERS = 5
_MEMBER_HIDDEN = (96, 96, 96)


@dataclass(repr=False)
class TableJob:
    """A table made ready, with the recipe to learn from it."""

    prepared: PreparedTable
    recipe: TabularRecipe
    options: TableOptions
    target: str
    training: Examples
    validation: Examples | None

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
        if rows["validation_share"] is None:
            rows["validation_share"] = 0.0 if cross_validated else 0.2
        prepared = prepare_table(table, target, **rows, test=test, validation=validation, seed=seed)
        task, train = prepared.target.task, prepared.train
        validated = cross_validated or prepared.validation is not None
        if class_weight is not None and task != "classification":
            raise UsageError(
                f"train: class_weight needs classes, but {target!r} is a quantity; leave it out, "
                'or give task="classification".'
            )
        if options.training.patience is not None and not validated:
            raise UsageError(
                "train: patience needs validation rows to tell better from worse; give a "
                "validation share, or leave patience out."
            )
        inputs = network_inputs(train.numeric, train.categories)
        if cross_validated:
            labels = train.y if task == "classification" else None
            folds = fold_of_rows(len(train), _MEMBERS, seed=seed + 1, stratify=labels)
            if train.copies is not None:
                _, first, copy = np.unique(train.copies, return_index=True, return_inverse=True)
                folds = folds[first][copy]
            inputs = (train.numeric, train.categories, folds)
        learned_from = Examples.of((inputs, train.y), weight=train.weight, owner="train")
        factors = _class_factors(class_weight, prepared)
        return cls(
            prepared,
            _recipe(task, options.training, cross_validated=cross_validated),
            options,
            target,
            learned_from if factors is None else learned_from.weighted_by(factors),
            # Class weights count in training alone.
            learned_from if cross_validated else _examples(prepared.validation),
        )

    @property
    def cross_validated(self) -> bool:
        """Whether the training rows are validated on themselves, by members that left them out."""
        return self.validation is not None and self.prepared.validation is None

    def network(self) -> TabularMLP:
        """Make the network, with weights that fit the training rows."""
        with random.separate_draws():
            random.manual_seed(seed_for(self.options.training.seed, "weights"))
            model = build_network(self.description())
            chosen = permutation(len(self.training), self.options.training.seed)[:_START_ROWS]
            (numeric, *categories), y, _ = self.training.batch(np.sort(chosen))
            model.start_from(numeric, categories[0] if categories else None, y)
        return model

    def optimizer(self, model: TabularMLP) -> Optimizer:
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
            "embedded": preprocessor.n_continuous,
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

    def config(self, model: TabularMLP, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything that rebuilds the run."""
        return {
            "kind": "table",
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
            **self.learned(),
        }

    def range(self, model: TabularMLP) -> list[float] | None:
        """Return where predictions of a quantity may lie.

        From the least to the greatest target of the training rows; with half of that more at
        either end where a line carries the prediction, since a line may go on.
        """
        if self.prepared.target.task == "classification":
            return None
        values, there = self.prepared.target.values(self.prepared.train.table)
        low, high = float(values[there].min()), float(values[there].max())
        more = 0.5 * (high - low) if model.baseline is not None and model.baseline.in_use else 0.0
        return [low - more, high + more]

    def metrics(self, model: TabularMLP) -> dict[str, Metric]:
        """Return what is measured after each epoch; values in the target's own unit."""
        if self.prepared.target.task == "classification":
            return dict(CLASS_METRICS)
        decode = self.prepared.target.decode
        low, high = self.range(model) or (-np.inf, np.inf)

        def in_unit(metric: Metric) -> Metric:
            return lambda y, output, weight: metric(
                decode(y), np.clip(decode(output), low, high), weight
            )

        return {name: in_unit(metric) for name, metric in VALUE_METRICS.items()}

    def monitor(self) -> str:
        """Return the figure that chooses the best epoch."""
        if self.validation is None:
            return "loss"
        if self.options.rows.class_weight is not None:
            return "balanced_accuracy"
        return self.recipe.metric


def _examples(share: Share | None) -> Examples | None:
    if share is None:
        return None
    inputs = network_inputs(share.numeric, share.categories)
    return Examples.of((inputs, share.y), weight=share.weight, owner="train")


def _recipe(task: str, options: TrainingOptions, *, cross_validated: bool) -> TabularRecipe:
    """Return the recipe with what the options change in it."""
    chosen = ("epochs", "batch_size", "lr", "weight_decay", "dropout")
    changes = {name: getattr(options, name) for name in chosen}
    if cross_validated:
        changes |= {"members": _MEMBERS, "hidden": _MEMBER_HIDDEN}
        changes["metric"] = "log_loss" if task == "classification" else None
    if options.hidden is not None:
        changes["hidden"] = tuple(options.hidden)
    return tabular_recipe(task, **changes)


def _is_cross_validated(table: Table, rows: RowOptions, validation: Table | None) -> bool:
    """Tell whether to validate by folds: on few rows, and where no other way was asked for."""
    asked = ("validation_share", "group", "time")
    if validation is not None or any(getattr(rows, name) is not None for name in asked):
        return False
    return 4 * _MEMBERS <= table.rows <= _FEW_ROWS


def _class_factors(given: Any, prepared: PreparedTable) -> Any:
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
