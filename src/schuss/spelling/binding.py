"""From a line of the table to a public function: PyTorch's arguments, and the standard's beside.

A function takes what its signature says, in PyTorch's order and by its names, and hands it on by
position: that is all that happens in most calls. Whatever other name is given goes through
`_respelled`, which finds out whose spelling it is.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import numpy as np

from schuss.core import TRACER, Tensor, next_stamp
from schuss.errors import SchussError
from schuss.spelling.arguments import CONVERTERS, STANDARD_NAMES, packed, take_harmless
from schuss.spelling.table import ELEMENTWISE, FUNCTIONS, METHODS, SPECIAL, Entry

__all__ = ["function", "in_place", "method", "signature", "special", "taking_out"]

_MISSING: Any = type("Missing", (), {"__repr__": lambda self: "<required>"})()
Public = Callable[..., Any]


class _Binding:
    """A public function in the making: what it is called, takes, and does."""

    def __init__(self, name: str, entry: Entry) -> None:
        self.name = name
        self.target = getattr(import_module(entry.module), entry.target)
        self.standard: Public | None = None
        self.positional = entry.standard
        # Elementwise results are cast to out's dtype, and may replace what they are made of.
        self.casts = entry.module in ELEMENTWISE
        if entry.standard:
            self.standard = getattr(import_module("schuss.array_api"), name)
        parameters = list(signature(entry).parameters.values())
        # `f(2, 3)` and `f((2, 3))` are the same for what says so in the table.
        self.packs = bool(entry.signature)
        self.converters = {p.name: p.annotation for p in parameters if p.annotation in CONVERTERS}
        self.tensors = [p.name for p in parameters if p.annotation == "tensor"]
        self.some = [p.name for p in parameters if p.annotation == "some"]
        # An argument that goes by another name, too, is missed once all names are known.
        late = False
        for place, p in enumerate(parameters):
            required = p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
            late = late or (required and (place > 0 or p.name == "size") and p.name in _RENAMED)
            default = _MISSING if late and required else p.default
            parameters[place] = p.replace(default=default, annotation=p.empty)
        self.parameters = {p.name: p for p in parameters}
        self.star = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)

    def made(self) -> Public:
        """Return the function."""
        heads, given, lines = [], [], []
        if numbers := self.numbers():
            lines.append(f"if {numbers}: _no_tensor({self.name!r}, locals())")
        required = [n for n, p in self.parameters.items() if p.default is _MISSING]
        for name, p in self.parameters.items():
            if p.kind is p.KEYWORD_ONLY and not self.star and "*" not in heads:
                heads.append("*")
            star = "*" if p.kind is p.VAR_POSITIONAL else ""
            default = "" if p.default is p.empty else f"=_defaults[{name!r}]"
            heads.append(f"{star}{name}{default}")
            spread = star if not self.packs else ""
            given.append(f"{name}={name}" if p.kind is p.KEYWORD_ONLY else f"{spread}{name}")
            if star and self.packs:
                lines.append(f"{name} = _packed({name})")
            elif name in self.converters:
                owner = next(iter(self.parameters))
                lines.append(f"if {name} is not None: {name} = _{name}({name}, {owner})")
        slow = " or ".join(["others", *[f"{n} is _missing" for n in required]])
        every = ", ".join(f"{n!r}: {n}" for n in self.parameters)
        body = "\n        ".join([*lines, f"return _target({', '.join(given)})"])
        source = (
            f"def {self.name}({', '.join([*heads, '**others'])}):\n"
            f"    if {slow}:\n"
            f"        return _respelled(_binding, {{{every}}}, others)\n"
            f"    try:\n        {body}\n"
            f"    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:\n"
            f"        raise _worded({self.name!r}, error, {{{every}}}) from None\n"
        )
        names: dict[str, Any] = {
            "__name__": "schuss.pytorch",
            "_binding": self,
            "_defaults": {n: p.default for n, p in self.parameters.items()},
            "_missing": _MISSING,
            "_no_tensor": _no_tensor,
            "_numbers": NUMBERS,
            "_packed": packed,
            "_respelled": _respelled,
            "_target": self.target,
            "_worded": _worded,
        }
        names |= {f"_{name}": CONVERTERS[kind] for name, kind in self.converters.items()}
        # The code counts as this file's, so that a user's line is looked for above it.
        exec(compile(source, __file__, "exec"), names)
        made: Public = names[self.name]
        made.__doc__ = self.target.__doc__
        return made

    def numbers(self) -> str:
        """Return a condition, in Python: that a number stands where PyTorch wants a tensor."""
        are = {n: f"{n}.__class__ in _numbers" for n in [*self.tensors, *self.some]}
        several = " and ".join(are[n] for n in self.some)
        return " or ".join([*[are[n] for n in self.tensors], *[several] * bool(several)])

    def call(self, values: dict[str, Any]) -> Any:
        """Call the target with arguments by PyTorch's names, where all are known."""
        wrong = [n for n in self.tensors if values.get(n).__class__ in NUMBERS]
        if wrong or (self.some and all(values.get(n).__class__ in NUMBERS for n in self.some)):
            _no_tensor(self.name, values)
        positional, named = [], {}
        first = next(iter(self.parameters.values()), None)
        for name, p in self.parameters.items():
            value = values.get(name, p.default)
            if name == self.star:
                value = values.get(name, ())
            if value is _MISSING or value is p.empty:
                raise TypeError(f"{self.name}: expected an argument {name!r}, got none.")
            if name in self.converters and value is not None and first is not None:
                value = CONVERTERS[self.converters[name]](value, values.get(first.name))
            if p.kind is p.KEYWORD_ONLY:
                named[name] = value
            elif name == self.star and not self.packs:
                positional.extend(value)
            else:
                positional.append(value)
        return self.target(*positional, **named)


