"""Ranges: parts of a content in bytes (RFC 9110 14; spec: Pushing a blob in chunks)."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from txregistry.oci.errors import RangeInvalid, RangeMalformed, RangeNotSatisfiable

_RANGE: Final = re.compile("(?:([0-9]+)-([0-9]*)|-([0-9]+))")
# The spec's form; some clients send the one of RFC 9110 14.4.
_CONTENT_RANGE: Final = re.compile(
    "(?:bytes[ =])?([0-9]+)-([0-9]+)(?:/(?:[0-9]+|[*]))?", re.IGNORECASE
)

# Beyond any content; a number with more digits is as good as this one.
_BEYOND: Final = 2**63
_LONGEST_NUMBER: Final = len(str(_BEYOND))


@frozen
class ByteRange:
    """A part of a content.

    Attributes:
        first: The first byte's offset.
        last: The last byte's offset; not less than the first's.
    """

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """Return what a 206 says in ``Content-Range`` of a content of that size."""
        return f"bytes {self.first}-{self.last}/{size}"


@frozen
class ContentRange(ByteRange):
    """Which part of a blob a chunk is (end-5)."""

    @classmethod
    def parse(cls, header: str) -> ContentRange:
        """Read a ``Content-Range``, ``<first>-<last>`` or ``bytes <first>-<last>/<n>``.

        Raises:
            RangeMalformed: It is neither.
            RangeInvalid: It ends before it begins, or beyond any blob's end.
        """
        match = _CONTENT_RANGE.fullmatch(header.strip(" \t"))
        if match is None:
            raise RangeMalformed({"range": header[:128]})
        first, last = _number(match[1]), _number(match[2])
        if first > last or last >= _BEYOND:
            raise RangeInvalid({"range": header[:128]})
        return cls(first, last)


def parse_range(header: str, size: int) -> ByteRange | None:
    """Read a request's ``Range`` (RFC 9110 14.2).

    Args:
        header: The header's value.
        size: The content's, in bytes.

    Returns:
        The part to answer with. None: with the whole, for a header that is malformed,
        of another unit, or of several ranges (which a server may ignore).

    Raises:
        RangeNotSatisfiable: The content has none of the bytes asked for.
    """
    unit, _, ranges = header.partition("=")
    elements = [each for each in (r.strip(" \t") for r in ranges.split(",")) if each]
    if unit.strip(" \t").lower() != "bytes" or len(elements) != 1:
        return None
    match = _RANGE.fullmatch(elements[0])
    if match is None:
        return None
    if match[3] is not None:
        return _suffix(_number(match[3]), size)
    last = _number(match[2]) if match[2] else _BEYOND
    return _span(_number(match[1]), last, size)


def _span(first: int, last: int, size: int) -> ByteRange:
    """Cut a range to the content.

    A range that ends before it begins is malformed, and might be ignored; the Go
    registry refuses it, and so does the conformance suite expect.

    Raises:
        RangeNotSatisfiable: It begins behind the content's end, or its own.
    """
    if last < first or first >= size:
        raise RangeNotSatisfiable(size)
    return ByteRange(first, min(last, size - 1))


def _suffix(length: int, size: int) -> ByteRange | None:
    """Return the content's last bytes; None for those of an empty content.

    Such a range is satisfiable (RFC 9110 14.1.2), but a 206 cannot say "no bytes".

    Raises:
        RangeNotSatisfiable: No bytes are asked for.
    """
    if length == 0:
        raise RangeNotSatisfiable(size)
    return ByteRange(max(0, size - length), size - 1) if size else None


def _number(digits: str) -> int:
    """Read digits, in time that grows no faster than their number."""
    digits = digits.lstrip("0") or "0"
    return min(int(digits), _BEYOND) if len(digits) <= _LONGEST_NUMBER else _BEYOND
