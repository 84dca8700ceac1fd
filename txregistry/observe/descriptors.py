"""Descriptors: files, pipes and sockets, written to without waiting for a reader."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from stat import S_ISCHR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import Final, TypeAlias

Write: TypeAlias = Callable[[bytes], int]
"""Writes bytes; returns how many there was room for. Raises BlockingIOError for 0."""

_TRIES: Final = 20  # to be the one that writes, if another process is just doing so


class WholeLines:
    """Writes lines to a descriptor that other processes have, too. See Write.

    No process that writes by way of this class begins a line where another one has
    written half of its own, and waits for room.
    """

    def __init__(self, descriptor: int, write: Write | None = None) -> None:
        """Take the descriptor, and what writes to it; None: what ``writer_to`` says."""
        self._descriptor = descriptor
        self._write = writer_to(descriptor) if write is None else write
        self._is_ours = False
        self._is_amid_line = False

    def __call__(self, data: bytes) -> int:
        """See Write."""
        self._take()
        try:
            written = self._write(data)
            self._is_amid_line = not data[:written].endswith(b"\n")
        except OSError as error:
            self._is_amid_line &= error.errno in (errno.EAGAIN, None)
            raise
        finally:
            if not self._is_amid_line:
                self._is_ours = False
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
        return written

    def _take(self) -> None:
        """Keep the others from writing; the kernel lets them if we are killed.

        Raises:
            BlockingIOError: One keeps us from it.
        """
        tries = 0
        while not self._is_ours:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._is_ours = True
            except BlockingIOError:
                tries += 1
                if tries == _TRIES:
                    raise
                os.sched_yield()


def is_cut(descriptor: int) -> bool:
    """Say whether the kernel may take a line in pieces: not if it is a file's."""
    mode = os.fstat(descriptor).st_mode
    return not S_ISREG(mode) and not (S_ISCHR(mode) and not os.isatty(descriptor))


def writer_to(descriptor: int) -> Write:
    """Return what writes to a descriptor that others have, too.

    That it is not to wait is not set on what they share: they would not wait either,
    and do not expect that.
    """
    mode = os.fstat(descriptor).st_mode
    if S_ISREG(mode):
        return lambda data: os.write(descriptor, data)
    if S_ISSOCK(mode):
        shared = socket.socket(fileno=os.dup(descriptor))
        return lambda data: shared.send(data, socket.MSG_DONTWAIT)
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    with suppress(OSError):  # where it is another user's, or there is no /proc
        own = os.open(f"/proc/self/fd/{descriptor}", flags)
        return lambda data: os.write(own, data)
    return lambda data: _write_if_ready(descriptor, data)


def open_to_append(path: str, mode: int) -> int:
    """Open a file to write to its end; it is made if it is missing.

    A named pipe waits for no reader, neither now nor later: one that comes gets what
    there was room for.

    Args:
        path: The file.
        mode: What a new one may be used for, less the umask.

    Raises:
        OSError: It cannot be opened.
    """
    flags = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    flags |= os.O_RDWR | os.O_NONBLOCK if _is_pipe(path) else os.O_WRONLY
    return os.open(path, flags, mode)


def wait_for_room(descriptor: int, seconds: float) -> bool:
    """Wait in a thread until a descriptor takes more; return whether it does."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLOUT)
    return bool(waiting.poll(seconds * 1000))


def _write_if_ready(descriptor: int, data: bytes) -> int:
    # What is ready has room for so much, unless somebody else is quicker.
    if not wait_for_room(descriptor, 0):
        raise BlockingIOError
    return os.write(descriptor, data[: select.PIPE_BUF])


def _is_pipe(path: str) -> bool:
    try:
        return S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False
