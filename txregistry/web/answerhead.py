"""Answer head: an answer's status and headers, as they go out.

They are put together as text and encoded at one go; Twisted's ``Headers`` look at each
name and value several times, for what we never do.
"""

from __future__ import annotations

import re
from typing import Final

from twisted.web.http import RESPONSES

# Those that Twisted has no words for.
_PHRASES: Final = {429: "Too Many Requests", 431: "Request Header Fields Too Large"}

# What ends a line, or the reading of it.
_BREAKS: Final = re.compile("[\r\n\0]+")


class AnswerHead:
    """The headers of an answer that is yet to be sent.

    Attributes:
        lines: Their lines without ends, by name in lower case. One with several values
            has its lines together.
    """

    __slots__ = ("lines",)

    def __init__(self, lines: dict[str, str]) -> None:
        """Begin with some lines."""
        self.lines = lines

    def set(self, name: str, value: str) -> None:
        """Give a header one value, whatever it had before.

        Args:
            name: Its name, as it is sent.
            value: The value; each character stands for a byte (Latin-1).

        Raises:
            UnicodeEncodeError: It has others; nothing was changed.
        """
        self.lines[name.lower()] = _line(name, value)

    def add(self, name: str, value: str) -> None:
        """Give a header one more value; see ``set``."""
        key, line = name.lower(), _line(name, value)
        before = self.lines.get(key)
        self.lines[key] = line if before is None else f"{before}\r\n{line}"

    def render(self, version: str, status: int) -> bytes:
        """Return the bytes, with the empty line at the end.

        Args:
            version: The request's, such as ``HTTP/1.1``.
            status: The HTTP status.
        """
        lines = "\r\n".join(self.lines.values())
        text = f"{version} {status} {phrase_of(status)}\r\n{lines}\r\n\r\n"
        return text.encode("latin-1")


def phrase_of(status: int) -> str:
    """Return what a status is called."""
    known = RESPONSES.get(status)
    return _PHRASES.get(status, "Unknown") if known is None else known.decode("ascii")


def _line(name: str, value: str) -> str:
    if not value.isprintable():  # a value with a line's end would be more than one
        value = _BREAKS.sub(" ", value)
    if not value.isascii():
        value.encode("latin-1")  # now, or no answer at all could be rendered
    return f"{name}: {value}"
