"""Module: a network or a part of one, with its parameters, buffers and parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import TRACER, Tensor, leaf, supported_dtype
from schuss.nn import placement, summary
from schuss.nn.hooks import EVERYWHERE, Hookable, call_with_hooks
from schuss.nn.parameter import Parameter
from schuss.nn.state import IncompatibleKeys, load_state, nearest

__all__ = ["Module", "Parameter"]

M = TypeVar("M", bound="Module")
T = TypeVar("T")


class Module(Hookable):
    """A network or a part of one.

    A subclass sets its parameters, buffers and submodules as attributes and computes its output
    in `forward`. Everything lives in the instance's own dictionary; what a value is (a
    `Parameter`, a `Module`) says how it is listed.

    >>> from schuss import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self, width):
    ...         super().__init__()
    ...         self.inner = nn.Linear(width, width)
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x))
    >>> [name for name, _ in Twice(3).named_parameters()]
    ['inner.weight', 'inner.bias']
    """

    training: bool = True
    # Floats that schedules change from step to step: a compiled program reads them anew.
    live_numbers: ClassVar[tuple[str, ...]] = ()
    # Parameters that hold the weights of units (neurons, channels), and the axes along which those
    # of one unit lie.
    unit_axes: ClassVar[Mapping[str, tuple[int, ...]]] = MappingProxyType({})
    # Whether evaluation goes by its inputs' values, which native code cannot.
    evaluates_by_values: bool = False
    # What `repr` shows between the parentheses: a format whose {0} is the module.
    _shown: ClassVar[str] = ""
    _buffers: Mapping[str, bool] = MappingProxyType({})  # name -> persistent
    _output_shape: tuple[int, ...] | None = None

    def forward(self, *args: Any, **options: Any) -> Any:
        """Compute the output; a subclass must define it."""
        raise NotImplementedError(
            f"{type(self).__name__}: expected a forward method, got none; "
            "define forward(self, x) and return the output."
        )

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Compute the output, and remember its shape for `repr`."""
        tracer = TRACER.get()
        call = self.forward if tracer is None else partial(tracer.call, self)
        if "_hooks" in self.__dict__ or EVERYWHERE.used:
            result = call_with_hooks(self, call, args, options)
        else:
            result = call(*args, **options)
        if isinstance(result, Tensor):
            self.__dict__["_output_shape"] = result.shape
        return result

    # What it holds.

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(self.__dict__.get(name), Parameter):
            remedy = f"; change its values with .{name}.assign(value)"
            _require(Parameter, value, type(self).__name__, f" for {name!r}", remedy)
        if name in self._buffers:
            _require(Tensor, value, type(self).__name__, f" for buffer {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._buffers:
            self.__dict__["_buffers"] = {k: v for k, v in self._buffers.items() if k != name}
        object.__delattr__(self, name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set a parameter by name; None says that there is none (a layer without bias)."""
        self._refuse_name(name)
        _require(Parameter, param, "register_parameter")
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set a tensor that is part of the state but not trained, such as a running mean.

        Args:
            name: the attribute's name.
            tensor: the values, or None.
            persistent: whether it belongs to `state_dict()`.

        Raises:
            TypeError: if `tensor` is not a tensor.
            ValueError: if the name is taken or has a dot.

        >>> from schuss import nn, zeros
        >>> layer = nn.Module()
        >>> layer.register_buffer("seen", zeros((2,)))
        >>> list(layer.state_dict())
        ['seen']
        """
        if name not in self._buffers:
            self._refuse_name(name)
        remedy = "; use schuss.tensor(...)"
        _require(Tensor, tensor, type(self).__name__, f" for buffer {name!r}", remedy)
        self.__dict__["_buffers"] = {**self._buffers, name: persistent}
        self.__dict__[name] = tensor

    def register_module(self, name: str, module: Module | None) -> None:
        """Set a submodule by name."""
        self._refuse_name(name)
        _require(Module, module, "register_module")
        setattr(self, name, module)

    add_module = register_module

    def _refuse_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{type(self).__name__}: expected a name without dots, got {name!r}.")
        if hasattr(self, name):
            raise ValueError(
                f"{type(self).__name__}: expected a new name, got {name!r}, which is taken."
            )

    # Walking over it.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the direct parts, each module once."""
        seen: set[int] = set()
        for name, value in tuple(self.__dict__.items()):
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """Yield the direct parts."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module) of this module and of all its parts, depth first."""
        return self._walk(prefix, set() if remove_duplicate else None)

    def _walk(self, prefix: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, self
        for name, value in tuple(self.__dict__.items()):
            if isinstance(value, Module):
                yield from value._walk(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all its parts, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter); a parameter that is used twice comes once."""

        def own(module: Module) -> Iterator[tuple[str, Any]]:
            return ((k, v) for k, v in module.__dict__.items() if isinstance(v, Parameter))

        return self._members(own, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once, in the order in which they were set."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield (dotted name, buffer), persistent or not."""

        def own(module: Module) -> Iterator[tuple[str, Any]]:
            held = ((name, module.__dict__.get(name)) for name in module._buffers)
            return ((name, value) for name, value in held if value is not None)

        return self._members(own, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _members(
        self,
        own: Callable[[Module], Iterator[tuple[str, Any]]],
        prefix: str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in own(module):
                if remove_duplicate:
                    if id(value) in seen:
                        continue
                    seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def get_submodule(self, target: str) -> Module:
        """Return the part with this dotted name.

        Raises:
            AttributeError: if there is none; the message names the nearest.
        """
        return self._named("part", target, self.named_modules(remove_duplicate=False))

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter with this dotted name.

        Raises:
            AttributeError: if there is none; the message names the nearest.
        """
        return self._named("parameter", target, self.named_parameters(remove_duplicate=False))

    def _named(self, what: str, target: str, pairs: Iterable[tuple[str, T]]) -> T:
        found = dict(pairs)
        if target not in found:
            raise AttributeError(
                f"{type(self).__name__}: expected the name of a {what}, got {target!r}"
                f"{nearest(target, found)}."
            )
        return found[target]

    # Its state, by name.

    def state_dict(self) -> dict[str, Tensor]:
        """Return parameters and persistent buffers by their dotted names, in PyTorch's order.

        The tensors are cut off from differentiation and share memory with the module, as in
        PyTorch: they go on with it, and it changes with them. `copy.deepcopy` keeps the values of
        this moment.

        >>> from schuss import nn
        >>> {name: t.shape for name, t in nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return {name: tensor.detach() for name, tensor in self._named_state()}

    def _named_state(self) -> Iterator[tuple[str, Tensor]]:
        for path, module in self.named_modules(remove_duplicate=False):
            dot = f"{path}." if path else ""
            for name, value in module.__dict__.items():
                if isinstance(value, Parameter):
                    yield dot + name, value
            for name, persistent in module._buffers.items():
                value = module.__dict__.get(name)
                if persistent and value is not None:
                    yield dot + name, value

    def become_like(self, state: Mapping[str, Any], prefix: str) -> None:
        """Take the shapes that a state has, where they are not known yet: a lazy layer's."""

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Take over the values of `state_dict`, cast to the dtypes here. All or nothing.

        Args:
            state_dict: dotted names to tensors (or to anything NumPy turns into an array).
            strict: whether the names must be exactly those of `state_dict()` here.

        Returns:
            The names missing in `state_dict` and those that nothing here has.

        Raises:
            TypeError: if `state_dict` is no dictionary.
            ValueError: on missing or unexpected names (when strict) and on other shapes; it
                lists them all, with the nearest names, and nothing has been changed.

        >>> from schuss import nn
        >>> a, b = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> a.load_state_dict(b.state_dict())
        <All keys matched successfully>
        >>> bool((a.weight == b.weight).all())
        True
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"load_state_dict: expected a dictionary, got {type(state_dict).__name__}; "
                "give what state_dict() or load_safetensors() returned."
            )
        for path, module in self.named_modules():
            module.become_like(state_dict, f"{path}." if path else "")
        own = dict(self._named_state())
        return load_state(type(self).__name__, own, state_dict, strict=strict)

    # Changing all of it.

    def train(self: M, mode: bool = True) -> M:
        """Switch this module and its parts to training (dropout drops); return the module."""
        for module in self.modules():
            module.__dict__["training"] = mode
        return self

    def eval(self: M) -> M:
        """Switch this module and its parts to evaluation; return the module."""
        return self.train(False)

    def apply(self: M, fn: Callable[[Module], object]) -> M:
        """Call `fn` on every part, innermost first, and on this module; return the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Freeze (False) or unfreeze every parameter; return the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every parameter (or set them to zero)."""
        tracer = TRACER.get()
        for parameter in self.parameters():
            if tracer is not None:
                tracer.sees(parameter)
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = leaf(np.zeros(parameter.shape, parameter.array.dtype))

    def astype(self: M, dtype: npt.DTypeLike) -> M:
        """Cast every float parameter and buffer to float32 or float64; return the module.

        Raises:
            TypeError: if `dtype` is not a float one.

        >>> from schuss import nn
        >>> nn.Linear(2, 1).astype("float64").weight.dtype
        schuss.float64
        """
        wanted = supported_dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(f"astype: expected float32 or float64 for a network, got {wanted}.")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.array.dtype.kind == "f" and tensor.array.dtype != wanted:
                # Not `assign`, which keeps the dtype; optimisers keep hold of the same object.
                tensor.array = tensor.array.astype(wanted)
                if tensor.grad is not None:
                    tensor.grad = tensor.grad.astype(wanted)
        return self

    to, cpu, cuda, half = placement.to, placement.cpu, placement.cuda, placement.half

    def double(self: M) -> M:
        """Cast to float64; return the module."""
        return self.astype(np.float64)

    def float(self: M) -> M:
        """Cast to float32; return the module."""
        return self.astype(np.float32)

    # In words.

    def extra_repr(self) -> str:
        """Return what `repr` shows between the parentheses."""
        return self._shown.format(self)

    def __repr__(self) -> str:
        return summary.tree(self, Module.__repr__)

    if TYPE_CHECKING:
        # What a subclass sets: parameters, modules, or anything else.
        def __getattr__(self, name: str) -> Any: ...


def _require(kind: type, value: object, owner: str, place: str = "", remedy: str = "") -> None:
    if not (value is None or isinstance(value, kind)):
        raise TypeError(
            f"{owner}: expected a {kind.__name__} or None{place}, got "
            f"{type(value).__name__}{remedy}."
        )
