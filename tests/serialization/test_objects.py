from __future__ import annotations

import collections
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import DataError, FileFormatError, UsageError


def same(a: Any, b: Any) -> bool:
    if isinstance(a, ss.Tensor):
        return (
            type(a) is type(b)
            and a.dtype == b.dtype
            and a.requires_grad == b.requires_grad
            and np.array_equal(a.detach().numpy(), b.detach().numpy(), equal_nan=True)
        )
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and np.array_equal(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b or (a != a and b != b))


OBJECTS: list[Any] = [
    ss.tensor([1.5, float("nan")]),
    ss.tensor(3),
    {"a": [1, 2.5, (None, True, "x")], 3: {"b": ss.ones(2, 3)}, ("t", 1): -float("inf")},
    [ss.zeros(0, 4), np.arange(3, dtype=np.int32), b"\x00\xff", 2**70, ss.float64, ss.bool],
    {"w": ss.nn.Parameter([1.0, 2.0]), "v": ss.tensor([1.0], requires_grad=True)},
    {"a.b": ss.ones(1), "a": {"b": ss.zeros(1)}},
    {},
    None,
]


@pytest.mark.parametrize("obj", OBJECTS)
def test_what_is_saved_comes_back(obj: Any, tmp_path: Path) -> None:
    ss.save(obj, tmp_path / "x.pt")
    assert same(ss.load(tmp_path / "x.pt"), obj)
    file = io.BytesIO()
    ss.save(obj, file)
    file.seek(0)
    assert same(ss.load(file, map_location="cpu", weights_only=False), obj)


def test_a_tensor_that_is_there_twice_is_one_tensor(tmp_path: Path) -> None:
    x = ss.ones(3)
    ss.save([x, {"again": x}], tmp_path / "x.pt")
    first, second = ss.load(tmp_path / "x.pt")
    assert first is second["again"]


def test_a_checkpoint_of_a_training(tmp_path: Path) -> None:
    def made() -> Any:
        ss.manual_seed(0)
        model = ss.nn.Sequential(ss.nn.Linear(3, 4), ss.nn.BatchNorm1d(4), ss.nn.Linear(4, 1))
        optimizer = ss.optim.Adam(model.parameters(), lr=0.1)
        scheduler = ss.optim.lr_scheduler.StepLR(optimizer, 2)
        return model, optimizer, scheduler

    def train(model: Any, optimizer: Any, scheduler: Any) -> list[float]:
        x = ss.tensor(np.linspace(-1, 1, 24).reshape(8, 3), "float32")
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        return losses

    parts = made()
    train(*parts)
    ss.save({"epoch": 3, "parts": [p.state_dict() for p in parts]}, tmp_path / "c.pt")
    expected = train(*parts)
    again = made()
    found = ss.load(tmp_path / "c.pt")
    for part, state in zip(again, found["parts"], strict=True):
        part.load_state_dict(state)
    assert train(*again) == expected


def test_a_state_is_a_plain_file_of_tensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    model = ss.nn.Linear(3, 2)
    ss.save(model.state_dict(), tmp_path / "m.safetensors")
    assert sorted(load_file(tmp_path / "m.safetensors")) == ["bias", "weight"]
    ss.nn.save_safetensors(model.state_dict(), tmp_path / "n.safetensors")
    found = ss.load(tmp_path / "n.safetensors")
    assert same({name: found[name] for name in ("weight", "bias")}, model.state_dict())


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a whole Linear; save obj.state_dict"):
        ss.save(ss.nn.Linear(2, 2), tmp_path / "x.pt")
    with pytest.raises(UsageError, match=r"got object at a\.0; save its state_dict"):
        ss.save({"a": [object()]}, tmp_path / "x.pt")
    with pytest.raises(UsageError, match="texts, numbers or tuples as keys, got frozenset"):
        ss.save({frozenset(): 1}, tmp_path / "x.pt")
    with pytest.raises(DataError, match="there is no such run or file"):
        ss.load(tmp_path / "none.pt")
    with pytest.raises(UsageError, match="expected map_location 'cpu', got 'cuda:0'"):
        ss.load(tmp_path / "none.pt", "cuda:0")
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(UsageError, match="at most 100 levels"):
        ss.save(deep, tmp_path / "x.pt")


