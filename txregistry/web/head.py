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

_BREAK: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_FIRST: Final = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1")
_LINE: Final = re.compile("([A-Za-z0-9-]+):[ \t]*([!-~](?:[ -~]*[!-~])?)?[ \t]*")
_NONE: Final = ("",)
_LENGTH: Final = re.compile("[0-9]{1,18}")

# What says how long the body is, and when it comes, in other ways than by a length; and
# whether the connection stays.
_OTHERWISE: Final = frozenset({"transfer-encoding", "expect", "connection"})


class RequestHeaders(dict[str, list[str]]):
    """A request's headers: their values, by names in lower case.

    Decoded as Latin-1, so that each character stands for a byte.
    """

    def addRawHeader(self, name: bytes, value: bytes) -> None:  # noqa: N802
        """See Headers; what Twisted's parser has found."""
        known = self.setdefault(name.decode("latin-1").lower(), [])
        known.append(value.decode("latin-1"))


@define
class Head:
    """A request's header, of HTTP/1.1; one that ``check_header`` would let pass.

    Attributes:
        method: The method.
        target: The request's target.
        headers: The headers.
        length: The body's length in bytes.
        size: The header's own, with its end.
    """

    method: bytes
    target: bytes
    headers: RequestHeaders
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
        first, _, rest = data[:end].partition(_BREAK)
        matched = _FIRST.fullmatch(first)
        lines = rest.decode("latin-1").split("\r\n")
        if matched is None or len(lines) > limits.header_count:
            return None
        headers = RequestHeaders()
        for line in lines:
            field = _LINE.fullmatch(line)
            if field is None:
                return None
            name, value = field.groups("")
            headers[name.lower()] = [value]
        length = headers.get("content-length", ("0",))[0]
        if (
            len(headers) < len(lines)  # some came twice
            or not _OTHERWISE.isdisjoint(headers)
            or HOST.fullmatch(headers.get("host", _NONE)[0]) is None
            or _LENGTH.fullmatch(length) is None
        ):
            return None
        method, target = matched.groups()
        return cls(method, target, headers, int(length), end + len(_END))
