"""Layers that learn from their first input how many features it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from schuss.core import Tensor
from schuss.modes import changes_python
from schuss.nn import convolution, instance_norm, linear, normalization
from schuss.nn.module import Module
from schuss.nn.parameter import UninitializedParameter

__all__ = ["LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyConv1d", "LazyConv2d"]
__all__ += ["LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d"]
__all__ += ["LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d", "LazyLinear"]


class _Lazy(Module):
    """A layer before its first input, or its first state, which make it the layer itself.

    Its parameters are there, for optimizers, and have no values yet.
    """

    # What it becomes, by number of features and its own arguments.
    becomes: ClassVar[Any]
    # Which axis of the input the features are, and which of the parameter that has them.
    axis: ClassVar[int]
    told_by: ClassVar[tuple[str, int]] = ("weight", 0)
    # Other defaults than the layer's, of its arguments from the third on, in their order.
    usual: ClassVar[tuple[tuple[str, Any], ...]] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__()
        usual = dict(self.usual[max(len(args) - 2, 0) :])
        options = {**usual, **options}
        self._given = args, options
        # One of a single feature says which parameters there will be, and refuses what is wrong.
        for name, parameter in self._made(options.get("groups", 1)).named_parameters():
            setattr(self, name, UninitializedParameter(dtype=parameter.array.dtype))

    def _made(self, features: int) -> Module:
        args, options = self._given
        made: Module = self.becomes(features, *args, **options)
        return made

    def _become(self, features: int) -> None:
        """Turn into the layer, with the parameters that there are."""
        changes_python("a lazy layer, by its first input")
        made = self._made(features)
        for parameter in self.parameters():
            made.astype(parameter.array.dtype)
        held = {name: getattr(self, name) for name, _ in made.named_parameters()}
        for name, parameter in made.named_parameters():
            held[name].materialize(parameter)
        del self.__dict__["_given"]
        self.__dict__.update({**vars(made), **held, "training": self.training})
        self.__class__ = self.becomes

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Become the layer that the input wants, and compute its output."""
        x = args[0] if args else options.get("input")
        if isinstance(x, Tensor) and -x.ndim <= self.axis < x.ndim:
            self._become(x.shape[self.axis])
        else:
            raise ValueError(f"{type(self).__name__}: expected a tensor of features, got {x!r}.")
        return self(*args, **options)

    def become_like(self, state: Mapping[str, Any], prefix: str) -> None:
        """Become the layer that a state is of, where it has one under these names."""
        name, axis = self.told_by
        found = state.get(prefix + name)
        if found is not None and len(found.shape) > axis:
            groups = self._given[1].get("groups", 1) if axis == 1 else 1
            self._become(found.shape[axis] * groups)

    def extra_repr(self) -> str:
        """Return the arguments."""
        args, options = self._given
        return ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in options.items())])


def _lazy(
    becomes: type[Module],
    axis: int,
    told_by: tuple[str, int],
    what: str,
    usual: tuple[tuple[str, Any], ...] = (),
) -> Any:
    """Return the class of layers that become others."""
    name = f"Lazy{becomes.__name__}"
    text = (
        f"`{becomes.__name__}` without its first argument, which the first input says: {what}.\n\n"
        "    Until then, or until a state is loaded, its parameters have no values.\n    "
    )
    body = {"becomes": becomes, "axis": axis, "told_by": told_by, "usual": usual, "__doc__": text}
    return type(name, (_Lazy,), {**body, "__module__": __name__})


LazyLinear = _lazy(linear.Linear, -1, ("weight", 1), "the length of its last axis")
_CHANNELS = "the length of its channels' axis"
LazyConv1d = _lazy(convolution.Conv1d, -2, ("weight", 1), _CHANNELS)
LazyConv2d = _lazy(convolution.Conv2d, -3, ("weight", 1), _CHANNELS)
LazyConv3d = _lazy(convolution.Conv3d, -4, ("weight", 1), _CHANNELS)
LazyConvTranspose1d = _lazy(convolution.ConvTranspose1d, -2, ("weight", 0), _CHANNELS)
LazyConvTranspose2d = _lazy(convolution.ConvTranspose2d, -3, ("weight", 0), _CHANNELS)
LazyConvTranspose3d = _lazy(convolution.ConvTranspose3d, -4, ("weight", 0), _CHANNELS)
LazyBatchNorm1d = _lazy(normalization.BatchNorm1d, 1, ("running_mean", 0), _CHANNELS)
LazyBatchNorm2d = _lazy(normalization.BatchNorm2d, 1, ("running_mean", 0), _CHANNELS)
LazyBatchNorm3d = _lazy(normalization.BatchNorm3d, 1, ("running_mean", 0), _CHANNELS)
_USUAL = (("affine", True), ("track_running_stats", True))  # as PyTorch has it, there alone
LazyInstanceNorm1d = _lazy(instance_norm.InstanceNorm1d, -2, ("weight", 0), _CHANNELS, _USUAL)
LazyInstanceNorm2d = _lazy(instance_norm.InstanceNorm2d, -3, ("weight", 0), _CHANNELS, _USUAL)
LazyInstanceNorm3d = _lazy(instance_norm.InstanceNorm3d, -4, ("weight", 0), _CHANNELS, _USUAL)
