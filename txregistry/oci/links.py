"""Links: where the next page of a list is (RFC 8288; spec: Listing Tags)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

# What RFC 3986 lets stand in a path, and "%" for what is percent-encoded already.
_PATH: Final = "/%:@!$&'()*+,;="

_TARGET: Final = re.compile(r"[ \t,]*<([^<>]*)>")
_PARAMETER: Final = re.compile(
    r"""[ \t]*;[ \t]*([^\s"(),/:;<=>?@\[\]{}]+)[ \t]*"""
    r"""(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?"""
)


def next_link(path: str, parameters: Mapping[str, str | int]) -> str:
    """Write a ``Link`` header to the next page.

    Args:
        path: The list's, with any prefix; relative to the server.
        parameters: The query; written in the order of its keys.
    """
    # Lone surrogates, which a client's query may have held, cannot be written.
    query = urlencode(sorted(parameters.items()), errors="replace")
    return f'<{quote(path, _PATH, errors="replace")}?{query}>; rel="next"'


def parse_link(header: str) -> str | None:
    """Return where a ``Link`` header says the next page is; None: nowhere.

    The target is as it stands there, to be resolved against the request's URL.
    """
    at = 0
    while (target := _TARGET.match(header, at)) is not None:
        at = target.end()
        relations = None
        while (parameter := _PARAMETER.match(header, at)) is not None:
            at = parameter.end()
            # Of several the first counts (RFC 8288 3.3).
            if relations is None and parameter[1].lower() == "rel":
                relations = (parameter[2] or parameter[3] or "").lower().split()
        if relations is not None and "next" in relations:
            return target[1]
    return None
