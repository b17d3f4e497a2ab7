"""Files of weights: safetensors, which PyTorch and others read and write, too. Never pickle."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.errors import DataError, FileFormatError

__all__ = [
    "load_metadata",
    "load_safetensors",
    "read_safetensors",
    "save_safetensors",
    "write_atomically",
]

# safetensors has no checksum of its own; ours goes into the metadata, which others pass over.
_DIGEST = "schuss.sha256"


def save_safetensors(
    state_dict: Mapping[str, Tensor],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named tensors into one file, all or nothing.

    The file is written under a temporary name in the same folder, flushed to disk and renamed,
    so that at every moment `path` holds the old contents or the new ones, whole.

    Args:
        state_dict: names to tensors, such as `model.state_dict()`.
        path: where to; an existing file is replaced.
        metadata: names to texts, kept in the file's header.

    Raises:
        TypeError: if a value is no tensor, or a metadata entry no text.
        DataError: if the file cannot be written.

    >>> import tempfile
    >>> from schuss import nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(nn.Linear(2, 1).state_dict(), f"{folder}/model.safetensors")
    ...     sorted(load_safetensors(f"{folder}/model.safetensors"))
    ['bias', 'weight']
    """
    arrays = {}
    for name, tensor in state_dict.items():
        if not isinstance(tensor, (Tensor, np.ndarray)):
            raise TypeError(
                f"save_safetensors: expected a tensor for {name!r}, got {type(tensor).__name__}."
            )
        # The file format holds contiguous little-endian arrays.
        array = np.ascontiguousarray(tensor)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype.name not in _NAMES:
            raise TypeError(
                f"save_safetensors: expected numbers for {name!r}, got {array.dtype}; cast them."
            )
        arrays[name] = array.reshape(np.shape(tensor))  # ascontiguousarray makes () into (1,)
    texts = dict(metadata or {})
    for key, text in texts.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise TypeError(f"save_safetensors: expected texts as metadata, got {key!r}: {text!r}.")
    texts[_DIGEST] = _digest(arrays, texts)
    write_atomically(path, _pieces(arrays, texts))


# The file format's names of NumPy's dtypes.
_NAMES = {
    f"{kind}{8 * size}": f"{kind[0].upper()}{8 * size}"
    for kind in ("int", "uint")
    for size in (1, 2, 4, 8)
}
_NAMES |= {"float16": "F16", "float32": "F32", "float64": "F64", "bool": "BOOL"}


def _pieces(arrays: Mapping[str, Array], texts: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """Yield a safetensors file piece by piece; the arrays are not copied.

    Eight bytes hold the header's length; the header is JSON, filled up with blanks so that the
    numbers start at a multiple of eight; these follow, those of more bytes before those of less.
    """
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    place = 0
    for name in order:
        array = arrays[name]
        offsets = [place, place + array.nbytes]
        kind = _NAMES[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        place += array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in order:
        yield arrays[name].reshape(-1).view(np.uint8).data


def load_safetensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the named tensors of a file that Schuss, PyTorch or others wrote.

    Half precision becomes float32. A file of Schuss's own carries a checksum, which is compared.

    Raises:
        DataError: if there is no such file.
        FileFormatError: if it is no safetensors file, or is truncated or altered.

    >>> load_safetensors("nowhere.safetensors")
    Traceback (most recent call last):
    schuss.errors.DataError: nowhere.safetensors: no such file; check the path.
    """
    arrays, _ = read_safetensors(path)
    return {name: leaf(array) for name, array in arrays.items()}


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the metadata of a safetensors file; the tensors are checked on the way.

    Raises:
        DataError: if there is no such file.
        FileFormatError: if it is no safetensors file, or is truncated or altered.
    """
    _, metadata = read_safetensors(path)
    return metadata


def write_atomically(
    path: str | os.PathLike[str], content: bytes | Iterable[bytes | memoryview]
) -> None:
    """Write a file under a temporary name, flush it to disk, and rename it into place.

    Args:
        path: where to; an existing file is replaced.
        content: all bytes, or pieces of them.

    Raises:
        DataError: if it cannot be written; an existing file is then as it was.
    """
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner can read.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        _flush_folder(target.parent)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error}).") from None


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays and the metadata of a safetensors file, in one reading.

    Raises:
        DataError: if there is no such file.
        FileFormatError: if it is no safetensors file, or is truncated or altered.
    """
    import safetensors

    file = Path(path)
    if not file.is_file():
        raise DataError(f"{file}: no such file; check the path.")
    try:
        with safetensors.safe_open(file, framework="np") as stored:
            metadata = dict(stored.metadata() or {})
            arrays = {name: _array(file, stored, name) for name in stored.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise FileFormatError(
            f"{file}: not a whole safetensors file ({error}); it was truncated or altered, take "
            "another copy."
        ) from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}).") from None
    wanted = metadata.pop(_DIGEST, None)
    # A file of ours has a checksum; where it seems to have none, its name was altered.
    ours = any(k.startswith("schuss") or k.endswith(".sha256") for k in metadata)
    if (wanted is not None or ours) and wanted != _digest(arrays, metadata):
        raise FileFormatError(
            f"{file}: the contents do not match their checksum; the file was altered, take "
            "another copy."
        )
    widened = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in arrays.items()
    }
    return widened, metadata


def _array(file: Path, stored: Any, name: str) -> Array:
    kind = stored.get_slice(name).get_dtype()
    if kind not in ("F64", "F32", "F16", "I64", "I32", "BOOL"):
        raise FileFormatError(
            f"{file}: expected float, int64, int32 or bool tensors, got {kind} for {name!r}; save "
            "it again as float32."
        )
    try:
        array: Array = stored.get_tensor(name)
    except ValueError as error:  # a shape such as (0, 2**62), which NumPy cannot have
        raise FileFormatError(f"{file}: {name!r} cannot be held ({error}).") from None
    return array


def _digest(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    sha = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, array in sorted(arrays.items()):
        sha.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()
