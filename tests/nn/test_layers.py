"""Every layer: against PyTorch and central differences, in one table that must be complete."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


# Zero, and the places where activations bend, are among the values.
BENDS = np.array([[-30.0, -3.5, -3.0, -1.0, -0.3], [0.3, 1.0, 3.0, 3.7, 30.0], [0, 0, 6, 20, -6]])
SMOOTH = np.array([[-30.0, -3.5, -2.9, -1.1, -0.3], [0.3, 1.1, 2.9, 3.7, 7.0]])


@dataclass
class Sample:
    name: str
    x: np.ndarray
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    training: bool = True
    differences: np.ndarray | None = None  # another input where x lies on a kink
    random: bool = False

    def __str__(self) -> str:
        shown = [str(a) for a in self.args] + [f"{k}={v}" for k, v in self.options.items()]
        mode = "" if self.training else ",eval"
        return f"{self.name}({','.join(shown)}){'x'.join(map(str, self.x.shape))}{mode}"


def activation(name: str, *args: Any, **options: Any) -> Sample:
    return Sample(name, BENDS, args, options, differences=SMOOTH)


SAMPLES = [
    Sample("Linear", normal(5, 4), (4, 3)),
    Sample("Linear", normal(4), (4, 3), {"bias": False}),
    Sample("Linear", normal(2, 3, 4), (4, 1)),
    Sample("Identity", normal(2, 3)),
    Sample("Flatten", normal(2, 3, 4)),
    Sample("Flatten", normal(2, 3, 4), (0, 1)),
    Sample("Unflatten", normal(2, 6), (1, (2, 3))),
    Sample("Dropout", normal(2, 3), (0.5,), training=False),
    Sample("Dropout", normal(2, 3), (0.5,), random=True),
    Sample("LayerNorm", normal(5, 4), (4,)),
    Sample("LayerNorm", normal(5, 2, 3), ((2, 3),), {"eps": 1e-3}),
    Sample("LayerNorm", normal(5, 4) * 0.1 + 10, (4,), {"bias": False}),
    Sample("LayerNorm", normal(5, 4), (4,), {"elementwise_affine": False}),
    Sample("RMSNorm", normal(5, 4), (4,)),
    Sample("RMSNorm", normal(5, 2, 3), ((2, 3),), {"eps": 1e-3, "elementwise_affine": False}),
    Sample("GroupNorm", normal(5, 4), (2, 4)),
    Sample("GroupNorm", normal(5, 6, 3), (3, 6), {"eps": 1e-3}),
    Sample("GroupNorm", normal(2, 4, 3, 2), (4, 4), {"affine": False}),
    Sample("BatchNorm1d", normal(5, 4), (4,)),
    Sample("BatchNorm1d", normal(5, 4, 3), (4,), {"momentum": None}),
    Sample("BatchNorm1d", normal(5, 4), (4,), {"affine": False}),
    Sample("BatchNorm1d", normal(5, 4), (4,), {"track_running_stats": False}),
    Sample("BatchNorm1d", normal(5, 4), (4,), training=False),
    Sample("BatchNorm1d", normal(5, 4, 2), (4,), {"eps": 1e-3}, training=False),
    Sample("BatchNorm1d", normal(5, 4), (4,), {"track_running_stats": False}, training=False),
    Sample("Conv1d", normal(2, 3, 7), (3, 4, 3), {"padding": 1, "stride": 2}),
    Sample("Conv1d", normal(3, 7), (3, 4, 4), {"padding": "same", "dilation": 2, "bias": False}),
    Sample("Conv1d", normal(2, 2, 6), (2, 3, 3), {"padding": 2, "padding_mode": "circular"}),
    Sample("Conv2d", normal(2, 3, 5, 6), (3, 4, 3)),
    Sample("Conv2d", normal(2, 4, 5, 6), (4, 6, (2, 3)), {"stride": (1, 2), "groups": 2}),
    Sample("Conv2d", normal(2, 3, 5, 5), (3, 3, 3), {"padding": 1, "groups": 3}),
    Sample("Conv2d", normal(2, 3, 5, 6), (3, 4, 1), {"bias": False}),
    Sample("Conv2d", normal(2, 3, 5, 6), (3, 4, 1), {"stride": 2}),
    Sample("Conv2d", normal(3, 5, 6), (3, 2, 3), {"padding": (1, 2), "padding_mode": "reflect"}),
    Sample(
        "Conv2d", normal(1, 2, 4, 4), (2, 2, 2), {"padding": "same", "padding_mode": "replicate"}
    ),
    Sample("Conv3d", normal(2, 2, 3, 4, 3), (2, 3, 2), {"padding": 1, "stride": (1, 2, 1)}),
    Sample("ConvTranspose1d", normal(2, 3, 5), (3, 4, 4), {"stride": 3, "output_padding": 2}),
    Sample(
        "ConvTranspose2d", normal(2, 4, 3, 4), (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}
    ),
    Sample("ConvTranspose2d", normal(4, 3, 4), (4, 2, 2), {"dilation": 3, "output_padding": 2}),
    Sample("ConvTranspose3d", normal(1, 2, 2, 3, 2), (2, 3, 2), {"stride": 2, "bias": False}),
    Sample("MaxPool1d", normal(2, 3, 7), (3,), {"stride": 2, "padding": 1}),
    Sample("MaxPool2d", normal(2, 3, 5, 6), (2,)),
    Sample(
        "MaxPool2d", normal(3, 5, 6), ((2, 3),), {"stride": 2, "dilation": 2, "ceil_mode": True}
    ),
    Sample("MaxPool3d", normal(2, 2, 4, 5, 4), (2,), {"padding": 1}),
    Sample("AvgPool1d", normal(2, 3, 7), (3,), {"stride": 2, "padding": 1}),
    Sample("AvgPool2d", normal(2, 3, 5, 6), (2,)),
    Sample(
        "AvgPool2d", normal(2, 3, 5, 6), (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}
    ),
    Sample("AvgPool2d", normal(3, 5, 6), (2,), {"divisor_override": 3}),
    Sample("AvgPool3d", normal(2, 2, 4, 5, 4), (2,), {"padding": 1, "ceil_mode": True}),
    *[
        Sample(f"Adaptive{kind}Pool{d}d", normal(2, 3, *(6, 5, 4)[:d]), (out,))
        for kind in ("Avg", "Max")
        for d in (1, 2, 3)
        for out in (1, 2, 4)
    ],
    Sample("AdaptiveAvgPool2d", normal(3, 5, 6), ((None, 4),)),
    Sample("BatchNorm2d", normal(3, 4, 2, 3), (4,)),
    Sample("BatchNorm2d", normal(3, 4, 2, 3), (4,), {"affine": False}, training=False),
    Sample("BatchNorm3d", normal(2, 3, 2, 1, 2), (3,), {"momentum": None}),
    Sample("InstanceNorm1d", normal(2, 3, 5), (3,)),
    Sample("InstanceNorm1d", normal(3, 5), (3,), {"affine": True}),
    Sample("InstanceNorm2d", normal(2, 3, 2, 3), (3,), {"track_running_stats": True}),
    Sample("InstanceNorm2d", normal(2, 3, 2, 3), (3,), {"affine": True}, training=False),
    Sample(
        "InstanceNorm3d",
        normal(2, 3, 2, 1, 2),
        (3,),
        {"track_running_stats": True, "affine": True, "momentum": 0.3},
        training=False,
    ),
    Sample("LocalResponseNorm", normal(2, 5, 4), (3,), {"alpha": 0.5}),
    Sample("RReLU", normal(2, 3), (0.1, 0.4), random=True),
    Sample("RReLU", normal(2, 3), (0.1, 0.4), training=False),
    Sample("LocalResponseNorm", normal(2, 5, 4, 2), (4, 0.5, 0.6, 2.0)),
    Sample("Softmax2d", normal(2, 3, 2, 2)),
    *[
        Sample(f"{kind}Pad{d}d", normal(2, 2, *(4, 5, 3)[:d]), (pad,), options)
        for kind, options in (
            ("Zero", {}),
            ("Constant", {"value": 0.5}),
            ("Reflection", {}),
            ("Replication", {}),
            ("Circular", {}),
        )
        for d in (1, 2, 3)
        for pad in (1, (2, 1, 0, 1, 1, 2)[: 2 * d])
    ],
    Sample("ZeroPad2d", normal(2, 4, 5), ((-1, 2, 1, -2),)),
    *[
        Sample(name, normal(2, 3, *(4, 5, 6)[:d]), (0.5,), {}, **mode)
        for name, d in (
            ("Dropout1d", 1),
            ("Dropout2d", 2),
            ("Dropout3d", 3),
            ("AlphaDropout", 1),
            ("FeatureAlphaDropout", 2),
        )
        for mode in ({"training": False}, {"random": True})
    ],
    Sample("PixelShuffle", normal(2, 8, 2, 3), (2,)),
    Sample("PixelUnshuffle", normal(2, 4, 6), (2,)),
    Sample("ChannelShuffle", normal(2, 6, 2), (3,)),
    Sample("Unfold", normal(2, 3, 5, 6), ((2, 3),), {"padding": 1, "stride": (1, 2)}),
    Sample("Unfold", normal(3, 5, 6), (2,), {"dilation": 2}),
    Sample("Fold", normal(2, 12, 12), ((4, 5), 2)),
    Sample("Fold", normal(12, 12), ((5, 7), 2), {"padding": 1, "stride": 2, "dilation": 2}),
    Sample("Upsample", normal(2, 3, 4), (7,)),
    Sample("Upsample", normal(2, 3, 4, 5), (), {"scale_factor": 2, "mode": "bilinear"}),
    Sample("Upsample", normal(2, 3, 4, 5), (), {"scale_factor": (1.6, 0.7), "mode": "bicubic"}),
    Sample("UpsamplingNearest2d", normal(2, 3, 4, 5), (), {"scale_factor": 3}),
    Sample("UpsamplingBilinear2d", normal(2, 3, 4, 5), ((7, 3),)),
    *[
        Sample(f"LPPool{d}d", 0.5 + abs(normal(2, 3, *(5, 6, 4)[:d])), (p, 2), options)
        for d in (1, 2, 3)
        for p, options in ((2, {}), (3.0, {"stride": 1, "ceil_mode": True}))
    ],
    Sample("Embedding", np.array([[0, 2, 2], [5, 1, 0]]), (6, 3)),
    Sample("Embedding", np.array([[0, 2, 2], [5, 1, 0]]), (6, 3), {"padding_idx": 2}),
    Sample("Embedding", np.array(4), (6, 3), {"padding_idx": -1}),
    Sample("EmbeddingBag", np.array([[0, 2, 2], [5, 1, 0]]), (6, 3)),
    Sample("EmbeddingBag", np.array([[0, 2, 2], [5, 1, 0]]), (6, 3), {"mode": "sum"}),
    Sample("EmbeddingBag", np.array([[0, 2, 2], [5, 1, 0]]), (6, 3), {"mode": "max"}),
    activation("ReLU"),
    activation("ReLU6"),
    activation("LeakyReLU"),
    activation("LeakyReLU", 0.3),
    activation("PReLU"),
    Sample("PReLU", normal(3, 4), (4,), {"init": 0.1}),
    Sample("PReLU", normal(3, 4, 2), (4,)),
    activation("ELU"),
    activation("ELU", 0.5),
    activation("SELU"),
    activation("CELU"),
    activation("CELU", 2.0),
    activation("GELU"),
    activation("GELU", approximate="tanh"),
    activation("SiLU"),
    activation("Mish"),
    activation("Sigmoid"),
    activation("LogSigmoid"),
    activation("Tanh"),
    activation("Hardtanh"),
    activation("Hardtanh", -3.0, 1.0),
    activation("Hardswish"),
    activation("Hardsigmoid"),
    activation("Softplus"),
    activation("Softplus", 2.0, 5.0),
    activation("Softsign"),
    activation("Softmax", dim=1),
    activation("Softmax", dim=0),
    activation("Softmin", dim=1),
    activation("LogSoftmax", dim=1),
    activation("Threshold", 1.5, -2.0),
    activation("Hardshrink"),
    activation("Hardshrink", 3.0),
    activation("Softshrink"),
    activation("Softshrink", 3.0),
    activation("Tanhshrink"),
    Sample("GLU", normal(2, 6)),
    Sample("GLU", normal(2, 4, 3), (1,)),
]

NOT_LAYERS = {
    "CompiledModule",
    "Module",
    "DataParallel",
    "ModuleDict",
    "ModuleList",
    "Sequential",
    "Parameter",
}
NOT_LAYERS |= {"MultiheadAttention", "Transformer"}  # test_attention.py
NOT_LAYERS |= {f"Transformer{kind}coder{of}" for kind in ("En", "De") for of in ("", "Layer")}
NOT_LAYERS |= {"ParameterDict", "ParameterList"}  # files of their own
NOT_LAYERS |= {"Bilinear", "CosineSimilarity", "PairwiseDistance"}  # of two: test_vectors.py
NOT_LAYERS |= {"MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"}  # of indices: test_pictures.py
NOT_LAYERS |= {"GRU", "LSTM", "RNN", "RNNBase"}  # of sequences: test_recurrent.py
NOT_LAYERS |= {name for name in nn.__all__ if name.startswith("Lazy")}  # test_lazy.py
NOT_LAYERS |= {"AdaptiveLogSoftmaxWithLoss", "UninitializedParameter"}  # test_losses.py
NOT_LAYERS |= {"GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"}


def build(sample: Sample) -> nn.Module:
    ss.manual_seed(3)
    module = getattr(nn, sample.name)(*sample.args, **sample.options).double()
    rng = np.random.default_rng(7)
    for parameter in module.parameters():
        if sample.name != "PReLU":
            parameter.assign(parameter.array + 0.3 * rng.normal(size=parameter.shape))
    for name, buffer in module.named_buffers():
        if name.startswith("running"):
            buffer.assign(buffer.array + 0.2 + 0.1 * rng.random(size=buffer.shape))
    return module.train(sample.training)


def is_index(sample: Sample) -> bool:
    return sample.x.dtype.kind == "i"


def public_layers() -> set[str]:
    found = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    return {name for name in found if not name.endswith("Loss")} - NOT_LAYERS


def test_every_public_layer_has_a_sample():
    assert public_layers() - {sample.name for sample in SAMPLES} == set()


@pytest.mark.parametrize("sample", [s for s in SAMPLES if not s.random], ids=str)
def test_output_gradients_and_state_equal_pytorchs(sample):
    torch = pytest.importorskip("torch")
    ours = build(sample)
    theirs = getattr(torch.nn, sample.name)(*sample.args, **sample.options).double()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    theirs.train(sample.training)
    x = ss.tensor(sample.x, requires_grad=not is_index(sample))
    x_torch = torch.tensor(sample.x, requires_grad=not is_index(sample))
    for _ in range(2):  # twice: running figures and accumulated gradients
        y, y_torch = ours(x), theirs(x_torch)
        weights = np.random.default_rng(1).normal(size=y.shape)
        np.testing.assert_allclose(y.numpy(), y_torch.detach().numpy(), rtol=1e-9, atol=1e-12)
        if y.requires_grad:
            (y * ss.tensor(weights)).sum().backward()
            (y_torch * torch.tensor(weights)).sum().backward()
    if not is_index(sample):
        np.testing.assert_allclose(x.grad.numpy(), x_torch.grad.numpy(), rtol=1e-7, atol=1e-12)
    expected = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(expected)
    for name, parameter in ours.named_parameters():
        wanted = expected[name].grad.numpy()
        np.testing.assert_allclose(parameter.grad.numpy(), wanted, rtol=1e-7, atol=1e-12)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy(), rtol=1e-12)
        assert ours.state_dict()[name].dtype == value.numpy().dtype


# The padding row's gradient is left out on purpose, which differences cannot know.
EXACT = [s for s in SAMPLES if not s.random and "padding_idx" not in s.options]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sample", EXACT, ids=str)
def test_gradients_equal_central_differences(sample, order):
    module = build(sample)
    point = sample.x if sample.differences is None else sample.differences
    names = [name for name, _ in module.named_parameters()]
    values = [ss.tensor(p.numpy()) for p in module.parameters()]
    start = module.state_dict()

    def output(*inputs):
        # Running figures move with every call; each starts from the same ones.
        module.load_state_dict(start)
        x = ss.tensor(point) if is_index(sample) else inputs[0]
        given = inputs if is_index(sample) else inputs[1:]
        return nn.functional_call(module, dict(zip(names, given, strict=True)), x)

    inputs = values if is_index(sample) else [ss.tensor(point), *values]
    if sample.name == "PReLU":  # bends at 0 of the input only
        inputs[0] = ss.tensor(np.where(abs(point) < 0.05, 0.5, point))
    ss.check_gradients(output, *inputs, order=order)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_float32_stays_float32(sample):
    module = build(sample).float()
    x = ss.tensor(sample.x if is_index(sample) else sample.x.astype(np.float32))
    y = module(x)
    assert y.dtype == np.float32
    assert np.isfinite(y.numpy()).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "name", ["Sigmoid", "LogSigmoid", "Tanh", "Softplus", "GELU", "SiLU", "Mish", "ELU", "SELU"]
)
@pytest.mark.parametrize("value", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_extreme_inputs_give_finite_values_and_derivatives(name, value):
    x = ss.tensor(np.array([value], np.float32), requires_grad=True)
    y = getattr(nn, name)()(x)
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    ("name", "first", "second"), [("Softplus", 0.5, 0.25), ("LogSigmoid", 0.5, -0.25)]
)
def test_smooth_functions_are_smooth_at_zero(name, first, second):
    layer = getattr(nn, name)()
    slope = ss.grad(lambda x: layer(x).sum())
    zero = ss.tensor(np.zeros(1))
    assert slope(zero).item() == first
    assert ss.grad(lambda x: slope(x).sum())(zero).item() == second


def test_dropout_keeps_the_mean_and_draws_anew():
    ss.manual_seed(0)
    layer = nn.Dropout(0.25)
    x = ss.ones((100, 100))
    first, second = layer(x).numpy(), layer(x).numpy()
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((first == 0).mean() - 0.25) < 0.02
    assert (first != second).any()
    ss.manual_seed(0)
    assert (layer(x).numpy() == first).all()
    assert (nn.Dropout(1.0)(x).numpy() == 0).all()


def test_dropouts_gradient_is_its_mask():
    layer = nn.Dropout(0.5)
    x = ss.tensor(normal(4, 5), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.numpy() / x.numpy(), rtol=1e-12)


def test_batch_norm_without_momentum_keeps_the_mean_over_batches():
    layer = nn.BatchNorm1d(2, momentum=None).double()
    batches = [normal(5, 2), normal(6, 2), normal(7, 2)]
    for batch in batches:
        layer(ss.tensor(batch))
    expected = np.mean([b.mean(0) for b in batches], axis=0)
    np.testing.assert_allclose(layer.running_mean.numpy(), expected, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3


def test_padding_row_gets_no_gradient():
    layer = nn.Embedding(3, 2, padding_idx=1)
    layer(ss.tensor([0, 1, 1])).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_long_rows_that_are_looked_up_are_shrunk(norm_type: float, compiled: bool):
    layer = nn.Embedding(4, 3, max_norm=1.0, norm_type=norm_type).double()
    rows = np.array([[2.0, 0.0, -1.0], [3.0, 3.0, 3.0], [0.1, 0.2, 0.0], [0.0, 0.0, 0.0]])
    layer.weight.assign(rows)
    length = np.linalg.norm(rows[0], norm_type)
    look_up = ss.compile(layer) if compiled else layer
    found = look_up(ss.tensor([[0, 2], [3, 0]]))
    # The long row that nobody asks for stays as it is.
    expected = np.array([rows[0] / (length + 1e-7), *rows[1:]])
    np.testing.assert_allclose(layer.weight.numpy(), expected, rtol=1e-15)
    np.testing.assert_allclose(found.numpy(), expected[[[0, 2], [3, 0]]], rtol=1e-15)
    if not compiled:
        found.sum().backward()
        assert layer.weight.grad.tolist() == [[2] * 3, [0] * 3, [1] * 3, [1] * 3]
    assert repr(layer).startswith("Embedding(4, 3, max_norm=1.0)")


MISTAKES = [
    (
        lambda: nn.Linear(784, 10)(ss.ones((32, 28, 28))),
        ValueError,
        "Linear: expected x of shape (..., 784), got (32, 28, 28); flatten it first.",
    ),
    (
        lambda: nn.Linear(4, 1)(ss.ones((4, 3))),
        ValueError,
        "Linear: expected x of shape (..., 4), got (4, 3); the last two axes look exchanged, "
        "transpose it.",
    ),
    (
        lambda: nn.Linear(1, 1)(ss.ones((32, 5))),
        ValueError,
        "Linear: expected x of shape (..., 1), got (32, 5); add an axis of length 1 with "
        "x.unsqueeze(-1).",
    ),
    (
        lambda: nn.Linear(2, 1)(ss.ones((2,), dtype=ss.float64)),
        TypeError,
        "Linear: expected x of dtype float32 like the weights, got float64; convert it with "
        "x.astype(schuss.float32) or the network with model.astype(schuss.float64).",
    ),
    (lambda: nn.Linear(0, -1), ValueError, "in_features >= 1, got 0; out_features >= 1, got -1."),
    (lambda: nn.Linear(2.5, 1), TypeError, "in_features to be a whole number, got 2.5"),
    (
        lambda: nn.Linear(2, 1)([[1.0, 2.0]]),
        TypeError,
        "Linear: expected x to be a tensor, got list; use schuss.tensor(x).",
    ),
    (lambda: nn.LayerNorm(2)(np.ones((1, 2))), TypeError, "LayerNorm: expected x to be a tensor"),
    (lambda: nn.BatchNorm1d(0), ValueError, "BatchNorm1d: expected num_features >= 1, got 0"),
    (lambda: nn.Embedding(0, 1), ValueError, "Embedding: expected num_embeddings >= 1, got 0"),
    (
        lambda: nn.LayerNorm(4)(ss.ones((2, 3))),
        ValueError,
        "LayerNorm: expected x of shape (..., 4), got (2, 3)",
    ),
    (lambda: nn.LayerNorm(0), ValueError, "LayerNorm: expected normalized_shape >= 1, got 0"),
    (
        lambda: nn.BatchNorm1d(4)(ss.ones((1, 4))),
        ValueError,
        "BatchNorm: expected more than 1 value per channel when training, got (1, 4)",
    ),
    (
        lambda: nn.BatchNorm1d(4)(ss.ones((2, 3))),
        ValueError,
        "BatchNorm1d: expected x of shape (batch, 4) or (batch, 4, length), got (2, 3)",
    ),
    (
        lambda: nn.Embedding(3, 2)(ss.tensor([0, 3])),
        IndexError,
        "Embedding: expected x from 0 to 2, got 3 at x[1]",
    ),
    (lambda: nn.Embedding(3, 2)(ss.tensor([-1])), IndexError, "got -1 at x[0]"),
    (
        lambda: nn.Embedding(3, 2)(ss.tensor([0.5])),
        TypeError,
        "Embedding: expected x of dtype int64 or int32, got float32",
    ),
    (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "padding_idx from -3 to 2, got 3"),
    (lambda: nn.Embedding(3, 2, max_norm=0.0), ValueError, "expected max_norm above 0, got 0.0"),
    (lambda: nn.Dropout(1.5), ValueError, "Dropout: expected p from 0 to 1, got 1.5."),
    (lambda: nn.Flatten(1)(ss.ones((3,))), ValueError, "Flatten: expected x with axes 1 to -1"),
    (lambda: nn.GELU("fast")(ss.ones((3,))), ValueError, "gelu: expected approximate to be"),
    (lambda: nn.PReLU(3)(ss.ones((3, 2))), ValueError, "weight of shape (1,) or (2,), got (3,)"),
    (lambda: nn.Softmax()(ss.tensor([1, 2])), TypeError, "softmax: expected input of dtype float"),
    (lambda: nn.Linear(2, 1, dtype=ss.int64), TypeError, "expected float32 or float64 for a"),
    (
        lambda: nn.Conv2d(3, 4, 3)(ss.ones((2, 4, 5, 5))),
        ValueError,
        "conv2d: expected x of 3 channels, got 4 (shape (2, 4, 5, 5)); axis 1 holds the channels.",
    ),
    (
        lambda: nn.Conv2d(3, 4, 3)(ss.ones((3, 5))),
        ValueError,
        "conv2d: expected x of shape (batch, channels, height, width), with or without batch, got",
    ),
    (lambda: nn.Conv1d(1, 1, 4)(ss.ones((1, 1, 3))), ValueError, "a kernel that fits into the"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "that groups divides, got 3 and 4"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size of one whole number or 2"),
    (lambda: nn.Conv2d(1, 1, 3, 2, "same"), ValueError, "stride 1 with padding='same'"),
    (lambda: nn.MaxPool2d(2, padding=2)(ss.ones((1, 1, 4, 4))), ValueError, "at most half of"),
    (lambda: nn.AvgPool1d(5)(ss.ones((1, 1, 4))), ValueError, "windows that fit into the input"),
    (
        lambda: nn.ConvTranspose1d(1, 1, 3, output_padding=1)(ss.ones((1, 1, 3))),
        ValueError,
        "output_padding below stride or dilation",
    ),
    (lambda: nn.Hardtanh(2.0, 1.0)(ss.ones((1,))), ValueError, "expected min_val at most max_val"),
]


@pytest.mark.parametrize(("call", "kind", "text"), MISTAKES)
def test_mistakes_are_named(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
