"""UUIDs: names for requests and upload sessions that nobody guesses."""

from __future__ import annotations

from os import urandom
from typing import Final

# So many are drawn from the operating system at a time, which takes a system call.
_DRAWN: Final = 256


class RandomUUIDs:
    """Draws random UUIDs, many at a time. Not for two threads at once."""

    def __init__(self) -> None:
        """Draw none yet."""
        self._drawn: list[str] = []

    def __call__(self) -> str:
        """Return the next one; see ``random_uuid``."""
        if not self._drawn:
            text = urandom(16 * _DRAWN).hex()
            self._drawn = [text[at : at + 32] for at in range(0, len(text), 32)]
        return _formed(self._drawn.pop())


def random_uuid() -> str:
    """Return a random UUID (RFC 9562, version 4); ``uuid4`` takes much longer."""
    return _formed(urandom(16).hex())


def _formed(text: str) -> str:
    variant = "89ab"[int(text[16], 16) & 3]
    last = f"{variant}{text[17:20]}-{text[20:]}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{last}"
