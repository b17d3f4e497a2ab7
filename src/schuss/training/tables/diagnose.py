"""A diagnosis of a run on the rows that it learned."""

from __future__ import annotations

import os
from typing import Any

from schuss.errors import UsageError
from schuss.inspect import Diagnosis
from schuss.training.diagnosing import diagnose_on
from schuss.training.kinds.load import kind_of_run, load_run
from schuss.training.runs.folder import RunFolder
from schuss.training.tables.kind import TableKind
from schuss.training.tables.train import job_again

__all__ = ["diagnose_run"]


def diagnose_run(run: str | os.PathLike[str], data: Any = None) -> Diagnosis:
    """Say where the descent of a run on a table stands, and what does not work in its network.

    Args:
        run: the run's folder.
        data: its table, where that was in memory or has moved.

    Raises:
        DataError: if there is no such run, or its table has changed or is gone.
        UsageError: for a run on files, or one that was saved without its folder.
    """
    found = load_run(run)
    kind = kind_of_run(found.config)
    if not isinstance(kind, TableKind) or found.folder is None:
        raise UsageError(
            f"diagnose: expected the folder of a run on a table, got {run}; "
            "a Trainer has a method for its own network."
        )
    job = job_again(RunFolder(found.folder), data, None, None, kind.job())
    return diagnose_on(found.model, job.recipe.loss, job.training)
