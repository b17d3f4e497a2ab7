"""Constraints, beside PyTorch's."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

import schuss as ss
from schuss.distributions import constraints

torch = pytest.importorskip("torch")

NUMBERS = np.array([-1.5, -1.0, 0.0, 0.3, 1.0, 2.0, 2.5, 3.0, np.nan])
ROWS = np.array([[0.2, 0.8, 0.0], [0, 1, 0], [1, 1, 0], [-0.5, 1, 0.5], [2, 0, 1.0]])
MATRICES = np.array(
    [
        [[2.0, 0.0], [0.5, 1.0]],
        [[2.0, 0.5], [0.5, 1.0]],
        [[1.0, 1.0], [1.0, 1.0]],
        [[-1.0, 0.0], [0.0, 1.0]],
        [[0.0, 1.0], [2.0, 3.0]],
    ]
)
SCALARS = ("boolean", "nonnegative", "nonnegative_integer", "positive", "positive_integer")
SCALARS += ("real", "unit_interval")
CASES: dict[str, tuple[Any, np.ndarray[Any, Any]]] = {
    **{
        name: (lambda c, name=name: getattr(c, name), NUMBERS)
        for name in [
            "boolean",
            "nonnegative",
            "nonnegative_integer",
            "positive",
            "positive_integer",
            "real",
            "unit_interval",
        ]
    },
    "greater_than": (lambda c: c.greater_than(0.3), NUMBERS),
    "greater_than_eq": (lambda c: c.greater_than_eq(0.3), NUMBERS),
    "less_than": (lambda c: c.less_than(0.3), NUMBERS),
    "interval": (lambda c: c.interval(-1.0, 2.0), NUMBERS),
    "half_open_interval": (lambda c: c.half_open_interval(-1.0, 2.0), NUMBERS),
    "integer_interval": (lambda c: c.integer_interval(0, 2), NUMBERS),
    "real_vector": (lambda c: c.real_vector, ROWS),
    "simplex": (lambda c: c.simplex, ROWS),
    "one_hot": (lambda c: c.one_hot, ROWS),
    "multinomial": (lambda c: c.multinomial(2), ROWS),
    "independent": (lambda c: c.independent(c.positive, 1), ROWS),
    "cat": (lambda c: c.cat([c.positive, c.unit_interval], dim=1, lengths=[1, 2]), ROWS),
    "stack": (lambda c: c.stack([c.positive, c.unit_interval, c.real], dim=1), ROWS),
    **{
        name: (lambda c, name=name: getattr(c, name), MATRICES)
        for name in ["square", "symmetric", "lower_triangular", "lower_cholesky"]
    },
    # PyTorch looks no further where one matrix of a batch is not symmetric.
    **{
        name: (lambda c, name=name: getattr(c, name), MATRICES[1:4])
        for name in ("positive_definite", "positive_semidefinite")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_checks_are_pytorchs(name: str) -> None:
    made, values = CASES[name]
    ours, theirs = made(constraints), made(torch.distributions.constraints)
    wanted = theirs.check(torch.tensor(values))
    found = ours.check(ss.tensor(values))
    assert found.dtype is ss.bool
    np.testing.assert_array_equal(found, wanted.numpy())
    assert (ours.event_dim, ours.is_discrete) == (theirs.event_dim, theirs.is_discrete)
    compiled = ss.compile(lambda x: ours.check(x))(ss.tensor(values))
    np.testing.assert_array_equal(compiled, wanted.numpy())


def test_each_matrix_is_checked_by_itself() -> None:
    found = constraints.positive_definite.check(ss.tensor(MATRICES))
    assert found.tolist() == [False, True, False, False, False]


def test_those_that_are_no_square() -> None:
    for name in ("square", "symmetric", "positive_definite", "positive_semidefinite"):
        wanted = getattr(torch.distributions.constraints, name).check(torch.ones(4, 2, 3))
        found = getattr(constraints, name).check(ss.ones(4, 2, 3))
        np.testing.assert_array_equal(found, wanted.expand(4).numpy())


class Triangle(ss.distributions.Distribution):
    """A distribution as published programs write them."""

    arg_constraints: ClassVar = {"low": constraints.real, "width": constraints.positive}

    def __init__(self, low: Any, width: Any, validate_args: bool | None = None) -> None:
        self.low, self.width = low, width
        super().__init__(low.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.low + self.width)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return (2 * (value - self.low) / self.width**2).log()


def test_a_users_own_distribution() -> None:
    d = Triangle(ss.tensor([0.0, 1.0]), ss.tensor([2.0, 2.0]))
    assert (d.batch_shape, d.event_shape) == ((2,), ())
    assert d._extended_shape((3,)) == (3, 2)
    np.testing.assert_allclose(d.log_prob(ss.tensor([1.0, 2.0])), np.log([0.5, 0.5]), 1e-6)
    with pytest.raises(ValueError, match="Triangle: expected parameter width above 0"):
        Triangle(ss.zeros(2), ss.zeros(2))
    with pytest.raises(ValueError, match="Triangle: expected values from low to high"):
        d.log_prob(ss.tensor([1.0, 0.5]))
    assert constraints.is_dependent(vars(Triangle)["support"])
    assert not constraints.is_dependent(constraints.real)

    @ss.compile
    def probability(low: Any, width: Any, x: Any) -> Any:
        return Triangle(low, width).log_prob(x)

    low, width = ss.tensor([0.0, 1.0]), ss.tensor([2.0, 2.0])
    found = probability(low, width, ss.tensor([1.0, 2.0]))
    np.testing.assert_allclose(found, np.log([0.5, 0.5]), 1e-6)
    with pytest.raises(ValueError, match="Triangle: expected values from low to high"):
        probability(low, width, ss.tensor([1.0, 0.5]))
    with pytest.raises(ValueError, match="Triangle: expected parameter width above 0"):
        probability(low, -width, ss.tensor([1.0, 2.0]))


def test_a_users_own_constraint() -> None:
    class Even(constraints.Constraint):
        is_discrete = True

        def check(self, value: Any) -> Any:
            return value % 2 == 0

    class Pairs(Triangle):
        support = Even()

    d = Pairs(ss.tensor([0.0]), ss.tensor([4.0]))
    assert d.log_prob(ss.tensor([2.0])).item() == pytest.approx(np.log(0.25))
    with pytest.raises(ValueError, match="as its constraint has it"):
        d.log_prob(ss.tensor([1.0]))
    with pytest.raises(NotImplementedError, match="Constraint: there is no check"):
        constraints.Constraint().check(ss.zeros(1))
    with pytest.raises(ValueError, match="cannot tell by itself"):
        constraints.dependent.check(ss.zeros(1))
    assert constraints.dependent(is_discrete=True, event_dim=1).event_dim == 1
