"""Redoing: making again what the journal says was made, however much of it is there.

Only the last change of each path counts: what a later one has overwritten, moved over
or removed is not brought back.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os.path import dirname
from typing import Final

from txregistry.storage.disk import Disk, open_to_read, read_all
from txregistry.storage.records import Entry, Gone, Moved, Written

# With what a change fails for which there was no place when it was made, either.
_NO_PLACE: Final = (
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
)


class Outcome:
    """What a row of changes leads to."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take the changes in their order."""
        self._kept: dict[str, Written | Moved] = {}
        self._gone: dict[str, None] = {}
        self._left = set[str]()
        for entry in reversed(list(entries)):
            is_settled = self._is_settled(entry.path)
            if isinstance(entry, Gone):
                self._gone[entry.path] = None
                continue
            if isinstance(entry, Moved) and entry.source != entry.path:
                self._left.add(entry.source)  # what it was before is of no account
            if not is_settled:
                self._kept[entry.path] = entry
        self._above = {each for path in self._kept for each in _above(path)}

    def bring_about(self, disk: Disk, anew: bool = False) -> int:
        """Make a disk show it. It is not durable then.

        Args:
            disk: Nobody else changes anything there meanwhile.
            anew: Write also what is there already.

        Returns:
            How many things had to be changed.

        Raises:
            OSError: It did not work; repeating is harmless.
        """
        changed = 0
        kept = list(reversed(self._kept.values()))
        for entry in kept:
            if isinstance(entry, Moved):  # out of what is removed next, perhaps
                with _where_there_is_place(entry, is_last=False):
                    changed += _keep(disk, entry, anew)
        for path in self._gone:
            changed += self._remove(disk, path)
        for entry in kept:
            with _where_there_is_place(entry, is_last=True):
                changed += _keep(disk, entry, anew)
        return changed

    def _is_settled(self, path: str) -> bool:
        if path in self._kept or path in self._gone or path in self._left:
            return True
        return any(each in self._gone for each in _above(path))

    def _remove(self, disk: Disk, path: str) -> int:
        place = disk.place(path)
        is_directory = os.path.isdir(place) and not os.path.islink(place)
        if path in self._above and is_directory:
            names = os.listdir(place)
            return sum(self._remove(disk, f"{path}/{name}") for name in names)
        if not os.path.lexists(place) or (path in self._kept and not is_directory):
            return 0
        disk.drop(place)
        return 1


@contextmanager
def _where_there_is_place(entry: Entry, is_last: bool) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        if is_last:
            # Only now, because a process that has no Twisted may do this.
            from twisted.logger import Logger

            Logger().warn(
                "journal: no place for {path}: {error}",
                path=entry.path,
                error=error.strerror,
            )


def _above(path: str) -> Iterator[str]:
    while (path := dirname(path)) != "/":
        yield path


def _keep(disk: Disk, entry: Written | Moved, anew: bool) -> bool:
    place = disk.place(entry.path)
    if isinstance(entry, Moved):
        source = disk.place(entry.source)
        if source == place or not _is(source, entry.inode):
            return False
        disk.make_directory(dirname(place))
        disk.rename(source, place)
        return True
    if not anew and _holds(place, entry.content):
        return False
    disk.write(place, entry.content)
    return True


def _holds(place: str, content: bytes) -> bool:
    try:
        descriptor, size = open_to_read(place)
    except OSError:
        return False
    try:
        return size == len(content) and read_all(descriptor, size) == content
    finally:
        os.close(descriptor)


def _is(place: str, inode: int) -> bool:
    try:
        return os.stat(place).st_ino == inode
    except (FileNotFoundError, NotADirectoryError):
        return False
