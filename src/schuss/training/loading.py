"""load: a run, or an object that `save` or PyTorch wrote, whichever a file holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from schuss.errors import UsageError
from schuss.serialization import load_object
from schuss.training.kinds.load import load_run
from schuss.training.runs.bundle import is_bundle

__all__ = ["load"]


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    *,
    weights_only: bool = True,
    **names: Any,
) -> Any:
    """Read a run from its folder or file, or what `schuss.save` or `torch.save` wrote.

    Nothing in a file is run: of PyTorch's files, tensors, numbers, texts and containers are read.

    Args:
        f: such as "runs/iris-1", "iris.schuss", "checkpoint.pt", or an open file.
        map_location: where tensors go; all memory is the CPU's.
        weights_only: taken and without effect: a file never holds more.
        names: the others of `torch.load`, taken and without effect.

    Returns:
        A `Run`, ready to predict; or the object.

    Raises:
        DataError: if there is no such run or file.
        FileFormatError: if it is damaged, altered, or of a newer format.
        UsageError: for another device than "cpu".
    """
    if map_location is not None and not callable(map_location) and "cpu" not in str(map_location):
        raise UsageError(f"load: expected map_location 'cpu', got {map_location!r}.")
    if isinstance(f, str | os.PathLike):
        place = Path(f).expanduser()
        if not place.is_file() or is_bundle(place):
            return load_run(place)
    return load_object(f)
