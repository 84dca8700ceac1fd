"""Outputs: where the lines of logs go."""

from __future__ import annotations

import atexit
import fcntl
import io
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from stat import S_ISREG
from threading import Lock, Thread
from time import sleep
from typing import IO, Final

from attrs import frozen
from twisted.logger import Logger

from txregistry.observe.descriptors import (
    WholeLines,
    Write,
    is_cut,
    open_to_append,
    wait_for_room,
    writer_to,
)

_log = Logger()

# What is there is the kernel's, and not to be put aside.
_DEVICES: Final = ("/dev/", "/proc/")
_MOST_LINKS: Final = 40  # as many as Linux follows

_MOST_LATE: Final = 1024 * 1024  # bytes that wait for a reader
_PIECE: Final = 64 * 1024  # bytes that are written together of those
_LOOK: Final = 1.0  # seconds after which one looks whether the reader is another one
_PAUSE: Final = 0.01  # seconds, where there is room, but not for us
_LAST: Final = 1.0  # seconds in which a reader can still take what waits at the end


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

    Nobody is ever held up. For a pipe whose reader is slow, lines wait, up to 1 MiB of
    them; a thread hands them on that is there while any do. Lines that cannot be
    written are lost; how many were is said when it works again.

    Attributes:
        name: What it is called, for people.
        is_terminal: Whether somebody looks on.
    """

    name: str
    is_terminal = False
    _descriptor: int | None = None

    def __init__(self) -> None:
        """Prepare."""
        self._lock = Lock()
        self._lost = 0
        self._torn = False
        self._late = bytearray()
        self._handing_on: Thread | None = None

    def write(self, text: str) -> None:
        """Write lines, with their ends."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            with self._lock:
                if self._late:
                    self._keep(data)
                    return
                self._write(data)
        except (OSError, ValueError) as error:
            self._lose(data, error)
        else:
            self._tell_lost()

    def _write(self, data: bytes) -> None:
        """Write as much as there is room for; what there is not has to wait."""
        rest = b"\n" + data if self._torn else data
        try:
            while rest:
                left = self._put(rest)
                self._torn = bool(left)
                rest = left
        except BlockingIOError:
            if self._descriptor is None:
                raise
            self._torn = False
            self._late += rest
            self._hand_on()

    def _keep(self, data: bytes) -> None:
        """Keep lines behind those that wait.

        Raises:
            BlockingIOError: There are too many.
        """
        if len(self._late) + len(data) > _MOST_LATE:
            raise BlockingIOError("nobody reads it")
        self._late += data

    def _hand_on(self) -> None:
        if self._handing_on is None:
            atexit.register(self._wait_at_end)
        self._handing_on = Thread(target=self._hand_on_late, daemon=True)
        self._handing_on.start()

    def _hand_on_late(self) -> None:
        """Hand on what waits, in a thread of its own."""
        while True:
            assert self._descriptor is not None
            wait_for_room(self._descriptor, _LOOK)
            try:
                with self._lock:
                    piece = bytes(self._late[:_PIECE])
                    del self._late[: len(piece) - len(self._put(piece))]
                    if self._late:
                        continue
            except BlockingIOError:
                sleep(_PAUSE)
            except (OSError, ValueError) as error:
                with self._lock:
                    lost = bytes(self._late)
                    self._late.clear()
                    self._torn = True
                self._lose(lost, error)
                return
            else:
                self._tell_lost()
                return

    def _wait_at_end(self) -> None:
        """Give the reader a last chance, at the process's end."""
        if self._handing_on is not None:
            self._handing_on.join(_LAST)

    def _lose(self, data: bytes, error: Exception) -> None:
        lost = data.count(b"\n")
        first = not self._lost
        self._lost += lost
        if first:
            _log.error(
                "cannot write to {output}: {error}; lines are lost",
                output=self.name,
                error=error,
            )

    def _tell_lost(self) -> None:
        if self._lost:
            lost, self._lost = self._lost, 0
            text = "{output} can be written to again; {lost} lines were lost"
            _log.error(text, output=self.name, lost=lost)

    def reopen(self) -> None:  # noqa: B027 - most have no file, and nothing to do
        """Go on in a new file, if the old one has been put aside by somebody else.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """

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
            is_shared: Whether other processes write to it that know this class: none of
                them begins a line while another one has to wait with half of its own.
        """
        super().__init__()
        self.name = name
        self._stream = stream
        self._put_bytes: Write | None = None
        with suppress(io.UnsupportedOperation, AttributeError):
            self._descriptor = stream.fileno()
            self._put_bytes = writer_to(self._descriptor)
        self.is_terminal = stream.isatty()
        if is_shared and self._descriptor is not None and is_cut(self._descriptor):
            self._put_bytes = WholeLines(self._descriptor)

    def _put(self, data: bytes) -> bytes:
        if self._put_bytes is None:
            self._stream.write(data.decode())
            self._stream.flush()
            return b""
        return data[self._put_bytes(data) :]


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
        self._descriptor: int = self._open() if descriptor is None else descriptor
        status = os.fstat(self._descriptor)
        self._mode = status.st_mode & 0o666
        if not S_ISREG(status.st_mode) or self.path.startswith(_DEVICES):
            self._limit = 0
        self.is_terminal = os.isatty(self._descriptor)

    @property
    def descriptor(self) -> int:
        """Its descriptor, now."""
        return self._descriptor

    def reopen(self) -> None:
        """See Output."""
        with self._lock:
            self._reopen()

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def _put(self, data: bytes) -> bytes:
        if self._is_shared:
            self._follow()
        if self._limit and os.lseek(self._descriptor, 0, os.SEEK_CUR) >= self._limit:
            self._rotate()
        return data[os.write(self._descriptor, data) :]

    def _follow(self) -> None:
        """Go on in the file that another process has begun, if one has."""
        with suppress(OSError):
            if not os.path.samestat(os.stat(self.path), os.fstat(self._descriptor)):
                self._reopen()

    def _rotate(self) -> None:
        try:
            # Until this file is closed: another process waits, and sees it is done.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if self._is_ours():
                self._put_aside()
            self._reopen()
            self._limit = self._rotation.size
        except OSError:
            # Such as a folder that may not be written to: go on, and try again later.
            self._limit += self._rotation.size
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _is_ours(self) -> bool:
        """Say whether no other process has put the file aside."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(status, os.fstat(self._descriptor))

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
        old, self._descriptor = self._descriptor, self._open()
        os.close(old)

    def _open(self) -> int:
        descriptor = open_to_append(self.path, self._mode)
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
