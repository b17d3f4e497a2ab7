"""Every layer and loss: value, running figures and gradients, compiled against eager."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.compiler import compile
from schuss.nn.tabular import TabularMLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 8))
UNIT = RNG.uniform(0.1, 0.9, (6, 8))
CLASSES = RNG.integers(0, 8, 6)
LOGARITHMS = np.log(UNIT / UNIT.sum(1, keepdims=True))
PICTURES = {d: RNG.normal(size=(2, 3, *(5, 6, 3)[:d])) for d in (1, 2, 3)}
SEQUENCES = RNG.normal(size=(5, 2, 8))
SIGNS = np.where(CLASSES > 3, 1.0, -1.0)


class Scaled(nn.Module):
    """Uses the parameters of a list."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ParameterList([nn.Parameter(ss.tensor(UNIT[0])), nn.Parameter([2.0])])

    def forward(self, x: Any) -> Any:
        return x * self.scales[0] * self.scales[1]


class ScaledByName(nn.Module):
    """Uses the parameters of a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ParameterDict({"a": nn.Parameter(ss.tensor(UNIT[0]))})

    def forward(self, x: Any) -> Any:
        return x * self.scales["a"]


class Attended(nn.Module):
    """Attention of a sequence to itself, without the weights."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Any) -> Any:
        return self.attention(x, x, x)[0]


class First(nn.Module):
    """Returns the first of a layer's results."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]


class Unpooled(nn.Module):
    """Puts the largest elements back where they came from."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.pool = getattr(nn, f"MaxPool{axes}d")(2, return_indices=True)
        self.unpool = getattr(nn, f"MaxUnpool{axes}d")(2)

    def forward(self, x: Any) -> Any:
        return self.unpool(*self.pool(x))


