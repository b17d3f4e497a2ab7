"""Layers of vectors: gates, angles and distances."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.module import Module

__all__ = ["GLU", "CosineSimilarity", "PairwiseDistance"]


@dataclass(eq=False, repr=False)
class GLU(Module):
    """Return the first half along an axis times the sigmoid of the second (Dauphin et al., 2017).

    Args:
        dim: the axis, of an even length.

    >>> from schuss import nn, tensor
    >>> nn.GLU()(tensor([[2.0, 0.0]])).tolist()
    [[1.0]]
    """

    _shown = "dim={0.dim!r}"
    dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        """Return x with half the length along that axis."""
        return functional.glu(input, self.dim)


@dataclass(eq=False, repr=False)
class CosineSimilarity(Module):
    """Return the cosine of the angle between vectors.

    Args:
        dim: the axis that the vectors are along.
        eps: what lengths count as at least.

    >>> from schuss import nn, tensor
    >>> nn.CosineSimilarity()(tensor([[1.0, 0.0]]), tensor([[0.0, 2.0]])).tolist()
    [0.0]
    """

    _shown = "dim={0.dim!r}, eps={0.eps!r}"
    dim: int = 1
    eps: float = 1e-8

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the cosines, without that axis."""
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)


@dataclass(eq=False, repr=False)
class PairwiseDistance(Module):
    """Return the p-norm of x1 - x2 + eps along the last axis.

    Args:
        p: of the norm.
        eps: added to each difference.
        keepdim: whether the last axis stays, with length 1.

    >>> from schuss import nn, tensor
    >>> round(nn.PairwiseDistance()(tensor([[3.0, 0.0]]), tensor([[0.0, 4.0]])).item(), 4)
    5.0
    """

    _shown = "p={0.p!r}, eps={0.eps!r}, keepdim={0.keepdim!r}"
    p: float = 2.0
    eps: float = 1e-6
    keepdim: bool = False

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances."""
        return functional.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)
