"""Outputs: where the lines of logs go."""

from __future__ import annotations

import fcntl
import io
import os
import select
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from stat import S_ISCHR, S_ISREG
from threading import Lock
from typing import IO, Final

from attrs import frozen
from twisted.logger import Logger

_log = Logger()

# For so many milliseconds we wait for a reader that takes nothing, if whoever gave us
# the descriptor lets us know; if not, the kernel waits as long as it takes.
_PATIENCE: Final = 1000

# What is there is the kernel's, and not to be put aside.
_DEVICES: Final = ("/dev/", "/proc/")
_MOST_LINKS: Final = 40  # as many as Linux follows


@frozen
class Rotation:
    """When a file is put aside.

    Attributes:
        size: When it has so many bytes; 0: never.
        keep: So many are kept beside it.
    """

    size: int = 0
    keep: int = 0


class Output(ABC):
    """Takes lines, each at once and whole, from any thread.

    Lines that cannot be written are lost; how many were is said when it works again.

    Attributes:
        name: What it is called, for people.
        is_terminal: Whether somebody looks on.
    """

    name: str
    is_terminal = False

    def __init__(self) -> None:
        """Prepare."""
        self._lock = Lock()
        self._lost = 0
        self._torn = False

    def write(self, text: str) -> None:
        """Write lines, with their ends."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            with self._lock, self._alone():
                if self._torn:
                    data = b"\n" + data
                rest = self._put(data)
                while rest:
                    self._torn = True
                    rest = self._put(rest)
                self._torn = False
        except (OSError, ValueError) as error:
            self._lost += 1
            if self._lost == 1:
                _log.error(
                    "cannot write to {output}: {error}; lines are lost",
                    output=self.name,
                    error=error,
                )
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            text = "{output} can be written to again; {lost} lines were lost"
            _log.error(text, output=self.name, lost=lost)

    def reopen(self) -> None:  # noqa: B027 - most have no file, and nothing to do
        """Go on in a new file, if the old one has been put aside by somebody else.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing, where their lines could get into ours."""
        yield

    @abstractmethod
    def _put(self, data: bytes) -> bytes:
        """Write bytes; return those that there was no room for."""


class StreamOutput(Output):
    """A stream that the process was given, such as its standard output."""

    def __init__(self, stream: IO[str], name: str, is_shared: bool = False) -> None:
        """Prepare.

        Args:
            stream: The stream.
            name: What it is called.
            is_shared: Whether other processes write to it that know this class.
        """
        super().__init__()
        self.name = name
        self._stream = stream
        self._descriptor: int | None = None
        with suppress(io.UnsupportedOperation, AttributeError):
            self._descriptor = stream.fileno()
        self.is_terminal = stream.isatty()
        self._is_locked = is_shared and self._is_cut()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """See Output. The kernel unlocks what a process has locked that is killed."""
        if not self._is_locked or self._descriptor is None:
            yield
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _is_cut(self) -> bool:
        """Say whether the kernel may take a line in pieces: not if it is a file's."""
        if self._descriptor is None:
            return False
        mode = os.fstat(self._descriptor).st_mode
        return not S_ISREG(mode) and not (S_ISCHR(mode) and not self.is_terminal)

    def _put(self, data: bytes) -> bytes:
        if self._descriptor is None:
            self._stream.write(data.decode())
            self._stream.flush()
            return b""
        try:
            return data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(self._descriptor, select.POLLOUT)
            if not waiting.poll(_PATIENCE):
                raise
            return data


class NoOutput(Output):
    """Nowhere: the process was given no stream."""

    name = "nowhere"

    def _put(self, data: bytes) -> bytes:
        return b""


class LoggerOutput(Output):
    """Twisted's logger, and whoever observes it."""

    name = "Twisted's log"

    def _put(self, data: bytes) -> bytes:
        _log.info("{line}", line=data.decode().rstrip("\n"))
        return b""


class FileOutput(Output):
    """A file, which may be rotated by us or by somebody else.

    Several processes may write to it: each line goes to its end.

    Attributes:
        path: Its path, without symbolic links.
        descriptor: Its descriptor, now.
    """

    def __init__(
        self,
        path: str,
        rotation: Rotation | None = None,
        is_shared: bool = False,
        descriptor: int | None = None,
    ) -> None:
        """Open it.

        Args:
            path: The file; it is made if it is missing. If it is a symbolic link, it is
                the file that this names now.
            rotation: When it is put aside; None: never.
            is_shared: Whether other processes put it aside, too.
            descriptor: It is open already, which we might not be allowed to do; None:
                it is not.

        Raises:
            OSError: It cannot be opened.
        """
        super().__init__()
        self.name = os.path.abspath(path)
        self.path = resolved(path)
        self._is_shared = is_shared
        self._rotation = rotation or Rotation()
        self._limit = self._rotation.size
        self._mode = 0o666
        self.descriptor = self._open() if descriptor is None else descriptor
        status = os.fstat(self.descriptor)
        self._mode = status.st_mode & 0o666
        if not S_ISREG(status.st_mode) or self.path.startswith(_DEVICES):
            self._limit = 0
        self.is_terminal = os.isatty(self.descriptor)

    def reopen(self) -> None:
        """See Output."""
        with self._lock:
            self._reopen()

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)

    def _put(self, data: bytes) -> bytes:
        if self._is_shared:
            self._follow()
        if self._limit and os.lseek(self.descriptor, 0, os.SEEK_CUR) >= self._limit:
            self._rotate()
        return data[os.write(self.descriptor, data) :]

    def _follow(self) -> None:
        """Go on in the file that another process has begun, if one has."""
        with suppress(OSError):
            if not os.path.samestat(os.stat(self.path), os.fstat(self.descriptor)):
                self._reopen()

    def _rotate(self) -> None:
        try:
            # Until this file is closed: another process waits, and sees it is done.
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            if self._is_ours():
                self._put_aside()
            self._reopen()
            self._limit = self._rotation.size
        except OSError:
            # Such as a folder that may not be written to: go on, and try again later.
            self._limit += self._rotation.size
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def _is_ours(self) -> bool:
        """Say whether no other process has put the file aside."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(status, os.fstat(self.descriptor))

    def _put_aside(self) -> None:
        keep = self._rotation.keep
        if keep == 0:
            os.unlink(self.path)
            return
        names = [self.path, *(f"{self.path}.{n}" for n in range(1, keep + 1))]
        for index in range(keep, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(names[index - 1], names[index])

    def _reopen(self) -> None:
        old, self.descriptor = self.descriptor, self._open()
        os.close(old)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(self.path, flags, self._mode)
        with suppress(OSError):  # a pipe has no end
            os.lseek(descriptor, 0, os.SEEK_END)
        return descriptor


def resolved(path: str) -> str:
    """Return the path of the file that a path names, below /dev and /proc as it is.

    Raises:
        OSError: A link cannot be read.
    """
    path = os.path.abspath(path)
    for _ in range(_MOST_LINKS):
        if path.startswith(_DEVICES):
            break
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        path = os.path.join(folder, name)
        if path.startswith(_DEVICES) or not os.path.islink(path):
            break
        path = os.path.normpath(os.path.join(folder, os.readlink(path)))
    return path