NUMBERS = frozenset((bool, float, int))


def _no_tensor(owner: str, values: dict[str, Any]) -> None:
    """Raise TypeError for the first argument that is a number."""
    name, value = next((n, v) for n, v in values.items() if v.__class__ in NUMBERS)
    raise TypeError(
        f"{owner}: expected a tensor as {name}, got the number {value}; use schuss.tensor({value})."
    )


# Where names of the standard lead.
_RENAMED = {own for names in STANDARD_NAMES.values() for own in names}


def _read(text: str) -> inspect.Signature:
    """Return the signature that a line of the table says."""
    names: dict[str, Any] = {word: word for word in (*CONVERTERS, "tensor", "some")}
    exec(f"def read({text}): ...", names)
    return inspect.signature(names["read"])


def signature(entry: Entry) -> inspect.Signature:
    """Return PyTorch's arguments of a name in the table; a method's first is the tensor."""
    if entry.signature:
        return _read(entry.signature)
    return inspect.signature(getattr(import_module(entry.module), entry.target))


def _respelled(binding: _Binding, values: dict[str, Any], others: dict[str, Any]) -> Any:
    """Return the result of a call with arguments by other names than PyTorch's.

    Args:
        binding: what is called.
        values: the arguments that PyTorch has there, those left out with their defaults.
        others: arguments by other names.

    Raises:
        TypeError: for an unknown name, a mix of both spellings, or an argument that is missing.
    """
    given = {}
    for name, value in values.items():
        if name == binding.star:
            if value:
                given[name] = packed(value) if binding.packs else value
        elif value is not binding.parameters[name].default:
            given[name] = value
    out = others.pop("out", None)
    requires_grad = others.pop("requires_grad", False)
    take_harmless(binding.name, others)
    try:
        if binding.standard is not None and others and not {*others} & {*binding.parameters}:
            result = _in_standard_spelling(binding, given, others)
        else:
            result = binding.call(_renamed(binding, given, others))
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
        raise _worded(binding.name, error, given) from None
    if out is not None:
        _require_apart(binding, out, given)
        return _written(binding.name, out, result, casts=binding.casts)
    return result.requires_grad_() if requires_grad else result


