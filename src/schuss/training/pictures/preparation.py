"""PicturePreparation: the size that pictures get, and what is done to them while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.training.pictures.augmentation import DRAWS, augmented_small, cropped_photo, recoloured
from schuss.training.pictures.reading import read_picture, to_array

__all__ = ["PicturePreparation", "describe"]

# Pictures up to this size go in as they are; larger ones are photographs, of which parts are shown.
_SMALL = 40
_PHOTO = 80
# Shares of a photograph's middle whose answers are averaged: of things near and far.
_VIEWS = (1.0, 0.85, 0.7)
# A photograph is kept a little larger than the network sees it, so that parts can be taken.
_KEPT = 1.5


def describe(facts: Array) -> str:
    """Return the sizes of pictures, and whether they have colours."""
    width, height, channels = facts.T
    if np.ptp(width) == 0 and np.ptp(height) == 0:
        sizes = f"{width[0]} by {height[0]}"
    else:
        sizes = f"{width.min()} by {height.min()} to {width.max()} by {height.max()}"
    coloured = int((channels == 3).sum())
    colours = "in colour" if coloured == len(facts) else "grey" if not coloured else "some grey"
    return f"{sizes} pixels, {colours}"


@dataclass(frozen=True)
class PicturePreparation:
    """How pictures become inputs.

    Args:
        height: of what the network sees, in pixels.
        width: likewise.
        channels: 1 for grey, 3 for red, green and blue.
        photos: whether pictures are larger than that, and of other shapes: parts of them are shown
            while training, and the middle in evaluation.
        augment: whether they are changed at random while training.
        mirror: whether mirror images are of the same class.
        views: parts of a photograph's middle that are shown in evaluation.
        mean: of each channel over the training pictures, from 0 to 255.
        std: standard deviation, likewise.
    """

    height: int
    width: int
    channels: int
    photos: bool
    augment: bool = True
    mirror: bool = False
    views: int = 1
    mean: tuple[float, ...] = field(default=(127.5,))
    std: tuple[float, ...] = field(default=(64.0,))

    @classmethod
    def of_facts(cls, facts: Array, options: Mapping[str, Any]) -> PicturePreparation:
        """Choose the size by the middle of all sizes: small pictures keep theirs."""
        width, height = (int(x) for x in np.median(facts[:, :2], axis=0))
        channels = 3 if (facts[:, 2] == 3).mean() > 0.05 else 1
        asked = options["image_size"]
        alike = float((facts[:, :2] == (width, height)).all(axis=1).mean()) > 0.5
        small = max(width, height) <= _SMALL
        side = asked or (max(width, height) if small else min(_PHOTO, min(width, height)))
        square = asked is not None or not (small and alike)
        shape = (side, side) if square else (height, width)
        augment = options["augment"] is not False
        views = 1 if small else len(_VIEWS)
        return cls(*shape, channels, photos=not small, augment=augment, views=views)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PicturePreparation:
        """Make what `to_config` described."""
        lists = {name: tuple(config[name]) for name in ("mean", "std")}
        return cls(**{**config, **lists})

    def to_config(self) -> dict[str, Any]:
        """Return what makes the same preparation again."""
        return {**vars(self), "mean": list(self.mean), "std": list(self.std)}

    def changed(self, **changes: Any) -> PicturePreparation:
        """Return the preparation with some things changed."""
        return replace(self, **changes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is kept of pictures."""
        return np.dtype(np.uint8)

    @property
    def draws(self) -> int:
        """Random numbers for each picture."""
        return DRAWS

    def describe(self) -> list[tuple[str, str, str]]:
        """Return what was chosen."""
        what = "the whole picture"
        if self.photos:
            what = f"parts of a picture while training, else {self.views} views of its middle"
        colours = "grey" if self.channels == 1 else "in colour"
        lines = [("input", f"{self.width} by {self.height}", f"{what}, {colours}")]
        if not self.augment:
            return [*lines, ("changes", "none", "pictures are shown as they are")]
        how = "parts, colours, patches left out" if self.photos else "shifts, turns, sizes, patches"
        how = how if self.photos or self.channels == 1 else "shifts, sizes, colours, patches"
        return [*lines, ("changes", "at random", how + ", mirror images" * self.mirror)]

    # A picture as it is kept: (height, width, channels).

    def store(self, content: bytes) -> Array:
        """Decode a file into a picture of the size that is kept."""
        return self._kept(read_picture(content, 2 * self._kept_side))

    def take(self, value: Any) -> Array:
        """Return the same of a picture in memory."""
        return self._kept(to_array(value))

    @property
    def _kept_side(self) -> int:
        return round(min(self.height, self.width) * _KEPT)

    def _kept(self, picture: Any) -> Array:
        from PIL import Image

        picture = picture.convert("L" if self.channels == 1 else "RGB")
        size = (self.width, self.height)
        if self.photos:
            # The shorter side gets the size that is kept; what is far longer loses its ends.
            scale = self._kept_side / min(picture.size)
            size = tuple(min(max(round(n * scale), 1), 2 * self._kept_side) for n in picture.size)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
        return np.asarray(picture).reshape(size[1], size[0], self.channels)

    # A batch: (pictures, height, width, channels), float32 from 0 to 255.

    def training_batch(self, items: Sequence[Array], draws: Array) -> Array:
        """Change pictures at random."""
        if not self.augment:
            return self.changed(views=1).evaluation_batch(items)
        shape = (self.height, self.width)
        if self.photos:
            both = zip(items, draws, strict=True)
            found = np.stack([cropped_photo(x, shape, u, self.mirror) for x, u in both]).astype(
                np.float32
            )
        else:
            turn = self.channels == 1
            found = augmented_small(np.stack(items), draws, mirror=self.mirror, turn=turn)
        fill = np.resize(np.array(self.mean, np.float32), self.channels)
        return recoloured(found, draws, fill, colour=self.channels == 3)

    def evaluation_batch(self, items: Sequence[Array]) -> Array:
        """Show the middle of photographs, other pictures as they are.

        Several views of each are one more axis: (pictures, views, height, width, channels).
        """
        if not self.photos:
            return np.stack(items).astype(np.float32)
        shape = (self.height, self.width)
        shown = [[_middle(x, share, shape) for share in _VIEWS[: self.views]] for x in items]
        found = np.array(shown, np.float32)
        return found if self.views > 1 else found[:, 0]


def _middle(item: Array, share: float, shape: tuple[int, int]) -> Array:
    """Return a share of a picture's middle, as much as fits in, at the network's size."""
    from PIL import Image

    height, width = item.shape[:2]
    scale = share * min(height / shape[0], width / shape[1])
    part = (shape[1] * scale, shape[0] * scale)
    left, top = (width - part[0]) / 2, (height - part[1]) / 2
    image = Image.fromarray(item[:, :, 0] if item.shape[2] == 1 else item)
    box = (left, top, left + part[0], top + part[1])
    made = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box)
    return np.asarray(made).reshape(*shape, item.shape[2])
