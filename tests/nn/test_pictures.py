"""Functions of pictures and volumes: numbers and gradients are PyTorch's, eager and compiled."""

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


SIZES = {1: (7,), 2: (5, 6), 3: (3, 5, 4)}
MODES = {
    1: ("nearest", "nearest-exact", "area", "linear"),
    2: ("nearest", "nearest-exact", "area", "bilinear", "bicubic"),
    3: ("nearest", "nearest-exact", "area", "trilinear"),
}
WAYS: tuple[dict[str, Any], ...] = (
    {"size": 9},
    {"size": 3},
    {"size": 1},
    {"scale_factor": 2},
    {"scale_factor": 1.7},
    {"scale_factor": 0.6},
    {"scale_factor": 1.7, "recompute_scale_factor": True},
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("d", "mode"), [(d, mode) for d, modes in MODES.items() for mode in modes])
def test_interpolation_is_pytorchs(d, mode, same_as_pytorch):
    x = normal(2, 3, *SIZES[d])
    corners = (None, True, False) if mode.endswith(("linear", "cubic")) else (None,)

    def call(lib: Any, x: Any) -> Any:
        return [
            lib.nn.functional.interpolate(x, mode=mode, align_corners=aligned, **way)
            for way in WAYS
            for aligned in corners
        ]

    same_as_pytorch(call, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_interpolation_against_aliasing_is_pytorchs(mode, same_as_pytorch):
    def call(lib: Any, x: Any) -> Any:
        ways = [*WAYS, {"size": (2, 11)}, {"size": (5, 3)}, {"scale_factor": (0.4, 1.3)}]
        return [
            lib.nn.functional.interpolate(
                x, mode=mode, align_corners=aligned, antialias=True, **way
            )
            for way in ways
            for aligned in (None, True, False)
        ]

    same_as_pytorch(call, normal(2, 3, 5, 6))


def test_older_names_of_interpolation_warn_as_pytorchs(same_as_pytorch):
    def call(lib: Any, x: Any) -> Any:
        with pytest.warns(UserWarning, match="is deprecated. Use `nn.functional.interpolate`"):
            return [
                lib.nn.functional.upsample(x, scale_factor=2),
                lib.nn.functional.upsample(x, 4, mode="bilinear", align_corners=True),
                lib.nn.functional.upsample_nearest(x, scale_factor=2),
                lib.nn.functional.upsample_bilinear(x, scale_factor=2),
            ]

    same_as_pytorch(call, normal(1, 2, 3, 3))


def test_places_of_float32_pictures_are_pytorchs():
    torch = pytest.importorskip("torch")
    x = np.arange(37.0, dtype=np.float32).reshape(1, 1, 37)
    for mode in ("nearest", "nearest-exact", "linear"):
        for size in range(1, 120):
            ours = F.interpolate(ss.tensor(x), size, mode=mode).numpy()
            theirs = torch.nn.functional.interpolate(torch.tensor(x), size, mode=mode).numpy()
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_grids_are_sampled_as_in_pytorch(mode, padding_mode, align_corners, same_as_pytorch):
    options = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}

    def call(lib: Any, x: Any, grid: Any) -> Any:
        grid = grid.detach() if mode == "nearest" else grid  # to which nothing flows back
        return lib.nn.functional.grid_sample(x, grid, **options)

    same_as_pytorch(call, normal(2, 3, 4, 5), 1.3 * normal(2, 3, 6, 2))
    if mode != "bicubic":
        same_as_pytorch(call, normal(2, 2, 3, 4, 3), normal(2, 2, 3, 2, 3))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("align_corners", [False, True])
def test_affine_grids_are_pytorchs(align_corners, same_as_pytorch):
    for size in ((2, 1, 4, 5), (2, 1, 1, 3), (2, 1, 2, 3, 4)):
        d = len(size) - 2

        def call(lib: Any, theta: Any, size: tuple[int, ...] = size) -> Any:
            return lib.nn.functional.affine_grid(theta, size, align_corners=align_corners)

        same_as_pytorch(call, normal(2, d, d + 1))


def test_largest_elements_are_put_back_as_in_pytorch(same_as_pytorch):
    def call(lib: Any, *xs: Any) -> Any:
        found = []
        for d, x in enumerate(xs, 1):
            pool = getattr(lib.nn, f"MaxPool{d}d")(2, return_indices=True)
            y, indices = pool(x)
            found.append(getattr(lib.nn, f"MaxUnpool{d}d")(2)(y, indices, output_size=x.shape))
        f = lib.nn.functional
        y, indices = f.max_pool2d(xs[1], 2, 3, return_indices=True)
        return [*found, f.max_unpool2d(y, indices, 2, 3, 0, (5, 7))]

    same_as_pytorch(call, normal(2, 3, 7), normal(2, 3, 5, 7), normal(2, 2, 4, 4, 5))


