"""Locks: what must not happen to one repository at the same time.

Between processes there is no lock: there, each step looks again before it destroys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock

from txregistry.oci.names import Name


class Locks:
    """A lock for each repository's tags and manifests, while somebody wants it."""

    def __init__(self) -> None:
        """Hold none."""
        self._locks: dict[Name, DeferredLock] = {}

    @asynccontextmanager
    async def held(self, name: Name) -> AsyncIterator[None]:
        """Hold a repository's lock, first come first served."""
        lock = self._locks.setdefault(name, DeferredLock())
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()
            if not lock.locked:
                self._locks.pop(name, None)
