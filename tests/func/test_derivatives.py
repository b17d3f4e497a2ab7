from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in flat(part)]
    return [value.detach().numpy()]


def nested(p: Any, x: Any) -> Any:
    return {"a": (p["w"] * x).sin(), "b": (p["w"].sum() * x[:2], x.exp())}


def scalar(p: Any, x: Any) -> Any:
    return ((p["w"] * x) ** 3).sum() * p["v"][0]


def pair(x: Any, y: Any) -> Any:
    return (x * y.sum()).tanh()


CALLS: list[tuple[str, Any]] = [
    ("grad", lambda f, p, x, m: f.grad(scalar)(p, x)),
    ("grad by two", lambda f, p, x, m: f.grad(scalar, argnums=(0, 1))(p, x)),
    ("grad_and_value", lambda f, p, x, m: f.grad_and_value(scalar, 1)(p, x)),
    ("aux", lambda f, p, x, m: f.grad(lambda p, x: (scalar(p, x), x * 2), has_aux=True)(p, x)),
    ("vjp", lambda f, p, x, m: f.vjp(nested, p, x)[1](nested(p, x))),
    ("vjp value", lambda f, p, x, m: f.vjp(nested, p, x)[0]),
    ("jvp", lambda f, p, x, m: f.jvp(nested, (p, x), ({"w": x, "v": p["v"]}, x * 2))),
    ("jacrev", lambda f, p, x, m: f.jacrev(pair)(x, p["w"])),
    ("jacrev by two", lambda f, p, x, m: f.jacrev(pair, argnums=(0, 1))(x, p["w"])),
    ("jacrev nested", lambda f, p, x, m: f.jacrev(nested)(p, x)),
    ("jacfwd", lambda f, p, x, m: f.jacfwd(pair, argnums=1)(x, p["w"])),
    ("jacfwd nested", lambda f, p, x, m: f.jacfwd(nested)(p, x)),
    ("hessian", lambda f, p, x, m: f.hessian(scalar, argnums=1)(p, x)),
    ("hessian nested", lambda f, p, x, m: f.hessian(scalar)(p, x)),
    ("per sample", lambda f, p, x, m: f.vmap(f.grad(scalar), (None, 0))(p, m.stack([x, x * 2]))),
]


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("name", [name for name, _ in CALLS])
def test_as_pytorch_has_it(name: str) -> None:
    call = dict(CALLS)[name]
    found = []
    for m in (ss, torch):
        x = m.tensor([0.5, -1.0, 2.0], dtype=m.float64)
        p = {"w": m.tensor([0.3, 0.7, -0.2], dtype=m.float64), "v": m.ones(1, dtype=m.float64) * 2}
        found.append(flat(call(m.func, p, x, m)))
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_gradients_of_each_sample_of_a_network() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.LayerNorm(4))
    ours = ss.nn.Sequential(ss.nn.Linear(3, 4), ss.nn.GELU(), ss.nn.LayerNorm(4))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 3, 1])
    found = []
    for m, net in ((ss, ours), (torch, theirs)):

        def loss(p: Any, x: Any, y: Any, m: Any = m, net: Any = net) -> Any:
            out = m.func.functional_call(net, p, (x[None],))
            return m.nn.functional.cross_entropy(out, y[None])

        parameters = {k: v.detach() for k, v in net.named_parameters()}
        each = m.func.vmap(m.func.grad(loss), (None, 0, 0))
        found.append(each(parameters, m.tensor(x), m.tensor(y)))
    assert list(found[0]) == list(found[1])
    for name, g in found[1].items():
        np.testing.assert_allclose(found[0][name].numpy(), g.numpy(), rtol=2e-4, atol=1e-6)


def test_networks_side_by_side() -> None:
    nets = [ss.nn.Linear(2, 3) for _ in range(4)]
    parameters, buffers = ss.func.stack_module_state(nets)
    assert parameters["weight"].requires_grad
    assert buffers == {}
    x = ss.rand(5, 2)
    run = ss.func.vmap(lambda p, x: ss.func.functional_call(nets[0], p, x), in_dims=(0, None))
    for k, net in enumerate(nets):
        np.testing.assert_allclose(
            run(parameters, x)[k].detach().numpy(), net(x).detach().numpy(), rtol=1e-6
        )
    run(parameters, x).sum().backward()
    assert parameters["weight"].grad.shape == (4, 3, 2)
    with pytest.raises(RuntimeError, match="all of one class"):
        ss.func.stack_module_state([])
