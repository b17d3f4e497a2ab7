"""Which kinds of data there are, and which one data is of."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from schuss.errors import DataError, UsageError
from schuss.training.kinds.kind import Kind, Recognised

__all__ = ["find_kind", "kind_meant", "kind_named", "known_kinds"]

# Takes what no other kind does.
_FALLBACK = "table"


@cache
def known_kinds() -> dict[str, Kind]:
    """Return all kinds by name: the KIND of every training/NAME/kind.py."""
    found: dict[str, Kind] = {}
    root = Path(__file__).resolve().parents[1]
    for file in sorted(root.glob("*/kind.py")):
        if file.parent.name != "kinds":
            kind: Kind = import_module(f"schuss.training.{file.parent.name}.kind").KIND
            found[kind.name] = kind
    return found


def kind_named(name: str) -> Kind:
    """Return a kind by its name.

    Raises:
        UsageError: if there is none; it names those that there are.
    """
    kinds = known_kinds()
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"train: expected kind one of {', '.join(kinds)}, got {name!r}{hint}")
    return kinds[name]


def kind_meant(given: Mapping[str, Any]) -> str | None:
    """Return the kind of data that some options are for, by themselves; None where none says so.

    Args:
        given: options by name, None where one was left out.
    """
    for kind in known_kinds().values():
        if any(option.decides and given.get(option.name) is not None for option in kind.options):
            return kind.name
    return None


def find_kind(data: Any, name: str | None) -> tuple[Kind, Recognised | None]:
    """Return the kind that data is of, with what it took it for; or the one that is asked for.

    Raises:
        UsageError: if there is no kind of that name.
        DataError: if data is a folder in which no kind finds an example.
    """
    if name is not None:
        kind = kind_named(name)
        return kind, kind.recognise(data)
    best, found = kind_named(_FALLBACK), None
    for kind in known_kinds().values():
        recognised = kind.recognise(data)
        if recognised is not None and (found is None or recognised.examples > found.examples):
            best, found = kind, recognised
    if found is None and isinstance(data, (str, Path)) and Path(data).expanduser().is_dir():
        raise DataError(
            f"{data}: found no examples in this folder; expected one folder a class, with files "
            "in each, or a labels.csv beside the files."
        )
    return best, found
