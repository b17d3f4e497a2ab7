from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.nn import functional as F

X = np.random.default_rng(5).normal(size=(2, 3, 4)).astype(np.float32)
CALLS: dict[str, Any] = {
    "cosine_similarity": lambda F, x: F.cosine_similarity(x, x[:1] * x, dim=2),
    "glu": lambda F, x: F.glu(x),
    "normalize": lambda F, x: F.normalize(x, p=3.0, dim=0),
    "normalize by default": lambda F, x: F.normalize(x),
    "pad": lambda F, x: F.pad(x, (1, 2, 0, 1), value=2.0),
    "pad taken off": lambda F, x: F.pad(x, (-1, 2)),
    "pad reflected": lambda F, x: F.pad(x, (2, 1), mode="reflect"),
    "pad repeated": lambda F, x: F.pad(x, (2, 1), mode="replicate"),
    "pad around": lambda F, x: F.pad(x, (2, 1), mode="circular"),
    "pairwise_distance": lambda F, x: F.pairwise_distance(x, x * x, keepdim=True),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients_are_pytorch_s(name: str) -> None:
    torch = pytest.importorskip("torch")
    call = CALLS[name]
    ours, theirs = ss.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    result, wanted = call(F, ours), call(torch.nn.functional, theirs)
    compiled = ss.compile(lambda x: call(F, x))(ss.tensor(X))
    for found in (result.detach(), compiled):
        np.testing.assert_allclose(found, wanted.detach(), 1e-5, 1e-6)
    (result * result).sum().backward()
    (wanted * wanted).sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, 1e-4, 1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.CosineSimilarity(),
        lambda nn: nn.CosineSimilarity(dim=-1, eps=0.5),
        lambda nn: nn.PairwiseDistance(),
        lambda nn: nn.PairwiseDistance(1.0, keepdim=True),
    ],
)
def test_layers_of_two_tensors_are_pytorch_s(make: Any) -> None:
    torch = pytest.importorskip("torch")
    ours = make(ss.nn)(ss.tensor(X), ss.tensor(X[:1]))
    theirs = make(torch.nn)(torch.tensor(X), torch.tensor(X[:1]))
    np.testing.assert_allclose(ours, theirs, 1e-5, 1e-6)
    assert repr(make(ss.nn)).startswith(type(make(torch.nn)).__name__)


def test_one_hot() -> None:
    found = F.one_hot(ss.tensor([[0, 2]]), 4)
    assert found.dtype == ss.int64
    assert found.tolist() == [[[1, 0, 0, 0], [0, 0, 1, 0]]]
    with pytest.raises(ValueError, match="one_hot: expected integers from 0 to 1, got 0 to 5"):
        F.one_hot(ss.tensor([0, 5]), 2)


def test_gumbel_softmax_draws_by_the_probabilities() -> None:
    ss.manual_seed(1)
    logits = ss.log(ss.tensor([[0.2, 0.8]])).expand(4000, 2).clone().requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    assert set(np.unique(hard.detach().round()).tolist()) == {0.0, 1.0}
    assert abs(hard[:, 1].mean().item() - 0.8) < 0.03
    hard[:, 1].sum().backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) > 0


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="glu: expected an even length along 1"):
        F.glu(ss.tensor(X), 1)
    with pytest.raises(ValueError, match="pad: expected pairs for at most 1 axes, got 3 numbers"):
        F.pad(ss.ones(2), (1, 1, 1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_bilinear_is_pytorchs(shape: tuple[int, ...], bias: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(*shape, 3)), rng.normal(size=(*shape, 4))
    ours = nn.Bilinear(3, 4, 2, bias).double()
    theirs = torch.nn.Bilinear(3, 4, 2, bias).double()
    ours.load_state_dict({k: ss.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    found, gradients = [], []
    for m, layer in ((ss, ours), (torch, theirs)):
        x, y = (m.tensor(v, requires_grad=True) for v in (a, b))
        result = layer(x, y)
        (result**2).sum().backward()
        found.append(result.detach().numpy())
        gradients.append([t.grad.numpy() for t in (x, y, *layer.parameters())])
    np.testing.assert_allclose(*found, rtol=1e-10)
    np.testing.assert_allclose(ss.compile(ours)(ss.tensor(a), ss.tensor(b)).numpy(), found[0])
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    assert repr(ours).startswith(repr(theirs)[:-1])


def test_bilinear_names_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="bilinear: expected inputs of shapes"):
        nn.Bilinear(3, 4, 2)(ss.ones(5, 3), ss.ones(5, 3))


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
def test_distances_of_pairs_are_pytorchs(p: float) -> None:
    torch = pytest.importorskip("torch")
    points, found = np.random.default_rng(1).normal(size=(6, 3)), []
    for m in (ss, torch):
        x = m.tensor(points, requires_grad=True)
        distances = m.nn.functional.pdist(x, p)
        (distances**2).sum().backward()
        found.append((distances.detach().numpy(), x.grad.numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    compiled = ss.compile(lambda x: nn.functional.pdist(x, p))(ss.tensor(points))
    np.testing.assert_allclose(compiled.numpy(), found[0][0], rtol=1e-12)
    with pytest.raises(ValueError, match="pdist: expected input of two axes"):
        nn.functional.pdist(ss.ones(3))
