from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.nn.modules.module import register_module_forward_hook

torch = pytest.importorskip("torch")


def both(run: Any) -> None:
    """Hold what `run(library, layer)` returns to PyTorch's."""
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    theirs = theirs.double()
    ours = ss.nn.Sequential(ss.nn.Linear(3, 4), ss.nn.Tanh(), ss.nn.Linear(4, 2)).double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    found = [run(ss, ours, ss.tensor(x)), run(torch, theirs, torch.tensor(x))]
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


def test_forward_hooks() -> None:
    def run(m: Any, model: Any, x: Any) -> Any:
        seen: list[Any] = []
        model[1].register_forward_hook(lambda layer, args, y: seen.extend([*args, y]))
        model[0].register_forward_hook(lambda layer, args, y: y * 2)
        model[2].register_forward_pre_hook(lambda layer, args: args[0] + 1)
        model[2].register_forward_pre_hook(lambda layer, args: (args[0] * 3,), prepend=True)
        return [model(x), *seen]

    both(run)


def test_hooks_with_keyword_arguments() -> None:
    for m in (ss, torch):

        class Scaled(m.nn.Module):  # type: ignore[name-defined,misc]
            def forward(self, x: Any, scale: float = 1) -> Any:
                return x * scale

        layer = Scaled()
        layer.register_forward_pre_hook(
            lambda _, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True
        )
        layer.register_forward_hook(
            lambda _, args, kwargs, y: y + kwargs["scale"], with_kwargs=True
        )
        assert layer(m.ones(2), scale=2).tolist() == [6, 6]


def test_handles_take_hooks_away() -> None:
    layer = ss.nn.Identity()
    handle = layer.register_forward_hook(lambda layer, args, y: y + 1)
    assert layer(ss.ones(1)).item() == 2
    handle.remove()
    assert layer(ss.ones(1)).item() == 1
    assert "Identity" in repr(layer)


@pytest.mark.filterwarnings("ignore:Full backward hook")
@pytest.mark.parametrize("needs_x", [False, True])
def test_backward_hooks(needs_x: bool) -> None:
    def run(m: Any, model: Any, x: Any) -> Any:
        seen: list[Any] = []

        def note(layer: Any, by_input: Any, by_output: Any) -> Any:
            seen.extend([*by_input, *by_output])

        for layer in model:
            layer.register_full_backward_hook(note)
        model[1].register_full_backward_hook(lambda layer, i, o: (i[0] * 10,))
        model[2].register_full_backward_pre_hook(lambda layer, o: (o[0] + 1,))
        x.requires_grad_(needs_x)
        (model(x) ** 2).sum().backward()
        return [*seen, model[0].weight.grad, model[2].weight.grad, x.grad]

    both(run)


def test_hooks_of_the_output_come_before_those_of_the_module() -> None:
    layer, seen = ss.nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda module, into, out: seen.append(out[0].item()))
    y = layer(ss.ones((1, 2)))
    y.register_hook(lambda error: 0.5 * error)
    y.retain_grad()
    y.sum().backward()
    assert seen == [0.5]
    assert y.grad.item() == 0.5
    assert layer.bias.grad.item() == 0.5