@pytest.mark.parametrize(
    "structure", ["{", '{"tensor": "y"}', '{"dict": 3}', '{"z": 1}', "[[]" * 9]
)
def test_a_damaged_structure(structure: str, tmp_path: Path) -> None:
    from schuss.nn.serialization import save_safetensors

    save_safetensors({"x": ss.ones(1)}, tmp_path / "x.pt", {"schuss.structure": structure})
    with pytest.raises(FileFormatError, match="structure is damaged"):
        ss.load(tmp_path / "x.pt")


# PyTorch's files.

torch: Any = pytest.importorskip("torch")


def in_torch() -> dict[str, Any]:
    torch.manual_seed(0)
    base = torch.arange(12.0).reshape(3, 4)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "views": [base[1:, ::2], base.T, base[0].expand(5, 4), base[2, 3]],
        "kinds": [
            torch.tensor([1.5, -2], dtype=kind)
            for kind in (torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.int64)
        ],
        "small": [torch.tensor([1, 255]).byte(), torch.tensor([True]), torch.zeros(0, 2)],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": (1, 2.5, None, "text", [True], 2**60, torch.Size([2, 3]), torch.float32),
        "ordered": collections.OrderedDict(a=1),
    }


def check(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, ss.Tensor)
        assert ours.requires_grad == theirs.requires_grad
        assert isinstance(ours, ss.nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
        assert np.array_equal(ours.detach().numpy(), theirs.detach().double().numpy())
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            check(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            check(a, b)
    elif isinstance(theirs, torch.dtype):
        assert (isinstance(ours, ss.dtype), f"torch.{ours.name}") == (True, str(theirs))
    else:
        assert ours == theirs


def test_pytorchs_files(tmp_path: Path) -> None:
    theirs = in_torch()
    torch.save(theirs, tmp_path / "x.pt")
    check(ss.load(tmp_path / "x.pt"), theirs)
    with (tmp_path / "x.pt").open("rb") as file:
        check(ss.load(file), theirs)
    model = ss.nn.Sequential(ss.nn.Linear(3, 4), ss.nn.BatchNorm1d(4))
    model.load_state_dict(ss.load(tmp_path / "x.pt")["model"])


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("run!",))


def test_nothing_of_a_file_is_run(tmp_path: Path, capsys: Any) -> None:
    torch.save({"x": Evil()}, tmp_path / "x.pt")
    with pytest.raises(
        FileFormatError, match="tensors, numbers, texts and containers, got .*print"
    ):
        ss.load(tmp_path / "x.pt")
    assert capsys.readouterr().out == ""
    torch.save(torch.nn.Linear(2, 2), tmp_path / "y.pt")
    with pytest.raises(FileFormatError, match="save model.state_dict"):
        ss.load(tmp_path / "y.pt")


def test_damaged_files_of_pytorchs(tmp_path: Path) -> None:
    torch.save(in_torch(), tmp_path / "x.pt")
    whole = (tmp_path / "x.pt").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole[: rng.integers(len(whole)) if rng.random() < 0.2 else None])
        for place in rng.integers(0, max(len(damaged), 1), 3):
            if damaged:
                damaged[place] = rng.integers(256)
        try:
            ss.load(io.BytesIO(bytes(damaged)))
        except (FileFormatError, DataError):
            continue
    with zipfile.ZipFile(tmp_path / "z.pt", "w") as archive:
        archive.writestr("a/b", b"")
    with pytest.raises(FileFormatError, match="got another zip archive"):
        ss.load(tmp_path / "z.pt")


def test_claims_beyond_the_file(tmp_path: Path) -> None:
    torch.save(torch.zeros(1).expand(10**9), tmp_path / "x.pt")
    with pytest.raises(FileFormatError, match="larger than the file bears out"):
        ss.load(tmp_path / "x.pt")
