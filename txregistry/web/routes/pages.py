"""Pages: lists that come in parts (``n``, ``last``, ``Link``)."""

from __future__ import annotations

from typing import Any, Final

from txregistry.oci.errors import PaginationNumberInvalid
from txregistry.oci.links import next_link

_LONGEST_NUMBER: Final = 9


def page_size(request: Any) -> int | None:
    """Return how many entries a client asks for; None: it does not say.

    Raises:
        PaginationNumberInvalid: ``n`` is not a number of entries.
    """
    text = request.parameter("n")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise PaginationNumberInvalid({"n": text[:64]})
    return int(text)


def link_header(request: Any, parameters: dict[str, str | int]) -> dict[str, str]:
    """Return the header that leads to the next page of a list."""
    return {"Link": next_link(request.text_path, parameters)}
