"""Augmentation: pictures changed at random, as a pure function of numbers drawn for each.

Parts and sizes: Szegedy et al., "Going Deeper with Convolutions", arXiv 1409.4842. Patches left
out: DeVries and Taylor, "Cutout", arXiv 1708.04552.
"""

from __future__ import annotations

import numpy as np

from schuss.core import Array

__all__ = ["DRAWS", "augmented_small", "cropped_photo", "recoloured"]

#: Random numbers for each picture: mirror, shift (2), turn, size, shape, brightness, contrast,
#: saturation, patch (2), whether there is a patch.
DRAWS = 12

# Least share of a photograph's area that is shown.
_LEAST_AREA = 0.35
_SHAPES = (3 / 4, 4 / 3)
# Shifts in parts of the side, turns in radians, and sizes.
_SHIFT, _TURN, _SIZE, _SLANT = 0.125, 0.2, 0.12, 0.12
# Pictures that are turned and scaled are shifted less, since that moves their edges, too.
_WARPED_SHIFT = 0.08
_COLOUR = 0.3
_PATCH = 0.4


def cropped_photo(item: Array, shape: tuple[int, int], draws: Array, mirror: bool) -> Array:
    """Return a part of a photograph at the network's size, uint8.

    Args:
        item: (height, width, channels), uint8.
        shape: height and width of the result.
        draws: DRAWS numbers in [0, 1).
        mirror: whether half of them are mirrored.
    """
    from PIL import Image

    height, width = item.shape[:2]
    area = (_LEAST_AREA + (1.0 - _LEAST_AREA) * draws[4]) * height * width
    ratio = _SHAPES[0] * (_SHAPES[1] / _SHAPES[0]) ** draws[5]
    part_height = min(np.sqrt(area / ratio), height)
    part_width = min(np.sqrt(area * ratio), width)
    left, top = draws[1] * (width - part_width), draws[2] * (height - part_height)
    image = Image.fromarray(item[:, :, 0] if item.shape[2] == 1 else item)
    box = (left, top, left + part_width, top + part_height)
    made = np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box))
    made = made.reshape(*shape, item.shape[2])
    return made[:, ::-1] if mirror and draws[0] < 0.5 else made


def augmented_small(pictures: Array, draws: Array, *, mirror: bool, turn: bool) -> Array:
    """Return small pictures shifted, and turned, scaled and slanted a little; float32.

    Args:
        pictures: (pictures, height, width, channels), uint8.
        draws: (pictures, DRAWS) numbers in [0, 1).
        mirror: whether half of them are mirrored.
        turn: whether they are turned, scaled and slanted, besides.
    """
    if turn:
        return _warped(pictures, draws, mirror)
    count, height, width, _ = pictures.shape
    reach = (round(_SHIFT * height), round(_SHIFT * width))
    margin = ((0, 0), (reach[0], reach[0]), (reach[1], reach[1]), (0, 0))
    padded = np.pad(pictures, margin, mode="reflect")
    tops = (draws[:, 1] * (2 * reach[0] + 1)).astype(int)
    lefts = (draws[:, 2] * (2 * reach[1] + 1)).astype(int)
    found = np.empty(pictures.shape, np.float32)
    for k in range(count):
        part = padded[k, tops[k] : tops[k] + height, lefts[k] : lefts[k] + width]
        found[k] = part[:, ::-1] if mirror and draws[k, 0] < 0.5 else part
    return found


def _warped(pictures: Array, draws: Array, mirror: bool) -> Array:
    """Apply an affine map to each picture, with its edge going on around it."""
    from PIL import Image

    count, height, width, channels = pictures.shape
    angle = _TURN * (2.0 * draws[:, 3] - 1.0)
    size = np.exp(_SIZE * (2.0 * draws[:, 4] - 1.0))
    slant = _SLANT * (2.0 * draws[:, 5] - 1.0)
    flip = np.where(mirror & (draws[:, 0] < 0.5), -1.0, 1.0)
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    a, b, d, e = flip * cos, cos * slant - sin, flip * sin, sin * slant + cos
    shift_x = 2.0 * _WARPED_SHIFT * width * (draws[:, 1] - 0.5)
    shift_y = 2.0 * _WARPED_SHIFT * height * (draws[:, 2] - 0.5)
    middle_x, middle_y = width / 2, height / 2
    c = middle_x + shift_x - a * middle_x - b * middle_y
    f = middle_y + shift_y - d * middle_x - e * middle_y
    rim = max(height, width) // 2
    found = np.empty(pictures.shape, np.float32)
    for k in range(count):
        wide = np.pad(pictures[k], ((rim, rim), (rim, rim), (0, 0)), mode="edge")
        image = Image.fromarray(wide[:, :, 0] if channels == 1 else wide)
        coefficients = (a[k], b[k], c[k] + rim, d[k], e[k], f[k] + rim)
        made = image.transform(
            (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
        )
        found[k] = np.asarray(made).reshape(height, width, channels)
    return found


def recoloured(pictures: Array, draws: Array, fill: Array, *, colour: bool) -> Array:
    """Change brightness, contrast and saturation, and leave out a patch; in place, float32.

    Args:
        pictures: (pictures, height, width, channels), float32 from 0 to 255.
        draws: (pictures, DRAWS) numbers in [0, 1).
        fill: of patches, for each channel.
        colour: whether there are colours.
    """
    height, width = pictures.shape[1:3]
    amount = (1.0 + _COLOUR * (2.0 * draws[:, 6:9] - 1.0)).astype(np.float32)
    bright, contrast, saturation = (amount[:, k].reshape(-1, 1, 1, 1) for k in range(3))
    if colour:
        grey = pictures.mean(axis=3, keepdims=True)
        middle = grey.mean(axis=(1, 2), keepdims=True)
        # grey + saturation * (x - grey), then the same about the mean, then times brightness.
        pictures *= bright * contrast * saturation
        pictures += bright * (contrast * (1.0 - saturation) * grey + (1.0 - contrast) * middle)
        np.clip(pictures, 0.0, 255.0, out=pictures)
    tall, wide = round(_PATCH * height), round(_PATCH * width)
    tops = (draws[:, 9] * (height + tall)).astype(int) - tall
    lefts = (draws[:, 10] * (width + wide)).astype(int) - wide
    for k in np.flatnonzero(draws[:, 11] < 0.5) if colour else ():
        rows = slice(max(tops[k], 0), max(tops[k] + tall, 0))
        pictures[k, rows, max(lefts[k], 0) : max(lefts[k] + wide, 0)] = fill
    return pictures
