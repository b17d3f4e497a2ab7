"""Reading pictures with Pillow: any mode, as grey or red, green and blue in 8 bits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.errors import DataError, UsageError

__all__ = ["as_picture", "examine", "read_picture", "require_pillow", "to_array"]

# More pixels than this are no photograph, and take gigabytes to decode.
_MOST_PIXELS = 100_000_000
_GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "La")


def require_pillow() -> None:
    """Refuse to go on without Pillow.

    Raises:
        UsageError: it names the extra.
    """
    try:
        import PIL.Image as _  # noqa: F401
    except ImportError:
        raise UsageError(
            "pictures need Pillow; install it with: pip install 'schuss[images]'"
        ) from None


@contextmanager
def _phrases() -> Iterator[None]:
    """Turn whatever Pillow raises into one phrase."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError("not a picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"more than {_MOST_PIXELS // 10**6} million pixels") from None
    except MemoryError:
        raise DataError("too large to decode") from None
    except Exception as error:
        # Decoders of damaged files raise nearly anything.
        text = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"damaged ({text[:80]})") from None


def _opened(content: bytes) -> Any:
    from PIL import Image

    image = Image.open(io.BytesIO(content))
    width, height = image.size
    if width * height > _MOST_PIXELS:
        raise DataError(f"more than {_MOST_PIXELS // 10**6} million pixels")
    return image


def examine(content: bytes) -> tuple[int, int, int]:
    """Return a picture's width and height as it is to be seen, and 1 for grey, else 3.

    Raises:
        DataError: if it is none.
    """
    with _phrases():
        image = _opened(content)
        width, height = image.size
        if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):
            width, height = height, width
        return width, height, 1 if _is_grey(image) else 3


def _is_grey(image: Any) -> bool:
    if image.mode in ("P", "PA"):
        colours = np.array(image.getpalette() or [0]).reshape(-1, 3) if image.palette else None
        return colours is not None and bool((np.ptp(colours, axis=1) == 0).all())
    return image.mode in _GREY


def read_picture(content: bytes, longest: int | None = None) -> Any:
    """Decode a file, turned as its camera was held.

    Args:
        content: of the file.
        longest: side below which no decoder need go, where it can decode to a smaller size.

    Returns:
        A picture of Pillow's in mode L or RGB.

    Raises:
        DataError: if it cannot be decoded.
    """
    from PIL import ImageOps

    with _phrases():
        image = _opened(content)
        if longest is not None:
            image.draft(None, (longest, longest))
        image.load()
        return as_picture(ImageOps.exif_transpose(image))


def as_picture(image: Any) -> Any:
    """Return one of Pillow's pictures in mode L or RGB; what shines through is white."""
    from PIL import Image

    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        return Image.fromarray(_to_bytes(np.asarray(image)))
    grey = _is_grey(image)
    has_alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if has_alpha:
        whole = image.convert("RGBA")
        white = Image.new("RGBA", whole.size, "white")
        image = Image.alpha_composite(white, whole)
    return image.convert("L" if grey else "RGB")


def _to_bytes(values: Array) -> Array:
    """Return numbers of more than 8 bits in 8: of 16 bits the upper ones, others by their range."""
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "iu" and low >= 0 and high < 256:
        return values.astype(np.uint8)
    if values.dtype.kind in "iu" and low >= 0 and high < 65536:
        return (values.astype(np.uint32) >> 8).astype(np.uint8)
    if not np.isfinite([low, high]).all():
        raise DataError("its numbers are not finite")
    low, high = (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (low, high)
    return np.rint((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)


def to_array(value: Any) -> Any:
    """Return a picture in memory as one of Pillow's.

    Args:
        value: a picture of Pillow's; or an array of shape (height, width), (height, width,
            channels) or (channels, height, width), with 1, 3 or 4 channels.

    Raises:
        DataError: if it is neither.
    """
    from PIL import Image

    if isinstance(value, Image.Image):
        return as_picture(value)
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype.kind not in "biuf" or not (array.ndim == 2 or colour) or not array.size:
        raise DataError(
            "expected a path, a picture of Pillow's or an array of shape (height, width), (height, "
            f"width, 3) or (3, height, width), got {type(value).__name__} of shape {array.shape}"
        )
    return as_picture(Image.fromarray(np.ascontiguousarray(_to_bytes(array))))
