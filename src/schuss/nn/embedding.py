"""Embedding: a learned vector for each of a number of things."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schuss.core import Tensor
from schuss.nn import functional, init
from schuss.nn.arguments import require_counts
from schuss.nn.module import Module, Parameter

__all__ = ["Embedding"]


class Embedding(Module):
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

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        *,
        sparse: bool = False,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_counts("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    f"Embedding: expected padding_idx from {-num_embeddings} to "
                    f"{num_embeddings - 1}, got {padding_idx}."
                )
            padding_idx %= num_embeddings
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if max_norm is not None and not max_norm > 0:
            raise ValueError(f"Embedding: expected max_norm above 0, got {max_norm}.")
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.sparse = sparse
        self.weight = Parameter(init.empty((num_embeddings, embedding_dim), dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            rows = np.array(self.weight.array)
            rows[self.padding_idx] = 0
            self.weight.assign(rows)

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows for integer x of any shape: (*x.shape, embedding_dim)."""
        return functional.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, sparse=self.sparse
        )

    def extra_repr(self) -> str:
        """Return the options."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        limit = "" if self.max_norm is None else f", max_norm={self.max_norm}"
        sparse = ", sparse=True" if self.sparse else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{limit}{sparse}"
