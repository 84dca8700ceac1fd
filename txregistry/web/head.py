"""Head: a request's header, read at one go when all of it has come.

Twisted's parser goes line by line, and spends more on that than a route on its answer.
This reads what almost every client sends, a header in one piece with nothing unusual in
it, to the same end. Whatever else comes is left to that parser, which also knows how to
refuse.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import define

from txregistry.web.framing import HOST
from txregistry.web.limits import Limits

_END: Final = b"\r\n\r\n"
_FIRST: Final = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1")
_LINE: Final = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([!-~](?:[ -~]*[!-~])?)?[ \t]*")
_NONE: Final = (b"", b"")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

# What says how long the body is, and when it comes, in other ways than by a length; and
# whether the connection stays.
_OTHERWISE: Final = frozenset({b"transfer-encoding", b"expect", b"connection"})


@define
class Head:
    """A request's header, of HTTP/1.1; one that ``check_header`` would let pass.

    Attributes:
        method: The method.
        target: The request's target.
        headers: Names, as the client has them, and values.
        length: The body's length in bytes.
        size: The header's own, with its end.
    """

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    length: int
    size: int

    @classmethod
    def read(cls, data: bytes, limits: Limits) -> Head | None:
        """Read a header.

        Args:
            data: All that came, from the request's first byte on.
            limits: Bounds on clients.

        Returns:
            The header; None: it is not whole, or not plain.
        """
        end = data.find(_END, 0, limits.header_size)
        if end < 0:
            return None
        first, *lines = data[:end].split(b"\r\n")
        matched = _FIRST.fullmatch(first)
        if matched is None or len(lines) > limits.header_count:
            return None
        headers = {}
        for line in lines:
            field = _LINE.fullmatch(line)
            if field is None:
                return None
            name, value = field.groups(b"")
            headers[name.lower()] = (name, value)
        length = headers.get(b"content-length", (b"", b"0"))[1]
        if (
            len(headers) < len(lines)  # some came twice
            or not _OTHERWISE.isdisjoint(headers)
            or HOST.fullmatch(headers.get(b"host", _NONE)[1]) is None
            or _LENGTH.fullmatch(length) is None
        ):
            return None
        method, target = matched.groups()
        pairs = list(headers.values())
        return cls(method, target, pairs, int(length), end + len(_END))
