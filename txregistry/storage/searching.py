"""Searching: which directories hold something, in whatever way a driver lists them."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IStorageDriver, PathNotFound
from txregistry.turns import Turns

HIDDEN: Final = "_"
"""What a search does not look into begins so."""


class Search:
    """A search at all depths; somebody else lists what it names, and tells it.

    Paths sort as whole texts: ``a``, ``a-b``, ``a/b``, ``a0``. So those below a
    directory wait together with its siblings. Directories whose paths all lie before
    the first one wanted are never named.

    Attributes:
        found: The paths that were found, sorted by bytes.
    """

    def __init__(self, held: str, after: str, limit: int | None) -> None:
        """Take what is to be held; see IStorageDriver.list_holders."""
        self.found: list[str] = []
        self._held = held
        self._after = after
        self._limit = limit
        self._waiting = [""]

    def next(self) -> str | None:
        """Return which directory to list, relative to the first; None: it is over."""
        if not self._waiting or len(self.found) == self._limit:
            return None
        return heappop(self._waiting)

    def listed(self, folder: str, names: Sequence[str]) -> None:
        """Take what is directly below a directory; nothing if it is none."""
        if folder > self._after and self._held in names:
            self.found.append(folder)
        prefix = f"{folder}/" if folder else ""
        if prefix > self._after:
            for name in names:
                if name[0] != HIDDEN:
                    heappush(self._waiting, prefix + name)
            return
        for name in names:
            if name[0] != HIDDEN and _may_follow(path := prefix + name, self._after):
                heappush(self._waiting, path)


async def holders_by_asking(
    driver: IStorageDriver,
    clock: IReactorTime,
    path: str,
    held: str,
    after: str = "",
    limit: int | None = None,
    deep: bool = False,
) -> list[str]:
    """Do what a driver's ``list_holders`` does, by its ``list_children`` and ``stat``.

    Args:
        driver: The driver.
        clock: Where turns of the reactor come from.
        path: See IStorageDriver.list_holders.
        held: See there.
        after: See there.
        limit: See there.
        deep: See there.
    """
    if deep:
        return await _search(driver, clock, path, Search(held, after, limit))
    found: list[str] = []
    prefix = _prefix(path)
    turns = Turns(clock)
    while limit is None or len(found) < limit:
        names = await driver.list_children(path, after, limit)
        for name in names:
            await turns.yield_if_due()
            if await _exists(driver, f"{prefix}{name}/{held}"):
                found.append(name)
        if limit is None or len(names) < limit:
            break
        after = names[-1]
    return found[:limit]


async def _search(
    driver: IStorageDriver, clock: IReactorTime, path: str, search: Search
) -> list[str]:
    prefix = _prefix(path)
    turns = Turns(clock)
    while (folder := search.next()) is not None:
        await turns.yield_if_due()
        try:
            place = f"{prefix}{folder}" if folder else path
            names = await driver.list_children(place)
        except PathNotFound:
            if not folder:
                raise
            names = []  # a file, or gone meanwhile
        search.listed(folder, names)
    return search.found


def _prefix(path: str) -> str:
    return path if path == "/" else f"{path}/"


async def _exists(driver: IStorageDriver, path: str) -> bool:
    try:
        await driver.stat(path)
    except PathNotFound:
        return False
    return True


def _may_follow(path: str, after: str) -> bool:
    """Say whether a path or one of those below it can come behind another one."""
    below = f"{path}/"
    return path > after or below > after or after.startswith(below)
