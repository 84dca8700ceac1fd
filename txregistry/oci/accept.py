"""Accept: which media types a client takes (RFC 9110 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NO_STAR: Final = _TOKEN.replace("*", "")
# Possessive, and a quote that is never closed goes on to the end: each character is
# looked at once, whatever a client sends.
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_ELEMENT: Final = re.compile(f'(?:[^",]|{_QUOTED})++', re.DOTALL)
_MEDIA_RANGE: Final = re.compile(f"({_NO_STAR}/{_TOKEN}|[*](?:/[*])?)[ \t]*(?:;|\\Z)")
_PARAMETER: Final = re.compile(
    rf"[ \t]*+(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?[ \t]*(?:;|\Z)", re.DOTALL
)
# "q=.2" is not in the grammar but in every request of Java's HttpURLConnection, which
# says "*" for "*/*", too.
_WEIGHT: Final = re.compile("0?[.][0-9]+|[01]|0[.]|1[.]0*")

_ANYTHING: Final = "*/*"


@frozen
class Accepted:
    """The media types that a client takes, and how gladly.

    Parameters of media types are not looked at, as in the Go registry: no manifest's
    type has any.

    Attributes:
        qualities: Media ranges in lower case (``*/*``, ``application/*``,
            ``application/json``) and their weights from 0, never, to 1.
    """

    qualities: Mapping[str, float]

    @classmethod
    def parse(cls, headers: Sequence[str]) -> Accepted:
        """Read a request's ``Accept`` headers, each perhaps a list.

        What is malformed is left out; where nothing is left, anything is accepted, as
        without a header. Of a range given twice the higher weight counts.
        """
        qualities: dict[str, float] = {}
        for header in headers:
            for media_range, weight in _parse(header):
                qualities[media_range] = max(weight, qualities.get(media_range, 0.0))
        return cls(qualities or {_ANYTHING: 1.0})

    def quality(self, media_type: str) -> float:
        """Return how gladly a media type is taken, from 0, not at all, to 1.

        The most specific range that the client gave decides.
        """
        media_type = media_type.lower()
        main, _, _ = media_type.partition("/")
        for media_range in (media_type, f"{main}/*", _ANYTHING):
            if media_range in self.qualities:
                return self.qualities[media_range]
        return 0.0

    def takes(self, media_type: str) -> bool:
        """Tell whether a media type is taken at all."""
        return self.quality(media_type) > 0


def _parse(header: str) -> Iterator[tuple[str, float]]:
    """Read a header's media ranges and their weights."""
    elements = header.split(",") if '"' not in header else _ELEMENT.findall(header)
    for element in elements:
        match = _MEDIA_RANGE.match(element := element.strip(" \t"))
        if match is None:
            continue
        media_range = _ANYTHING if match[1] == "*" else match[1].lower()
        weight = _weight(element, match.end())
        if weight is not None:
            yield media_range, weight


def _weight(element: str, at: int) -> float | None:
    """Return an element's weight, 1 if it has none; None for a malformed one.

    Args:
        element: The element.
        at: Where its parameters begin.
    """
    while at < len(element):
        match = _PARAMETER.match(element, at)
        if match is None:
            return None
        if match[1] in ("q", "Q"):
            return float(match[2]) if _WEIGHT.fullmatch(match[2]) else None
        at = match.end()
    return 1.0
