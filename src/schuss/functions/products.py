"""Products of tensors: dot, tensordot, einsum."""

from __future__ import annotations

import builtins
import math
import string
from collections.abc import Sequence

from schuss.core import Tensor, TensorLike
from schuss.functions.shapes import broadcast_arrays, diagonal, expand_dims, moveaxis
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor
from schuss.primitives.contraction import matmul
from schuss.primitives.elementwise import multiply
from schuss.primitives.movement import permute_dims, reshape
from schuss.primitives.reduction import broadcast_to, sum

__all__ = ["cross", "dot", "einsum", "outer", "tensordot", "vecdot"]


def dot(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the inner product of two vectors."""
    return matmul(x, y)


def outer(x: TensorLike, y: TensorLike) -> Tensor:
    """Return all products of an element of vector x and one of vector y."""
    return expand_dims(x, -1) * expand_dims(y, 0)


def vecdot(x: TensorLike, y: TensorLike, axis: int = -1) -> Tensor:
    """Return the sum of x * y along `axis`."""
    return sum(multiply(x, y), axis)


def cross(x: TensorLike, y: TensorLike, axis: int = -1) -> Tensor:
    """Return the cross product of vectors of length 3 along `axis`."""
    x, y = broadcast_arrays(x, y)
    ahead, behind = [1, 2, 0], [2, 0, 1]
    x, y = moveaxis(x, axis, 0), moveaxis(y, axis, 0)
    return moveaxis(x[ahead] * y[behind] - x[behind] * y[ahead], 0, axis)


def tensordot(
    x: TensorLike, y: TensorLike, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Tensor:
    """Contract axes of `x` with axes of `y`: the last of x with the first of y, or those named."""
    x, y = as_tensor(x), as_tensor(y)
    if isinstance(axes, int):
        mine, theirs = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    else:
        mine = normalize_axes(tuple(axes[0]), x.ndim, "tensordot")
        theirs = normalize_axes(tuple(axes[1]), y.ndim, "tensordot")
    if [x.shape[a] for a in mine] != [y.shape[a] for a in theirs]:
        raise ValueError(
            f"tensordot: expected equal lengths along the contracted axes, got {x.shape} along "
            f"{mine} and {y.shape} along {theirs}."
        )
    left = [a for a in range(x.ndim) if a not in mine]
    right = [a for a in range(y.ndim) if a not in theirs]
    inner = math.prod(x.shape[a] for a in mine)
    rows = math.prod(x.shape[a] for a in left)
    columns = math.prod(y.shape[a] for a in right)
    out = matmul(
        reshape(permute_dims(x, [*left, *mine]), (rows, inner)),
        reshape(permute_dims(y, [*theirs, *right]), (inner, columns)),
    )
    return reshape(out, [x.shape[a] for a in left] + [y.shape[a] for a in right])


def einsum(subscripts: str, *operands: TensorLike) -> Tensor:
    """Sum products over named axes (Einstein's convention), pair by pair as matrix products.

    Args:
        subscripts: such as "bij,bjk->bik", or "...ij,...jk->...ik" for any leading axes;
            without "->", letters that occur once, in alphabetical order, are kept.
        operands: one tensor for each term.

    Raises:
        ValueError: when the subscripts do not fit the operands.

    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    tensor([3., 7.])
    """
    tensors = [as_tensor(x) for x in operands]
    if "..." in subscripts:
        subscripts = _without_ellipsis(subscripts, tensors)
    terms, result = _parse_subscripts(subscripts, len(tensors))
    lengths = _lengths(tensors, terms)
    parts = [_reduce_term(x, t, lengths) for x, t in zip(tensors, terms, strict=True)]
    while len(parts) > 1:
        (x, a), (y, b) = parts[0], parts[1]
        later = set(result).union(*[t for _, t in parts[2:]])
        parts[:2] = [_contract_pair(x, a, y, b, later)]
    x, term = parts[0]
    gone = tuple(i for i, c in enumerate(term) if c not in result)
    if gone:
        x, term = sum(x, gone), "".join(c for c in term if c in result)
    return permute_dims(x, [term.index(c) for c in result])


def _without_ellipsis(subscripts: str, tensors: Sequence[Tensor]) -> str:
    """Put letters that are not used yet in the place of each "..."; the last axes align."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    unused = [c for c in string.ascii_letters if c not in subscripts]
    counts = [
        x.ndim - len(t.replace("...", "")) if "..." in t else 0
        for x, t in zip(tensors, terms, strict=False)
    ]
    most = builtins.max([0, *counts])
    if len(terms) != len(tensors) or most > len(unused) or builtins.min([0, *counts]) < 0:
        raise ValueError(
            f"einsum: expected a term with enough letters for each of the {len(tensors)} "
            f"operands, got {subscripts!r} for shapes {', '.join(str(x.shape) for x in tensors)}."
        )
    letters = "".join(unused[:most])
    terms = [t.replace("...", letters[most - n :]) for t, n in zip(terms, counts, strict=True)]
    if not arrow:
        every = "".join(terms)
        result = "..." + "".join(
            sorted(c for c in set(every) if every.count(c) == 1 and c not in letters)
        )
    return f"{','.join(terms)}->{result.replace('...', letters)}"


def _parse_subscripts(subscripts: str, count: int) -> tuple[list[str], str]:
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    if not arrow:
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    wrong = [c for c in letters + result if not c.isalpha()]
    if (
        wrong
        or len(terms) != count
        or not set(result) <= set(letters)
        or (len(set(result)) != len(result))
    ):
        raise ValueError(
            f"einsum: expected letters for each of the {count} operands and a result of distinct "
            f"letters among them, got {subscripts!r}."
        )
    return terms, result


def _lengths(tensors: Sequence[Tensor], terms: list[str]) -> dict[str, int]:
    """Return the length that each letter stands for; axes of length 1 are repeated to others'.

    Raises:
        ValueError: for a term with another number of axes, or a letter of two lengths.
    """
    sizes: dict[str, int] = {}
    for x, term in zip(tensors, terms, strict=True):
        if x.ndim != len(term):
            raise ValueError(
                f"einsum: expected {len(term)} axes for {term!r}, got shape {x.shape}."
            )
        for c, n in zip(term, x.shape, strict=True):
            if sizes.setdefault(c, n) not in (n, 1) and n != 1:
                raise ValueError(f"einsum: expected one length for {c!r}, got {sizes[c]} and {n}.")
            if n != 1:
                sizes[c] = n
    return sizes


def _reduce_term(x: Tensor, term: str, lengths: dict[str, int]) -> tuple[Tensor, str]:
    """Repeat axes of length 1, and take the diagonal of letters that come twice."""
    x = broadcast_to(x, tuple([lengths[c] for c in term]))
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            i = term.index(c)
            j = term.index(c, i + 1)
            x = diagonal(moveaxis(x, (i, j), (-2, -1)))
            term = "".join(d for k, d in enumerate(term) if k not in (i, j)) + c
    return x, term


def _contract_pair(x: Tensor, a: str, y: Tensor, b: str, later: set[str]) -> tuple[Tensor, str]:
    sizes = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))
    alone_x = tuple(i for i, c in enumerate(a) if c not in b and c not in later)
    alone_y = tuple(i for i, c in enumerate(b) if c not in a and c not in later)
    if alone_x:
        x, a = sum(x, alone_x), "".join(c for i, c in enumerate(a) if i not in alone_x)
    if alone_y:
        y, b = sum(y, alone_y), "".join(c for i, c in enumerate(b) if i not in alone_y)
    batch = [c for c in a if c in b and c in later]
    inner = [c for c in a if c in b and c not in later]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]

    def lengths(letters: list[str]) -> list[int]:
        return [sizes[c] for c in letters]

    x = permute_dims(x, [a.index(c) for c in batch + rows + inner])
    y = permute_dims(y, [b.index(c) for c in batch + inner + columns])
    x = reshape(x, [*lengths(batch), math.prod(lengths(rows)), math.prod(lengths(inner))])
    y = reshape(y, [*lengths(batch), math.prod(lengths(inner)), math.prod(lengths(columns))])
    term = batch + rows + columns
    return reshape(matmul(x, y), lengths(term)), "".join(term)
