"""UUIDs: names for requests and upload sessions that nobody guesses."""

from __future__ import annotations

from os import urandom


def random_uuid() -> str:
    """Return a random UUID (RFC 9562, version 4); ``uuid4`` takes much longer."""
    text = urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    last = f"{variant}{text[17:20]}-{text[20:]}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{last}"
