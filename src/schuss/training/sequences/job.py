"""SequenceJob: sequences split and prepared, with the network, optimizer and metrics for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

from schuss import random
from schuss.data import Share, Table
from schuss.errors import UsageError
from schuss.optim import AdamW, Optimizer
from schuss.training.descent.learner import OPTIMIZERS
from schuss.training.evaluation.examples import Examples
from schuss.training.loop.plan import seed_for
from schuss.training.sequences.network import SequenceNetwork
from schuss.training.sequences.options import SequenceOptions
from schuss.training.sequences.prepare import PreparedSequences, SequenceShare, prepare_sequences
from schuss.training.sequences.recipe import TAPS, sequence_recipe
from schuss.training.sequences.run import SequenceRun
from schuss.training.tables.goal import check_task, choose_scale, is_robust
from schuss.training.tables.job import WEIGHTED, TableJob, factors_by_class
from schuss.training.tables.options import TableOptions
from schuss.training.tables.run import TableRun

__all__ = ["SequenceJob"]


@dataclass(repr=False)
class SequenceJob(TableJob):
    """Sequences made ready, with the recipe to learn from them."""

    options_of: ClassVar[type[TableOptions]] = SequenceOptions
    run_of: ClassVar[type[TableRun]] = SequenceRun
    name: ClassVar[str] = "sequences"

    @classmethod
    def prepare(
        cls,
        table: Table,
        target: str,
        options: TableOptions,
        *,
        validation: Table | None,
        test: Table | None,
    ) -> SequenceJob:
        """Group the table, split the sequences, learn their preprocessing, choose the recipe.

        Raises:
            DataError: if the data cannot be used.
            UsageError: if the options contradict each other.
        """
        own, training = cast(SequenceOptions, options), options.training
        rows = dict(vars(options.rows))
        class_weight, rows["weight"] = rows.pop("class_weight"), rows.pop("sample_weight")
        rows["target_scale"] = rows["target_scale"] or "linear"
        rows["robust"] = is_robust(training.loss)
        if rows["validation_share"] is None:
            rows["validation_share"] = 0.2
        prepared = prepare_sequences(
            table,
            target,
            **rows,
            sequence=own.sequence,
            order=own.order,
            test=test,
            validation=validation,
            seed=training.seed,
        )
        check_task(options, prepared.target)
        prepared.notes += choose_scale(prepared, options, training.seed)
        if training.patience is not None and prepared.validation is None:
            raise UsageError(
                "train: patience needs validation sequences to tell better from worse; give a "
                "validation share, or leave patience out."
            )
        learned_from = _examples(prepared.train)
        factors = factors_by_class(class_weight, prepared)
        if factors is not None:
            prepared.notes.append(WEIGHTED)
        assert prepared.format is not None
        recipe = sequence_recipe(
            prepared.target.task,
            training,
            sequences=len(prepared.train),
            steps=prepared.format.steps,
            columns=prepared.preprocessor.n_numeric * prepared.format.factor,
            validated=prepared.validation is not None,
            log=prepared.target.scale == "log",
        )
        return cls(
            prepared,
            recipe,
            options,
            target,
            learned_from if factors is None else learned_from.weighted_by(factors),
            None if prepared.validation is None else _examples(prepared.validation),
            None if factors is None else factors.tolist(),
        )

    @property
    def sequences(self) -> PreparedSequences:
        """What was made ready."""
        return cast(PreparedSequences, self.prepared)

    def table_of(self, share: Share) -> Table:
        """Return all rows of a share's sequences."""
        found = cast(SequenceShare, share).rows_table
        assert found is not None
        return found

    def network(self) -> SequenceNetwork:
        """Make the network, with its first weights."""
        with random.separate_draws():
            random.manual_seed(seed_for(self.options.training.seed, "weights"))
            return SequenceNetwork(**self.description())

    def optimizer(self, model: Any) -> Optimizer:
        """Make the optimizer; vectors (biases, what normalisations learn) do not decay."""
        recipe, name = self.recipe, self.options.training.optimizer
        groups: list[dict[str, Any]] = [
            {
                "params": [p for p in model.parameters() if p.ndim > 1],
                "weight_decay": recipe.weight_decay,
            },
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if name is not None:
            return OPTIMIZERS[name](groups, lr=recipe.lr)
        return AdamW(groups, lr=recipe.lr, betas=recipe.betas)

    def description(self) -> dict[str, Any]:
        """Return what the network is made from."""
        prepared, recipe = self.sequences, self.recipe
        assert prepared.format is not None
        return {
            "numbers": prepared.preprocessor.n_numeric * prepared.format.factor,
            "out_features": prepared.target.n_outputs,
            "cardinalities": list(prepared.preprocessor.category_sizes),
            "widths": list(recipe.hidden),
            "taps": TAPS,
            "dropout": recipe.dropout,
            "calibrated": prepared.target.task == "classification",
        }

    def learned(self) -> dict[str, Any]:
        """Return what follows from the rows and the options, and a resumed run must find again."""
        prepared = self.sequences
        assert prepared.columns is not None
        assert prepared.format is not None
        grouping = {"columns": prepared.columns.to_config(), "format": prepared.format.to_config()}
        return {**super().learned(), "grouping": grouping}

    def range(self, model: Any) -> list[float] | None:
        """Return where predictions of a quantity may lie: where the training sequences' do."""
        return self.seen()


def _examples(share: Share) -> Examples:
    inputs = cast(SequenceShare, share).inputs
    return Examples(inputs, share.y, share.weight, share.rows + 1, "sequence")
