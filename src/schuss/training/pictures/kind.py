"""Pictures: PNG, JPEG, WebP, BMP, GIF and TIFF in folders, by residual convolutional networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schuss.training.items.item_kind import ItemKind
from schuss.training.kinds.kind import Option

if TYPE_CHECKING:
    from schuss.core import Array
    from schuss.nn.module import Module
    from schuss.training.items.job import ItemJob
    from schuss.training.items.preparation import Recipe
    from schuss.training.pictures.preparation import PicturePreparation

__all__ = ["KIND"]


def _yes_or_no(given: Any) -> bool | None:
    known = {"auto": None, "yes": True, "no": False}
    if isinstance(given, bool):
        return given
    if given not in known:
        raise ValueError("auto, yes or no")
    return known[given]


def _side(given: Any) -> int:
    try:
        side = int(given)
    except (TypeError, ValueError):
        side = 0
    if isinstance(given, bool) or side != float(given) or not 8 <= side <= 512:
        raise ValueError("a whole number of pixels from 8 to 512")
    return side


class PictureKind(ItemKind):
    """Pictures."""

    name = "pictures"
    noun = ("picture", "pictures")
    suffixes = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
    facts = ("width", "height", "channels")
    options = (
        Option(
            "image_size",
            "PIXELS",
            _side,
            "height and width of what the network sees (by the pictures' sizes)",
        ),
        Option(
            "mirror",
            "auto|yes|no",
            _yes_or_no,
            "whether a mirrored picture is of the same class: yes, no, or auto (the default), "
            "which measures it on the validation pictures",
        ),
        Option(
            "augment",
            "auto|yes|no",
            _yes_or_no,
            "whether pictures are shifted, turned, scaled and coloured anew each time (auto: yes)",
        ),
    )

    def require(self) -> None:
        """Refuse to go on without Pillow."""
        from schuss.training.pictures.reading import require_pillow

        require_pillow()

    def examine(self, content: bytes) -> tuple[int, ...]:
        """Return a picture's width, height and channels."""
        from schuss.training.pictures.reading import examine

        return examine(content)

    def describe(self, facts: Array) -> str:
        """Return the sizes of all pictures, and whether they have colours."""
        from schuss.training.pictures.preparation import describe

        return describe(facts)

    def plan(self, facts: Array, options: Mapping[str, Any]) -> PicturePreparation:
        """Choose the size that pictures get, and what is done to them while training."""
        from schuss.training.pictures.preparation import PicturePreparation

        return PicturePreparation.of_facts(facts, options)

    def preparation(self, config: Mapping[str, Any]) -> PicturePreparation:
        """Return what a config describes."""
        from schuss.training.pictures.preparation import PicturePreparation

        return PicturePreparation.from_config(config)

    def decide(self, job: ItemJob) -> None:
        """Measure the pictures' colours, how hard they are, and whether they may be mirrored."""
        from schuss.training.pictures.measuring import decide

        decide(job)

    def recipe(self, job: ItemJob) -> Recipe:
        """Choose the network by the pictures' size and number, and by the time."""
        from schuss.training.pictures.recipe import picture_recipe

        return picture_recipe(job)

    def network(self, description: Mapping[str, Any]) -> Module:
        """Make a residual network."""
        from schuss.nn.vision import ResidualNetwork

        return ResidualNetwork(**description)

    def quick(self, preparation: PicturePreparation) -> PicturePreparation:
        """Return the preparation that shows each picture once."""
        return preparation.changed(views=1)

    def show(self, job: ItemJob, inputs: Array) -> Sequence[Array]:
        """Return pictures as they are."""
        import numpy as np

        # Of several views of each picture, the first is the largest.
        shown = inputs[:, 0] if inputs.ndim == 5 else inputs
        found: list[Array] = list(np.clip(shown, 0, 255).astype(np.uint8))
        return found


KIND = PictureKind()