PLAIN = (
    "CELU", "ELU", "GELU", "SELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "Mish", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softplus", "Softsign",
    "Tanh", "Identity", "Flatten", "GLU", "Hardshrink", "Softshrink", "Tanhshrink",
)  # fmt: skip

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...]]] = {
    **{name: (getattr(nn, name), (X,)) for name in PLAIN},
    "Softmax": (lambda: nn.Softmax(-1), (X,)),
    "Softmin": (lambda: nn.Softmin(-1), (X,)),
    "Threshold": (lambda: nn.Threshold(0.1, 0.5), (X,)),
    "CosineSimilarity": (nn.CosineSimilarity, (X, UNIT)),
    "PairwiseDistance": (nn.PairwiseDistance, (X, UNIT)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 8), (X,)),
    "LogSoftmax": (lambda: nn.LogSoftmax(-1), (X,)),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 4)), (X,)),
    "Linear": (lambda: nn.Linear(8, 5), (X,)),
    "Dropout": (lambda: nn.Dropout(0.4), (X,)),
    "LayerNorm": (lambda: nn.LayerNorm(8), (X,)),
    "RMSNorm": (lambda: nn.RMSNorm(8), (X,)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(8), (X,)),
    **{
        f"{kind}{d}d": (
            lambda kind=kind, d=d: getattr(nn, f"{kind}{d}d")(3, 5, 3, 2, 1),
            (PICTURES[d],),
        )
        for kind in ("Conv", "ConvTranspose")
        for d in (1, 2, 3)
    },
    **{
        f"{kind}Pool{d}d": (
            lambda kind=kind, d=d: getattr(nn, f"{kind}Pool{d}d")(2),
            (PICTURES[d],),
        )
        for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg")
        for d in (1, 2, 3)
    },
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (PICTURES[2],)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(3), (PICTURES[3],)),
    "MultiheadAttention": (lambda: Attended(nn.MultiheadAttention(8, 2)), (SEQUENCES,)),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16), (SEQUENCES,)),
    "TransformerDecoderLayer": (
        lambda: nn.TransformerDecoderLayer(8, 2, 16),
        (SEQUENCES, SEQUENCES[::-1]),
    ),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2),
        (SEQUENCES,),
    ),
    "TransformerDecoder": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2),
        (SEQUENCES, SEQUENCES[::-1]),
    ),
    "Transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16), (SEQUENCES, SEQUENCES[:3])),
    "RNN": (lambda: First(nn.RNN(8, 5, nonlinearity="relu")), (X,)),
    "LSTM": (lambda: First(nn.LSTM(8, 5, num_layers=2, dropout=0.4, proj_size=3)), (X,)),
    "GRU": (lambda: First(nn.GRU(8, 5, bidirectional=True)), (X,)),
    "RNNCell": (lambda: nn.RNNCell(8, 5), (X,)),
    "LSTMCell": (lambda: First(nn.LSTMCell(8, 5)), (X,)),
    "GRUCell": (lambda: nn.GRUCell(8, 5), (X,)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(3), (PICTURES[1],)),
    "InstanceNorm2d": (
        lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        (PICTURES[2],),
    ),
    "InstanceNorm3d": (lambda: nn.InstanceNorm3d(3), (PICTURES[3],)),
    "RReLU": (nn.RReLU, (X,)),
    "AdaptiveLogSoftmaxWithLoss": (lambda: Adaptive(), (X,)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2, 0.5), (PICTURES[2],)),
    "Softmax2d": (nn.Softmax2d, (PICTURES[2],)),
    **{
        f"{kind}Pad{d}d": (
            lambda kind=kind, d=d, more=more: getattr(nn, f"{kind}Pad{d}d")(1, *more),
            (PICTURES[d],),
        )
        for kind, more in (
            ("Zero", ()),
            ("Constant", (0.5,)),
            ("Reflection", ()),
            ("Replication", ()),
            ("Circular", ()),
        )
        for d in (1, 2, 3)
    },
    "Dropout1d": (nn.Dropout1d, (PICTURES[1],)),
    "Dropout2d": (nn.Dropout2d, (PICTURES[2],)),
    "Dropout3d": (nn.Dropout3d, (PICTURES[3],)),
    "AlphaDropout": (nn.AlphaDropout, (X,)),
    "FeatureAlphaDropout": (nn.FeatureAlphaDropout, (PICTURES[2],)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (RNG.normal(size=(2, 8, 2, 3)),)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (PICTURES[2][:, :, :4],)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(3), (PICTURES[2],)),
    "Unfold": (lambda: nn.Unfold(2, padding=1), (PICTURES[2],)),
    "Fold": (lambda: nn.Fold((3, 4), 2), (RNG.normal(size=(2, 12, 6)),)),
    "Upsample": (lambda: nn.Upsample(scale_factor=1.5, mode="bicubic"), (PICTURES[2],)),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(7), (PICTURES[2],)),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(7), (PICTURES[2],)),
    **{
        f"LPPool{d}d": (lambda d=d: getattr(nn, f"LPPool{d}d")(2, 2), (np.abs(PICTURES[d]),))
        for d in (1, 2, 3)
    },
    **{
        f"MaxUnpool{d}d": (lambda d=d: Unpooled(d), (np.repeat(PICTURES[d], 2, -1),))
        for d in (1, 2, 3)
    },
    "Bilinear": (lambda: nn.Bilinear(8, 8, 3), (X, UNIT)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(9, 4), (CLASSES.reshape(2, 3),)),
    "ParameterDict": (lambda: ScaledByName(), (X,)),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss, (X[:, 0], SIGNS)),
    "SoftMarginLoss": (nn.SoftMarginLoss, (X[:, 0], SIGNS)),
    "MultiMarginLoss": (nn.MultiMarginLoss, (X, CLASSES)),
    "MultiLabelMarginLoss": (
        nn.MultiLabelMarginLoss,
        (X, np.array([[3, 1, -1, 0, 0, 0, 0, 0], [2, -1, 0, 0, 0, 0, 0, 0]] * 3)),
    ),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, (X, np.round(UNIT))),
    "TripletMarginWithDistanceLoss": (nn.TripletMarginWithDistanceLoss, (X, UNIT, X[::-1])),
    "GaussianNLLLoss": (nn.GaussianNLLLoss, (X, UNIT, UNIT[::-1])),
    "PoissonNLLLoss": (nn.PoissonNLLLoss, (X, UNIT)),
    "CTCLoss": (
        nn.CTCLoss,
        (
            np.log(RNG.dirichlet(np.ones(5), (6, 3))),
            CLASSES.reshape(3, 2) % 4 + 1,
            np.array([6, 5, 4]),
            np.array([2, 1, 0]),
        ),
    ),
    "Embedding": (lambda: nn.Embedding(9, 4, padding_idx=1), (CLASSES,)),
    "DataParallel": (lambda: nn.DataParallel(nn.Linear(8, 2)), (X,)),
    "ModuleDict": (lambda: nn.Sequential(nn.ModuleDict({"a": nn.Linear(8, 2)})["a"]), (X,)),
    "ModuleList": (lambda: nn.Sequential(*nn.ModuleList([nn.Linear(8, 3), nn.ReLU()])), (X,)),
    "Sequential": (lambda: nn.Sequential(nn.Linear(8, 3), nn.Tanh(), nn.Linear(3, 8)), (X,)),
    "TabularMLP": (
        lambda: TabularMLP(5, 3, cardinalities=(4,), hidden=(16, 16)),
        (X[:, :5], CLASSES[:, None] % 4),
    ),
    "CrossEntropyLoss": (
        lambda: nn.CrossEntropyLoss(weight=ss.tensor(UNIT[0]), label_smoothing=0.1),
        (X, CLASSES),
    ),
    "NLLLoss": (nn.NLLLoss, (LOGARITHMS, CLASSES)),
    "BCELoss": (nn.BCELoss, (UNIT, UNIT[::-1])),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, (X, UNIT)),
    "KLDivLoss": (lambda: nn.KLDivLoss(reduction="batchmean"), (LOGARITHMS, UNIT)),
    "ParameterList": (lambda: Scaled(), (X,)),
    "TripletMarginLoss": (nn.TripletMarginLoss, (X, UNIT, X[::-1])),
    "CosineEmbeddingLoss": (nn.CosineEmbeddingLoss, (X, UNIT, SIGNS)),
    "MarginRankingLoss": (nn.MarginRankingLoss, (X[:, 0], UNIT[:, 0], SIGNS)),
    **{
        name: (getattr(nn, name), (X, UNIT))
        for name in ("HuberLoss", "L1Loss", "MSELoss", "SmoothL1Loss")
    },
}


