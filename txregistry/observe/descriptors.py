"""Descriptors: files, pipes and sockets, written to without waiting for a reader."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from stat import S_ISFIFO, S_ISREG, S_ISSOCK
from typing import TypeAlias

Write: TypeAlias = Callable[[bytes], int]
"""Writes bytes; returns how many there was room for. Raises BlockingIOError for 0."""


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
