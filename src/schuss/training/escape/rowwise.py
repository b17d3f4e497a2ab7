"""RowwiseProblem: a network's loss as a function of one vector, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from schuss import functions as ops
from schuss import random
from schuss.core import Array, Tensor, leaf, no_grad
from schuss.func import functional_call, grad, vjp, vmap
from schuss.nn.module import Module
from schuss.training.evaluation.examples import Examples, in_memory
from schuss.training.evaluation.objective import Objective
from schuss.transforms import hvp

__all__ = ["RowwiseProblem", "Unsuited", "place_weights", "unchanged", "weights_of"]

# Beyond, normal equations cost more than they save.
_MOST_PARAMETERS = 512
_MOST_OUTPUTS = 16
_MOST_NUMBERS = 2**21
# How far the rows' mean loss may be from the batch's, relative to it, in float32.
_TOLERANCE = 1e-3
# Steps to the best constant; of a squared error one is enough.
_NEWTON_STEPS = 12


class Unsuited(Exception):  # noqa: N818  # no error: such a network trains in another way
    """The network, its loss or its rows are not small, or not a mean over rows; says which."""


def weights_of(model: Module) -> Array:
    """Return all trained weights of a model as one vector."""
    return np.concatenate([p.array.reshape(-1) for p in model.parameters() if p.requires_grad])


def place_weights(model: Module, vector: Array) -> None:
    """Give a model these trained weights, of shape (size,)."""
    begun = 0
    for parameter in model.parameters():
        if parameter.requires_grad:
            part = vector[begun : begun + parameter.size]
            parameter.assign(leaf(part.reshape(parameter.shape).astype(parameter.array.dtype)))
            begun += parameter.size


@contextmanager
def unchanged(model: Module) -> Iterator[None]:
    """Leave a model's buffers and the random state as they are, whatever is called."""
    buffers = [(b, b.array.copy()) for b in model.buffers()]
    try:
        with random.fork_rng():
            yield
    finally:
        for buffer, array in buffers:
            buffer.assign(array)