class Adaptive(nn.Module):
    """The adaptive softmax of 8 features, with its classes."""

    def __init__(self) -> None:
        super().__init__()
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 6], div_value=2.0)

    def forward(self, x: Any) -> Any:
        return self.softmax(x, ss.arange(len(x)) % 12).output


def test_every_layer_is_here() -> None:
    made = {
        name
        for name in nn.__all__
        if isinstance(getattr(nn, name), type)
        and issubclass(getattr(nn, name), nn.Module)
        and not name.startswith("Lazy")  # in tests/nn/test_lazy.py
    }
    assert made - set(LAYERS) == {"CompiledModule", "Module", "RNNBase", "RNNCellBase"}


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_layer_equals_eager(name: str) -> None:
    build, inputs = LAYERS[name]
    ss.manual_seed(3)
    eager = build().double()
    model = copy.deepcopy(eager)
    tensors = [ss.tensor(x) for x in inputs]
    error: list[ss.Tensor] = []

    def step(network: nn.Module) -> Callable[..., Any]:
        def run(*xs: Any) -> Any:
            network.zero_grad()
            marked = [x.detach() for x in xs]
            for x in marked:
                if x.dtype.kind == "f":
                    x.requires_grad_()
            y = network(*marked)
            if not error:
                error.append(ss.tensor(np.cos(np.arange(y.size)).reshape(y.shape)))
            if y.requires_grad:
                y.backward(error[0])
            return y, [x.grad for x in marked if x.grad is not None]

        return run

    for _ in range(2):
        key = ss.random.get_state()
        wanted = step(eager)(*tensors)
        ss.random.set_state(key)
        got = compile(step(model))(*tensors)
        np.testing.assert_allclose(got[0].array, wanted[0].array, rtol=1e-10, atol=1e-12)
        for mine, theirs in zip(got[1], wanted[1], strict=True):
            np.testing.assert_allclose(mine.array, theirs.array, rtol=1e-9, atol=1e-11)
    for (path, p), q in zip(model.named_parameters(), eager.parameters(), strict=True):
        if q.grad is not None:
            np.testing.assert_allclose(
                p.grad.array, q.grad.array, rtol=1e-9, atol=1e-12, err_msg=path
            )
    for (path, a), b in zip(model.state_dict().items(), eager.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-10, err_msg=path)
