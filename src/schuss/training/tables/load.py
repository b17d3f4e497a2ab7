"""table_run: a table's run, of what its files hold."""

from __future__ import annotations

from schuss.training.kinds.kind import Stored
from schuss.training.tables.description import check_config, check_parts, check_result, check_size
from schuss.training.tables.run import TableRun, build_network

__all__ = ["table_run"]


def table_run(stored: Stored) -> TableRun:
    """Make the run of what its files hold.

    Raises:
        FileFormatError: if the network is larger than its weights.
        KeyError, TypeError, ValueError: if a part is damaged.
    """
    config = stored.config
    check_config(config)
    check_result(stored.result)
    check_size(config["network"], stored.arrays)
    model = build_network(config["network"])
    model.load_state_dict(stored.arrays)
    model.eval()
    run = TableRun(config, model, stored.result, stored.folder, stored.history)
    check_parts(config, run.preprocessor, run.target, run.figures)
    return run
