"""Module, Parameter and the containers."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import schuss as ss
from schuss import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter([2.0])
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.ReLU()])
        self.register_buffer("seen", ss.zeros((2,)))
        self.register_buffer("scratch", ss.zeros((5,)), persistent=False)
        self.note = "not a part"

    def forward(self, x):
        x = self.norm(self.first(x))
        for block in self.blocks:
            x = block(x)
        return x * self.scale


NAMES = ["scale", "first.weight", "first.bias", "norm.weight", "norm.bias", "blocks.0.weight"]


def test_names_come_in_the_order_of_setting():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_buffers()] == [
        "seen",
        "scratch",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert [name for name, _ in net.named_modules()] == [
        "",
        "first",
        "norm",
        "blocks",
        "blocks.0",
        "blocks.1",
    ]
    assert [name for name, _ in net.named_children()] == ["first", "norm", "blocks"]
    assert len(list(net.parameters(recurse=False))) == 1


def test_state_holds_what_lasts():
    state = Net().state_dict()
    assert list(state) == [
        "scale",
        "seen",
        "first.weight",
        "first.bias",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
        "blocks.0.weight",
    ]
    assert not any(tensor.requires_grad for tensor in state.values())


def test_a_state_shares_memory_with_the_network_and_a_copy_does_not():
    net = Net()
    state = net.state_dict()
    before = copy.deepcopy(state)
    net.scale.assign([5.0])
    assert state["scale"].tolist() == [5.0]
    assert before["scale"].tolist() == [2.0]
    net.load_state_dict(before)
    assert net.scale.tolist() == [2.0]
    net.scale.assign([7.0])
    assert before["scale"].tolist() == [2.0]


def test_loading_names_every_difference_and_changes_nothing():
    net, before = Net(), Net()
    before.load_state_dict(net.state_dict())
    state = net.state_dict()
    state["frist.weight"] = state.pop("first.weight")
    state["scale"] = ss.ones((3,))
    state["norm.bias"] = ss.ones((5,))
    with pytest.raises(ValueError, match="differs in 4 places") as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert "missing: first.weight (4, 3) (did you mean frist.weight?)" in text
    assert "unexpected: frist.weight (4, 3) (did you mean first.weight?)" in text
    assert "shape of scale: expected (1,), got (3,)" in text
    assert "shape of norm.bias: expected (4,), got (5,)" in text
    for name, tensor in net.state_dict().items():
        assert (tensor == before.state_dict()[name]).all(), name


def test_loading_something_else_is_named():
    with pytest.raises(TypeError, match="load_state_dict: expected a dictionary, got int"):
        Net().load_state_dict(5)


def test_loading_parts_only():
    net = Net()
    result = net.load_state_dict({"scale": [4.0], "other": [1.0]}, strict=False)
    assert result.unexpected_keys == ["other"]
    assert "first.weight" in result.missing_keys
    assert "scale" not in result.missing_keys
    assert net.scale.tolist() == [4.0]
    with pytest.raises(ValueError, match="shape of scale"):
        net.load_state_dict({"scale": [4.0, 1.0]}, strict=False)


def test_loading_casts_and_keeps_the_objects():
    net = Net()
    scale = net.scale
    net.load_state_dict({"scale": np.array([3.0])}, strict=False)
    assert net.scale is scale
    assert scale.dtype == np.float32
    assert scale.requires_grad


def test_tied_parameters_count_once_and_are_saved_twice():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 1
    assert list(net.state_dict()) == ["0.weight", "1.weight"]
    assert "4 parameters" in repr(net)
    twin = copy.deepcopy(net)
    assert twin[0].weight is twin[1].weight
    assert twin[0].weight is not net[0].weight


def test_a_module_used_twice_is_one():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(net.parameters())) == 2
    assert len(list(net.modules())) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_copies_are_independent():
    net = Net()
    twin = copy.deepcopy(net)
    twin.scale.assign([9.0])
    twin.norm.running_mean.assign(np.ones(4))
    assert net.scale.tolist() == [2.0]
    assert net.norm.running_mean.tolist() == [0.0] * 4
    assert isinstance(twin.scale, nn.Parameter)
    assert twin.scale.requires_grad


def test_modes():
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.train()
    assert all(module.training for module in net.modules())


def test_gradients_are_forgotten():
    net = Net()
    net(ss.ones((4, 3))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0.0]
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_freezing():
    net = Net()
    net.first.requires_grad_(False)
    net(ss.ones((4, 3))).sum().backward()
    assert net.first.weight.grad is None
    assert net.scale.grad is not None
    assert "41 parameters, 25 of them trainable" in repr(net)


def test_dtypes_change_in_place():
    net = Net()
    scale = net.scale
    assert net.double() is net
    assert net.scale is scale
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.norm.running_mean.dtype == np.float64
    assert net.norm.num_batches_tracked.dtype == np.int64
    assert net(ss.ones((4, 3), dtype=ss.float64)).dtype == np.float64
    net.float()
    assert net(ss.ones((4, 3))).dtype == np.float32
    with pytest.raises(TypeError, match="expected float32 or float64 for a network, got int64"):
        net.astype(ss.int64)


def test_apply_visits_the_innermost_first():
    seen = []
    Net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "ReLU", "ModuleList", "Net"]


def test_repr_is_a_tree_with_counts_and_shapes():
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Sequential(nn.Linear(16, 3)))
    net(ss.ones((2, 4)))
    assert repr(net).splitlines() == [
        "Sequential                                                  -> (2, 3)",
        "├─ 0: Linear(in_features=4, out_features=16, bias=True)     -> (2, 16)   80",
        "├─ 1: ReLU()                                                -> (2, 16)",
        "└─ 2: Sequential                                            -> (2, 3)",
        "   └─ 0: Linear(in_features=16, out_features=3, bias=True)  -> (2, 3)    51",
        "131 parameters",
    ]
    assert repr(nn.Linear(2, 1)) == (
        "Linear(in_features=2, out_features=1, bias=True)  3 parameters"
    )
    assert repr(nn.ReLU()) == "ReLU()"


def test_a_part_is_shown_by_its_own_repr():
    class Odd(nn.Linear):
        def __repr__(self):
            return f"{type(self).__name__}\n  {self.in_features} to {self.out_features}"

    net = nn.Sequential(Odd(2, 3), nn.ReLU())
    assert repr(net).splitlines() == [
        "Sequential",
        "├─ 0: Odd      9",
        "│    2 to 3",
        "└─ 1: ReLU()",
        "9 parameters",
    ]
    assert repr(net[0]) == "Odd\n  2 to 3"


def test_attributes_keep_their_kinds():
    net = Net()
    with pytest.raises(TypeError, match=r"Net: expected a Parameter or None for 'scale', got flo"):
        net.scale = 3.0
    with pytest.raises(TypeError, match="expected a Tensor or None for buffer 'seen', got list"):
        net.seen = [1.0]
    net.scale = None
    assert "scale" not in net.state_dict()
    net.scale = nn.Parameter([1.0])
    assert "scale" in net.state_dict()
    del net.seen
    assert "seen" not in net.state_dict()
    with pytest.raises(ValueError, match="expected a new name, got 'first'"):
        net.register_buffer("first", ss.zeros((1,)))
    with pytest.raises(ValueError, match=r"expected a name without dots, got 'a\.b'"):
        net.register_parameter("a.b", None)


def test_lookup_by_name():
    net = Net()
    assert net.get_submodule("blocks.0") is net.blocks[0]
    assert net.get_parameter("first.bias") is net.first.bias
    with pytest.raises(AttributeError, match=r"got 'frist' \(did you mean first\?\)"):
        net.get_submodule("frist")
    with pytest.raises(AttributeError, match=r"did you mean first\.bias"):
        net.get_parameter("first.bais")


def test_a_missing_forward_is_named():
    with pytest.raises(NotImplementedError, match="Module: expected a forward method, got none"):
        nn.Module()(1)


def test_sequential_is_a_list():
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3)
    net = nn.Sequential(a, b)
    assert net.append(c) is net
    assert (len(net), net[0], net[-1]) == (3, a, c)
    assert list(net) == [a, b, c]
    assert list(net[1:]) == [b, c]
    assert list(net[1:].state_dict()) == ["1.weight", "1.bias"]
    net[1] = nn.Tanh()
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "Linear"]
    del net[1]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    net.insert(1, b)
    assert list(net) == [a, b, c]
    assert net.pop() is c
    net.extend([c])
    with pytest.raises(IndexError, match="expected an index from -3 to 2, got 3"):
        net[3]
    with pytest.raises(TypeError, match="Sequential: expected a Module for part '0', got funct"):
        nn.Sequential(lambda x: x)


def test_sequential_with_names():
    net = nn.Sequential({"first": nn.Linear(1, 2), "act": nn.ReLU()})
    assert net.first is net[0]
    assert list(net.state_dict()) == ["first.weight", "first.bias"]
    assert list(net[:1].state_dict()) == ["first.weight", "first.bias"]
    with pytest.raises(ValueError, match="expected a new name, got 'training'"):
        nn.Sequential({"training": nn.ReLU()})


def test_module_dict_is_a_dictionary():
    parts = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    assert list(parts) == ["a", "b"]
    assert "a" in parts
    assert len(parts) == 2
    parts["a"] = nn.Linear(1, 2)
    assert list(parts.keys()) == ["a", "b"]
    assert isinstance(parts.pop("b"), nn.ReLU)
    assert dict(parts.items())["a"] is next(iter(parts.values()))
    parts.clear()
    assert len(parts) == 0
    with pytest.raises(TypeError, match="ModuleDict: expected a Module for part 'c', got int"):
        parts["c"] = 1


def test_functional_call_restores_and_differentiates():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    before = net.state_dict()
    x = ss.tensor([[1.0, -1.0]])
    weights = {name: ss.zeros(p.shape) for name, p in net.named_parameters()}
    assert nn.functional_call(net, weights, x).item() == 0.0
    assert all((net.state_dict()[k] == v).all() for k, v in before.items())
    with pytest.raises(ValueError, match="expected names of parameters or buffers"):
        nn.functional_call(net, {"0.wieght": x}, x)
    with pytest.raises(ValueError, match=r"expected 0.weight of shape \(2, 2\), got \(1, 2\)"):
        nn.functional_call(net, {"0.weight": x}, x)
    assert all((net.state_dict()[k] == v).all() for k, v in before.items())


def test_a_deep_copy_of_a_network_has_no_gradients() -> None:
    found = []
    torch = pytest.importorskip("torch")
    for m in (ss, torch):
        layer = m.nn.Linear(2, 1)
        layer(m.ones(3, 2)).sum().backward()
        x = m.ones(2, requires_grad=True)
        (x * 2).sum().backward()
        kept = copy.deepcopy(x).grad.tolist()
        found.append([copy.deepcopy(layer).weight.grad, layer.weight.grad.tolist(), kept])
    assert found[0] == found[1] == [None, [[3.0, 3.0]], [2.0, 2.0]]


def test_batch_norm_takes_no_channels():
    figures = ss.zeros(0), ss.ones(0)
    y = nn.functional.batch_norm(ss.zeros((3, 0, 2)), *figures, training=True)
    assert y.shape == (3, 0, 2)


def test_data_parallel_is_its_module() -> None:
    inner = nn.Linear(3, 2)
    model = nn.DataParallel(inner)
    x = ss.ones(4, 3)
    assert model(x).tolist() == inner(x).tolist()
    assert model.module is inner
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(ValueError, match="DataParallel: expected device 'cpu'"):
        nn.DataParallel(inner, device_ids=[0, 1])
    with pytest.raises(TypeError, match="DataParallel: expected a Module for part 'module'"):
        nn.DataParallel(lambda x: x)