def test_dropout_of_channels_drops_whole_ones():
    ss.manual_seed(0)
    for d, name in enumerate(("Dropout1d", "Dropout2d", "Dropout3d"), 1):
        out = getattr(nn, name)(0.25)(ss.ones((20, 10, *[3] * d))).array
        channels = out.reshape(200, -1)
        assert set(np.unique(out)) == {0.0, np.float32(1 / 0.75)}
        assert (channels == channels[:, :1]).all()
        assert abs(np.mean(channels[:, 0] == 0) - 0.25) < 0.1
        single = getattr(nn, name)(0.5)(ss.ones((40, *[3] * d))).array
        assert single.shape == (40, *[3] * d)


def test_alpha_dropout_keeps_mean_and_variance():
    ss.manual_seed(0)
    x = ss.randn(200, 500)
    for layer in (nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.3)):
        out = layer(x).array
        assert abs(out.mean()) < 0.02
        assert abs(out.std() - 1.0) < 0.02


def test_the_spelling_of_channels_at_the_top(same_as_pytorch):
    x, y, z = normal(2, 4, 6), normal(2, 4, 6, 6), normal(2, 4, 4, 4, 4)
    w1, w2, w3 = normal(4, 2, 3), normal(4, 2, 3, 3), normal(4, 2, 2, 2, 2)

    def call(lib: Any, x: Any, y: Any, z: Any, w1: Any, w2: Any, w3: Any) -> Any:
        figures = [lib.tensor(v) for v in (np.zeros(4), np.ones(4))]
        return [
            lib.conv1d(x, w1, groups=2),
            lib.conv2d(y, w2, None, 2, 1, groups=2),
            lib.conv3d(z, w3, groups=2),
            lib.conv_transpose1d(x, w1),
            lib.conv_transpose2d(y, w2, stride=2),
            lib.conv_transpose3d(z, w3),
            lib.max_pool1d(x, 2),
            lib.max_pool2d(y, 2),
            lib.max_pool3d(z, 2),
            lib.avg_pool1d(x, 2),
            lib.adaptive_avg_pool1d(x, 4),
            lib.adaptive_max_pool1d(x, 3)[0],
            lib.pixel_shuffle(y, 2),
            lib.pixel_unshuffle(y, 2),
            lib.channel_shuffle(y, 2),
            lib.batch_norm(x, None, None, *figures, True, 0.1, 1e-5, False),
            lib.instance_norm(x, figures[1], None, None, None, True, 0.1, 1e-5, False),
            lib.group_norm(x, 2, figures[1], None, 1e-5, False),
            lib.layer_norm(x, (6,), eps=1e-3, cudnn_enable=False),
            lib.affine_grid_generator(w1[:2, :, :3] * 1.0, (2, 1, 3, 3), True),
            lib.grid_sampler(y, y[:, 0, :, :2].reshape(2, 2, 3, 2), 0, 1, True),
            lib.dropout(x, 0.5, False),
            lib.alpha_dropout(x, 0.5, False),
            lib.feature_dropout(y, 0.5, False),
            lib.feature_alpha_dropout(y, 0.5, False),
        ]

    same_as_pytorch(call, x, y, z, w1, w2, w3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.interpolate(x), "expected size or scale_factor"),
        (lambda x: F.interpolate(x, 3, mode="linear"), "expected mode for input of shape"),
        (lambda x: F.interpolate(x, 3, align_corners=True), "expected no align_corners"),
        (lambda x: F.interpolate(x, 3, antialias=True), "mode 'bilinear' or 'bicubic' with antial"),
        (lambda x: F.pixel_shuffle(x, 2), "expected a multiple of 4 channels"),
        (lambda x: F.pixel_unshuffle(x, 3), "expected height and width of a multiple of 3"),
        (lambda x: F.channel_shuffle(x, 2), "a multiple of 2 channels"),
        (lambda x: F.unfold(x, 9), "expected windows that fit"),
        (lambda x: F.fold(x, 4, 2), "expected input of shape"),
        (lambda x: F.grid_sample(x, x), "expected input of shape"),
        (lambda x: F.grid_sample(x, x[..., :2], "cubic"), "expected mode of"),
        (lambda x: F.affine_grid(x, (2, 3, 4, 5)), "expected theta of shape"),
        (lambda x: F.instance_norm(x[:, :, :1, :1]), "more than one position"),
        (lambda x: F.local_response_norm(x, 0), "size of at least 1"),
        (lambda x: F.max_unpool2d(x, ss.zeros((2, 3), dtype=ss.int64), 2), "expected indices of"),
        (lambda x: nn.Softmax2d()(x[0, 0]), "expected x of shape"),
        (lambda x: nn.ReflectionPad1d(1)(x), "expected x of 2 or 3 axes"),
        (lambda x: nn.ZeroPad2d((1, 2, 3)), "expected padding of one whole number or 4"),
        (lambda x: F.dropout2d(x, 1.5), "expected p from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(ss.ones((2, 3, 4, 5)))


def test_means_of_no_channels_compiled() -> None:
    pool = ss.compile(lambda x: ss.nn.functional.avg_pool2d(x, 2, 1, 1, ceil_mode=True))
    assert pool(ss.zeros(1, 0, 1, 1)).shape == (1, 0, 2, 2)
