"""Checks of a run's description, which may come from another version, or from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schuss.core import Array
from schuss.errors import FileFormatError

__all__ = ["check_run", "check_size"]

_NAMES = ("sources", "options", "notes", "overview", "classes", "shares", "preparation", "recipe")


def check_size(config: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Refuse weights that are not as many as the run says that it has.

    Raises:
        FileFormatError: if there are fewer.
    """
    parameters, there = config["parameters"], sum(array.size for array in arrays.values())
    if parameters > there:
        raise FileFormatError(
            f"the description is of a network of {parameters:,} numbers, but {there:,} are there; "
            "take another copy."
        )


def check_run(config: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Refuse a description that lacks a part, or holds another type there.

    Raises:
        KeyError, TypeError, ValueError: if something is wrong.
    """
    for name in _NAMES:
        wanted = list if name in ("notes", "overview", "classes") else dict
        if not isinstance(config[name], wanted):
            raise ValueError(f"{name} is not what it was")
    texts = [*config["notes"], *config["classes"], *result.get("notes", [])]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("notes and classes have to be texts")
    if not all(type(count) is int for count in config["shares"].values()):
        raise ValueError("shares have to be whole numbers")
