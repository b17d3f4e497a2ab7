from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.nn.vision import ResidualNetwork


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(100.0, 40.0, shape).astype(np.float32)


def network(**options: object) -> ResidualNetwork:
    ss.manual_seed(0)
    found = ResidualNetwork(3, 4, widths=(8, 16), mean=(100.0,), std=(40.0,), **options)  # type: ignore[arg-type]
    for _ in range(3):
        found(ss.tensor(pictures(8, 7, 9, 3)))
    return found


def test_evaluation_averages_over_mirror_images_and_views() -> None:
    model, x = network(mirror=True).eval(), pictures(2, 7, 9, 3)
    given = model(ss.tensor(x)).numpy()
    mirrored = model(ss.tensor(np.ascontiguousarray(x[:, :, ::-1]))).numpy()
    assert np.allclose(given, mirrored, atol=1e-5)
    views = np.stack([x, x[::-1]], axis=1)
    several = model(ss.tensor(views)).numpy()
    assert np.allclose(several, (given + given[::-1]) / 2, atol=1e-5)
    model.calibrate(2.0)
    assert np.allclose(model(ss.tensor(x)).numpy() * 2.0, given, atol=1e-5)
    assert not np.allclose(network().eval()(ss.tensor(x)).numpy(), given, atol=1e-3)


def test_it_is_the_network_that_it_would_be_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    model, x = network().eval(), pictures(2, 7, 9, 3)
    weights = {name: torch.tensor(value.numpy()) for name, value in model.state_dict().items()}

    def conv(name: str, y: object, stride: int = 1, padding: int = 1) -> object:
        return nn.functional.conv2d(y, weights[f"{name}.weight"], stride=stride, padding=padding)

    def norm(name: str, y: object) -> object:
        parts = [weights[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        return nn.functional.batch_norm(y, *parts)

    y = (torch.tensor(x).permute(0, 3, 1, 2) - 100.0) / 40.0
    y = torch.relu(norm("stem.1", conv("stem.0", y)))
    for block, stride in (("stages.0", 1), ("stages.1", 2)):
        main = torch.relu(norm(f"{block}.bn1", conv(f"{block}.conv1", y, stride)))
        main = norm(f"{block}.bn2", conv(f"{block}.conv2", main))
        past = y
        if stride == 2:
            past = nn.functional.avg_pool2d(y, 2, ceil_mode=True, count_include_pad=False)
            past = norm(f"{block}.past.2", conv(f"{block}.past.1", past, padding=0))
        y = torch.relu(main + past)
    y = nn.functional.linear(y.mean((2, 3)), weights["head.weight"], weights["head.bias"])
    assert np.allclose(model(ss.tensor(x)).numpy(), y.numpy(), atol=1e-4)
