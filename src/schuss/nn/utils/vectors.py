"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from schuss.core import Tensor
from schuss.functions import concat, reshape

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return the elements of all parameters, one after the other.

    >>> from schuss import nn
    >>> parameters_to_vector(nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return concat([reshape(p, (-1,)) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give parameters the values that `parameters_to_vector` would make `vec` of.

    Raises:
        ValueError: for a vector of another length; nothing has been changed then.
    """
    held = list(parameters)
    total = sum(p.size for p in held)
    if vec.shape != (total,):
        raise ValueError(
            f"vector_to_parameters: expected a vector of {total} elements, got shape {vec.shape}."
        )
    start = 0
    for parameter in held:
        part = vec[start : start + parameter.size]
        parameter.assign(reshape(part.detach(), parameter.shape))
        start += parameter.size
