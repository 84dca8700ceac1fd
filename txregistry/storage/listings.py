"""Listings: what was in folders, for as long as they look the same.

A folder says when a name in it came or went. So it is enough to look at the folder,
and to list it again when it has changed; what a large one costs is paid once.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable
from threading import Lock
from time import time
from typing import Final, TypeAlias

from attrs import define, field, frozen

from txregistry.storage.disk import GRAIN
from txregistry.storage.searching import Search

MOST: Final = 100_000  # names that are kept, of all folders; some 10 MB
LONGEST: Final = 300.0  # seconds for which anything is believed at the most
FEW: Final = 64  # so many files are looked for without a thread
MANY: Final = 1000  # what a search has found is kept if it has seen so many folders
SEEN: Final = 20_000  # of those, two are kept, and more that have seen no more folders

List: TypeAlias = Callable[[str], list[str]]
"""Lists what is directly in a folder, sorted; fails with OSError."""

_Mark: TypeAlias = tuple[int, int, int]


@frozen
class _Held:
    """Which of a folder's names hold something.

    Attributes:
        since: When that was found out first, in seconds since the epoch.
        names: Those that do, sorted.
        others: Those that do not, or not yet.
    """

    since: float
    names: list[str]
    others: list[str]

    def looked_again(self, place: str, held: str) -> _Held:
        """Look for what was not there; that it came did not change the folder."""
        found = _holding(place, self.others, held)
        if not found:
            return self
        left: list[str] = []
        if len(found) < len(self.others):
            there = set(found)
            left = [name for name in self.others if name not in there]
        return _Held(self.since, sorted([*self.names, *found]), left)


@define
class _Folder:
    """A folder that was listed.

    Attributes:
        place: The folder.
        mark: What it looked like before.
        until: For how long it is believed, in seconds since the epoch.
        names: What was in it, sorted.
        held: What some of that hold, by what that is.
    """

    place: str
    mark: _Mark
    until: float
    names: list[str]
    held: dict[str, _Held] = field(factory=dict)

    @property
    def size(self) -> int:
        """How much it counts among what is kept."""
        return 1 + len(self.names)


@frozen
class _Searched:
    """What a search has seen, and found.

    Attributes:
        until: For how long it is believed, in seconds since the epoch.
        folders: Where it has been, as it was.
        found: What it has found.
    """

    until: float
    folders: list[_Folder]
    found: list[str]

    def holds(self, now: float) -> bool:
        """Say whether it would see and find the same again."""
        if not 0 < self.until - now <= LONGEST:
            return False
        look = os.stat
        try:
            for folder in self.folders:
                status = look(folder.place)
                number, modified, changed = folder.mark
                if (
                    status.st_mtime_ns != modified
                    or status.st_ctime_ns != changed
                    or status.st_ino != number
                ):
                    return False
        except OSError:
            return False
        return True


class Listings:
    """Lists folders, and keeps what they held; any thread may ask."""

    def __init__(
        self, names: List, clock: Callable[[], float] = time, most: int = MOST
    ) -> None:
        """Prepare.

        Args:
            names: Lists a folder.
            clock: Says what time it is, in seconds since the epoch: the one by which
                files are marked, too.
            most: How many names are kept; the folders that were listed first are
                forgotten first.
        """
        self._list = names
        self._clock = clock
        self._most = most
        self._kept = 0
        self._folders: dict[str, _Folder] = {}  # in the order they were listed
        self._searches: dict[tuple[object, ...], _Searched] = {}
        self._lock = Lock()

    def holders_at_hand(
        self, place: str, held: str, after: str, limit: int | None
    ) -> list[str] | None:
        """Return what ``holders`` does if that takes microseconds; None: it does not.

        Raises:
            OSError: It is no folder.
        """
        folder = self._current(place)
        known = None if folder is None else self._known(folder, held)
        if folder is None or known is None or len(known.others) > FEW:
            return None
        known = folder.held[held] = known.looked_again(place, held)
        return _page(known.names, after, limit)

    def holders(
        self, place: str, held: str, after: str, limit: int | None
    ) -> list[str]:
        """List the names in a folder that hold something, sorted.

        Args:
            place: The folder.
            held: What they are to hold, as a path from there.
            after: Only names behind this one.
            limit: How many at the most; None: all.

        Raises:
            OSError: It is no folder.
        """
        now = self._clock()
        folder = self._folder(place, now)
        known = self._known(folder, held)
        if known is None:
            known = _Held(now, [], folder.names)
        known = folder.held[held] = known.looked_again(place, held)
        return _page(known.names, after, limit)

    def search(self, place: str, held: str, after: str, limit: int | None) -> list[str]:
        """Find folders that hold something at all depths; see ``Search``.

        Raises:
            OSError: The place is no folder.
        """
        asked = place, held, after, limit
        before, now = self._searches.get(asked), self._clock()
        if before is not None and before.holds(now):
            return before.found.copy()
        seen: list[_Folder] = []
        until = now + LONGEST
        search = Search(held, after, limit)
        while (name := search.next()) is not None:
            path = f"{place}/{name}" if name else place
            try:
                folder = self._folder(path, now)
            except (FileNotFoundError, NotADirectoryError):
                if not name:
                    raise
                search.listed(name, ())  # a file, or gone meanwhile
                continue
            seen.append(folder)
            until = min(until, folder.until)
            search.listed(name, folder.names)
        if len(seen) >= MANY:
            self._keep_search(asked, _Searched(until, seen, search.found.copy()))
        return search.found

    def _keep_search(self, asked: tuple[object, ...], searched: _Searched) -> None:
        with self._lock:
            kept = self._searches
            kept.pop(asked, None)
            kept[asked] = searched
            seen = sum(len(each.folders) for each in kept.values())
            while len(kept) > 2 and seen > SEEN:
                seen -= len(kept.pop(next(iter(kept))).folders)

    def _folder(self, place: str, now: float) -> _Folder:
        """Return a folder as it is now, or has become since."""
        before, mark = self._folders.get(place), _mark(place)
        if (
            before is not None
            and before.mark == mark
            and 0 < before.until - now <= LONGEST
        ):
            return before
        _, modified, changed = mark
        steady = max(modified, changed) / 1e9 < now - GRAIN
        until = now + LONGEST if steady else 0.0
        folder = _Folder(place, mark, until, self._list(place))
        if before is not None:
            folder.held = _carried(before, folder.names)
        self._keep(place, folder)
        return folder

    def _current(self, place: str) -> _Folder | None:
        """Return what is kept of a folder, if that is what it is now."""
        folder = self._folders.get(place)
        if folder is None or not 0 < folder.until - self._clock() <= LONGEST:
            return None
        return folder if _mark(place) == folder.mark else None

    def _known(self, folder: _Folder, held: str) -> _Held | None:
        """Return what is known of who holds something, if that is still believed."""
        known = folder.held.get(held)
        if known is None or not 0 <= self._clock() - known.since < LONGEST:
            return None
        return known

    def _keep(self, place: str, folder: _Folder) -> None:
        with self._lock:
            before = self._folders.pop(place, None)
            self._kept += folder.size - (0 if before is None else before.size)
            self._folders[place] = folder
            while self._kept > self._most:
                self._kept -= self._folders.pop(next(iter(self._folders))).size


def _carried(before: _Folder, names: list[str]) -> dict[str, _Held]:
    """Return what is still known of a folder that has changed."""
    carried = {}
    for held, known in before.held.items():
        held_before = set(known.names)
        carried[held] = _Held(
            known.since,
            [name for name in names if name in held_before],
            [name for name in names if name not in held_before],
        )
    return carried


def _holding(place: str, names: list[str], held: str) -> list[str]:
    """Return those of a folder's names that hold something."""
    access, there = os.access, os.F_OK
    if len(names) <= FEW:
        return [each for each in names if access(f"{place}/{each}/{held}", there)]
    # From the folder it is not so far each time: a third less for a repository's tags.
    folder, below = os.open(place, os.O_RDONLY | os.O_DIRECTORY), f"/{held}"
    try:
        return [each for each in names if access(each + below, there, dir_fd=folder)]
    finally:
        os.close(folder)


def _mark(place: str) -> _Mark:
    status = os.stat(place)
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _page(names: list[str], after: str, limit: int | None) -> list[str]:
    first = bisect_right(names, after) if after else 0
    return names[first:] if limit is None else names[first : first + max(limit, 0)]
