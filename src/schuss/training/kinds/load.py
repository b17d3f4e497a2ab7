"""load_run: a run of any kind from its folder, or from a single file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schuss.core import Array
from schuss.errors import DataError, UsageError
from schuss.training.kinds.kind import Kind, Stored
from schuss.training.kinds.known import known_kinds
from schuss.training.kinds.run import Run
from schuss.training.runs.bundle import NewerFormatError, read_bundle, well_formed
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.replacing import bring_back

__all__ = ["kind_of_run", "load_run", "stored_weights"]


def kind_of_run(config: object) -> Kind | None:
    """Return the kind of data that a run is of, by its config; None for a Trainer's run."""
    name = config.get("kind") if isinstance(config, Mapping) else None
    return known_kinds().get(name) if isinstance(name, str) else None


def stored_weights(folder: RunFolder) -> tuple[dict[str, Array], dict[str, Any]] | None:
    """Return the run's weights and what goes with them; of a checkpoint if they are damaged."""
    try:
        return folder.read_model()
    except NewerFormatError:
        raise
    except DataError:
        # It is written anew at the end; what is needed to get there is in the checkpoints.
        found, _ = folder.read_checkpoint()
        return None if found is None else (found[0], {})


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run from its folder, or from a file that `Run.save` wrote.

    Args:
        path: such as "runs/iris-1" or "iris.schuss".

    Returns:
        The run, ready to predict. Its training data is not needed.

    Raises:
        DataError: if there is none.
        FileFormatError: if a file of it is damaged, altered, or of a newer format.
    """
    place = Path(path).expanduser()
    history: list[dict[str, Any]] = []
    notes: list[str] = []
    folder: Path | None = None
    bring_back(place)
    if place.is_dir():
        opened = RunFolder(place)
        arrays, header = opened.read_model()
        epochs = header.get("epochs") if header.get("finished") else None
        count = epochs if type(epochs) is int else None
        history, folder = opened.read_metrics(count, notes), place
    else:
        if not place.exists():
            raise DataError(f"{place}: there is no such run or file; check the path.")
        arrays, header = read_bundle(place, "model")
    config = header.pop("config", None)
    found = kind_of_run(config)
    if found is None or not isinstance(config, dict):
        raise UsageError(
            f"{place}: expected a run that schuss.train made, got one of a Trainer; load its "
            "model.safetensors with schuss.nn.load_safetensors into your own network."
        )
    for name in ("format", "kind"):
        header.pop(name, None)
    with well_formed(place):
        run = found.load(Stored(place, config, arrays, header, folder, history))
    run.result["notes"] = [*run.result.get("notes", []), *notes]
    return run
