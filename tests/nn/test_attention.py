"""Attention and transformers: values, weights and gradients are PyTorch's, eager and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

F = nn.functional
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


Q, K, V = normal(2, 4, 5, 6), normal(2, 4, 7, 6), normal(2, 4, 7, 3)
FEW = normal(2, 2, 7, 6)
BOOLS = RNG.random((5, 7)) < 0.6
BOOLS[2] = False
FLOATS = normal(2, 1, 5, 7)
PADDED = np.where(RNG.random((2, 1, 1, 7)) < 0.4, -np.inf, 0.0)

PRODUCTS: dict[str, tuple[dict[str, Any], tuple[np.ndarray, ...]]] = {
    "plain": ({}, (Q, K, V)),
    "one head": ({}, (Q[0, 0], K[0, 0], V[0, 0])),
    "scaled": ({"scale": 0.3}, (Q, K, V)),
    "causal": ({"is_causal": True}, (Q, K, V)),
    "bool mask, a query that sees nothing": ({}, (Q, K, V, BOOLS)),
    "float mask": ({}, (Q, K, V, FLOATS)),
    "no keys": ({}, (Q, K[:, :, :0], V[:, :, :0])),
    "no queries": ({}, (Q[:, :, :0], K, V)),
    "padded keys": ({}, (Q, K, V, PADDED)),
    "heads that share keys": ({"enable_gqa": True}, (Q, FEW, FEW)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_scaled_dot_product_attention_is_pytorchs(name, same_as_pytorch):
    options, arrays = PRODUCTS[name]
    same_as_pytorch(
        lambda lib, *xs: lib.nn.functional.scaled_dot_product_attention(*xs, **options), *arrays
    )


def test_dropout_of_weights_keeps_the_mean():
    ss.manual_seed(0)
    q = k = ss.zeros((1, 200, 4))
    v = ss.ones((1, 200, 1))
    out = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5)
    assert abs(out.mean().item() - 1.0) < 0.05
    assert out.array.std() > 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ss.zeros((2, 7, 5))}, "expected features of key as of query"),
        ({"value": ss.zeros((2, 7, 6), dtype=ss.float64)}, "expected value of float32"),
        ({"attn_mask": ss.zeros((5, 7)), "is_causal": True}, "expected attn_mask or is_causal"),
        ({"query": ss.zeros((6,))}, "expected two axes or more"),
        ({"key": ss.zeros((3, 7, 6)), "enable_gqa": True}, "number of heads that divides 2"),
    ],
)
def test_what_does_not_fit_is_an_error(change, message):
    given = {"query": ss.zeros((2, 5, 6)), "key": ss.zeros((2, 7, 6)), "value": ss.zeros((2, 7, 6))}
    with pytest.raises((ValueError, TypeError), match=message):
        F.scaled_dot_product_attention(**(given | change))


def same_module(name: str, args: tuple[Any, ...], options: dict[str, Any], training: bool) -> Any:
    """Return a function of library and tensors that calls a module of the same weights."""
    torch = pytest.importorskip("torch")
    ss.manual_seed(1)
    ours = getattr(nn, name)(*args, **options).double().train(training)
    rng = np.random.default_rng(2)
    for parameter in ours.parameters():
        parameter.assign(parameter.array + 0.2 * rng.normal(size=parameter.shape))
    theirs = getattr(torch.nn, name)(*args, **options).double().train(training)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})

    def call(lib: Any, run: Any, *tensors: Any) -> Any:
        module = ours if lib is ss else theirs
        module.zero_grad()
        return run(module, *tensors)

    return call, ours, theirs


X, MEMORY = normal(5, 2, 8), normal(7, 2, 8)
WIDE_K, WIDE_V = normal(7, 2, 6), normal(7, 2, 4)
HIDDEN = RNG.random((5, 7)) < 0.3
KEYS = RNG.random((2, 7)) < 0.3
CAUSAL = np.triu(np.full((5, 5), -np.inf), 1)

ATTENTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[np.ndarray, ...]]] = {
    "itself": ({}, {}, (X,)),
    "of others": ({}, {}, (X, MEMORY)),
    "three": ({"bias": False}, {}, (X, MEMORY, MEMORY * 0.5)),
    "other widths": ({"kdim": 6, "vdim": 4}, {}, (X, WIDE_K, WIDE_V)),
    "more keys": ({"add_bias_kv": True, "add_zero_attn": True}, {}, (X, MEMORY)),
    "batch first": ({"batch_first": True}, {"average_attn_weights": False}, (X,)),
    "without batch": ({}, {}, (X[:, 0],)),
    "without weights": ({}, {"need_weights": False}, (X, MEMORY)),
    "masked": ({}, {"attn_mask": HIDDEN, "key_padding_mask": KEYS}, (X, MEMORY)),
    "masked, more keys": (
        {"add_bias_kv": True, "add_zero_attn": True},
        {"attn_mask": HIDDEN, "key_padding_mask": KEYS, "need_weights": False},
        (X, MEMORY),
    ),
    "a mask for each head": ({}, {"attn_mask": normal(4, 5, 7)}, (X, MEMORY)),
    "causal": ({}, {"attn_mask": CAUSAL, "is_causal": True, "need_weights": False}, (X,)),
    "causal, weights": ({}, {"attn_mask": CAUSAL, "is_causal": True}, (X,)),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_multihead_attention_is_pytorchs(name, same_as_pytorch):
    made, given, arrays = ATTENTIONS[name]
    call, ours, theirs = same_module("MultiheadAttention", (8, 2), made, True)

    def run(module: Any, *xs: Any) -> Any:
        lib = ss if module is ours else __import__("torch")
        options = {k: lib.tensor(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
        q, k, v = (*xs, xs[-1], xs[-1])[:3]
        return module(q, k, v, **options)

    for compiled in (False, True):
        same_as_pytorch(lambda lib, *xs: call(lib, run, *xs), *arrays, compiled=compiled)
        for (path, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.array, q.grad.numpy(), 1e-9, 1e-11, err_msg=path)


LAYERS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], tuple[np.ndarray, ...]]] = {
    "encoder layer": ("TransformerEncoderLayer", (8, 2, 12, 0.0), {}, (X,)),
    "norm first": (
        "TransformerEncoderLayer",
        (8, 2, 12, 0.0),
        {"norm_first": True, "activation": "gelu", "batch_first": True, "bias": False},
        (X,),
    ),
    "encoder layer, masked": ("TransformerEncoderLayer", (8, 2, 12, 0.0), {}, (X, CAUSAL)),
    "decoder layer": ("TransformerDecoderLayer", (8, 2, 12, 0.0), {}, (X, MEMORY)),
    "decoder layer, norm first": (
        "TransformerDecoderLayer",
        (8, 2, 12, 0.0),
        {"norm_first": True},
        (X, MEMORY, CAUSAL),
    ),
    "transformer": (
        "Transformer",
        (8, 2, 2, 2, 12, 0.0),
        {},
        (MEMORY, X, np.zeros((7, 7)), CAUSAL),
    ),
    "transformer, batch first": (
        "Transformer",
        (8, 2, 1, 1, 12, 0.0),
        {"batch_first": True, "norm_first": True, "activation": "gelu", "bias": False},
        (MEMORY.swapaxes(0, 1), X.swapaxes(0, 1)),
    ),
}


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of fast paths
@pytest.mark.parametrize("name", LAYERS)
def test_transformers_are_pytorchs(name, same_as_pytorch):
    kind, args, options, arrays = LAYERS[name]
    call, ours, theirs = same_module(kind, args, options, True)

    def run(module: Any, *xs: Any) -> Any:
        masks = [x.detach() for x in xs[2 if "ecoder" in kind or kind == "Transformer" else 1 :]]
        return module(*xs[: len(xs) - len(masks)], *masks)

    for compiled in (False, True):
        same_as_pytorch(lambda lib, *xs: call(lib, run, *xs), *arrays, compiled=compiled)
        for (path, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.array, q.grad.numpy(), 1e-8, 1e-10, err_msg=path)


@pytest.mark.filterwarnings("ignore")
def test_stacks_are_copies_and_take_a_norm(same_as_pytorch):
    torch = pytest.importorskip("torch")
    made = {}
    for lib in (ss, torch):
        layer = lib.nn.TransformerEncoderLayer(8, 2, 12, 0.0)
        encoder = lib.nn.TransformerEncoder(layer, 2, lib.nn.LayerNorm(8)).double()
        layer = lib.nn.TransformerDecoderLayer(8, 2, 12, 0.0)
        made[lib] = encoder, lib.nn.TransformerDecoder(layer, 2).double()
    for ours, theirs in zip(made[ss], made[torch], strict=True):
        state = ours.state_dict()
        assert list(state) == list(theirs.state_dict())
        theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in state.items()})
    encoder = made[ss][0]
    first, second = (layer.linear1.weight for layer in encoder.layers)
    assert np.array_equal(first.array, second.array)
    assert first is not second

    def run(lib: Any, x: Any, memory: Any) -> Any:
        encoder, decoder = made[lib]
        keys = lib.tensor(KEYS)
        seen = encoder(memory, src_key_padding_mask=keys)
        return decoder(x, seen, lib.tensor(CAUSAL), memory_key_padding_mask=keys)

    same_as_pytorch(run, X, MEMORY)


def test_a_causal_mask_for_transformers():
    torch = pytest.importorskip("torch")
    ours = nn.Transformer.generate_square_subsequent_mask(4)
    theirs = torch.nn.Transformer.generate_square_subsequent_mask(4)
    assert np.array_equal(ours.array, theirs.numpy())
    assert ours.dtype == ss.float32


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.MultiheadAttention(8, 3), "expected embed_dim to be a multiple of 3 heads"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="tanhh"), "activation 'relu'"),
        (lambda: nn.MultiheadAttention(8, 2)(*[ss.zeros((5, 2, 6))] * 3), "query of 8 features"),
        (
            lambda: nn.MultiheadAttention(8, 2)(*[ss.zeros((5, 2, 8))] * 3, is_causal=True),
            "expected attn_mask beside is_causal",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(
                *[ss.zeros((5, 2, 8))] * 3, key_padding_mask=ss.zeros((2, 4), dtype=bool)
            ),
            "expected key_padding_mask",
        ),
        (lambda: nn.Transformer(8, 2)(ss.zeros((5, 2, 6)), ss.zeros((5, 2, 8))), "of 8 features"),
    ],
)
def test_wrong_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_mask_of_another_float_dtype() -> None:
    ss.manual_seed(0)
    attention = ss.nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = ss.randn(2, 3, 4, dtype=ss.float64)
    mask = ss.triu(ss.full((3, 3), float("-inf")), 1)
    found, expected = (attention(x, x, x, attn_mask=m)[0] for m in (mask, mask.double()))
    assert found.dtype == ss.float64
    assert (found == expected).all()
