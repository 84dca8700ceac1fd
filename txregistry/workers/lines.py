"""Lines: messages between processes, a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def to_line(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


class LineReader:
    """Makes messages of the bytes that come in, however they are cut."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take bytes; yield the messages that are complete now."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            line = b"".join([*self._pieces, end])
            self._pieces.clear()
            yield json.loads(line)
        if rest:
            self._pieces.append(rest)
