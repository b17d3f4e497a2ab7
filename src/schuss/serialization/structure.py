"""Objects as JSON beside named arrays: dictionaries, lists, tuples, numbers, texts and tensors."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf, supported_dtype
from schuss.data_type import dtype
from schuss.errors import FileFormatError, UsageError
from schuss.nn.parameter import Parameter

__all__ = ["decode", "encode"]

# Deeper than any state of a network, and well within what Python's JSON can read.
_DEEPEST = 100


def encode(value: Any) -> tuple[Any, dict[str, Array]]:
    """Return what JSON can hold of an object, and the arrays in it by name.

    Raises:
        UsageError: for what is none of the kinds above.
    """
    encoder = _Encoder()
    return encoder.encode(value, ()), encoder.arrays


class _Encoder:
    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, str] = {}
        # Held, so that no other object gets the same id meanwhile.
        self._held: list[Any] = []

    def encode(self, value: Any, path: tuple[str, ...]) -> Any:
        if len(path) > _DEEPEST:
            raise UsageError(f"save: expected at most {_DEEPEST} levels of containers, got more.")
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, int):
            return value if abs(value) < 2**53 else {"int": str(int(value))}
        if isinstance(value, Tensor):
            kind = "parameter" if isinstance(value, Parameter) else "tensor"
            made = {kind: self._name(value, value.detach().numpy(), path)}
            return made | ({"requires_grad": True} if value.requires_grad else {})
        if isinstance(value, np.ndarray):
            return {"array": self._name(value, value, path)}
        if isinstance(value, dtype | np.dtype):
            return {"dtype": supported_dtype(value).name}
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode()}
        if isinstance(value, Mapping):
            pairs = [
                [self._key(key, path), self.encode(item, (*path, str(key)))]
                for key, item in value.items()
            ]
            return {"dict": pairs}
        if isinstance(value, list | tuple):
            items = [self.encode(item, (*path, str(i))) for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        raise UsageError(
            f"save: expected tensors, numbers, texts, lists, tuples and dictionaries, got "
            f"{type(value).__name__} at {'.'.join(path) or 'the top'}; save its state_dict()."
        )

    def _key(self, key: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(key, str | int | float | bool | tuple | None):
            raise UsageError(
                f"save: expected texts, numbers or tuples as keys, got {type(key).__name__} at "
                f"{'.'.join(path) or 'the top'}."
            )
        return self.encode(key, path)

    def _name(self, value: Any, array: Array, path: tuple[str, ...]) -> str:
        """Return the name of an array in the file; the same tensor twice is one array."""
        known = self._names.get(id(value))
        if known is not None:
            return known
        base = name = ".".join(path) or "value"
        count = 1
        while name in self.arrays:
            name, count = f"{base}#{count}", count + 1
        self.arrays[name] = array
        self._names[id(value)] = name
        self._held.append(value)
        return name


def decode(structure: Any, arrays: Mapping[str, Array]) -> Any:
    """Return the object that `encode` made JSON and arrays of.

    Raises:
        FileFormatError: if it made no such thing.
    """
    try:
        return _Decoder(arrays).decode(structure, 0)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FileFormatError(f"load: the file's structure is damaged ({error!r}).") from None


class _Decoder:
    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self._tensors: dict[tuple[str, str], Any] = {}

    def decode(self, x: Any, depth: int) -> Any:
        if depth > 2 * _DEEPEST:
            raise ValueError("too many levels")
        if isinstance(x, list):
            return [self.decode(item, depth + 1) for item in x]
        if not isinstance(x, dict):
            return x
        (kind, content), *rest = x.items()
        if kind in ("tensor", "parameter"):
            return self._tensor(kind, content, requires_grad=bool(dict(rest)))
        if rest:
            raise ValueError(f"expected one kind, got {sorted(x)}")
        if kind == "dict":
            return {
                self.decode(key, depth + 1): self.decode(item, depth + 1) for key, item in content
            }
        if kind == "tuple":
            return tuple(self.decode(item, depth + 1) for item in content)
        return _PLAIN[kind](self, content)

    def _tensor(self, kind: str, name: str, *, requires_grad: bool) -> Any:
        made = self._tensors.get((kind, name))
        if made is None:
            array = self._arrays[name]
            made = Parameter(array) if kind == "parameter" else leaf(array)
            made.requires_grad_(requires_grad)
            self._tensors[kind, name] = made
        return made


_PLAIN: dict[str, Callable[[_Decoder, Any], Any]] = {
    "array": lambda decoder, name: decoder._arrays[name].copy(),
    "bytes": lambda _, text: base64.b64decode(text, validate=True),
    "dtype": lambda _, name: dtype(name),
    "float": lambda _, text: float(text),
    "int": lambda _, text: int(text),
}
