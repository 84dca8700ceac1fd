"""UUIDs: names for requests and upload sessions that nobody guesses."""

from __future__ import annotations

from os import urandom
from struct import Struct
from typing import Final

# So many are made at a time, which takes a system call.
_MADE: Final = 256

_DIGITS: Final = 32
_PARTS: Final = Struct("8s4s4s4s12s")
_VERSION, _VARIANT = 12, 16
_VARIANTS: Final = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)


class RandomUUIDs:
    """Makes random UUIDs, many at a time. Not for two threads at once."""

    def __init__(self) -> None:
        """Make none yet."""
        self._made: list[str] = []

    def __call__(self) -> str:
        """Return the next one (RFC 9562, version 4); ``uuid4`` takes much longer."""
        if not self._made:
            self._made = _make(_MADE)
        return self._made.pop()


def _make(count: int) -> list[str]:
    digits = bytearray(urandom(_DIGITS // 2 * count).hex(), "ascii")
    digits[_VERSION::_DIGITS] = b"4" * count
    digits[_VARIANT::_DIGITS] = digits[_VARIANT::_DIGITS].translate(_VARIANTS)
    return [b"-".join(parts).decode() for parts in _PARTS.iter_unpack(digits)]
