"""AdaptiveLogSoftmaxWithLoss: a softmax of very many classes, the rare ones in clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy.typing as npt

from schuss import functions as ops
from schuss.core import Tensor
from schuss.functions.softmaxes import log_softmax
from schuss.nn.arguments import require_counts
from schuss.nn.containers import ModuleList, Sequential
from schuss.nn.functional._checks import require_indices
from schuss.nn.linear import Linear
from schuss.nn.module import Module

__all__ = ["ASMoutput", "AdaptiveLogSoftmaxWithLoss"]


class ASMoutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probabilities of classes that are ordered by how often they come, and their loss.

    The first classes and the clusters of the others have a softmax, the head; each cluster has
    another, of a smaller matrix product. Grave et al., 2017, arXiv 1609.04309. All clusters are
    computed for all rows, whatever the classes are: it saves parameters here, and not time.

    Args:
        in_features: length of the input's last axis, at least 1.
        n_classes: number of classes, which are ordered, the most frequent first.
        cutoffs: where the clusters begin, rising, above 0 and below n_classes.
        div_value: by how much each cluster's inner size is smaller than that of the one before.
        head_bias: whether the head has a bias.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: on cutoffs that are not so.

    >>> from schuss import nn, ones, tensor
    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10])
    >>> layer(ones((3, 16)), tensor([0, 7, 19])).output.shape
    (3,)
    >>> layer.log_prob(ones((3, 16))).shape
    (3, 20)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        owner = "AdaptiveLogSoftmaxWithLoss"
        require_counts(owner, in_features=in_features, n_classes=n_classes)
        ends = list(cutoffs)
        if not ends or ends != sorted(set(ends)) or ends[0] < 1 or ends[-1] >= n_classes:
            raise ValueError(
                f"{owner}: expected rising cutoffs above 0 and below {n_classes}, got {ends}."
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*ends, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = ends[0]
        self.n_clusters = len(ends)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, dtype=dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            inner = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, inner, bias=False, dtype=dtype),
                    Linear(inner, size, bias=False, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new values."""
        self.head.reset_parameters()
        for layer in self.tail.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes, (..., n_classes), for (..., in_features)."""
        head = log_softmax(self.head(input), axis=-1)
        parts = [head[..., : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            place = self.shortlist_size + i
            parts.append(log_softmax(cluster(input), axis=-1) + head[..., place : place + 1])
        return ops.concat(parts, axis=-1)

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        """Return the log-probability of each row's class, and minus their mean.

        Args:
            input: shape (batch, in_features), or (in_features,).
            target: classes from 0 to n_classes - 1, shape (batch,), or ().

        Raises:
            ValueError: on shapes that do not go together.
            IndexError: on a class that does not exist.
        """
        owner = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[:-1] != target.shape:
            raise ValueError(
                f"{owner}: expected input of shape (batch, {self.in_features}) and target of "
                f"(batch,), or both without a batch, got {input.shape} and {target.shape}."
            )
        require_indices(owner, "target", target, self.n_classes)
        chosen = ops.take_along_axis(self.log_prob(input), target[..., None], axis=-1)[..., 0]
        return ASMoutput(chosen, -ops.mean(chosen))

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class of each row."""
        return ops.argmax(self.log_prob(input), axis=-1)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"in_features={self.in_features}, n_classes={self.n_classes}, "
            f"cutoffs={self.cutoffs[:-1]}, div_value={self.div_value}"
        )