class RowwiseProblem:
    r"""The loss of a network as a function of all its weights in one vector t.

    .. math:: L(t) = \sum_n w_n \, l(f(t, x_n), y_n)

    with what second-order steps need of it: the gradient, and the generalised Gauss-Newton matrix
    (Schraudolph, 2002, Neural Computation 14) of the rows' Jacobians J and the losses' Hessians H,

    .. math:: G = \sum_n w_n \, J_n^\top H_n J_n

    Args:
        model: any module that takes each row for itself and draws no random numbers.
        objective: a loss that is the mean over rows.
        examples: the rows; their weights count.

    Raises:
        Unsuited: if these are not such, or too large.
    """

    def __init__(self, model: Module, objective: Objective, examples: Examples) -> None:
        self.model = model
        self._objective = objective
        named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._shapes = {name: p.shape for name, p in named.items()}
        self.size = sum(p.size for p in named.values())
        self.rows = len(examples)
        self._parameters = list(named.values())
        self._require_small(examples)
        columns = in_memory([*examples.inputs, examples.y])
        if columns is None:
            raise Unsuited("its rows are no arrays in memory")
        *self._inputs, self._y = columns
        weight = examples.weight
        self.weight = np.ones(self.rows) if weight is None else np.asarray(weight, np.float64)
        self.weight = self.weight / self.weight.sum()
        self.outputs = self._probe(examples)

    def _require_small(self, examples: Examples) -> None:
        dtypes = {p.array.dtype for p in self._parameters}
        if not self.size or len(dtypes) != 1:
            raise Unsuited("its parameters are not of one dtype")
        self.dtype = dtypes.pop()
        if self.size > _MOST_PARAMETERS or self.size * self.rows > _MOST_NUMBERS:
            raise Unsuited(f"{self.size:,} parameters on {self.rows:,} rows are too many")
        names = [n for n, _ in self.model.named_parameters(remove_duplicate=False)]
        if len(names) != len(list(self.model.parameters())):
            raise Unsuited("it shares parameters between layers")

    def _probe(self, examples: Examples) -> int:
        """Return the outputs of a row, once the loss is seen to be the mean of the rows' own."""
        try:
            with no_grad(), unchanged(self.model):
                inputs, y, weight = examples.batch(slice(None))
                found = self.model(*inputs)
                if not isinstance(found, Tensor) or found.shape[:1] != (self.rows,):
                    raise Unsuited("its output is no tensor with a row for each of the batch's")
                if found.size > _MOST_OUTPUTS * self.rows or (
                    found.size * self.size > _MOST_NUMBERS
                ):
                    raise Unsuited(f"{found.shape[1:]} outputs of a row are too many")
                whole = self._objective(found, y, weight).item()
                mine = float(self.weight @ self.row_losses(self.vector()[None])[0])
        except Unsuited:
            raise
        # Whatever somebody's network or loss raises, it only means that it is trained otherwise.
        except Exception as error:
            raise Unsuited(f"row by row it fails: {error}") from error
        if not math.isfinite(whole) or abs(whole - mine) > _TOLERANCE * max(abs(whole), 1e-6):
            raise Unsuited("its loss is not the mean of its rows' losses")
        self._output_shape = (1, *found.shape[1:])
        return found.size // self.rows

    # Vectors of all weights.

    def vector(self) -> Array:
        """Return the model's weights, of shape (size,)."""
        return weights_of(self.model)

    def place(self, vector: Array) -> None:
        """Give the model these weights."""
        place_weights(self.model, vector)

    def _named(self, t: Tensor) -> dict[str, Tensor]:
        named, begun = {}, 0
        for name, shape in self._shapes.items():
            size = math.prod(shape)
            named[name] = t[begun : begun + size].reshape(shape)
            begun += size
        return named

    # The loss and its derivatives; t is one vector, and calls are batched by `vmap`.

    def _output(self, t: Tensor, inputs: Sequence[Tensor]) -> Tensor:
        alone = tuple(x.reshape((1, *x.shape)) for x in inputs)
        output: Tensor = functional_call(self.model, self._named(t), alone)
        return output

    def _row_loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self._objective(output, y.reshape((1, *y.shape))).reshape(())

    def losses_at(self, t: Tensor) -> Tensor:
        """Return the rows' losses, of shape (rows,)."""

        def one(y: Tensor, *inputs: Tensor) -> Tensor:
            return self._row_loss(self._output(t, inputs), y)

        losses: Tensor = vmap(one)(self._y, *self._inputs)
        return losses

    def expansion_at(self, t: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss, its gradient (size,) and the Gauss-Newton matrix (size, size).

        Args:
            t: the weights of the network.
            weight: of each row, (rows,).
        """
        count = self.outputs
        units = [leaf(unit) for unit in np.eye(count, dtype=self.dtype)]

        def one(y: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
            output, pull = vjp(lambda t: self._output(t, inputs), t)

            def loss(o: Tensor) -> Tensor:
                return self._row_loss(o.reshape(output.shape), y)

            flat = output.reshape((count,))
            jacobian = ops.stack([pull(unit.reshape(output.shape))[0] for unit in units])
            hessian = ops.stack([hvp(loss, flat, unit) for unit in units])
            return loss(flat), grad(loss)(flat), hessian, jacobian

        losses, slopes, hessians, jacobians = vmap(one)(self._y, *self._inputs)
        rows = weight.reshape((-1, 1))
        if count == 1:
            # A loss that bends down somewhere still has steps that go down.
            hessians = ops.abs(hessians)
            curved = jacobians * hessians
        else:
            curved = hessians @ jacobians
        flat_jacobians = jacobians.reshape((-1, self.size))
        flat_curved = (curved * rows.reshape((-1, 1, 1))).reshape((-1, self.size))
        slope = (slopes * rows).reshape((1, -1)) @ flat_jacobians
        matrix = ops.matrix_transpose(flat_jacobians) @ flat_curved
        return (losses * weight).sum(), slope.reshape((-1,)), matrix

    # For many vectors at once, evaluated.

    def row_losses(self, vectors: Array) -> Array:
        """Return the rows' losses for each of the vectors: (vectors, rows), float64."""
        with no_grad():
            found: Tensor = vmap(self.losses_at)(leaf(vectors.astype(self.dtype)))
        return found.array.astype(np.float64)

    def constant_row_losses(self, weight: Array) -> Array:
        """Return the rows' losses under the best output that is the same for all of them.

        Args:
            weight: of each row for what is best, (rows,).
        """
        weights = leaf(weight.astype(self.dtype))

        def losses(c: Tensor) -> Tensor:
            output = c.reshape(self._output_shape)
            found: Tensor = vmap(lambda y: self._row_loss(output, y))(self._y)
            return found

        def mean(c: Tensor) -> Tensor:
            return (losses(c) * weights).sum()

        units = [leaf(unit) for unit in np.eye(self.outputs, dtype=self.dtype)]
        at, damping = np.zeros(self.outputs), 1e-3
        for _ in range(_NEWTON_STEPS):
            c = leaf(at.astype(self.dtype))
            slope = grad(mean)(c).array.astype(np.float64)
            bend = np.stack([hvp(mean, c, unit).array for unit in units]).astype(np.float64)
            step = np.linalg.solve(bend + damping * np.eye(len(at)), slope)
            if mean(leaf((at - step).astype(self.dtype))).item() < mean(c).item():
                at, damping = at - step, damping / 10.0
            else:
                damping *= 10.0
        return losses(leaf(at.astype(self.dtype))).array.astype(np.float64)
