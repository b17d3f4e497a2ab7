"""Write pytorch.md: which public names of PyTorch Schuss has, with which arguments, and which not.

What PyTorch has is in pytorch_names.json (see list_pytorch_names.py), why something is missing in
pytorch_absent.toml; what Schuss has is read from itself. PyTorch need not be installed.
"""

from __future__ import annotations

import inspect
import json
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from schuss.spelling.arguments import HARMLESS, STANDARD_NAMES
from schuss.spelling.binding import signature
from schuss.spelling.table import FUNCTIONS, METHODS, SPECIAL

TABLES = {"torch": FUNCTIONS, "torch.Tensor": METHODS, "torch.special": SPECIAL}

FOLDER = Path(__file__).parent
PAGE = FOLDER / "pytorch.md"

TITLES = {
    "torch": "Functions and the like: `torch`",
    "torch.Tensor": "Methods and attributes of tensors: `torch.Tensor`",
    "torch.nn": "Layers, losses and modules: `torch.nn`",
}
# What calls through the table of arguments take besides, and constructors' arguments without name.
COMMON = {*HARMLESS, "device", "out", "requires_grad"}
WITHOUT_EFFECT = {"capturable", "device", "differentiable", "foreach", "fused", "inplace"}
# Deprecated for `reduction=` in PyTorch.
DEPRECATED = {"size_average", "reduce"}

INTRODUCTION = """\
# PyTorch's names in Schuss

This page is made by `python docs/make_pytorch_page.py` from the code and from the public names of
PyTorch {version}, and a test holds it to them. It compares names and arguments. That what has the same
name computes the same is held by tests beside PyTorch: `tests/pytorch` for functions and methods,
`tests/nn` for layers and losses, `tests/optim` for rules and schedules, and so on.

{counts}.

## Whose meaning a call has

Names follow PyTorch for networks and optimisers, and both PyTorch and the Python array API standard
for functions of tensors. Where the two disagree, the spelling decides:

| spelled | means | for example |
|---|---|---|
| in PyTorch's way: a positional dimension, `dim=`, `keepdim=`, `unbiased=` | what it means in PyTorch | `values, indices = x.max(1)`; `x.std(0)` has correction 1; `x.repeat(2, 1)` tiles |
| in the standard's way: `axis=`, `keepdims=`, or from `schuss.array_api` | what the standard says | `x.max(axis=1)` is the values alone; `x.std(axis=0)` has correction 0 |
| a mix of both, where they differ | nothing: it is a `TypeError` | `x.max(1, keepdims=True)` |

Operators, which both spell alike, choose a result's dtype as the standard does: tensors without axes take
part as others do, while in functions and methods they widen none that has axes, as in PyTorch. `nn` and `optim` are PyTorch's throughout.

Not mentioned below, since functions and methods of tensors take them all: `out=`,
`requires_grad=`, `device="cpu"`, and, since they cannot matter here, `layout=`, `memory_format=`,
`names=`, `non_blocking=`, `pin_memory=` and `sparse_grad=`. Nor are `inplace=` of
layers and, without effect, `foreach=`, `fused=` and `capturable=` of optimisers; nor, though they come with a warning,
the losses' `size_average=` and `reduce=`, which PyTorch has given up for `reduction=`.
"""  # noqa: E501  # rows of a table


class Difference(NamedTuple):
    """Arguments of a name that both have: those that Schuss does not take, and those of its own."""

    name: str
    lacking: list[str]
    more: list[str]


class Comparison(NamedTuple):
    """What became of the names of one namespace."""

    namespace: str
    same: list[str]
    different: list[Difference]
    own: list[str]
    absent: list[str]


class Group(NamedTuple):
    """Names that are absent for one reason, as patterns by namespace; "" is everywhere."""

    title: str
    reason: str
    patterns: dict[str, list[str]]

    def matching(self, namespace: str, name: str) -> set[tuple[str, str]]:
        """Return the patterns that a name fits, with where they are."""
        return {
            (place, pattern)
            for place in ("", namespace)
            for pattern in self.patterns.get(place, [])
            if fnmatchcase(name, pattern)
        }


def groups() -> list[Group]:
    """Return the reasons in the order of their file."""
    found = []
    for entry in tomllib.loads((FOLDER / "pytorch_absent.toml").read_text("utf-8"))["group"]:
        title, reason = entry.pop("title"), entry.pop("reason")
        patterns = {place: names.split() for place, names in entry.items()}
        patterns[""] = patterns.pop("everywhere", [])
        found.append(Group(title, reason, patterns))
    return found


def owner_of(namespace: str) -> Any:
    """Return the module, or the class of tensors, that stands for one of PyTorch's."""
    if namespace == "torch.Tensor":
        return import_module("schuss").Tensor
    return import_module(namespace.replace("torch", "schuss", 1))


