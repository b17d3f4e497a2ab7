"""What `torch.jit` says about functions, which `schuss.compile` does not need to be told.

Code that names it runs as it is: what is scripted or traced in PyTorch is left as Python.

>>> import schuss as ss
>>> @ss.jit.script
... def double(x):
...     return x + x
>>> double(ss.tensor([1.0]))
tensor([2.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["Final", "annotate", "export", "freeze", "ignore", "is_scripting", "is_tracing"]
__all__ += ["optimize_for_inference", "script", "script_if_tracing", "script_method", "trace"]
__all__ += ["unused"]


def script(obj: Any, **options: Any) -> Any:
    """Return a function, class or module as it is."""
    return obj


def trace(func: Any, example_inputs: Any = None, **options: Any) -> Any:
    """Return a function or module as it is."""
    return func


def ignore(fn: Any = None, drop: bool = False, **options: Any) -> Any:
    """Return a function as it is, or for options a decorator that does."""
    return fn if callable(fn) else export


def export(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as it is."""
    return fn


unused = script_method = script_if_tracing = export


def freeze(mod: Any, *args: Any, **options: Any) -> Any:
    """Return a module as it is."""
    return mod


optimize_for_inference = freeze


def annotate(the_type: Any, the_value: Any) -> Any:
    """Return a value as it is."""
    return the_value


def is_scripting() -> bool:
    """False: this is Python."""
    return False


def is_tracing() -> bool:
    """False: nothing is traced by `trace`."""
    return False
