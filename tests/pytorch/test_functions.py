"""PyTorch's names do what PyTorch does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

X = np.arange(24, dtype=np.float64).reshape(2, 3, 4) * (-1.0) ** np.arange(4)
CALLS: dict[str, Any] = {
    "absolute": lambda lib, x: lib.absolute(x),
    "addmm": lambda lib, x: lib.addmm(x[0, :, :3], x[0], x[1].T, beta=2, alpha=0.5),
    "allclose": lambda lib, x: [lib.allclose(x, x + 1e-7), lib.allclose(x, x + 1e-3)],
    "amax": lambda lib, x: (lib.amax(x, dim=(0, 2)), lib.amax(x, 1, keepdim=True)),
    "amin": lambda lib, x: (lib.amin(x, dim=1), lib.amin(x, (0, 1))),
    "as_tensor": lambda lib, x: lib.as_tensor([1.0, 2.0]),
    "bmm": lambda lib, x: lib.bmm(x, x.transpose(1, 2)),
    "cat": lambda lib, x: lib.cat([x, x], dim=1),
    "chunk": lambda lib, x: lib.chunk(x, 3, dim=2),
    "clamp": lambda lib, x: lib.clamp(x, min=-2.0, max=5.0),
    "concatenate": lambda lib, x: lib.concatenate([x, x]),
    "cumsum": lambda lib, x: lib.cumsum(x, dim=1),
    "div": lambda lib, x: lib.div(x, 2.0),
    "index_select": lambda lib, x: lib.index_select(x, 1, lib.tensor([2, 0])),
    "isclose": lambda lib, x: (
        lib.isclose(x, x + lib.tensor([0.0, 1e-9, 1e-3, -1e-4])),
        lib.isclose(x / 0, -x / 0),
        lib.isclose(x / 0, x / 0),
        lib.isclose(x / 0, x / 0, equal_nan=True),
    ),
    "lerp": lambda lib, x: (lib.lerp(x, x * x, 0.25), x.lerp(end=x * 3, weight=0.5)),
    "masked_select": lambda lib, x: lib.masked_select(x, x > 3),
    "mm": lambda lib, x: lib.mm(x[0], x[1].T),
    "movedim": lambda lib, x: lib.movedim(x, (0, 1), (2, 0)),
    "mv": lambda lib, x: lib.mv(x[0], x[1, 0]),
    "mul": lambda lib, x: lib.mul(x, x),
    "narrow": lambda lib, x: lib.narrow(x, 2, 1, 2),
    "neg": lambda lib, x: lib.neg(x),
    "permute": lambda lib, x: lib.permute(x, dims=(2, 0, 1)),
    "power": lambda lib, x: x.pow(2),
    "repeat_interleave": lambda lib, x: lib.repeat_interleave(x, 2, dim=1),
    "rsqrt": lambda lib, x: lib.rsqrt(x * x),
    "select": lambda lib, x: lib.select(x, 1, -1),
    "split": lambda lib, x: (*lib.split(x, [1, 3], dim=2), *lib.split(x, 2, dim=1)),
    "sub": lambda lib, x: lib.sub(x, 1.0),
    "swapdims": lambda lib, x: lib.swapdims(x, dim0=0, dim1=2),
    "take_along_dim": lambda lib, x: lib.take_along_dim(
        x, lib.tensor([[[0, 1, 2, 0]], [[1, 1, 2, 2]]]), dim=1
    ),
    "topk": lambda lib, x: (*lib.topk(x, 2, dim=1), *lib.topk(x, 2, largest=False)),
    "transpose": lambda lib, x: lib.transpose(x, 0, 1),
    "unbind": lambda lib, x: lib.unbind(x, dim=1),
    "unflatten": lambda lib, x: (lib.unflatten(x, 2, (2, -1)), x.unflatten(-3, (1, 2))),
    "unique": lambda lib, x: lib.unique(lib.tensor([3, 1, 3])),
    "unsqueeze": lambda lib, x: lib.unsqueeze(x, dim=1),
}
METHODS: dict[str, Any] = {
    "clamp": lambda x: (x.clamp_min(1.0), x.clamp_max(2.0), x.amax(1), x.amin(dim=0)),
    "chunk": lambda x: x.chunk(2, dim=1),
    "masked_select": lambda x: x.masked_select(x > 0),
    "narrow": lambda x: x.narrow(0, 0, 1),
    "new": lambda x: (x.new_zeros(2, 3), x.new_ones((4,)), x.new_full((2,), 3.0)),
    "permute": lambda x: x.permute(1, 0, 2),
    "repeat_interleave": lambda x: x.repeat_interleave(3),
    "split": lambda x: x.split(2, dim=2),
    "swapdims": lambda x: x.swapdims(0, 1),
    "topk": lambda x: x.topk(3),
    "transpose": lambda x: (x.transpose(0, 1), x[0].t(), x.T if x.ndim == 2 else x[0].T),
    "unbind": lambda x: x.unbind(dim=2),
    "unsqueeze": lambda x: x.unsqueeze(dim=-1),
    "view": lambda x: (x.view(6, 4), x.view(-1), x.expand(2, 2, 3, 4), x.clamp(max=1)),
}


# Arguments by PyTorch's names.
NAMED: dict[str, Any] = {
    "diff": lambda lib, x: lib.diff(x, dim=1),
    "flatten": lambda lib, x: (lib.flatten(x, start_dim=1), x.flatten(start_dim=0, end_dim=1)),
    "gather": lambda lib, x: lib.gather(x, dim=2, index=lib.tensor([[[0, 3]], [[1, 1]]])),
    "linspace": lambda lib, x: lib.linspace(0, end=1, steps=5),
    "norm": lambda lib, x: (x.norm(p=1, dim=1), x.norm(p=float("inf"), dim=2, keepdim=True)),
    "roll": lambda lib, x: lib.roll(x, shifts=(1, 2), dims=(0, 1)),
    "squeeze": lambda lib, x: lib.squeeze(x[:1], dim=0),
    "tensordot": lambda lib, x: lib.tensordot(x, x, dims=([0, 1], [0, 1])),
    "to": lambda lib, x: (x.to(dtype=lib.float32), x.to("cpu", lib.float32), x.to("cpu"), x.to()),
}


def arrays(result: Any) -> list[np.ndarray]:
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [np.asarray(part) for part in parts]


def assert_same(ours: Any, theirs: Any) -> None:
    for mine, other in zip(arrays(ours), arrays(theirs), strict=True):
        np.testing.assert_array_equal(mine, other)
        assert mine.dtype == other.dtype


@pytest.mark.parametrize("name", CALLS)
def test_functions_equal_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    assert_same(CALLS[name](ss, ss.tensor(X)), CALLS[name](torch, torch.tensor(X)))


@pytest.mark.parametrize("name", NAMED)
def test_arguments_by_the_names_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    assert_same(NAMED[name](ss, ss.tensor(X)), NAMED[name](torch, torch.tensor(X)))


@pytest.mark.parametrize("name", METHODS)
def test_methods_equal_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    assert_same(METHODS[name](ss.tensor(X)), METHODS[name](torch.tensor(X)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ss.chunk(x, 0), "chunk: expected at least 1 chunk, got 0"),
        (lambda x: ss.split(x, 0), "split: expected a length of at least 1, got 0"),
        (lambda x: ss.split(x, [1, 2]), r"split: expected lengths that add up to 2, got \[1, 2\]"),
        (lambda x: ss.topk(x, 5), "topk: expected k from 0 to 4, got 5"),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(ss.tensor(X))
