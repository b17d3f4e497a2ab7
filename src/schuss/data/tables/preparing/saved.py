"""Reading saved descriptions of what was fitted: format version and damage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from schuss.errors import FileFormatError

__all__ = ["FORMAT_VERSION", "reading"]

FORMAT_VERSION = 1


@contextmanager
def reading(owner: str, config: Mapping[str, Any]) -> Iterator[None]:
    """Read a saved description in the body; what is missing or odd there means that it is damaged.

    Raises:
        FileFormatError: If the format is newer than this version of Schuss, or damaged.
    """
    version = config.get("format")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise FileFormatError(
            f"{owner}: expected format {FORMAT_VERSION} or older, got {version!r}; update Schuss, "
            "or train again."
        )
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{owner}: expected a saved description, got a damaged one ({error}); train again."
        ) from None
