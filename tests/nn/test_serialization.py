"""Files of weights: to PyTorch and back, and what happens to damaged ones."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.errors import DataError, FileFormatError


def network() -> nn.Module:
    ss.manual_seed(5)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.LayerNorm(8), nn.PReLU(), nn.Linear(8, 3)
    )


def pytorchs(torch):
    t = torch.nn
    return t.Sequential(
        t.Linear(4, 8), t.BatchNorm1d(8), t.GELU(), t.LayerNorm(8), t.PReLU(), t.Linear(8, 3)
    )


X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)


def test_round_trip_keeps_every_bit(tmp_path):
    state = {
        "float32": ss.tensor(X),
        "float64": ss.tensor(X.astype(np.float64)),
        "int64": ss.tensor([2**60, -1]),
        "int32": ss.tensor(np.array([[1, -2]], np.int32)),
        "bool": ss.tensor([True, False]),
        "scalar": ss.tensor(np.float64(0.1)),
        "empty": ss.zeros((0, 3)),
        "transposed": ss.tensor(X).T,
    }
    nn.save_safetensors(state, tmp_path / "a.safetensors", {"epoch": "3"})
    found = nn.load_safetensors(tmp_path / "a.safetensors")
    assert set(found) == set(state)
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype, name
        np.testing.assert_array_equal(found[name].numpy(), tensor.numpy())
    assert nn.load_metadata(tmp_path / "a.safetensors") == {"epoch": "3"}


def test_weights_of_pytorch_load_unchanged(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    theirs = pytorchs(torch)
    theirs(torch.tensor(X))  # moves the running figures
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    ours = network()
    ours.load_state_dict(nn.load_safetensors(tmp_path / "theirs.safetensors"))
    expected = theirs.eval()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(ss.tensor(X)).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_our_weights_load_into_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    ours = network()
    ours(ss.tensor(X))
    nn.save_safetensors(ours.state_dict(), tmp_path / "ours.safetensors")
    theirs = pytorchs(torch)
    theirs.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    expected = theirs.eval()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(ss.tensor(X)).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_is_widened(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": X.astype(np.float16)}, tmp_path / "half.safetensors")
    found = nn.load_safetensors(tmp_path / "half.safetensors")["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), X.astype(np.float16).astype(np.float32))


def test_other_dtypes_are_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3, np.uint8)}, tmp_path / "a.safetensors")
    with pytest.raises(FileFormatError, match="got U8 for 'w'; save it again as float32"):
        nn.load_safetensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.999])
def test_truncated_files_are_refused(tmp_path, share):
    path = tmp_path / "model.safetensors"
    nn.save_safetensors(network().state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileFormatError, match=r"model.safetensors: not a whole safetensors file"):
        nn.load_safetensors(path)


def test_a_shape_that_numpy_cannot_have_is_refused(tmp_path):
    entry = {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}
    header = json.dumps({"a": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(FileFormatError, match="'a' cannot be held"):
        nn.load_safetensors(path)


@pytest.mark.parametrize("step", range(23))
def test_altered_files_are_refused(tmp_path, step):
    path = tmp_path / "model.safetensors"
    nn.save_safetensors(network().state_dict(), path, {"epoch": "3"})
    content = bytearray(path.read_bytes())
    place = step * (len(content) - 1) // 22
    content[place] ^= 0x11
    path.write_bytes(content)
    with pytest.raises(FileFormatError):
        nn.load_safetensors(path)


def test_an_altered_name_of_the_checksum_is_noticed(tmp_path):
    path = tmp_path / "model.safetensors"
    nn.save_safetensors(network().state_dict(), path)
    content = path.read_bytes()
    first = content.index(b"schuss.sha256")
    for place in range(first, first + len(b"schuss.sha256")):
        altered = bytes([content[place] ^ 4])
        path.write_bytes(content[:place] + altered + content[place + 1 :])
        with pytest.raises(FileFormatError):
            nn.load_safetensors(path)


def test_appended_files_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    nn.save_safetensors(network().state_dict(), path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(FileFormatError):
        nn.load_safetensors(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none.safetensors: no such file; check the path\."):
        nn.load_safetensors(tmp_path / "none.safetensors")
    with pytest.raises(DataError, match="cannot be written"):
        nn.save_safetensors({"a": ss.ones((1,))}, tmp_path / "nowhere" / "a.safetensors")


def test_other_values_are_refused(tmp_path):
    with pytest.raises(TypeError, match="expected a tensor for 'a', got float"):
        nn.save_safetensors({"a": 1.0}, tmp_path / "a.safetensors")
    with pytest.raises(TypeError, match="expected texts as metadata, got 'epoch': 3"):
        nn.save_safetensors({"a": ss.ones((1,))}, tmp_path / "a.safetensors", {"epoch": 3})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    nn.save_safetensors({"a": ss.ones((1,))}, path)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device"):
        nn.save_safetensors({"a": ss.zeros((1,))}, path)
    monkeypatch.undo()
    assert nn.load_safetensors(path)["a"].tolist() == [1.0]
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_files_get_the_usual_permissions(tmp_path):
    path = tmp_path / "model.safetensors"
    nn.save_safetensors({"a": ss.ones((1,))}, path)
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_file_is_what_the_library_writes(tmp_path):
    import safetensors.numpy

    arrays = {
        "b": X,
        "a": X.astype(np.float64),
        "small": np.arange(3, dtype=np.uint8),
        "half": X.astype(np.float16),
        "none": np.zeros((0, 4), np.float32),
        "scalar": np.array(1.5, np.float32),
        "swapped": X.astype(">f4"),
        "flags": np.array([True, False]),
    }
    file = tmp_path / "a.safetensors"
    nn.save_safetensors(arrays, file, {"text": 'an "é"'})
    found = safetensors.numpy.load_file(file)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], array)
    with safetensors.safe_open(file, framework="np") as stored:
        assert stored.metadata()["text"] == 'an "é"'
    length = int.from_bytes(file.read_bytes()[:8], "little")
    assert length % 8 == 0


def test_saving_takes_no_copy_of_the_numbers(tmp_path):
    import tracemalloc

    state = {f"w{k}": np.zeros(250_000, np.float32) for k in range(8)}
    tracemalloc.start()
    nn.save_safetensors(state, tmp_path / "a.safetensors")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_what_is_no_number_is_refused(tmp_path):
    with pytest.raises(TypeError, match="expected numbers for 'x', got complex128"):
        nn.save_safetensors({"x": np.zeros(2, complex)}, tmp_path / "a.safetensors")
