"""Look-ups of rows of a table, one for each index or one for each bag of them."""

from __future__ import annotations

from dataclasses import dataclass

from schuss import functions as ops
from schuss.core import Tensor, int64, no_grad
from schuss.nn.functional._checks import require_indices, require_tensors
from schuss.primitives.indexing import look_up
from schuss.pytorch.scattering import index_add, scatter_reduce
from schuss.transforms import vjp


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of `weight` that the indices name.

    Args:
        input: integer tensor of any shape, values in [0, num_embeddings).
        weight: tensor of shape (num_embeddings, embedding_dim).
        padding_idx: the row that receives no gradient; negative numbers count from the end.
        max_norm: rows that are looked up and longer than this are shrunk to it first, in `weight`
            itself; None leaves all as they are.
        norm_type: the p of the norm by which a row's length is measured.
        scale_grad_by_freq: whether a row's gradient is divided by how often it is looked up.
        sparse: whether the gradient of `weight` is of its touched rows alone; see `nn.Embedding`.

    Returns:
        A tensor of shape (*input.shape, embedding_dim).

    Raises:
        TypeError: if the indices are not integers.
        IndexError: if an index is out of range.

    >>> import schuss as ss
    >>> embedding(ss.tensor([2, 0]), ss.tensor([[0.0], [1.0], [2.0]])).tolist()
    [[2.0], [0.0]]
    """
    if not isinstance(input, Tensor):
        require_tensors("Embedding", x=input)
    if weight.array.ndim != 2:
        raise ValueError(
            f"Embedding: expected weight of shape (num_embeddings, embedding_dim), got "
            f"{weight.shape}."
        )
    count = weight.shape[0]
    require_indices("Embedding", "x", input, count)
    if max_norm is not None:
        _shrink(weight, input, max_norm, norm_type)
    rows = look_up(weight, input, sparse=sparse)
    if scale_grad_by_freq:
        share = 1.0 / look_up(_times(weight, input), input)
        rows = rows.detach() + (rows - rows.detach()) * share
    if padding_idx is None:
        return rows
    padded = ops.expand_dims(input == padding_row("Embedding", padding_idx, count), axis=-1)
    return ops.where(padded, rows.detach(), rows)


def padding_row(owner: str, padding_idx: int, count: int) -> int:
    """Return a row's number, where negative ones count from the end; ValueError if it is none."""
    if not -count <= padding_idx < count:
        raise ValueError(
            f"{owner}: expected padding_idx from {-count} to {count - 1}, got {padding_idx}."
        )
    return padding_idx % count


def _times(weight: Tensor, indices: Tensor) -> Tensor:
    """Return how often each row is named, of shape (num_embeddings, 1)."""
    # The gradient of a look-up counts that.
    marks = ops.zeros((weight.shape[0], 1), dtype=weight.array.dtype)
    named, count = vjp(lambda marks: look_up(marks, indices), marks)
    (times,) = count(ops.ones_like(named))
    return times