def test_several_inputs_and_outputs() -> None:
    found = []
    for m in (ss, torch):

        class Two(m.nn.Module):  # type: ignore[name-defined,misc]
            def forward(self, x: Any, y: Any) -> Any:
                return x * y, x + y

        layer, seen = Two(), []
        layer.register_full_backward_hook(lambda _, i, o, seen=seen: seen.extend([*i, *o]))
        x = m.tensor([2.0, 3.0], dtype=m.float64, requires_grad=True)
        y = m.tensor([5.0, 7.0], dtype=m.float64, requires_grad=True)
        product, total = layer(x, y)
        (product * 2 + total * 3).sum().backward()
        found.append([t.numpy() for t in (*seen, x.grad, y.grad)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_errors() -> None:
    layer = ss.nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda layer, i, o: (i[0], i[0]))
    with pytest.raises(RuntimeError, match="None or 1 errors, got 2"):
        layer(ss.ones((1, 2)).requires_grad_()).sum().backward()


def test_compiled_steps_call_the_hooks_that_there_are() -> None:
    class Net(ss.nn.Module):
        def __init__(self) -> None:
            self.inner = ss.nn.Identity()

        def forward(self, x: Any) -> Any:
            return self.inner(x) + 1

    net = Net()
    run = ss.compile(lambda x: net(x))
    x = ss.ones(2)
    assert run(x).tolist() == [2, 2]
    for layer in (net, net.inner):
        handle = layer.register_forward_hook(lambda layer, args, y: y * 10)
        for _ in range(3):
            assert run(x).tolist() == ([20, 20] if layer is net else [11, 11])
        handle.remove()
        for _ in range(3):
            assert run(x).tolist() == [2, 2]


def seen_by_hooks_of_all_modules(lib: Any, run: Any) -> list[Any]:
    calls: list[Any] = []
    model = lib.nn.Sequential(lib.nn.Linear(2, 2, bias=False), lib.nn.ReLU())
    with lib.no_grad():
        model[0].weight.copy_(lib.tensor([[1.0, -1.0], [0.5, 2.0]]))
    model[1].register_forward_hook(lambda m, args, y: calls.append("own"))
    everywhere = lib.nn.modules.module

    def name(m: Any) -> str:
        return type(m).__name__

    handles = [
        everywhere.register_module_forward_pre_hook(lambda m, args: calls.append(name(m))),
        everywhere.register_module_forward_hook(
            lambda m, args, y: y * 2 if name(m) == "ReLU" else None
        ),
        everywhere.register_module_full_backward_hook(
            lambda m, before, after: calls.append(f"{name(m)} back")
        ),
    ]
    x = lib.tensor([[1.0, 2.0]])
    call = run(model)
    y = call(x).tolist()
    model(x.requires_grad_()).sum().backward()
    for handle in handles:
        handle.remove()
    return [y, call(x.detach()).tolist(), *calls]


def test_hooks_of_all_modules_are_pytorchs() -> None:
    wanted = seen_by_hooks_of_all_modules(torch, lambda f: f)
    assert seen_by_hooks_of_all_modules(ss, lambda f: f) == wanted
    # Hooks are called while tracing alone.
    assert seen_by_hooks_of_all_modules(ss, ss.compile)[:2] == wanted[:2]


def forward_hook(model: Any, held: dict[str, Any]) -> Any:
    return model[0].register_forward_hook(lambda m, i, o: held.update(y=o.detach()))


def pre_hook(model: Any, held: dict[str, Any]) -> Any:
    return model[2].register_forward_pre_hook(lambda m, i: held.__setitem__("x", i[0].detach()))


def backward_hook(model: Any, held: dict[str, Any]) -> Any:
    return model[0].register_full_backward_hook(lambda m, i, o: held.update(error=o[0]))


def hook_of_all(model: Any, held: dict[str, Any]) -> Any:
    return register_module_forward_hook(lambda m, i, o: held.update({type(m).__name__: o.detach()}))


def tensor_hook(model: Any, held: dict[str, Any]) -> Any:
    return model[0].weight.register_hook(lambda g: held.update(g=g * 1) or g * 2)


def hook_of_a_gradient(model: Any, held: dict[str, Any]) -> Any:
    return model[0].weight.register_post_accumulate_grad_hook(lambda p: held.update(g=p.grad))


@pytest.mark.parametrize(
    "register",
    [forward_hook, pre_hook, backward_hook, hook_of_all, tensor_hook, hook_of_a_gradient],
    ids=lambda f: f.__name__,
)
@pytest.mark.filterwarnings("ignore:Full backward hook")
@pytest.mark.filterwarnings("ignore:compile. the function changes:RuntimeWarning")
def test_what_hooks_note_in_compiled_functions_is_what_they_note_eagerly(register: Any) -> None:
    found = []
    for compiled in (False, True):
        ss.manual_seed(0)
        model, held, noted = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), {}, []
        handle = register(model, held)

        def step(x: Any, model: Any = model) -> Any:
            loss = (model(x) ** 2).sum()
            for p in model.parameters():
                p.grad = None
            loss.backward()
            return loss

        run = ss.compile(step) if compiled else step
        with handle:
            for k in range(5):
                loss = run(ss.arange(6.0).reshape(2, 3) * (k + 1) / 10)
                noted.append([loss.item(), *[held[name].numpy().tolist() for name in sorted(held)]])
        found.append(noted)
    for eager, fast in zip(*found, strict=True):
        assert len(eager) == len(fast) > 1
        for a, b in zip(eager, fast, strict=True):
            np.testing.assert_allclose(b, a, 1e-5, 1e-6)


def test_that_a_hook_makes_a_function_eager_is_said() -> None:
    layer, seen = nn.Linear(3, 2), []
    layer.register_forward_hook(lambda m, i, o: seen.append(o.detach()))
    run = ss.compile(lambda x: layer(x).sum())
    with pytest.warns(RuntimeWarning, match=r"changes an item each time .* evaluated eagerly"):
        totals = [run(ss.ones(1, 3) * k).item() for k in range(4)]
    assert [round(y.sum().item(), 5) for y in seen] == [round(t, 5) for t in totals]
