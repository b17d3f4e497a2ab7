"""How a file is to be read: what separates its fields, whether it names its columns, encoding."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

from schuss.errors import UsageError

__all__ = ["HEADERS", "READ", "ReadOptions", "read_options"]

HEADERS = ("first", "none")
_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "blank": " "}


@dataclass(frozen=True)
class ReadOptions:
    """What the reader of a table is told; None leaves it to the file.

    Args:
        sep: What separates the fields of delimited text, one character.
        header: "first" where the first line names the columns, "none" where no line does.
        encoding: The text's encoding, as Python names it, such as "latin-1".
        na_values: Values that mean missing, besides those that are known.
    """

    sep: str | None = None
    header: str | None = None
    encoding: str | None = None
    na_values: Sequence[str] = ()


READ = ReadOptions()


def read_options(
    *,
    sep: str | None = None,
    header: str | None = None,
    encoding: str | None = None,
    na_values: str | float | Sequence[str | float] = (),
) -> ReadOptions:
    r"""Check options of reading; see `ReadOptions`.

    Raises:
        UsageError: If one of them is out of range.

    >>> read_options(sep="tab", na_values=-1)
    ReadOptions(sep='\t', header=None, encoding=None, na_values=['-1'])
    """
    sep = _NAMED.get(sep or "", sep)
    if sep is not None and (len(sep) != 1 or sep in '"\r\n'):
        raise UsageError(f"sep: expected one character, or tab or space, got {sep!r}.")
    if header not in (None, *HEADERS):
        raise UsageError(f"header: expected {' or '.join(HEADERS)}, got {header!r}.")
    if encoding is not None:
        try:
            codecs.lookup(encoding)
            "".encode(encoding)
        except (LookupError, ValueError):
            raise UsageError(
                f"encoding: expected one that Python knows, such as latin-1, got {encoding!r}."
            ) from None
    if isinstance(na_values, (str, int, float)):
        na_values = [na_values]
    return ReadOptions(sep, header, encoding, [str(value).strip() for value in na_values])
