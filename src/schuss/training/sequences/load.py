"""sequence_run: a run on sequences, of what its files hold."""

from __future__ import annotations

from schuss.training.items.description import check_size
from schuss.training.kinds.kind import Stored
from schuss.training.sequences.network import SequenceNetwork
from schuss.training.sequences.run import SequenceRun
from schuss.training.tables.description import check_config, check_result

__all__ = ["sequence_run"]


def sequence_run(stored: Stored) -> SequenceRun:
    """Make the run of what its files hold.

    Raises:
        FileFormatError: if the network is larger than its weights.
        KeyError, TypeError, ValueError: if a part is damaged.
    """
    config = stored.config
    check_config(config)
    check_result(stored.result)
    check_size(config, stored.arrays)
    model = SequenceNetwork(**config["network"])
    model.load_state_dict(stored.arrays)
    model.eval()
    return SequenceRun(config, model, stored.result, stored.folder, stored.history)
