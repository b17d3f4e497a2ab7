"""Embedding: a learned vector for each of a number of things, or for bags of them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from schuss.core import Tensor
from schuss.nn import functional, init
from schuss.nn.arguments import require_counts
from schuss.nn.functional.embeddings import padding_row
from schuss.nn.module import Module, Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What look-ups have: a table with a row for each thing."""

    weight: Parameter

    def _set(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        dtype: npt.DTypeLike | None,
    ) -> None:
        owner = type(self).__name__
        require_counts(owner, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            padding_idx = padding_row(owner, padding_idx, num_embeddings)
        if max_norm is not None and not max_norm > 0:
            raise ValueError(f"{owner}: expected max_norm above 0, got {max_norm}.")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.weight = Parameter(init.empty((num_embeddings, embedding_dim), dtype))

    def reset_parameters(self) -> None:
        """Draw new values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            rows = np.array(self.weight.array)
            rows[self.padding_idx] = 0
            self.weight.assign(rows)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, *args: Any, **options: Any
    ) -> Self:
        """Return a layer whose rows are given.

        Args:
            embeddings: the rows, a float tensor of shape (num_embeddings, embedding_dim).
            freeze: whether they stay as they are.
            args: what the layer takes behind the two lengths.
            options: the same, by name.

        Raises:
            ValueError: on another number of axes.

        >>> from schuss import nn, tensor
        >>> nn.Embedding.from_pretrained(tensor([[1.0, 2.0]]))(tensor([0])).tolist()
        [[1.0, 2.0]]
        """
        if embeddings.ndim != 2:
            raise ValueError(
                f"{cls.__name__}: expected embeddings of two axes, got shape {embeddings.shape}."
            )
        made = cls(*embeddings.shape, *args, **{"dtype": embeddings.array.dtype, **options})
        made.weight.assign(embeddings.detach())
        made.weight.requires_grad_(not freeze)
        return made


class Embedding(_Table):
    """Look up the row of `weight` that each index names.

    The rows start as draws from the standard normal distribution.

    Args:
        num_embeddings: number of rows, at least 1.
        embedding_dim: length of a row, at least 1.
        padding_idx: a row that starts at zero and receives no gradient, or None; negative
            numbers count from the end.
        max_norm: a row longer than this is shrunk to it when it is looked up, in `weight` itself;
            None leaves all as they are.
        norm_type: the p of the norm by which a row's length is measured.
        scale_grad_by_freq: whether a row's gradient is divided by how often it is looked up.
        sparse: whether the gradient of `weight` is of the rows that were looked up alone. SGD
            (without weight decay), Adagrad (the same) and SparseAdam take such a gradient, and
            touch only these rows (SGD with momentum all of them); other rules refuse it. Anything
            else sees the whole gradient.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a number is below 1, padding_idx is not a row, or max_norm is not above 0.

    >>> from schuss import nn, tensor
    >>> layer = nn.Embedding(10, 3, padding_idx=0)
    >>> layer(tensor([[0, 7]])).shape
    (1, 2, 3)
    >>> layer.weight[0].tolist()
    [0.0, 0.0, 0.0]
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self._set(num_embeddings, embedding_dim, padding_idx, max_norm, dtype)
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows for integer x of any shape: (*x.shape, embedding_dim)."""
        return functional.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        limit = "" if self.max_norm is None else f", max_norm={self.max_norm}"
        sparse = ", sparse=True" if self.sparse else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{limit}{sparse}"


class EmbeddingBag(_Table):
    """Sum the rows of `weight` that each bag's indices name, or take their mean or maximum.

    The rows start as draws from the standard normal distribution.

    Args:
        num_embeddings: number of rows, at least 1.
        embedding_dim: length of a row, at least 1.
        max_norm: a row longer than this is shrunk to it when it is looked up, in `weight` itself;
            None leaves all as they are.
        norm_type: the p of the norm by which a row's length is measured.
        scale_grad_by_freq: whether a row's gradient is divided by how often it is looked up.
        mode: "sum", "mean" or "max".
        sparse: whether the gradient of `weight` is of its touched rows alone; see `Embedding`.
        include_last_offset: whether offsets end with the number of all indices.
        padding_idx: a row that starts at zero and counts nothing, or None.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a number is below 1, padding_idx is not a row, or max_norm is not above 0.

    >>> from schuss import nn, tensor
    >>> layer = nn.EmbeddingBag(10, 3, mode="sum")
    >>> layer(tensor([1, 2, 4, 5, 4]), tensor([0, 2])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self._set(num_embeddings, embedding_dim, padding_idx, max_norm, dtype)
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.reset_parameters()

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        """Return (bags, embedding_dim) for integers (bags, indices), or (indices,) and offsets."""
        return functional.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}{padding}"
