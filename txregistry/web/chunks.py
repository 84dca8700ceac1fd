"""Chunks: where the content lies in a body that is framed as chunks (RFC 9112, 7.1).

It takes what Twisted's decoder takes, and refuses what that refuses, but copies
nothing: what arrived stays where it is, and the content is returned as views of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

# The most that Twisted takes: a line with a chunk's size, and all trailers (bytes).
LONGEST_LINE: Final = 1024
LONGEST_TRAILERS: Final = 64 * 1024

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]+)(?:;[\t\x20-\x7e\x80-\xff]*)?")

# What is between two chunks, as almost everybody writes it: one match instead of steps.
_NEXT: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")

_END: Final = b"\r\n"


class ChunkFraming:
    """A chunked body's framing. See Framing."""

    wanted: None = None

    def __init__(self) -> None:
        """Begin with a chunk's size."""
        self.complete = False
        self.malformed = False
        self.end = 0
        self._left = 0  # bytes of the chunk that are still to come
        self._held = bytearray()  # the beginning of a line
        self._trailers = 0  # bytes
        self._step: Callable[[bytes | bytearray, int, int], int] = self._take_size

    def scan(self, buffer: bytes | bytearray, size: int) -> list[memoryview]:
        """See Framing."""
        view = memoryview(buffer)
        pieces = []
        position = 0
        while position < size and not (self.complete or self.malformed):
            if self._left:
                end = min(position + self._left, size)
                pieces.append(view[position:end])
                self._left -= end - position
                position = end
                if not self._left:
                    position = self._skip(buffer, end, size)
            else:
                position = self._step(buffer, position, size)
        self.end = position
        return pieces

    def _skip(self, buffer: bytes | bytearray, start: int, size: int) -> int:
        """Go on behind a chunk's content, to the next one's if that is all there."""
        found = _NEXT.match(buffer, start, size)
        if found is None or not (left := int(found[1], 16)):
            return start  # which the steps see to
        self._left = left
        return found.end()

    def _take_size(self, buffer: bytes | bytearray, start: int, size: int) -> int:
        line, position = self._take_line(buffer, start, size)
        if line is None:
            self.malformed = len(self._held) > LONGEST_LINE
            return position
        found = _SIZE.fullmatch(line)
        if found is None or len(line) >= LONGEST_LINE:
            self.malformed = True
            return position
        self._left = int(found[1], 16)
        self._step = self._take_chunk_end if self._left else self._take_trailer
        return position

    def _take_chunk_end(self, buffer: bytes | bytearray, start: int, size: int) -> int:
        end = min(start + 2 - len(self._held), size)
        self._held += buffer[start:end]
        if len(self._held) == 2:
            self.malformed = self._held != _END
            self._held.clear()
            self._step = self._take_size
        return end

    def _take_trailer(self, buffer: bytes | bytearray, start: int, size: int) -> int:
        line, position = self._take_line(buffer, start, size)
        if line is None:
            missing = 1 if self._held.endswith(b"\r") else 2
            least = self._trailers + len(self._held) + missing
            self.malformed = least > LONGEST_TRAILERS
        elif line:
            self._trailers += len(line) + 2
            self.malformed = self._trailers > LONGEST_TRAILERS
        else:
            self.complete = True
        return position

    def _take_line(
        self, buffer: bytes | bytearray, start: int, size: int
    ) -> tuple[bytes | None, int]:
        """Return a line without its end, None if it is not whole; and what is next."""
        held = self._held
        if held.endswith(b"\r") and buffer[start] == _END[1]:
            line, position = bytes(held[:-1]), start + 1
        else:
            end = buffer.find(_END, start, size)
            if end < 0:
                held += buffer[start:size]
                return None, size
            line, position = bytes(held + buffer[start:end]), end + 2
        held.clear()
        return line, position
