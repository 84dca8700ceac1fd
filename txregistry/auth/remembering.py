"""Remembering: credentials that were found good a moment ago, as keyed hashes."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from typing import Final

from twisted.internet.interfaces import IReactorTime

LIFETIME: Final = 60.0  # seconds
MOST: Final = 10_000  # credentials; about 2 MB


class Remembered:
    """Credentials that are good for some time yet.

    What is kept of them is of no use to anybody else: a hash with a key that this
    process alone knows.
    """

    def __init__(
        self, clock: IReactorTime, lifetime: float = LIFETIME, most: int = MOST
    ) -> None:
        """Remember nothing yet.

        Args:
            clock: Gives the time.
            lifetime: For how many seconds to remember; 0: not at all.
            most: How many credentials to remember; the oldest are forgotten first.
        """
        self._clock = clock
        self._lifetime = lifetime
        self._most = most
        self._key = secrets.token_bytes(32)
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def mark(self, *parts: bytes) -> bytes:
        """Return what credentials are remembered by.

        Args:
            parts: The user's name, the password, and what it was compared with: if any
                of them is another one, so is the mark.
        """
        framed = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        return hmac.digest(self._key, framed, "sha256")

    def add(self, mark: bytes) -> None:
        """Remember credentials from now on."""
        if self._lifetime <= 0:
            return
        self._ends.pop(mark, None)
        self._ends[mark] = self._clock.seconds() + self._lifetime
        if len(self._ends) > self._most:
            self._ends.popitem(last=False)

    def __contains__(self, mark: bytes) -> bool:
        """Say whether credentials are remembered."""
        end = self._ends.get(mark)
        if end is None:
            return False
        if end > self._clock.seconds():
            return True
        del self._ends[mark]
        return False
