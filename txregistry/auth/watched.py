"""A watched file: one that is read anew when it changes."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Generic, NamedTuple, TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.deferreds import deferred, shielded
from txregistry.threads import InThread

_log = Logger()

LARGEST: Final = 16 * 1024 * 1024  # bytes
_BETWEEN_LOOKS: Final = 1.0  # seconds

# No file system keeps times less exactly than this, in seconds. A file may change again
# within them and look the same.
_GRAIN: Final = 2.0

_T = TypeVar("_T")


class BrokenFile(Exception):
    """A file cannot be used as it is. Its text is one line that shows no content.

    Attributes:
        path: The file.
        line: The line in it, from 1; None: the file as a whole.
        problem: What is wrong with it.
    """

    def __init__(self, path: str, problem: str, line: int | None = None) -> None:
        """Name the file, the problem and the line."""
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


class _Look(NamedTuple):
    """What a file looks like from outside; times in nanoseconds since the epoch."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


@frozen
class _Reading(Generic[_T]):
    """What came of reading a file.

    Attributes:
        value: What it said when it could be used the last time.
        look: What it looks like; None: it cannot be opened.
        settled: Whether it would look different if it changed now.
        digest: Of its content.
        error: Why it cannot be used; None: it can.
    """

    value: _T
    look: _Look | None
    settled: bool
    digest: bytes
    error: BrokenFile | None = None


class WatchedFile(Generic[_T]):
    """A file, and what it says.

    When it cannot be used any more, or is gone, that is logged once, and what it said
    before stays in force.
    """

    def __init__(
        self,
        path: str,
        parse: Callable[[str, bytes], _T],
        in_thread: InThread,
        clock: IReactorTime,
        wall_time: Callable[[], float] = time.time,
    ) -> None:
        """Read the file for the first time. This blocks.

        Args:
            path: The file.
            parse: Makes a value of the path and the content. It may raise BrokenFile;
                it runs in other threads.
            in_thread: Runs work in another thread.
            clock: Says when it is time to look again, for ``current``.
            wall_time: Seconds since the epoch, as file systems know them.

        Raises:
            BrokenFile: It cannot be used.
        """
        self.path = path
        self._parse = parse
        self._in_thread = in_thread
        self._clock = clock
        self._wall_time = wall_time
        self._lock = DeferredLock()
        self._last_look = clock.seconds()
        self._reading = self._read()

    async def fresh(self) -> _T:
        """Return what the file says now.

        It costs a ``stat``, and the time to read the file if it has changed.
        """
        if self._has_changed():
            await shielded(self._refresh())
        return self._reading.value

    def unchanged(self) -> _T | None:
        """Return what the file says; None: it may have changed. It costs a ``stat``."""
        return None if self._has_changed() else self._reading.value

    def current(self) -> _T:
        """Return what the file said when somebody last looked.

        Called often enough, this has it looked at once a second.
        """
        now = self._clock.seconds()
        if now - self._last_look >= _BETWEEN_LOOKS:
            self._last_look = now
            if self._has_changed():
                self._refresh()
        return self._reading.value

    def _has_changed(self) -> bool:
        return not self._reading.settled or self._reading.look != _look_at(self.path)

    @deferred
    async def _refresh(self) -> None:
        # One at a time, or an older content could come behind a newer one.
        await self._lock.acquire()
        try:
            if self._has_changed():
                last = self._reading
                self._reading = await self._in_thread(lambda: self._read_again(last))
                self._report(last)
        finally:
            self._lock.release()

    def _report(self, last: _Reading[_T]) -> None:
        error = self._reading.error
        if error is not None and str(error) != str(last.error):
            _log.error("{error}; what was read before stays in force", error=error)
        if self._reading.value is not last.value:
            _log.info("{path} has changed and was read anew", path=self.path)

    def _read(self) -> _Reading[_T]:
        look, content = _open_and_read(self.path)
        value = self._parse(self.path, content)
        return _Reading(value, look, self._is_settled(look), _digest_of(content))

    def _read_again(self, last: _Reading[_T]) -> _Reading[_T]:
        try:
            look, content = _open_and_read(self.path)
        except BrokenFile as error:
            return _Reading(last.value, None, True, b"", error)
        settled, digest = self._is_settled(look), _digest_of(content)
        if digest == last.digest:
            return evolve(last, look=look, settled=settled)
        try:
            value = self._parse(self.path, content)
        except BrokenFile as error:
            return _Reading(last.value, look, settled, digest, error)
        return _Reading(value, look, settled, digest)

    def _is_settled(self, look: _Look) -> bool:
        changed = max(look.changed, look.modified) / 1e9
        return abs(self._wall_time() - changed) > _GRAIN


def _look_at(path: str) -> _Look | None:
    try:
        return _look(os.stat(path))
    except OSError:
        return None


def _look(status: os.stat_result) -> _Look:
    return _Look(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _open_and_read(path: str) -> tuple[_Look, bytes]:
    try:
        # Non-blocking, because a named pipe would wait for its writer otherwise.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            # The look comes first: what changes while it is read is read again.
            status = os.fstat(descriptor)
            content = _read(path, descriptor, status)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BrokenFile(path, error.strerror or "cannot be read") from error
    return _look(status), content


def _read(path: str, descriptor: int, status: os.stat_result) -> bytes:
    if not stat.S_ISREG(status.st_mode):
        raise BrokenFile(path, "not a regular file")
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise BrokenFile(path, f"larger than {LARGEST} bytes")
    return content


def _digest_of(content: bytes) -> bytes:
    return sha256(content).digest()
