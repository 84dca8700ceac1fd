"""Drafts: files on disk that somebody is writing.

A new file, or one that is continued, is written in its place: other processes see how
far it is. A file that takes another one's place is written beside it until it is kept
or published, so that readers have the old one whole.

Everything here blocks, most of it briefly, and fails with OSError.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from txregistry.storage.disk import (
    Disk,
    persistently,
    require_regular,
    without,
    write_all,
    write_pieces,
)
from txregistry.storage.writeback import Writeback
from txregistry.streams import Piece

# The disk begins with a long file whenever at least so many bytes have come.
HANDED_ON: Final = 8 * 1024 * 1024

# What a file system answers that has no locks. Two writers are then not noticed.
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class Draft:
    """An open file that one writer has for itself.

    Attributes:
        size: Bytes in it, those from before it was opened too.
    """

    def __init__(
        self, disk: Disk, place: str, written_at: str, descriptors: tuple[int, ...]
    ) -> None:
        """Take an open file.

        Args:
            disk: What the file is on.
            place: Where it belongs.
            written_at: Where it is for now; the same, or a temporary place.
            descriptors: The file's own, open for appending, and then any others that
                are to be closed with it: locks on what it replaces.
        """
        self.size = os.fstat(descriptors[0]).st_size
        self._handed_on = self.size  # to the disk, before anything must be durable
        self._writeback = Writeback()
        self._disk = disk
        self._place = place
        self._written_at = written_at
        self._descriptors = descriptors

    def write(self, content: bytes) -> None:
        """Append bytes. Not for two threads at a time."""
        try:
            write_all(self._descriptors[0], content)
        except OSError:
            self.size = os.fstat(self._descriptors[0]).st_size
            raise
        self.size += len(content)

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """Append pieces. Not for two threads at a time."""
        try:
            write_pieces(self._descriptors[0], pieces)
        except OSError:
            self.size = os.fstat(self._descriptors[0]).st_size
            raise
        self.size += sum(map(len, pieces))

    def hand_on(self) -> None:
        """Have the disk begin with what was written, if that has become much.

        It does not wait for the disk, which takes the next part when it has done with
        this one. It may be called beside another thread that writes.
        """
        size = self.size
        if size - self._handed_on >= HANDED_ON and not self._writeback.running:
            self._handed_on = size
            self._writeback.begin(self._written_at)

    def keep(self) -> None:
        """Close the file and leave it in its place.

        Raises:
            FileNotFoundError: Somebody else has removed it.
        """
        try:
            self._settle_in()
        finally:
            self.close()

    def arrive(self, destination: str, *, durably: bool = False) -> None:
        """Take another place, as a file that is durable.

        A rename is in the file system's journal whole or not at all, so the folder that
        it leaves need not be synced. When it fails, the file stays open.

        Args:
            destination: The other place.
            durably: Make its folder, and have it there durably. False: the folder is
                there, and whoever calls this syncs it.

        Raises:
            FileNotFoundError: Somebody else has removed the file, or the folder.
        """
        self._require_in_place()
        if durably:
            self._disk.move(self._written_at, destination)
        else:
            self._disk.rename(self._written_at, destination)
        self._place = self._written_at = destination
        self.close()

    @property
    def descriptor(self) -> int:
        """The file's descriptor."""
        return self._descriptors[0]

    @property
    def written_at(self) -> str:
        """The place where the file is for now."""
        return self._written_at

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return not self._descriptors

    def discard(self) -> None:
        """Close the file and remove it. Harmless if somebody else did."""
        try:
            if self._is_at(self._written_at):
                with suppress(FileNotFoundError):
                    os.unlink(self._written_at)
                self._disk.sync_directory(os.path.dirname(self._place))
        finally:
            self.close()

    def close(self) -> None:
        """Give up the descriptors and with them the locks."""
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)

    def _settle_in(self) -> None:
        if self._written_at != self._place:
            self._disk.rename(self._written_at, self._place)
            self._written_at = self._place
        else:
            self._require_in_place()

    def _require_in_place(self) -> None:
        if not self._is_at(self._written_at):
            raise FileNotFoundError(errno.ENOENT, "removed while it was written")

    def _is_at(self, place: str) -> bool:
        return _is_open_at(self._descriptors[0], place)


def open_draft(disk: Disk, place: str, *, append: bool) -> Draft:
    """Open a file for writing.

    Args:
        disk: What it is on.
        place: Where it is or will be.
        append: Go on behind what is there. False: begin anew; folders are made.

    Raises:
        BlockingIOError: Somebody else writes to it.
        FileNotFoundError: There is nothing to append to.
        IsADirectoryError: No file can be there.
    """
    if append:
        return persistently(lambda: _continued(disk, place))
    return persistently(lambda: _begun(disk, place))


def _continued(disk: Disk, place: str) -> Draft:
    return Draft(disk, place, place, (_open_locked(disk, place, 0),))


def _begun(disk: Disk, place: str) -> Draft:
    disk.make_directory(os.path.dirname(place))
    descriptor = _open_locked(disk, place, os.O_CREAT)
    try:
        if os.fstat(descriptor).st_size == 0:
            return Draft(disk, place, place, (descriptor,))
        # Whoever comes next finds the old file or the new one, and either is locked.
        temporary = disk.temporary(place)
        own = _open_locked(disk, temporary, os.O_CREAT | os.O_EXCL)
    except BaseException:
        os.close(descriptor)
        raise
    return Draft(disk, place, temporary, (own, descriptor))


def _open_locked(disk: Disk, place: str, flags: int) -> int:
    # Non-blocking, because a named pipe would wait for its reader otherwise.
    flags |= os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK
    descriptor = os.open(place, flags, 0o666)
    try:
        require_regular(os.fstat(descriptor))
        with without(_NO_LOCKS):
            disk.lock(descriptor)
        _require_open_at(descriptor, place)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_open_at(descriptor: int, place: str) -> None:
    # The lock was free because whoever had it has removed or replaced the file.
    if not _is_open_at(descriptor, place):
        raise FileNotFoundError(errno.ENOENT, "replaced while it was opened")


def _is_open_at(descriptor: int, place: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(place))
    except FileNotFoundError:
        return False
