"""A table made ready for training, with the recipe to learn from it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

import schuss
from schuss import random
from schuss.data import PreparedTable, Share, Table, permutation, prepare_table
from schuss.errors import UsageError
from schuss.nn.tabular import TabularMLP
from schuss.optim import Optimizer
from schuss.training.examples import Examples, class_factors
from schuss.training.metrics import CLASS_METRICS, VALUE_METRICS, Metric
from schuss.training.run import build_network, network_inputs
from schuss.training.tabular import TabularRecipe, tabular_recipe
from schuss.training.trainer import OPTIMIZERS, seed_for

__all__ = ["TableJob"]

# So many rows tell how large the layers' outputs are.
_START_ROWS = 10_000


@dataclass
class TableJob:
    """A table made ready, with the recipe to learn from it."""

    prepared: PreparedTable
    recipe: TabularRecipe
    options: dict[str, Any]
    target: str
    training: Examples
    held: Examples | None

    @classmethod
    def prepare(
        cls,
        table: Table,
        target: str,
        options: dict[str, Any],
        *,
        validation: Table | None,
        test: Table | None,
    ) -> TableJob:
        """Split the table, learn its preprocessing, and choose the recipe.

        Raises:
            DataError: if the data cannot be used.
            UsageError: if the options contradict each other.
        """
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
        if options["patience"] is not None and prepared.validation is None:
            raise UsageError(
                "train: patience needs validation rows to tell better from worse; give a "
                "validation share, or leave patience out."
            )
        chosen = ("epochs", "batch_size", "lr", "weight_decay", "dropout")
        changes = {name: options[name] for name in chosen}
        hidden = options["hidden"]
        recipe = tabular_recipe(task, hidden=None if hidden is None else tuple(hidden), **changes)
        train, held = prepared.train, prepared.validation
        training = Examples.of((inputs_of(train), train.y), weight=train.weight, owner="train")
        factors = _class_factors(options["class_weight"], prepared)
        return cls(
            prepared,
            recipe,
            options,
            target,
            training if factors is None else training.weighted_by(factors),
            None
            if held is None
            else Examples.of((inputs_of(held), held.y), weight=held.weight, owner="train"),
        )

    def network(self) -> TabularMLP:
        """Make the network, with weights that fit the training rows."""
        outer = random.get_state()
        random.manual_seed(seed_for(self.options["seed"], "weights"))
        try:
            model = build_network(self.description())
            chosen = permutation(len(self.training), self.options["seed"])[:_START_ROWS]
            (numeric, *categories), y, _ = self.training.batch(np.sort(chosen))
            model.start_from(numeric, categories[0] if categories else None, y)
        finally:
            random.set_state(outer)
        return model

    def optimizer(self, model: TabularMLP) -> Optimizer:
        """Make the optimizer of the network's parameters."""
        name = self.options["optimizer"]
        if name is None:
            made: Optimizer = self.recipe.optimizer(model)
            return made
        return OPTIMIZERS[name](self.recipe.param_groups(model), lr=self.recipe.lr)

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
        if self.prepared.validation is None:
            return "loss"
        if self.options["class_weight"] is not None:
            return "balanced_accuracy"
        return self.recipe.metric


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


def inputs_of(share: Share) -> tuple[Any, ...]:
    """Return what the network is called with on a share's rows."""
    return network_inputs(share.numeric, share.categories)
