"""Decoding: which of the bytes that arrive on a connection are a body's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Framing(Protocol):
    """How a body is framed, and how far it has come.

    The same one serves whoever receives the body, in whichever thread, one at a time.

    Attributes:
        complete: Whether all of the body has come.
        malformed: Whether it is not framed as it has to be; the rest means nothing.
        end: How many of the bytes that were scanned last are the body's, when it is
            complete: behind them begins the next request.
        wanted: How many bytes the body has yet; None: not known.
    """

    complete: bool
    malformed: bool
    end: int

    @property
    def wanted(self) -> int | None:
        """See above."""

    def scan(self, buffer: bytes | bytearray, size: int) -> list[memoryview]:
        """Find the content among the bytes that arrived next.

        Args:
            buffer: Begins with those bytes.
            size: How many they are; at least one.

        Returns:
            Views of the buffer, in order.
        """


class LengthFraming:
    """The framing of a body whose length was told. See Framing."""

    malformed = False

    def __init__(self, length: int) -> None:
        """Take the length in bytes; at least one."""
        self.complete = False
        self.end = 0
        self.wanted = length

    def scan(self, buffer: bytes | bytearray, size: int) -> list[memoryview]:
        """See Framing."""
        self.end = min(size, self.wanted)
        self.wanted -= self.end
        self.complete = not self.wanted
        return [memoryview(buffer)[: self.end]]


class MalformedBody(Exception):
    """A body is not framed as it has to be."""


class BodyDecoder:
    """What Twisted's channel gives a body's bytes to.

    Attributes:
        framing: The body's framing.
    """

    def __init__(
        self,
        framing: Framing,
        on_content: Callable[[bytes | memoryview], object],
        on_end: Callable[[bytes], object],
    ) -> None:
        """Take the framing, and what to call.

        Args:
            framing: The body's framing.
            on_content: Takes pieces of the content.
            on_end: Takes what came behind the body, when it is complete.
        """
        self.framing = framing
        self._on_content = on_content
        self._on_end = on_end

    def dataReceived(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            MalformedBody: They are not framed as they have to be. The content before
                has been handed on.
        """
        pieces = self.framing.scan(data, len(data))
        if len(pieces) == 1 and len(pieces[0]) == len(data):
            self._on_content(data)  # which need not be copied
        else:
            for piece in pieces:
                self._on_content(piece)
        if self.framing.malformed:
            raise MalformedBody
        if self.framing.complete:
            self._on_end(data[self.framing.end :])
