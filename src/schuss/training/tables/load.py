"""load_run: a run from its folder, or from a single file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from schuss.errors import DataError, UsageError
from schuss.training.runs.bundle import read_bundle, well_formed
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.replacing import bring_back
from schuss.training.tables.description import check_config, check_parts, check_result, check_size
from schuss.training.tables.run import Run, build_network

__all__ = ["load_run"]


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
    if not isinstance(config, dict) or config.get("kind") != "table":
        raise UsageError(
            f"{place}: expected a run that schuss.train made, got one of a Trainer; load its "
            "model.safetensors with schuss.nn.load_safetensors into your own network."
        )
    for name in ("format", "kind"):
        header.pop(name, None)
    with well_formed(place):
        check_config(config)
        check_result(header)
        check_size(config["network"], arrays)
        model = build_network(config["network"])
        model.load_state_dict(arrays)
        model.eval()
        header["notes"] = [*header.get("notes", []), *notes]
        run = Run(config, model, header, folder, history)
        check_parts(config, run.preprocessor, run.target, run.figures)
    return run
