"""Pruning: weights that a mask holds at zero, by PyTorch's names.

A pruned `weight` is `weight_orig`, a parameter, times `weight_mask`, a buffer, each time it is
used. What is pruned once more loses a share of what it still has.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from schuss import random
from schuss.core import Array, Tensor, leaf, no_grad
from schuss.nn.module import Module
from schuss.nn.parameter import Parameter
from schuss.nn.utils.parametrize import with_properties, without_property
from schuss.primitives.base import astype

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


def _pruned(name: str, module: Module) -> Tensor:
    original: Tensor = getattr(module, f"{name}_orig")
    mask: Tensor = getattr(module, f"{name}_mask")
    return mask * original


class BasePruningMethod:
    """A way to prune. A subclass has `compute_mask(t, default_mask)`, which returns a mask.

    Attributes:
        PRUNING_TYPE: "unstructured" for a method that is asked about what is left, as a row;
            "structured" for one that is asked about channels that are left; "global" for all.
    """

    PRUNING_TYPE = "global"
    _dim = 0

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return a mask of t's shape, 0 where `default_mask` is 0 and at what is pruned."""
        raise NotImplementedError(f"{type(self).__name__}: there is no compute_mask.")

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """Return t with zeros where it is pruned."""
        mask = default_mask if default_mask is not None else leaf(np.ones(t.shape, t.array.dtype))
        return t * self._mask(t if importance_scores is None else importance_scores, mask)

    def _mask(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return the mask after pruning what an earlier one left."""
        found = mask.detach().numpy().copy()
        left = self._left(found)
        part = self.compute_mask(leaf(scores.detach().numpy()[left]), leaf(found[left]))
        found[left] = part.detach().numpy()
        return leaf(found)

    def _left(self, mask: Array) -> Any:
        if self.PRUNING_TYPE == "unstructured":
            return mask == 1
        if self.PRUNING_TYPE == "structured":
            dim = self._dim % mask.ndim
            others = tuple(axis for axis in range(mask.ndim) if axis != dim)
            return (slice(None),) * dim + (mask.sum(others) != 0,)
        return ...

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter of a module by the method that these arguments make."""
        method = cls(*args, **kwargs)
        is_first = f"{name}_orig" not in module.__dict__
        original = module.__dict__.get(name if is_first else f"{name}_orig")
        if not isinstance(original, Parameter):
            raise ValueError(
                f"prune: expected the name of a parameter of {type(module).__name__}, got {name!r}."
            )
        if importance_scores is not None and importance_scores.shape != original.shape:
            raise ValueError(
                f"prune: expected importance_scores of shape {original.shape}, got "
                f"{importance_scores.shape}."
            )
        with no_grad():
            ones = leaf(np.ones(original.shape, original.array.dtype))
            before = ones if is_first else getattr(module, f"{name}_mask")
            mask = method._mask(
                original if importance_scores is None else importance_scores, before
            )
        if is_first:
            delattr(module, name)
            module.__class__ = with_properties(type(module))
            module.register_parameter(f"{name}_orig", original)
            setattr(type(module), name, property(partial(_pruned, name)))
        module.register_buffer(f"{name}_mask", mask)
        return method


class Identity(BasePruningMethod):
    """Prune nothing, and have the names of what is pruned."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask as it is."""
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prune by a mask.

    Args:
        mask: of the parameter's shape, 0 where it is pruned.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return what both masks leave."""
        return default_mask * astype(self.mask, default_mask.array.dtype)


def _checked(amount: float) -> float:
    is_count = isinstance(amount, int) and not isinstance(amount, bool)
    if not (amount >= 0 if is_count else 0.0 <= amount <= 1.0):
        raise ValueError(f"prune: expected amount as a count or a share up to 1.0, got {amount!r}.")
    return amount


def _count(amount: float, size: int) -> int:
    """Return how many of some numbers are pruned."""
    found = amount if isinstance(amount, int) else round(amount * size)
    if found > size:
        raise ValueError(
            f"prune: expected an amount of at most {size}, which are left, got {found}."
        )
    return found


class _Unstructured(BasePruningMethod):
    """Prune the numbers of the lowest scores, each for itself."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        self.amount = _checked(amount)

    def _scores(self, t: Tensor) -> Array:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.numpy().copy()
        count = _count(self.amount, t.size)
        lowest = np.argsort(self._scores(t), axis=None, kind="stable")[:count]
        mask.reshape(-1)[lowest] = 0
        return leaf(mask)


class L1Unstructured(_Unstructured):
    """Prune the numbers nearest to zero.

    Args:
        amount: how many, or as a float their share.
    """

    def _scores(self, t: Tensor) -> Array:
        return np.abs(t.numpy())


class RandomUnstructured(_Unstructured):
    """Prune numbers by chance.

    Args:
        amount: how many, or as a float their share.
    """

    def _scores(self, t: Tensor) -> Array:
        return random.rand(t.shape).numpy()


class _Structured(BasePruningMethod):
    """Prune the channels of the lowest scores."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        self.amount = _checked(amount)
        self.dim = self._dim = dim

    def _scores(self, t: Array) -> Array:
        """Return a number for each channel, along the first axis."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.numpy().copy()
        channels = np.moveaxis(t.numpy(), self.dim, 0)
        count = _count(self.amount, len(channels))
        lowest = np.argsort(self._scores(channels), kind="stable")[:count]
        np.moveaxis(mask, self.dim, 0)[lowest] = 0
        return leaf(mask)


class LnStructured(_Structured):
    """Prune the channels of the smallest norms.

    Args:
        amount: how many, or as a float their share.
        n: the norm's order.
        dim: the axis of channels.
    """

    def __init__(self, amount: float, n: float, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t: Array) -> Array:
        order = {"fro": 2, "inf": np.inf, "-inf": -np.inf}.get(str(self.n), self.n)
        found: Array = np.linalg.norm(t.reshape(len(t), -1), ord=order, axis=1)
        return found


class RandomStructured(_Structured):
    """Prune channels by chance.

    Args:
        amount: how many, or as a float their share.
        dim: the axis of channels.
    """

    def _scores(self, t: Array) -> Array:
        return random.rand(len(t)).numpy()


def identity(module: Module, name: str) -> Module:
    """Have a parameter under the names of one that is pruned; return `module`."""
    Identity.apply(module, name)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune a parameter by a mask; return `module`."""
    CustomFromMask.apply(module, name, mask)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the numbers of a parameter that are nearest to zero; return `module`.

    Args:
        module: has the parameter.
        name: of the parameter.
        amount: how many of those left, or as a float their share.
        importance_scores: of the parameter's shape, to judge by in its place.

    Raises:
        ValueError: if there is no such parameter, or for an amount above what is left.

    >>> from schuss import nn
    >>> layer = l1_unstructured(nn.Linear(4, 3), "weight", 0.5)
    >>> int(layer.weight_mask.sum())
    6
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune numbers of a parameter by chance; return `module`."""
    RandomUnstructured.apply(module, name, amount)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: float,
    n: float,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the channels of a parameter whose norms are smallest; return `module`."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune channels of a parameter by chance; return `module`."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: pairs of a module and a name.
        pruning_method: of the unstructured ones.
        importance_scores: by such pairs, to judge by in the parameters' place.
        kwargs: what the method takes, as amount=0.2.
    """
    given = importance_scores or {}
    pairs = list(parameters)
    originals, masks = [], []
    for pair in pairs:
        module, name = pair
        whole = module.__dict__.get(f"{name}_orig", module.__dict__.get(name))
        if not isinstance(whole, Tensor):
            raise ValueError(f"global_unstructured: expected parameters, got {name!r}.")
        mask = module.__dict__.get(f"{name}_mask")
        scores = given.get(pair, whole)
        originals.append(scores.detach().numpy().reshape(-1))
        masks.append(
            np.ones(whole.size, whole.array.dtype) if mask is None else mask.numpy().reshape(-1)
        )
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f"global_unstructured: expected an unstructured method, got {pruning_method.__name__}."
        )
    found = method._mask(leaf(np.concatenate(originals)), leaf(np.concatenate(masks))).numpy()
    place = 0
    for module, name in pairs:
        shape = getattr(module, name).shape
        size = int(np.prod(shape))
        custom_from_mask(module, name, leaf(found[place : place + size].reshape(shape)))
        place += size


def remove(module: Module, name: str) -> Module:
    """Make a pruned parameter one of its own again, with the zeros; return `module`.

    Raises:
        ValueError: if it is not pruned.
    """
    if f"{name}_orig" not in module.__dict__:
        raise ValueError(f"prune.remove: expected a parameter that is pruned, got {name!r}.")
    original = module.__dict__[f"{name}_orig"]
    with no_grad():
        original.data = getattr(module, name).detach()
    for part in ("orig", "mask"):
        delattr(module, f"{name}_{part}")
    module.__class__ = without_property(type(module), name)
    setattr(module, name, original)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of a module, or of one within it, is pruned."""
    return any(
        key.endswith("_mask") and f"{key.removesuffix('_mask')}_orig" in part.__dict__
        for part in module.modules()
        for key in part.__dict__
    )
