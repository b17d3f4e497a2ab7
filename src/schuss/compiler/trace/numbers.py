"""Python numbers that a program reads anew at each call, with their arithmetic."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["Guards", "TracedNumber"]

# What has to hold for a program to be used again: (function, its value while tracing).
Guards = list[tuple[Callable[[], Any], Any]]


class TracedNumber(float):
    """A Python float that is read anew at every call: a learning rate, a float argument.

    Arithmetic gives traced numbers again. A comparison answers with what holds now, and the
    answer becomes a condition for using the program.
    """

    __slots__ = ("evaluate", "guards")

    evaluate: Callable[[], float]
    guards: Guards

    @staticmethod
    def make(guards: Guards, evaluate: Callable[[], float]) -> TracedNumber:
        """Return a number whose value at each call is `evaluate()`."""
        number = TracedNumber(evaluate())
        number.evaluate = evaluate
        number.guards = guards
        return number

    def _pin(self, outcome: Callable[[float], Any]) -> Any:
        evaluate = self.evaluate
        found = outcome(evaluate())
        self.guards.append((lambda: outcome(evaluate()), found))
        return found

    def __bool__(self) -> bool:
        return bool(self._pin(bool))

    def __float__(self) -> float:
        return float(self._pin(lambda x: x))

    def __int__(self) -> int:
        return int(self._pin(int))

    def __hash__(self) -> int:
        return hash(self.__float__())

    def __repr__(self) -> str:
        return repr(self.__float__())

    def __reduce__(self) -> Any:
        raise TypeError("a traced number cannot be pickled")


def _value_of(x: Any) -> Callable[[], float]:
    return x.evaluate if isinstance(x, TracedNumber) else lambda: x


def _arithmetic(name: str, function: Callable[..., Any], *, reflected: bool) -> None:
    def forward(self: TracedNumber, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        a, b = self.evaluate, _value_of(other)
        return TracedNumber.make(self.guards, lambda: function(a(), b()))

    def backward(self: TracedNumber, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        a, b = self.evaluate, _value_of(other)
        return TracedNumber.make(self.guards, lambda: function(b(), a()))

    setattr(TracedNumber, f"__{name}__", forward)
    if reflected:
        setattr(TracedNumber, f"__r{name}__", backward)


def _comparison(name: str, function: Callable[..., Any]) -> None:
    def compare(self: TracedNumber, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        b = _value_of(other)
        return self._pin(lambda x: function(x, b()))

    setattr(TracedNumber, f"__{name}__", compare)


def _unary(name: str, function: Callable[[Any], Any]) -> None:
    def apply(self: TracedNumber) -> Any:
        a = self.evaluate
        return TracedNumber.make(self.guards, lambda: function(a()))

    setattr(TracedNumber, f"__{name}__", apply)


for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "floordiv"):
    _arithmetic(_name, getattr(operator, _name), reflected=True)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name, getattr(operator, _name))


for _name in ("neg", "pos", "abs"):
    _unary(_name, getattr(operator, _name))