def own_names(namespace: str, owner: Any) -> list[str]:
    """Return the public names of Schuss, without modules."""
    names = dir(owner) if namespace == "torch.Tensor" else owner.__all__
    return sorted(
        name
        for name in names
        if not name.startswith("_") and not isinstance(getattr(owner, name), ModuleType)
    )


def own_parameters(namespace: str, name: str, value: Any) -> set[str] | None:
    """Return what a call takes, or None for what is not called or takes anything."""
    table = TABLES.get(namespace, {})
    is_method = namespace == "torch.Tensor"
    if name not in table and not callable(value):
        return None
    try:
        found = signature(table[name]) if name in table else inspect.signature(value)
    except (TypeError, ValueError):
        return None
    parameters = list(found.parameters.values())[is_method:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {("*" if p.kind is p.VAR_POSITIONAL else "") + p.name for p in parameters}


def difference(namespace: str, name: str, theirs: list[str], ours: set[str]) -> Difference:
    """Return which arguments only one of both has."""
    through_table = name in TABLES.get(namespace, {})
    taken = ours | (COMMON if through_table else set())
    if through_table:  # `f(*size)` is `f(size=)`, too
        taken |= {p.lstrip("*") for p in ours}
    if namespace in ("torch.nn", "torch.nn.functional"):
        taken |= DEPRECATED
    lacking = [
        p
        for p in theirs
        if p not in taken
        and not (p.startswith("*") and any(q.startswith("*") for q in ours))
        and not (through_table and taken & {*STANDARD_NAMES.get(p, ())})
        and not p.startswith("_")
    ]
    more = sorted(p for p in ours if p not in {*theirs, *WITHOUT_EFFECT} and p[0] not in "*_")
    return Difference(name, lacking, more)


def compared(namespace: str, theirs: dict[str, list[str] | None]) -> Comparison:
    """Return the comparison of one namespace."""
    owner = owner_of(namespace)
    same, different = [], []
    # A module that loads its parts late, or a name that is not in a list, is there all the same.
    present = [name for name in theirs if hasattr(owner, name)]
    for name in present:
        parameters = theirs[name]
        ours = own_parameters(namespace, name, getattr(owner, name))
        if parameters is None or ours is None:
            same.append(name)
            continue
        found = difference(namespace, name, parameters, ours)
        if found.lacking or found.more:
            different.append(found)
        else:
            same.append(name)
    own = [name for name in own_names(namespace, owner) if name not in theirs]
    absent = [name for name in theirs if name not in present]
    return Comparison(namespace, same, different, own, absent)


def running(names: Iterable[str]) -> str:
    """Return names as a list that runs on."""
    return ", ".join(f"`{name}`" for name in names)


def sorted_by_reason(comparison: Comparison) -> list[tuple[Group, list[str]]]:
    """Return the absent names of a namespace by group.

    Raises:
        ValueError: for a name that no group has.
    """
    known = groups()
    names: dict[str, list[str]] = {}
    for name in comparison.absent:
        group = next((g for g in known if g.matching(comparison.namespace, name)), None)
        if group is None:
            raise ValueError(
                f"pytorch_absent.toml: expected a reason for {comparison.namespace}.{name}, "
                "got none."
            )
        names.setdefault(group.title, []).append(name)
    return [(g, names[g.title]) for g in known if g.title in names]


def section(comparison: Comparison) -> str:
    """Return what the page says of one namespace."""
    space = comparison.namespace
    parts = [f"## {TITLES.get(space, f'`{space}`')}"]
    if comparison.same:
        parts.append(f"The same ({len(comparison.same)}): {running(comparison.same)}.")
    if comparison.different:
        rows = [
            f"| `{d.name}` | {running(d.lacking)} | {running(d.more)} |"
            for d in comparison.different
        ]
        head = "| with other arguments | not taken here | only here |\n|---|---|---|\n"
        parts.append(head + "\n".join(rows))
    if comparison.own:
        parts.append(f"Schuss alone ({len(comparison.own)}): {running(comparison.own)}.")
    if comparison.absent:
        lines = [
            f"- {group.title} ({group.reason}): {running(names)}"
            for group, names in sorted_by_reason(comparison)
        ]
        parts.append(f"Absent ({len(comparison.absent)}):\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def comparisons() -> tuple[str, list[Comparison]]:
    """Return PyTorch's version, and what became of each namespace."""
    names = json.loads((FOLDER / "pytorch_names.json").read_text("utf-8"))
    version = names.pop("version")
    return version, [compared(space, theirs) for space, theirs in names.items()]


def page() -> str:
    """Return the whole page."""
    version, found = comparisons()
    same, different, own, absent = (sum(len(c[part]) for c in found) for part in (1, 2, 3, 4))
    counts = (
        f"{same} names are the same, {different} take other arguments, {own} are Schuss's alone, "
        f"{absent} of PyTorch's are absent"
    )
    head = INTRODUCTION.format(version=version, counts=counts)
    return "\n".join([head, *map(section, found)])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
