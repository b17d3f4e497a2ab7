"""Nested containers of tensors: dictionaries, lists, tuples and named tuples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from schuss.core import Tensor

__all__ = ["filled", "leaves", "mapped", "present"]


def _rebuilt(tree: Any, parts: list[Any]) -> Any:
    if isinstance(tree, dict):
        return dict(zip(tree, parts, strict=True))
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def _parts(tree: Any) -> list[Any] | None:
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if isinstance(tree, list | tuple) else None


def leaves(tree: Any) -> list[Any]:
    """Return what is in nested containers, in order."""
    parts = _parts(tree)
    return [tree] if parts is None else [x for part in parts for x in leaves(part)]


def mapped(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Return nested containers with `function` applied to what is in them.

    Args:
        function: takes a leaf, and what belongs to it in each of the others.
        tree: nested containers.
        others: of the same structure; or a single value, which belongs to all leaves below it.
    """
    parts = _parts(tree)
    if parts is None:
        return function(tree, *others)
    columns = []
    for other in others:
        found = _parts(other) if not isinstance(other, Tensor) else None
        if found is not None and len(found) != len(parts):
            raise ValueError(
                f"expected {len(parts)} parts as in the other structure, got {len(found)}."
            )
        columns.append([other] * len(parts) if found is None else found)
    return _rebuilt(tree, [mapped(function, *row) for row in zip(parts, *columns, strict=True)])


def present(tree: Any) -> list[Any]:
    """Return what is in nested containers, in order, but for None, which stands for nothing."""
    return [x for x in leaves(tree) if x is not None]


def filled(tree: Any, values: Iterable[Any]) -> Any:
    """Return nested containers with values in the place of what is present in a tree, in order."""
    following = iter(values)
    return mapped(lambda x: None if x is None else next(following), tree)