def _renamed(binding: _Binding, given: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    for name, value in others.items():
        known = [n for n in STANDARD_NAMES.get(name, ()) if n in binding.parameters]
        own = name if name in binding.parameters else known[0] if known else None
        if own is None:
            takes = ", ".join(binding.parameters) or "nothing"
            raise TypeError(
                f"{binding.name}: unexpected argument {name!r}, expected some of {takes}; "
                f"got {', '.join([*given, *others])}."
            )
        if own in given:
            raise TypeError(f"{binding.name}: expected {own} once, got it as {name}, too.")
        given[own] = value
    return given


def _in_standard_spelling(binding: _Binding, given: dict[str, Any], others: dict[str, Any]) -> Any:
    """Call the standard's function of that name, with its own arguments by keyword alone."""
    first = list(binding.parameters)[: binding.positional]
    leading = [given.pop(name) for name in first if name in given]
    leading = [x[0] if isinstance(x, tuple) and len(x) == 1 else x for x in leading]
    assert binding.standard is not None
    known = inspect.signature(binding.standard).parameters
    foreign = [name for name in given if name not in known]
    strange = [name for name in others if name not in known]
    if strange:
        raise TypeError(
            f"{binding.name}: unexpected argument {strange[0]!r}, expected some of "
            f"{', '.join(binding.parameters)}; got {', '.join([*given, *others])}."
        )
    if foreign:
        raise TypeError(
            f"{binding.name}: expected one spelling, PyTorch's or the array API standard's, got "
            f"{', '.join(foreign)} by position or in PyTorch's words together with "
            f"{', '.join(others)}; the two differ in meaning."
        )
    return binding.standard(*leading, **given, **others)


def _require_apart(binding: _Binding, out: Any, given: dict[str, Any]) -> None:
    """Raise ValueError where a result that is not elementwise would lie on what it is made of."""
    if binding.casts:
        return
    parts = [p for x in given.values() for p in (x if isinstance(x, (tuple, list)) else (x,))]
    for place in out if isinstance(out, (tuple, list)) else (out,):
        for part in parts:
            if not isinstance(part, Tensor) or not isinstance(place, Tensor):
                continue
            if TRACER.get() is None and np.may_share_memory(place.array, part.array):
                raise ValueError(
                    f"{binding.name}: expected out to have memory of its own, got a tensor that "
                    "shares an argument's; leave out= away."
                )


def _written(owner: str, out: Any, result: Any, *, casts: bool) -> Any:
    """Put a result where `out=` says, and return that."""
    if isinstance(result, tuple):
        for place, part in zip(out, result, strict=True):
            _written(owner, place, part, casts=casts)
        return type(result)(*out) if hasattr(result, "_fields") else tuple(out)
    if not isinstance(out, Tensor):
        raise TypeError(f"{owner}: expected a tensor as out, got {type(out).__name__}.")
    higher = "bif".index(result.dtype.kind) > "bif".index(out.array.dtype.kind)
    if higher or (not casts and result.dtype != out.array.dtype):
        kind = f"a dtype that holds {result.dtype.name}" if casts else result.dtype.name
        raise TypeError(f"{owner}: expected out of {kind}, got {out.array.dtype}.")
    if out.shape == result.shape:
        return out.copy_(result)
    if TRACER.get() is not None or (out.array.size and out.shape != (0,)) or out.requires_grad:
        raise ValueError(
            f"{owner}: expected out of shape {result.shape}, or empty, got {out.shape}."
        )
    out.array = np.array(result.array, out.array.dtype)
    out.stamp = next_stamp()
    return out


def _worded(owner: str, error: Exception, values: dict[str, Any]) -> Exception:
    """Return an error that says what was called, with what, and what is wrong with it."""
    text = str(error)
    # An index out of range is named with its axis and the shape, as a compiled function does.
    is_worded = text.startswith("index: ") or ": expected " in text or "; " in text
    if is_worded or isinstance(error, SchussError):
        return error
    got = ", ".join(
        f"{name} {_described(value)}"
        for name, value in values.items()
        if value is not None and value is not _MISSING
    )
    kind = ValueError if isinstance(error, ZeroDivisionError) else type(error)
    if kind.__init__ not in (ValueError.__init__, TypeError.__init__, IndexError.__init__):
        kind = ValueError
    return kind(f"{owner}: expected arguments that go together, got {got}: {text.rstrip('.')}.")


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"of shape {value.shape} and {value.array.dtype}"
    if isinstance(value, (list, tuple)) and builtins.any(isinstance(x, Tensor) for x in value):
        return f"({', '.join(map(_described, value))})"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_MADE: dict[str, Public] = {}


def function(name: str) -> Public:
    """Return the public function of a name in the table; always the same one.

    Raises:
        KeyError: for a name that is not there.
    """
    found = _MADE.get(name)
    if found is None:
        found = _MADE[name] = _Binding(name, FUNCTIONS[name]).made()
        found.__module__ = "schuss.pytorch"
    return found


def special(name: str) -> Public:
    """Return the function of `schuss.special` of a name in the table."""
    entry = SPECIAL[name]
    if FUNCTIONS.get(name) == entry:
        return function(name)
    made = _Binding(name, entry).made()
    made.__module__ = "schuss.special"
    return made


def taking_out(function: Public) -> Public:
    """Let a function that is not elementwise take `out=`, a tensor for its result or several."""

    @wraps(function)
    def taking(*arguments: Any, out: Any = None, **options: Any) -> Any:
        result = function(*arguments, **options)
        if out is None:
            return result
        return _written(function.__name__, out, result, casts=False)

    return taking


def method(name: str) -> Public:
    """Return what is a method of tensors by a name in the table."""
    entry = METHODS[name]
    if FUNCTIONS.get(name) == entry:
        return function(name)
    made = _Binding(name, entry).made()
    return in_place(name, made) if entry.in_place else made


def in_place(name: str, change: Public) -> Public:
    """Return the method that gives a tensor the contents that a function makes of it."""
    replaced = import_module("schuss.functions.inplace").replaced

    def changing(self: Tensor, *arguments: Any, **options: Any) -> Tensor:
        result: Tensor = replaced(name, self, lambda x: change(x, *arguments, **options))
        return result

    changing.__name__ = changing.__qualname__ = name
    changing.__doc__ = f"Do in place what `{name.rstrip('_')}` does."
    return changing
