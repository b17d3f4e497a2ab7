"""Clipping of gradients, against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss import optim

GRADIENTS = [np.array([[3.0, -4.0], [0.0, 1.0]]), np.array([12.0]), None, np.array(-0.5)]


def ours():
    parameters = [ss.tensor(np.zeros(np.shape(g)), requires_grad=True) for g in GRADIENTS]
    for p, g in zip(parameters, GRADIENTS, strict=True):
        p.grad = None if g is None else ss.tensor(g)
    return parameters


def theirs(torch):
    parameters = [torch.zeros(np.shape(g), dtype=torch.float64) for g in GRADIENTS]
    for p, g in zip(parameters, GRADIENTS, strict=True):
        p.grad = None if g is None else torch.tensor(g)
    return parameters


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf, 2])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 12.0, 1000.0])
def test_norms_equal_pytorchs(max_norm, norm_type):
    torch = pytest.importorskip("torch")
    parameters, others = ours(), theirs(torch)
    total = optim.clip_grad_norm_(parameters, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(others, max_norm, norm_type)
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    for p, q in zip(parameters, others, strict=True):
        if p.grad is None:
            assert q.grad is None
        else:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)


def test_small_norms_are_left_alone_to_the_last_bit():
    parameters = ours()
    optim.clip_grad_norm_(parameters, 1e6)
    assert (parameters[0].grad.numpy() == GRADIENTS[0]).all()


def test_a_gradient_that_two_parameters_share_is_scaled_once():
    x, y = (ss.tensor([0.0, 0.0], requires_grad=True) for _ in range(2))
    (x + y).sum().backward()
    assert optim.clip_grad_norm_([x, y], 1.0).item() == 2.0
    np.testing.assert_allclose([x.grad.numpy(), y.grad.numpy()], 0.5, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 3.5, 100.0])
def test_values_equal_pytorchs(value):
    torch = pytest.importorskip("torch")
    parameters, others = ours(), theirs(torch)
    optim.clip_grad_value_(parameters, value)
    torch.nn.utils.clip_grad_value_(others, value)
    for p, q in zip(parameters, others, strict=True):
        if p.grad is not None:
            np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


def test_a_single_parameter_and_none():
    p = ss.tensor([0.0, 0.0], requires_grad=True)
    assert optim.clip_grad_norm_(p, 1.0).item() == 0.0
    assert p.grad is None
    p.grad = ss.tensor([3.0, 4.0])
    assert optim.clip_grad_norm_(p, 1.0).item() == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    assert p.grad.dtype == np.float32
    assert optim.clip_grad_norm_(iter([p]), 10.0).item() == pytest.approx(1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_norms_that_are_not_finite(bad):
    parameters = ours()
    parameters[1].grad = ss.tensor(np.array([bad]))
    with pytest.raises(RuntimeError, match="expected a finite norm of the gradients"):
        optim.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert (parameters[0].grad.numpy() == GRADIENTS[0]).all()
    assert not np.isfinite(optim.clip_grad_norm_(parameters, 1.0).item())


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="expected max_norm >= 0, got -1"):
        optim.clip_grad_norm_(ours(), -1)
    with pytest.raises(ValueError, match="expected clip_value >= 0, got -1"):
        optim.clip_grad_value_(ours(), -1)


def test_pytorch_s_arguments_are_taken():
    p = ss.tensor([3.0, 4.0], requires_grad=True)
    (p * p).sum().backward()
    assert optim.clip_grad_norm_(p, 1.0, foreach=True).item() == 10.0
    optim.clip_grad_value_(p, 0.7, foreach=False)
    assert max(p.grad.tolist()) == pytest.approx(0.7)
    with pytest.raises(RuntimeError, match="get_total_norm: expected a finite norm"):
        optim.clip.get_total_norm([ss.tensor([np.inf])], error_if_nonfinite=True)


def test_the_total_norm_of_tensors():
    tensors = [ss.tensor([3.0]), ss.tensor([[-4.0]])]
    assert optim.clip.get_total_norm(tensors).item() == 5.0
    assert optim.clip.get_total_norm(tensors, math.inf).item() == 4.0
    assert optim.clip.get_total_norm([]).item() == 0.0
