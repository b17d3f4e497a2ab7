"""A weight that stays orthogonal: each value of free numbers is one."""

from __future__ import annotations

import numpy as np

from schuss import functions as ops
from schuss import random
from schuss.core import Tensor, leaf, no_grad
from schuss.functions.matrices import qr
from schuss.functions.orthogonal import householder_product, matrix_exp
from schuss.linalg import solve
from schuss.nn.module import Module
from schuss.nn.utils.parametrize import register_parametrization
from schuss.primitives.contraction import matrix_transpose

__all__ = ["Orthogonal", "orthogonal"]

_MAPS = ("matrix_exp", "cayley", "householder")


class Orthogonal(Module):
    """Orthogonal matrices, or such with orthonormal columns or rows, of free ones.

    With A skew-symmetric, made of the lower triangle of x, it is exp(A), or
    (I - A / 2)^-1 (I + A / 2) (Cayley); or the product of the reflections whose vectors are the
    columns of x below its diagonal. Times a fixed orthogonal matrix, `base`, it starts at any one
    (Lezcano-Casado, 2019, arXiv 1909.09501).

    Args:
        weight: of which shape.
        orthogonal_map: "matrix_exp", "cayley" or "householder".
        use_trivialization: whether there is a base.
    """

    base: Tensor

    def __init__(
        self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True
    ) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        """Return an orthogonal matrix of a free one."""
        is_wide = x.shape[-2] < x.shape[-1]
        x = matrix_transpose(x) if is_wide else x
        found = _reflected(x) if self.orthogonal_map == "householder" else self._turned(x)
        if self.use_trivialization:
            found = self.base @ found
        return matrix_transpose(found) if is_wide else found

    def _turned(self, x: Tensor) -> Tensor:
        n, k = x.shape[-2:]
        lower = ops.pad(ops.tril(x), [(0, 0)] * (x.ndim - 1) + [(0, n - k)])
        skew = lower - matrix_transpose(lower)
        if self.orthogonal_map == "matrix_exp":
            turned = matrix_exp(skew)
        else:
            eye = np.eye(n, dtype=x.array.dtype)
            turned = solve(skew * -0.5 + eye, skew * 0.5 + eye)
        return turned[..., :k]

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return what the weight, or the orthogonal matrix next to it, is made of.

        Raises:
            ValueError: for another shape.
            NotImplementedError: without a base, but for "householder".
        """
        if value.shape != self.shape:
            raise ValueError(f"orthogonal: expected shape {self.shape}, got {value.shape}.")
        is_wide = value.shape[-2] < value.shape[-1]
        tall = matrix_transpose(value) if is_wide else value
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "orthogonal: expected orthogonal_map 'householder' or use_trivialization=True "
                    f"where a value is given, got {self.orthogonal_map!r} without a base."
                )
            found = _vectors_of(tall)
            return matrix_transpose(found) if is_wide else found
        n, k = tall.shape[-2:]
        if n > k:
            rest = random.randn(*tall.shape[:-2], n, n - k, dtype=tall.array.dtype)
            self.base = _orthonormal(ops.concat([tall, rest], -1))
        else:
            self.base = tall.clone() if _is_orthonormal(tall) else _orthonormal(tall)
        # Without reflections, and with -1 on the diagonal, the product is the identity.
        return ops.zeros_like(value) - np.eye(*value.shape[-2:], dtype=value.array.dtype)


def _reflected(x: Tensor) -> Tensor:
    vectors = ops.tril(x, -1)
    tau = 2.0 / (1.0 + ops.sum(vectors * vectors, -2))
    signs = ops.trunc(ops.diagonal(x.detach()))
    return householder_product(vectors, tau) * ops.expand_dims(signs, -2)


def _orthonormal(x: Tensor) -> Tensor:
    """Return the orthonormal factor of x whose triangular one is positive on its diagonal."""
    q, r = qr(x)
    return q * ops.expand_dims(ops.sign(ops.diagonal(r)), -2)


def _is_orthonormal(x: Tensor) -> bool:
    product = (matrix_transpose(x) @ x).numpy()
    eps = 10 * x.shape[-2] * np.finfo(x.array.dtype).eps
    return bool(np.allclose(product, np.eye(x.shape[-1]), atol=eps))


def _vectors_of(x: Tensor) -> Tensor:
    """Return the vectors of the reflections that make x, with the signs on the diagonal."""
    vectors, tau = np.linalg.qr(x.numpy(), mode="raw")
    found = np.array(np.swapaxes(vectors, -1, -2), x.array.dtype)
    i = np.arange(found.shape[-1])
    found[..., i, i] = np.sign(found[..., i, i]) * np.where(tau == 0, -1, 1)
    return leaf(found)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a weight orthogonal while it is learned; return `module`.

    Of a weight of shape (..., m, n) the columns are orthonormal, or the rows where there are fewer
    of them.

    Args:
        module: has the weight.
        name: of the weight.
        orthogonal_map: "matrix_exp", the default for square weights, "cayley", or "householder",
            the default for others.
        use_trivialization: whether a fixed orthogonal matrix is a factor, so that the free numbers
            stay small.

    Raises:
        ValueError: if there is no such weight with two axes or more, or no such map.

    >>> from schuss import nn
    >>> layer = orthogonal(nn.Linear(2, 3))
    >>> (layer.weight.T @ layer.weight).round(decimals=4).abs().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        raise ValueError(f"orthogonal: expected a weight {name!r} with two axes or more, got none.")
    is_square = weight.shape[-2] == weight.shape[-1]
    chosen = orthogonal_map or ("matrix_exp" if is_square else "householder")
    if chosen not in _MAPS:
        raise ValueError(f"orthogonal: expected one of {', '.join(_MAPS)}, got {chosen!r}.")
    with no_grad():
        made = Orthogonal(weight, chosen, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
