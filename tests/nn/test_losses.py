"""Every loss: against PyTorch and central differences, in one table that must be complete."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

F = nn.functional


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def shares(*shape: int) -> np.ndarray:
    values = np.random.default_rng(sum(shape)).random(size=shape)
    return values / values.sum(axis=1, keepdims=True)


def log(x: np.ndarray) -> np.ndarray:
    return np.log(x)


@dataclass
class Sample:
    name: str
    x: np.ndarray
    y: np.ndarray
    options: dict[str, Any] = field(default_factory=dict)
    kinked: bool = False

    def __str__(self) -> str:
        shown = [f"{k}={np.shape(v) or v}" for k, v in self.options.items()]
        return f"{self.name}({','.join(shown)}){'x'.join(map(str, self.x.shape))}"


LOGITS = normal(6, 3) * 3
CLASSES = np.array([0, 2, 1, 1, 0, 2])
DEEP = normal(2, 3, 4)
DEEP_CLASSES = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
FACTORS = np.array([0.5, 2.0, 1.25])
IGNORED = np.array([0, -100, 1, -100, 0, 2])
EXTREME = np.array([[1e4, 0.0, -1e4], [-800.0, 800.0, 0.0], [0.0, 0.0, 0.0]])
ERRORS = np.array([[-5.0, -1.0, -0.4, 0.0], [0.3, 1.0, 1.2, 9.0]])
TARGETS = np.array([[0.0, 1.0, 0.3, 1.0], [0.0, 0.5, 1.0, 0.0]])
PROBABILITIES = np.array([[0.2, 0.9, 1e-9, 0.0], [1.0, 0.5, 0.999, 0.4]])
AWAY = np.array([[-5.0, -1.3, -0.4, 0.1], [0.3, 0.7, 1.2, 9.0]])  # from every kink
SIGNS = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]])
SEVERAL = np.array([[1, -1, 0], [-1, 1, 2], [0, 1, 2], [2, 0, -1], [1, 1, -1], [0, -1, -1]])
COUNTS = np.array([[0.0, 1.0, 2.0, 7.0], [3.0, 0.5, 1.5, 40.0]])

SAMPLES = [
    Sample("CrossEntropyLoss", LOGITS, CLASSES),
    Sample("CrossEntropyLoss", LOGITS[0], CLASSES[0]),
    Sample("CrossEntropyLoss", LOGITS, CLASSES.astype(np.int32)),
    Sample("CrossEntropyLoss", LOGITS, CLASSES, {"weight": FACTORS}),
    Sample("CrossEntropyLoss", LOGITS, CLASSES, {"label_smoothing": 0.1}),
    Sample("CrossEntropyLoss", LOGITS, CLASSES, {"weight": FACTORS, "label_smoothing": 0.3}),
    Sample("CrossEntropyLoss", LOGITS, IGNORED),
    Sample("CrossEntropyLoss", LOGITS, CLASSES, {"ignore_index": 2}),
    Sample("CrossEntropyLoss", LOGITS, IGNORED, {"weight": FACTORS, "label_smoothing": 0.3}),
    Sample("CrossEntropyLoss", LOGITS, shares(6, 3)),
    Sample("CrossEntropyLoss", LOGITS[0], shares(6, 3)[0]),
    Sample("CrossEntropyLoss", LOGITS, shares(6, 3), {"weight": FACTORS, "label_smoothing": 0.2}),
    Sample("CrossEntropyLoss", DEEP, DEEP_CLASSES, {"weight": FACTORS, "label_smoothing": 0.2}),
    Sample("CrossEntropyLoss", DEEP, shares(2, 3, 4), {"weight": FACTORS}),
    Sample("CrossEntropyLoss", EXTREME, np.array([0, 0, 1]), kinked=True),
    Sample("NLLLoss", log(shares(6, 3)), CLASSES),
    Sample("NLLLoss", log(shares(6, 3))[0], CLASSES[0]),
    Sample("NLLLoss", log(shares(6, 3)), IGNORED, {"weight": FACTORS}),
    Sample("NLLLoss", log(shares(2, 3, 4)), DEEP_CLASSES, {"weight": FACTORS}),
    Sample("BCEWithLogitsLoss", ERRORS, TARGETS),
    Sample("BCEWithLogitsLoss", ERRORS * 300, TARGETS, kinked=True),
    Sample("BCEWithLogitsLoss", ERRORS, TARGETS, {"pos_weight": np.array([1.0, 2.0, 0.5, 3.0])}),
    Sample("BCEWithLogitsLoss", ERRORS, TARGETS, {"weight": np.array([[2.0], [0.5]])}),
    Sample("BCELoss", PROBABILITIES, TARGETS, kinked=True),
    Sample("BCELoss", np.clip(PROBABILITIES, 0.1, 0.9), TARGETS, {"weight": FACTORS[:2, None]}),
    Sample("MSELoss", ERRORS, TARGETS),
    Sample("L1Loss", ERRORS, np.zeros((2, 4)), kinked=True),
    Sample("L1Loss", AWAY, np.zeros((2, 4))),
    Sample("HuberLoss", ERRORS, np.zeros((2, 4)), kinked=True),
    Sample("HuberLoss", AWAY, np.zeros((2, 4)), {"delta": 0.5}),
    Sample("SmoothL1Loss", ERRORS, np.zeros((2, 4)), kinked=True),
    Sample("SmoothL1Loss", AWAY, np.zeros((2, 4)), {"beta": 2.0}),
    Sample("SmoothL1Loss", AWAY, np.zeros((2, 4)), {"beta": 0.0}),
    Sample("KLDivLoss", log(shares(6, 3)), shares(3, 3, 3)[0][[0, 1, 2, 0, 1, 2]]),
    Sample("KLDivLoss", log(shares(6, 3)), np.eye(3)[CLASSES]),
    Sample("KLDivLoss", log(shares(6, 3)), log(shares(6, 3)) * 1.1, {"log_target": True}),
    Sample("HingeEmbeddingLoss", AWAY, SIGNS),
    Sample("HingeEmbeddingLoss", AWAY, SIGNS[:1], {"margin": 0.2}),
    Sample("HingeEmbeddingLoss", AWAY, SIGNS * 2),
    Sample("SoftMarginLoss", ERRORS, SIGNS),
    Sample("MultiMarginLoss", LOGITS, CLASSES),
    Sample("MultiMarginLoss", LOGITS[0], CLASSES[0]),
    Sample("MultiMarginLoss", LOGITS, CLASSES, {"p": 2, "margin": 0.3, "weight": FACTORS}),
    Sample("MultiLabelMarginLoss", LOGITS, SEVERAL),
    Sample("MultiLabelMarginLoss", LOGITS[0], SEVERAL[0]),
    Sample("MultiLabelSoftMarginLoss", ERRORS, TARGETS),
    Sample("MultiLabelSoftMarginLoss", LOGITS, np.eye(3)[CLASSES], {"weight": FACTORS}),
    Sample("MultiLabelSoftMarginLoss", LOGITS[0], np.eye(3)[0]),
    Sample("PoissonNLLLoss", ERRORS, COUNTS),
    Sample("PoissonNLLLoss", ERRORS, COUNTS, {"full": True}),
    Sample("PoissonNLLLoss", np.abs(AWAY), COUNTS[:1], {"log_input": False, "eps": 0.1}),
]

REDUCTIONS = ["mean", "sum", "none"]


def tensors(options: dict[str, Any], make: Any) -> dict[str, Any]:
    return {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


def build(sample: Sample, **more: Any) -> nn.Module:
    return getattr(nn, sample.name)(**tensors(sample.options, ss.tensor), **more)


def test_every_public_loss_has_a_sample():
    public = {name for name in nn.__all__ if name.endswith("Loss")}
    tested = {sample.name for sample in SAMPLES} | {make.name for make in OF_THREE}
    # In test_alignment.py, and below.
    assert public - tested - {"CTCLoss", "AdaptiveLogSoftmaxWithLoss"} == set()


class OfThree:
    def __init__(self, name: str, *args: Any, **options: Any) -> None:
        self.name, self.args, self.options = name, args, options

    def __call__(self, library: Any, reduction: str) -> Any:
        return getattr(library.nn, self.name)(*self.args, **self.options, reduction=reduction)


OF_THREE = [
    OfThree("MarginRankingLoss"),
    OfThree("MarginRankingLoss", 0.5),
    OfThree("CosineEmbeddingLoss"),
    OfThree("CosineEmbeddingLoss", margin=0.3),
    OfThree("TripletMarginLoss"),
    OfThree("TripletMarginLoss", 2.5, 1.0, swap=True),
    OfThree("TripletMarginWithDistanceLoss"),
    OfThree(
        "TripletMarginWithDistanceLoss",
        distance_function=lambda a, b: ((a - b) ** 2).sum(-1),
        margin=0.5,
        swap=True,
    ),
    OfThree("GaussianNLLLoss"),
    OfThree("GaussianNLLLoss", full=True, eps=0.7),
]
THIRD = {
    "MarginRankingLoss": np.sign(normal(5, 3)),
    "CosineEmbeddingLoss": np.array([1, -1, -1, 1, -1]),
    "TripletMarginLoss": normal(5, 3) * 0.5 + 0.1,
    "TripletMarginWithDistanceLoss": normal(5, 3) * 0.5 + 0.1,
    "GaussianNLLLoss": normal(5, 3) ** 2,
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("make", OF_THREE, ids=lambda m: f"{m.name}{m.args}{list(m.options)}")
def test_losses_of_three_tensors_equal_pytorchs(make: OfThree, reduction: str) -> None:
    torch = pytest.importorskip("torch")
    third = THIRD[make.name]
    x, y = normal(5, 3), normal(4, 4)[:, :3].repeat(2, 0)[:5]
    a, b = (ss.tensor(v, requires_grad=True) for v in (x, y))
    ta, tb = (torch.tensor(v, requires_grad=True) for v in (x, y))
    loss, expected = (
        make(ss, reduction)(a, b, ss.tensor(third)),
        make(torch, reduction)(ta, tb, torch.tensor(third)),
    )
    compiled = ss.compile(make(ss, reduction).__call__)(
        ss.tensor(x), ss.tensor(y), ss.tensor(third)
    )
    for found in (loss.detach(), compiled):
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-13)
    loss.sum().backward()
    expected.sum().backward()
    for ours, theirs in ((a, ta), (b, tb)):
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-8, atol=1e-13)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_value_and_gradient_equal_pytorchs(sample, reduction):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, sample.name)(
        **tensors(sample.options, torch.tensor), reduction=reduction
    )
    y = sample.y.astype(np.int64) if sample.y.dtype.kind == "i" else sample.y
    x_torch = torch.tensor(sample.x, requires_grad=True)
    expected = theirs(x_torch, torch.tensor(y))
    x = ss.tensor(sample.x, requires_grad=True)
    loss = build(sample, reduction=reduction)(x, ss.tensor(sample.y))
    np.testing.assert_allclose(loss.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-13)
    expected.sum().backward()
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), x_torch.grad.numpy(), rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_compiled_ones_are_the_same(sample):
    def value_and_gradient(x, y):
        x = x.detach().requires_grad_()
        loss = build(sample)(x, y)
        loss.backward()
        return loss, x.grad

    x, y = ss.tensor(sample.x), ss.tensor(sample.y)
    for found, expected in zip(
        ss.compile(value_and_gradient)(x, y), value_and_gradient(x, y), strict=True
    ):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("shape", [(5, 3), (5, 1), (5,), ()], ids=str)
def test_variances_are_broadcast_as_in_pytorch(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    x, y, var = normal(5, 3), normal(5, 1), np.abs(normal(*shape, 1)[..., 0]) + 0.1
    found, gradients = [], []
    for library in (ss, torch):
        variance = library.tensor(np.asarray(var), requires_grad=True)
        given = variance if shape else float(var)
        loss = library.nn.functional.gaussian_nll_loss(
            library.tensor(x), library.tensor(y), given, reduction="none"
        )
        found.append(loss.detach().numpy())
        if shape:
            loss.sum().backward()
            gradients.append(variance.grad.numpy())
    np.testing.assert_allclose(*found, rtol=1e-12)
    if shape:
        np.testing.assert_allclose(*gradients, rtol=1e-12)


def test_targets_of_rankings_are_broadcast_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    found = [
        m.nn.functional.margin_ranking_loss(
            m.tensor(normal(5, 1)), m.tensor(normal(1, 3)), m.tensor([[-1.0]]).double(), 0.2
        ).item()
        for m in (ss, torch)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if not s.kinked], ids=str)
def test_gradients_equal_central_differences(sample):
    loss = build(sample)
    ss.check_gradients(lambda x: loss(x, ss.tensor(sample.y)), ss.tensor(sample.x), order=2)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", "KLDivLoss"])
def test_gradients_of_soft_targets_equal_central_differences(name):
    loss = getattr(nn, name)()
    ss.check_gradients(loss, ss.tensor(LOGITS), ss.tensor(shares(6, 3)), order=2)


def test_tied_logits_have_exact_second_derivatives():
    # With equal logits every subtraction of a maximum is at its kink.
    x = ss.tensor(np.zeros((2, 3)))
    ss.check_gradients(lambda x: F.cross_entropy(x, ss.tensor([0, 2])), x, order=3)
    zeros = ss.tensor(np.zeros(4))
    target = ss.tensor(np.array([0.0, 1.0, 0.5, 1.0]))
    ss.check_gradients(lambda x: F.binary_cross_entropy_with_logits(x, target), zeros, order=3)
    ss.check_gradients(lambda x: F.huber_loss(x, ss.tensor(np.zeros(4))), zeros, order=2)


def test_extreme_logits_in_float32():
    x = ss.tensor(np.array([[1e4, 0.0], [-1e30, 1e30], [100.0, -100.0]], np.float32))
    x.requires_grad_()
    loss = F.cross_entropy(x, ss.tensor([1, 1, 0]), reduction="none")
    assert loss.tolist() == [1e4, 0.0, 0.0]
    loss.sum().backward()
    assert x.grad.tolist() == [[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]
    x = ss.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
    y = ss.tensor([0.0, 1.0, 1.0, 0.0])
    loss = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    assert loss.tolist() == [0.0, 0.0, 1e4, 1e4]
    loss.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, -1.0, 1.0]


def test_small_losses_keep_their_digits():
    x = ss.tensor(np.array([30.0, -30.0], np.float32))
    y = ss.tensor([1.0, 0.0])
    small = F.binary_cross_entropy_with_logits(x, y, reduction="none").numpy()
    np.testing.assert_allclose(small, np.log1p(np.exp(-30.0)), rtol=1e-6)


def test_masked_logits_of_minus_infinity():
    x = ss.tensor(np.array([[0.0, -np.inf, 0.0]]), requires_grad=True)
    loss = F.cross_entropy(x, ss.tensor([0]))
    assert loss.item() == pytest.approx(np.log(2))
    loss.backward()
    assert x.grad.tolist() == [[-0.5, 0.0, 0.5]]


def test_all_ignored_is_not_a_number_as_in_pytorch():
    x = ss.tensor(LOGITS)
    with np.errstate(invalid="ignore"):
        loss = F.cross_entropy(x, ss.tensor(np.full(6, -100)))
    assert np.isnan(loss.item())


def test_element_weights_equal_pytorchs():
    torch = pytest.importorskip("torch")
    x, y, w = ERRORS, TARGETS, np.abs(AWAY)
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        ours = getattr(F, name)(ss.tensor(x), ss.tensor(y), weight=ss.tensor(w))
        theirs = getattr(torch.nn.functional, name)(
            torch.tensor(x), torch.tensor(y), weight=torch.tensor(w)
        )
        assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)


def test_integer_targets_of_regression_take_the_inputs_dtype():
    loss = F.mse_loss(ss.tensor([1.0, 2.0]), ss.tensor([1, 4]))
    assert loss.item() == 2.0
    assert loss.dtype == np.float32


def test_class_weights_are_state_and_follow_the_dtype():
    loss = nn.CrossEntropyLoss(weight=ss.tensor(FACTORS)).float()
    assert loss.weight.dtype == np.float32
    assert list(loss.state_dict()) == ["weight"]


X = ss.tensor(LOGITS.astype(np.float32))
MISTAKES = [
    (
        lambda: F.cross_entropy(X, [0, 1, 2, 0, 1, 2]),
        TypeError,
        "cross_entropy: expected target to be a tensor, got list; use schuss.tensor(target).",
    ),
    (lambda: F.mse_loss(X, np.ones((6, 3))), TypeError, "mse_loss: expected target to be a tensor"),
    (
        lambda: nn.CrossEntropyLoss(weight=[1.0, 2.0]),
        TypeError,
        "CrossEntropyLoss: expected a Tensor or None for buffer 'weight', got list",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor([0, 1, 2, 3, 0, 0])),
        IndexError,
        "cross_entropy: expected target from 0 to 2, got 3 at target[3]; give the network as "
        "many outputs (or rows) as there are classes, counted from 0.",
    ),
    (lambda: F.cross_entropy(X, ss.tensor([0, 1, 2, -1, 0, 0])), IndexError, "got -1 at target[3]"),
    (
        lambda: F.cross_entropy(X, ss.tensor([0, 1])),
        ValueError,
        "cross_entropy: expected target of shape (6,) for input of shape (6, 3), got (2,)",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor(CLASSES).reshape(6, 1)),
        ValueError,
        "got (6, 1); use target.reshape(6).",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor([0.0, 1.0, 2.0, 0.0, 1.0, 2.0])),
        ValueError,
        "expected target of shape (6, 3) like the input, got (6,)",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor(np.eye(3, dtype=np.int64)[CLASSES])),
        ValueError,
        "make one-hot rows floats",
    ),
    (
        lambda: F.cross_entropy(ss.tensor([[1, 2]]), ss.tensor([0])),
        TypeError,
        "cross_entropy: expected input of dtype float32 or float64, got int64",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor(CLASSES), ss.tensor([1.0, 2.0])),
        ValueError,
        "cross_entropy: expected weight of shape (3,), got (2,); give one factor a class.",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor(CLASSES), label_smoothing=1.5),
        ValueError,
        "expected label_smoothing from 0 to 1, got 1.5",
    ),
    (
        lambda: F.cross_entropy(X, ss.tensor(CLASSES), reduction="average"),
        ValueError,
        "expected reduction to be one of 'none', 'mean', 'sum', got 'average'",
    ),
    (
        lambda: F.nll_loss(X, ss.tensor(np.array([True] * 6))),
        TypeError,
        "nll_loss: expected target of dtype int64 or int32, got bool",
    ),
    (
        lambda: F.mse_loss(ss.ones((4, 2)), ss.ones((4,))),
        ValueError,
        "mse_loss: expected target of shape (4, 2) like the input, got (4,); give both the same",
    ),
    (
        lambda: F.mse_loss(ss.ones((4,)), ss.ones((4,), dtype=ss.float64)),
        TypeError,
        "mse_loss: expected target of dtype float32",
    ),
    (
        lambda: F.binary_cross_entropy(ss.tensor([1.5]), ss.tensor([1.0])),
        ValueError,
        "binary_cross_entropy: expected input from 0 to 1, got values from 1.5 to 1.5",
    ),
    (lambda: F.huber_loss(X, X, delta=0.0), ValueError, "expected delta above 0, got 0.0"),
    (lambda: F.smooth_l1_loss(X, X, beta=-1.0), ValueError, "expected beta >= 0, got -1.0"),
    (
        lambda: F.gaussian_nll_loss(X, X, ss.tensor([-1.0])),
        ValueError,
        "gaussian_nll_loss: expected var of the input's shape (6, 3), without its last axis",
    ),
    (
        lambda: F.gaussian_nll_loss(X, X, -X * X),
        ValueError,
        "gaussian_nll_loss: expected var to be at least 0, got -",
    ),
    (lambda: F.gaussian_nll_loss(X, X, 1.0, eps=0.0), ValueError, "expected eps above 0, got 0.0"),
    (
        lambda: F.poisson_nll_loss(X, ss.ones((5, 3))),
        ValueError,
        "expected shapes that can be broadcast, got input (6, 3), target (5, 3).",
    ),
    (
        lambda: F.multi_margin_loss(X, ss.tensor([0, 1])),
        ValueError,
        "expected input of shape (batch, classes) and target (batch,), got (6, 3) and (2,)",
    ),
    (lambda: F.multi_margin_loss(X, ss.tensor(CLASSES), p=3), ValueError, "p to be 1 or 2, got 3"),
    (
        lambda: F.multilabel_margin_loss(X, ss.tensor(SEVERAL + 1)),
        IndexError,
        "multilabel_margin_loss: expected target from 0 to 2, got 3 at target[1, 2]",
    ),
    (
        lambda: F.triplet_margin_with_distance_loss(X, X, X, margin=0.0),
        ValueError,
        "expected margin above 0, got 0.0",
    ),
    (lambda: nn.MSELoss(reduction="batchmean"), ValueError, "MSELoss: expected reduction"),
]


@pytest.mark.parametrize(("call", "kind", "text"), MISTAKES)
def test_mistakes_are_named(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)


def test_losses_of_three_tensors_name_shapes_that_do_not_go_together():
    x, column = ss.ones((4, 3)), ss.ones((4, 1))
    with pytest.raises(ValueError, match="margin_ranking_loss: expected"):
        F.margin_ranking_loss(column, column, ss.ones(4))
    with pytest.raises(ValueError, match=r"expected target of shape \(4,\), .* got \(4, 1\)"):
        F.cosine_embedding_loss(x, x, column)
    with pytest.raises(ValueError, match="triplet_margin_loss: expected"):
        F.triplet_margin_loss(x, x, column)


def test_a_negative_probability_has_no_divergence() -> None:
    torch = pytest.importorskip("torch")
    x, y = [-0.5, -1.0, -2.0], [0.3, -0.2, 0.0]
    found = ss.nn.functional.kl_div(ss.tensor(x), ss.tensor(y), reduction="none")
    wanted = torch.nn.functional.kl_div(torch.tensor(x), torch.tensor(y), reduction="none")
    np.testing.assert_allclose(found, wanted.numpy(), 1e-6)
    assert np.isnan(found.numpy()[1])


@pytest.mark.parametrize("averaged", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
def test_size_average_and_reduce_mean_what_they_did(averaged: Any, reduce: Any) -> None:
    torch = pytest.importorskip("torch")
    given = {"size_average": averaged, "reduce": reduce}
    found = []
    for m in (ss, torch):
        x, y = m.tensor(LOGITS), m.tensor(CLASSES)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            losses = [
                m.nn.CrossEntropyLoss(**given)(x, y),
                m.nn.functional.mse_loss(x, x * 2, **given),
                m.nn.functional.binary_cross_entropy(m.sigmoid(x), m.ones_like(x), **given),
                m.nn.SmoothL1Loss(**given)(x, x * 3),
            ]
        assert bool(caught) == (averaged is not None or reduce is not None)
        found.append([loss.numpy() for loss in losses])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_other_shapes_are_broadcast_with_pytorchs_warning(name: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    x, y = np.random.default_rng(0).normal(size=(4, 1)), np.random.default_rng(1).normal(size=4)
    loss = getattr(F, name)
    run = ss.compile(lambda x, y: loss(x, y)) if compiled else loss
    with pytest.warns(UserWarning, match="target size") as caught:
        found = run(ss.tensor(x), ss.tensor(y))
    with pytest.warns(UserWarning, match="target size") as expected:
        wanted = getattr(torch.nn.functional, name)(torch.tensor(x), torch.tensor(y))
    assert [str(w.message) for w in caught] == [str(w.message) for w in expected]
    assert compiled or caught[0].filename == __file__
    np.testing.assert_allclose(found.item(), wanted.item(), rtol=1e-12)


@pytest.mark.parametrize("batch", [(), (7,)])
def test_adaptive_log_softmax_equals_pytorchs(batch: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    options = {"cutoffs": [3, 6, 10], "div_value": 2.0, "head_bias": True}
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 12, **options).double()
    ours = nn.AdaptiveLogSoftmaxWithLoss(16, 12, **options).double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(*batch, 16)), rng.integers(0, 12, batch)
    given = ss.tensor(x, requires_grad=True)
    other = torch.tensor(x, requires_grad=True)
    found, expected = ours(given, ss.tensor(target)), theirs(other, torch.tensor(target))
    np.testing.assert_allclose(found.output.detach(), expected.output.detach(), rtol=1e-10)
    np.testing.assert_allclose(found.loss.item(), expected.loss.item(), rtol=1e-10)
    found.loss.backward()
    expected.loss.backward()
    np.testing.assert_allclose(given.grad, other.grad, rtol=1e-9, atol=1e-14)
    rows = given.detach().reshape(-1, 16)
    same = theirs.log_prob(torch.tensor(rows.numpy()))
    np.testing.assert_allclose(ours.log_prob(rows).detach(), same.detach(), rtol=1e-10)
    assert ours.predict(rows).tolist() == theirs.predict(torch.tensor(rows.numpy())).tolist()


def test_mistakes_of_adaptive_log_softmax() -> None:
    with pytest.raises(ValueError, match=r"expected rising cutoffs above 0 and below 10, got"):
        nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5, 5])
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 5], div_value=2.0)
    with pytest.raises(IndexError, match="expected target from 0 to 9, got 10"):
        layer(ss.ones((2, 8)), ss.tensor([0, 10]))
    with pytest.raises(ValueError, match=r"got \(2, 8\) and \(3,\)"):
        layer(ss.ones((2, 8)), ss.tensor([0, 1, 2]))
