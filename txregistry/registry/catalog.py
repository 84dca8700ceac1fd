"""Catalog: which repositories there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from heapq import heapify, heappop, heappush

from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IStorageDriver, PathNotFound
from txregistry.registry.folders import children
from txregistry.registry.layout import MANIFESTS, REPOSITORIES
from txregistry.turns import Turns


class Catalog:
    """All repositories of a registry: every folder that holds manifests."""

    def __init__(self, driver: IStorageDriver, clock: IReactorTime) -> None:
        """Take the store, and where the reactor's turns are from."""
        self._driver = driver
        self._clock = clock

    async def page(self, after: str, limit: int) -> list[str]:
        """List repositories' names, sorted by bytes.

        Args:
            after: Only names strictly behind this one, which need not exist.
            limit: How many at the most.
        """
        found: list[str] = []
        if limit > 0:
            async for name in self._walk(after):
                found.append(name)
                if len(found) == limit:
                    break
        return found

    async def _walk(self, after: str) -> AsyncIterator[str]:
        # Names sort as whole strings: "a", "a-b", "a/b", "a0". So a folder stands twice
        # in the heap: as the repository "a", and as "a/", behind which its subfolders
        # come. Folders whose names all lie before ``after`` are never opened.
        waiting = [f"{name}/" for name in await self._folders("", after)]
        waiting += [name[:-1] for name in waiting]
        heapify(waiting)
        turns = Turns(self._clock)
        while waiting:
            await turns.yield_if_due()
            name = heappop(waiting)
            if name.endswith("/"):
                for child in await self._folders(name, after):
                    heappush(waiting, f"{name}{child}")
                    heappush(waiting, f"{name}{child}/")
            elif name > after and await self._is_repository(name):
                yield name

    async def _folders(self, prefix: str, after: str) -> list[str]:
        folder = f"{REPOSITORIES}/{prefix}".rstrip("/")
        return [
            name
            for name in await children(self._driver, folder)
            if not name.startswith("_") and _may_follow(f"{prefix}{name}", after)
        ]

    async def _is_repository(self, name: str) -> bool:
        try:
            await self._driver.stat(f"{REPOSITORIES}/{name}/{MANIFESTS}")
        except PathNotFound:
            return False
        return True


def _may_follow(name: str, after: str) -> bool:
    """Say whether a repository or one of those below it can come behind a name."""
    below = f"{name}/"
    return name > after or below > after or after.startswith(below)
