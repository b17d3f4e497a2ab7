"""save and load: objects with tensors in one safetensors file, whose header says how they lie."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import IO, Any

from schuss.core import Tensor, leaf
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.nn.module import Module
from schuss.nn.serialization import read_safetensors, save_safetensors
from schuss.serialization.structure import decode, encode
from schuss.serialization.torch_file import read_torch_file

__all__ = ["STRUCTURE", "load_object", "save"]

#: Under which the header of a file has the structure of what was saved.
STRUCTURE = "schuss.structure"


def save(obj: Any, f: str | os.PathLike[str] | IO[bytes], **names: Any) -> None:
    """Write an object into one file, all or nothing; `schuss.load` reads it.

    The file is a safetensors file: that of a `state_dict()` has its names, and others can read it.

    Args:
        obj: tensors, numbers, texts, and lists, tuples and dictionaries of them, such as
            `model.state_dict()` or {"model": ..., "optimizer": ..., "epoch": 3}.
        f: a path, or an open file to write bytes into.
        names: of `torch.save`, taken and without effect.

    Raises:
        UsageError: for anything else; a module is saved by its `state_dict()`.
        DataError: if the file cannot be written.

    >>> import io
    >>> import schuss as ss
    >>> file = io.BytesIO()
    >>> ss.save({"weights": ss.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> ss.load(file)
    {'weights': tensor([1., 1.]), 'epoch': 3}
    """
    if isinstance(obj, Module):
        raise UsageError(
            f"save: expected a state, got a whole {type(obj).__name__}; save obj.state_dict(), and "
            "load it into a network that you make anew."
        )
    structure, arrays = encode(obj)
    tensors = {name: leaf(array) for name, array in arrays.items()}
    metadata = {STRUCTURE: json.dumps(structure)}
    if isinstance(f, str | os.PathLike):
        save_safetensors(tensors, f, metadata)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "object.safetensors")
        save_safetensors(tensors, path, metadata)
        f.write(path.read_bytes())


def load_object(f: str | os.PathLike[str] | IO[bytes]) -> Any:
    """Return what `save` or `torch.save` wrote, or the named tensors of a safetensors file.

    Nothing in a file is run.

    Raises:
        DataError: if there is no such file.
        FileFormatError: if it is damaged, or holds what is neither tensor nor plain data.
    """
    if isinstance(f, str | os.PathLike):
        path = Path(f).expanduser()
        try:
            with path.open("rb") as file:
                start = file.read(2)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
        return read_torch_file(str(path), str(path)) if start == b"PK" else _read(path)
    content = f.read()
    if content[:2] == b"PK":
        return read_torch_file(io.BytesIO(content), "load")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "object.safetensors")
        path.write_bytes(content)
        return _read(path)


def _read(path: Path) -> Any:
    arrays, metadata = read_safetensors(path)
    text = metadata.get(STRUCTURE)
    if text is None:
        named: dict[str, Tensor] = {name: leaf(array) for name, array in arrays.items()}
        return named
    try:
        structure = json.loads(text)
    except (ValueError, RecursionError):
        raise FileFormatError(f"{path}: its structure is damaged.") from None
    return decode(structure, arrays)
