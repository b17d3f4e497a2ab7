from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from schuss.errors import DataError
from schuss.training.pictures.reading import examine, read_picture, to_array

image = pytest.importorskip("PIL.Image")

RAMP = np.arange(0, 240, 20, dtype=np.uint8).reshape(3, 4)


def saved(picture: Any, form: str, **options: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(read_picture(content))


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "TIFF"])
def test_grey_pictures_of_lossless_forms(form: str) -> None:
    content = saved(image.fromarray(RAMP), form)
    assert examine(content) == (4, 3, 1)
    assert np.array_equal(pixels(content), RAMP)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_pictures_in_colour(form: str) -> None:
    colours = np.full((8, 8, 3), (200, 30, 60), np.uint8)
    content = saved(image.fromarray(colours), form)
    assert examine(content) == (8, 8, 3)
    assert np.abs(pixels(content).astype(int) - colours).max() <= 4


def test_sixteen_bits_become_eight() -> None:
    deep = (RAMP.astype(np.uint16) << 8) + 77
    for form in ("PNG", "TIFF"):
        content = saved(image.fromarray(deep), form)
        assert examine(content)[2] == 1
        assert np.array_equal(pixels(content), RAMP)


def test_cmyk_palettes_and_what_shines_through() -> None:
    colours = np.full((8, 8, 3), (200, 30, 60), np.uint8)
    cmyk = saved(image.fromarray(colours).convert("CMYK"), "TIFF")
    assert np.abs(pixels(cmyk).astype(int) - colours).max() <= 4
    palette = saved(image.fromarray(colours).quantize(4), "PNG")
    assert examine(palette)[2] == 3
    assert np.abs(pixels(palette).astype(int) - colours).max() <= 4
    alpha = np.concatenate([colours, np.zeros((8, 8, 1), np.uint8)], axis=2)
    assert (pixels(saved(image.fromarray(alpha), "PNG")) == 255).all()
    see_through = image.fromarray(np.zeros((2, 2), np.uint8)).convert("P")
    gif = saved(see_through, "GIF", transparency=see_through.getpixel((0, 0)))
    assert (pixels(gif) == 255).all()
    bits = saved(image.fromarray(RAMP > 100), "PNG")
    assert np.array_equal(pixels(bits), np.where(RAMP > 100, 255, 0))


def test_the_first_frame_of_a_moving_picture() -> None:
    frames = [image.fromarray(np.full((4, 4), v, np.uint8)) for v in (10, 200)]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (pixels(content) == 10).all()


def test_pictures_stand_as_the_camera_was_held() -> None:
    exif = image.Exif()
    exif[0x0112] = 6
    content = saved(image.fromarray(RAMP), "PNG", exif=exif)
    assert examine(content) == (3, 4, 1)
    assert np.array_equal(pixels(content), np.rot90(RAMP, -1))


def header_of(width: int, height: int) -> bytes:
    """Return a PNG that says it is large, and has nothing in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_what_is_no_picture_says_so() -> None:
    whole = saved(
        image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), "JPEG"
    )
    with pytest.raises(DataError, match="not a picture"):
        examine(b"hello")
    with pytest.raises(DataError, match="more than 100 million pixels"):
        examine(header_of(20_000, 20_000))
    with pytest.raises(DataError, match="more than 100 million pixels"):
        examine(header_of(10_001, 10_000))
    with pytest.raises(DataError, match="damaged"):
        read_picture(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        read_picture(header_of(50, 50)[:60])
    assert pixels(saved(image.fromarray(RAMP[:1, :1]), "PNG")).tolist() == [[0]]


def test_pictures_in_memory() -> None:
    for value in (RAMP, RAMP[:, :, None], RAMP.astype(int), RAMP / 255.0, image.fromarray(RAMP)):
        assert np.array_equal(np.asarray(to_array(value)), RAMP)
    colours = np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)
    for value in (colours, np.moveaxis(colours, 2, 0), (colours / 255.0).astype(np.float32)):
        assert np.array_equal(np.asarray(to_array(value)), colours)
    with pytest.raises(DataError, match=r"expected a path, .* got list of shape \(3,\)"):
        to_array([1, 2, 3])
    with pytest.raises(DataError, match="not finite"):
        to_array(np.full((2, 2), np.nan))