def _shrink(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that the indices name, where they are longer, to max_norm; in place."""
    rows = weight.detach()
    times = _times(weight, indices)
    with no_grad():
        length = ops.norm(rows, axis=-1, keepdims=True, ord=norm_type)
        long = ops.logical_and(times > 0.0, length > max_norm)
        weight.assign(rows * ops.where(long, max_norm / (length + 1e-7), 1.0))


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, the mean or the largest elements of the rows that each bag's indices name.

    Args:
        input: integers in [0, num_embeddings), of shape (bags, indices), or (indices,).
        weight: tensor of shape (num_embeddings, embedding_dim).
        offsets: for input of one axis, where in it each bag begins, from 0 on: integers of shape
            (bags,); bags may be empty.
        max_norm: rows that are looked up and longer than this are shrunk to it first, in `weight`
            itself; None leaves all as they are.
        norm_type: the p of the norm by which a row's length is measured.
        scale_grad_by_freq: whether a row's gradient is divided by how often it is looked up.
        mode: "sum", "mean" or "max".
        sparse: whether the gradient of `weight` is of its touched rows alone; see `nn.Embedding`.
        per_sample_weights: a factor for each index, for sums, of the input's shape.
        include_last_offset: whether `offsets` end with the number of all indices.
        padding_idx: indices that count nothing; negative numbers count from the end.

    Returns:
        A tensor of shape (bags, embedding_dim), zero for bags without indices.

    Raises:
        ValueError: on shapes that do not fit, or an unknown mode.
        TypeError: if the indices are not integers.
        IndexError: if an index is out of range.

    >>> import schuss as ss
    >>> table = ss.tensor([[0.0], [1.0], [2.0]])
    >>> embedding_bag(ss.tensor([[2, 1], [0, 0]]), table, mode="sum").tolist()
    [[3.0], [0.0]]
    """
    owner = "embedding_bag"
    require_tensors(owner, input=input, weight=weight)
    if input.array.dtype.kind == "f" and weight.array.dtype.kind == "i":
        # PyTorch's former order.
        input, weight = weight, input
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{owner}: expected mode 'sum', 'mean' or 'max', got {mode!r}.")
    _check_bags(owner, input, offsets, mode, per_sample_weights)
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    if padding_idx is None:
        counted = ops.ones(input.shape, dtype=weight.array.dtype)
    else:
        padded = input == padding_row(owner, padding_idx, weight.shape[0])
        counted = ops.astype(ops.logical_not(padded), weight.array.dtype)
    bags = _Bags.of(input, offsets, weight, include_last_offset=include_last_offset)
    total = bags.sum(counted)
    if mode == "max":
        shown = ops.where(ops.expand_dims(counted, -1) > 0.0, rows, -float("inf"))
        return ops.where(total > 0.0, bags.largest(shown), 0.0)
    if per_sample_weights is not None:
        counted = counted * per_sample_weights
    result = bags.sum(counted, rows)
    return result / ops.maximum(total, 1.0) if mode == "mean" else result


def _check_bags(
    owner: str, input: Tensor, offsets: Tensor | None, mode: str, factors: Tensor | None
) -> None:
    if input.ndim not in (1, 2):
        raise ValueError(f"{owner}: expected input of one or two axes, got shape {input.shape}.")
    if (offsets is None) != (input.ndim == 2):
        raise ValueError(
            f"{owner}: expected offsets for input of one axis, and none for two; got input of "
            f"shape {input.shape} and {'no' if offsets is None else 'with'} offsets."
        )
    if offsets is not None and offsets.ndim != 1:
        raise ValueError(f"{owner}: expected offsets of one axis, got shape {offsets.shape}.")
    if factors is None:
        return
    if mode != "sum":
        raise ValueError(f"{owner}: expected mode 'sum' with per_sample_weights, got {mode!r}.")
    if factors.shape != input.shape:
        raise ValueError(
            f"{owner}: expected per_sample_weights of shape {input.shape} like the input, got "
            f"{factors.shape}."
        )


@dataclass(frozen=True)
class _Bags:
    """Which bag each index is in (None: one a row), and how many bags there are."""

    of_each: Tensor | None
    count: int
    like: Tensor

    @classmethod
    def of(
        cls, input: Tensor, offsets: Tensor | None, like: Tensor, *, include_last_offset: bool
    ) -> _Bags:
        """Return the bags of a call."""
        if offsets is None:
            return cls(None, input.shape[0], like)
        count = offsets.shape[0] - include_last_offset
        starts = ops.zeros((input.shape[0] + 1,), dtype=int64)
        starts = index_add(starts, 0, offsets, ops.ones(offsets.shape, dtype=int64))
        return cls((ops.cumulative_sum(starts, axis=0) - 1)[:-1], count, like)

    def sum(self, factors: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return the sums over each bag, of shape (bags, 1) without rows."""
        values = ops.expand_dims(factors, -1)
        if rows is not None:
            values = values * rows
        if self.of_each is None:
            return ops.sum(values, axis=1)
        empty = ops.zeros((self.count, values.shape[-1]), dtype=self.like.array.dtype)
        return index_add(empty, 0, self.of_each, values)

    def largest(self, rows: Tensor) -> Tensor:
        """Return the largest element of each column in each bag."""
        if self.of_each is None:
            place = ops.argmax(rows, axis=1, keepdims=True)
            return ops.squeeze(ops.take_along_axis(rows, place, axis=1), axis=1)
        empty = ops.zeros((self.count, rows.shape[-1]), dtype=self.like.array.dtype)
        place = ops.broadcast_to(ops.expand_dims(self.of_each, -1), rows.shape)
        found: Tensor = scatter_reduce(empty, 0, place, rows, "amax", include_self=False)
        return found
