"""The disk: a folder in which every change is atomic, and durable when it returns.

Everything here blocks, may be called from any thread, and fails with OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from heapq import nsmallest
from itertools import count
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Final, TypeVar

from txregistry.storage.rounds import Rounds
from txregistry.storage.segments import ROOT, are_segments, is_segment
from txregistry.storage.settling import Settled

if TYPE_CHECKING:
    from txregistry.streams import Piece

_TOGETHER: Final = 1000  # names of a folder that are looked at together
_PIECE: Final = 1024 * 1024  # bytes that are read at a time

# No file system keeps times less exactly than this, in seconds. What has changed just
# now may change again within it, and look the same.
GRAIN: Final = 2.0

_SPACE: Final = 8  # bytes of white space, or of what makes it another content

ATTEMPTS: Final = 20  # at what somebody else's deletions can spoil

# The Go registry (3.1) leaves such files when it is killed; a tag may be named so too,
# but that is a directory.
_GO_LEFTOVER: Final = re.compile(
    r".+\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp"
)

# What removing a tree fails with when somebody puts something into it meanwhile.
_CHANGED: Final = (errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)

# What a file system answers that has no room for something.
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)

# What a file system answers that cannot sync a directory.
CANNOT_SYNC: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)

_T = TypeVar("_T")


class Disk:
    """A folder and what can be done in it.

    A place is a path as the operating system knows it. Files and folders get the modes
    0666 and 0777 less the umask: the Go registry's, which can take over at any time.
    """

    def __init__(self, root: str) -> None:
        """Take the folder's absolute path. It is made when something is put there."""
        self.root = root
        self._own = os.urandom(12).hex()
        self._numbers = count()
        self._rounds = Rounds(_sync_directory)
        self._settled = Settled(root)

    def place(self, path: str) -> str:
        """Return where a driver's path lies."""
        return self.root if path == ROOT else self.root + path

    def path(self, place: str) -> str:
        """Return the path that lies at a place; that of a temporary one is none."""
        return place.removeprefix(self.root)

    def put(self, place: str, content: bytes) -> None:
        """Write a file whole, over what is there."""
        persistently(partial(self._put, place, content))

    def write(self, place: str, content: bytes) -> None:
        """Write a file whole, over what is there. Atomic, and not durable."""
        persistently(partial(self._write, place, content))

    def move(self, source: str, destination: str) -> None:
        """Move a file that is durable already, over what is there."""
        persistently(partial(self._move, source, destination))

    def note(self, place: str, content: bytes) -> None:
        """Write a file in its place. Neither atomic nor durable."""
        persistently(partial(self._note, place, content))

    def begin(self, place: str) -> None:
        """Have an empty file at a place, unless there is one. Not durable."""
        persistently(partial(self._note, place, b"", os.O_CREAT))

    def drop(self, place: str) -> None:
        """Remove a file, or a directory and all below it, if it is there.

        A crash may bring it back.
        """
        self._remove(place, ATTEMPTS)

    def names(self, place: str, after: str, limit: int | None) -> list[str]:
        """List what is directly in a folder; see IStorageDriver.list_children."""
        names = os.listdir(place)
        if after:
            names = [name for name in names if name > after]
        if len(names) <= _TOGETHER:
            shown = _shown(place, names)
        else:
            shown = []
            for start in range(0, len(names), _TOGETHER):
                shown += _shown(place, names[start : start + _TOGETHER])
        return sorted(shown) if limit is None else nsmallest(limit, shown)

    def make_directory(self, directory: str) -> None:
        """Make a folder and those above it. They become durable with ``sync``."""
        if not os.path.isdir(directory):
            self.add_directory(directory)

    def add_directory(self, directory: str) -> None:
        """Make a folder that is not there, most likely, and those above it."""
        try:
            self._add_directory(directory)
        except FileNotFoundError:
            self.make_directory(os.path.dirname(directory))
            self._add_directory(directory)

    def temporary(self, place: str) -> str:
        """Name a file beside another one that no path of a driver leads to."""
        name = f"~{self._own}{next(self._numbers):08x}.tmp"
        return f"{os.path.dirname(place)}/{name}"

    def sync(self, directory: str) -> None:
        """Make the names in a folder durable, and the folder's own name."""
        self.sync_directory(directory)
        self.settle([directory])

    def settling(
        self, directories: Iterable[str]
    ) -> AbstractContextManager[Sequence[str]]:
        """Let somebody make folders durable; see ``Settled.settling``."""
        return self._settled.settling(directories)

    def settle(self, directories: Iterable[str]) -> None:
        """Make folders' own names durable, and those of all above them."""
        with self.settling(directories) as parents:
            for parent in parents:
                self.sync_directory(parent)

    def sync_directory(self, directory: str) -> None:
        """Make the names in a folder durable; a folder that is gone has none."""
        self._rounds.sync(directory)

    def sync_file(self, descriptor: int) -> None:
        """Make a file's content and size durable."""
        os.fsync(descriptor)

    def lock(self, descriptor: int) -> None:
        """Lock a file until it is closed, or fail: with BlockingIOError if it is."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def rename(self, source: str, destination: str) -> None:
        """Give a file another name, over what has that name."""
        os.rename(source, destination)

    def mkdir(self, place: str) -> None:
        """Make one folder."""
        os.mkdir(place)

    def remove_tree(self, place: str) -> None:
        """Remove what is at a place, if anything is. Not durable.

        Fails when somebody puts something there meanwhile, having removed a part.
        """
        with suppress(FileNotFoundError):
            if not S_ISDIR(os.lstat(place).st_mode):
                os.unlink(place)
                return
            with os.scandir(place) as entries:
                below = [entry.path for entry in entries]
            for path in below:
                self.remove_tree(path)
            os.rmdir(place)

    def _add_directory(self, directory: str) -> None:
        self._settled.made(directory)
        try:
            self.mkdir(directory)
        except FileExistsError:
            # It may be gone again, which is another error than that of a file there.
            if not S_ISDIR(os.stat(directory).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "not a directory") from None
        # Once more: who was not done yet with one that was there before may have taken
        # it for durable meanwhile.
        self._settled.made(directory)
        if not directory.startswith(f"{self.root}/"):
            self.sync_directory(os.path.dirname(directory))

    def _remove(self, place: str, attempts: int) -> None:
        try:
            self.remove_tree(place)
        except OSError as error:
            if error.errno not in _CHANGED or not attempts:
                raise
            # Aside, where nobody puts anything. Not there from the beginning, because
            # what a crash leaves there is not listed, and nobody would miss it.
            aside = self.temporary(place)
            with suppress(FileNotFoundError):
                self.rename(place, aside)
                self._remove(aside, attempts - 1)

    def _note(
        self, place: str, content: bytes, flags: int = os.O_CREAT | os.O_TRUNC
    ) -> None:
        # Non-blocking, because a named pipe would wait for its reader otherwise.
        flags |= os.O_WRONLY | os.O_NONBLOCK
        try:
            descriptor = os.open(place, flags, 0o666)
        except FileNotFoundError:
            self.make_directory(os.path.dirname(place))
            descriptor = os.open(place, flags, 0o666)
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)

    def _put(self, place: str, content: bytes) -> None:
        self._write(place, content, self.sync_file)
        self.sync(os.path.dirname(place))

    def _write(
        self,
        place: str,
        content: bytes,
        finish: Callable[[int], None] = lambda _descriptor: None,
    ) -> None:
        self.make_directory(os.path.dirname(place))
        with self._temporary_file(place) as (temporary, descriptor):
            write_all(descriptor, content)
            finish(descriptor)
            self.rename(temporary, place)

    @contextmanager
    def _temporary_file(self, place: str) -> Iterator[tuple[str, int]]:
        temporary = self.temporary(place)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            yield temporary, descriptor
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)

    def _move(self, source: str, destination: str) -> None:
        directory = os.path.dirname(destination)
        self.make_directory(directory)
        self.rename(source, destination)
        self.sync(directory)
        if os.path.dirname(source) != directory:
            self.sync_directory(os.path.dirname(source))


def persistently(attempt: Callable[[], _T]) -> _T:
    """Try again what somebody else's deletions spoil between two steps of it.

    Args:
        attempt: What to do; made up to ``ATTEMPTS`` times.

    Raises:
        FileNotFoundError: It failed so each time.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except FileNotFoundError:
            continue
    return attempt()


@contextmanager
def without(codes: Collection[int]) -> Iterator[None]:
    """Do without something, where the operating system answers that it has none.

    Args:
        codes: The error numbers that say so.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise


def require_regular(status: os.stat_result) -> None:
    """Refuse what holds no bytes.

    Raises:
        IsADirectoryError: It is no regular file; most likely it is a directory.
    """
    if not S_ISREG(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a regular file")


def open_to_read(place: str) -> tuple[int, int]:
    """Open a file; return its descriptor and its size in bytes.

    Raises:
        IsADirectoryError: It is no regular file.
    """
    # Non-blocking, because a named pipe would wait for its writer otherwise.
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        require_regular(status)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


class SameContent:
    """Says, each time it is asked, whether a file has a content.

    White space around it does not matter. What looks like a file that had it is not
    read again: a ``stat`` is a third of what reading costs.
    """

    __slots__ = ("_content", "_look", "_place")

    def __init__(self, place: bytes, content: bytes) -> None:
        """Take the file and the content."""
        self._place = place
        self._content = content
        self._look: tuple[int, int, int] | None = None

    def holds(self) -> bool:
        """Look."""
        try:
            status = os.stat(self._place)
            look = (status.st_ino, status.st_ctime_ns, status.st_size)
            if look == self._look:
                return True
            self._look = None
            if not S_ISREG(status.st_mode) or not self._has_content():
                return False
        except OSError:
            return False
        # A file that was changed just now may change again and look the same.
        if abs(time.time() - status.st_ctime) > GRAIN:
            self._look = look
        return True

    def _has_content(self) -> bool:
        descriptor = os.open(self._place, os.O_RDONLY | os.O_NONBLOCK)
        try:
            came = os.read(descriptor, len(self._content) + _SPACE)
        finally:
            os.close(descriptor)
        return came.strip() == self._content


def has_size(place: bytes, size: int) -> bool:
    """Say whether there is a regular file of a size in bytes."""
    try:
        status = os.stat(place)
    except OSError:
        return False
    return status.st_size == size and S_ISREG(status.st_mode)


def read_all(descriptor: int, size: int) -> bytes:
    """Read from where a descriptor stands to the end.

    Args:
        descriptor: An open file.
        size: How many bytes there should be.
    """
    # One byte more than there should be: less than that is the end.
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    pieces = [content]
    while content := os.read(descriptor, _PIECE):
        pieces.append(content)
    return b"".join(pieces)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write bytes, in as many steps as the operating system makes of it."""
    written = os.write(descriptor, content)
    while written < len(content):
        content = memoryview(content)[written:]
        written = os.write(descriptor, content)


def _sync_directory(directory: str) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        with without(CANNOT_SYNC):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_pieces(descriptor: int, pieces: Sequence[Piece]) -> None:
    """Write pieces one behind the other, at the most 1024 of them."""
    written = os.writev(descriptor, pieces)
    if written < sum(map(len, pieces)):
        write_all(descriptor, memoryview(b"".join(pieces))[written:])


def _shown(place: str, names: list[str]) -> list[str]:
    """Return those of a folder's names that a driver has."""
    # Most often all of them, and that is one look at all together. lost+found and our
    # own temporary files are no segments of a path.
    together = "/".join(names)
    if are_segments(together) and ".tmp" not in together:
        return names
    return [name for name in names if is_segment(name) and not _is_left(place, name)]


def _is_left(place: str, name: str) -> bool:
    if _GO_LEFTOVER.fullmatch(name) is None:
        return False
    return not os.path.isdir(f"{place}/{name}")
