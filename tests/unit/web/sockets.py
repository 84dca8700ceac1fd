"""Sockets: pairs of them in memory of the kernel, driven by hand, without a reactor."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock


class ManualReactor(Clock):
    """A reactor that only notes who wants to read and write.

    Attributes:
        reading: Who wants to read.
        writing: Who wants to write.
        work: What is to be done in other threads, as soon as somebody calls it.
    """

    def __init__(self) -> None:
        """Note nobody yet."""
        super().__init__()
        self.reading: set[Any] = set()
        self.writing: set[Any] = set()
        self.work: list[Callable[[], None]] = []

    def addReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.reading.add(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.reading.discard(reader)

    def addWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.writing.add(writer)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.writing.discard(writer)

    def callFromThread(self, call: Any, *arguments: Any) -> None:  # noqa: N802
        """See IReactorFromThreads: there is but one thread."""
        call(*arguments)

    def getThreadPool(self) -> Any:  # noqa: N802 - Twisted's
        """See IReactorThreads: what is to be done waits in ``work``."""
        return _Waiting(self.work)

    def turn(self, descriptor: Any) -> Any:
        """Let a descriptor write, if it wants to; return what went wrong."""
        return descriptor.doWrite() if descriptor in self.writing else None


class _Waiting:
    """A thread pool without threads."""

    def __init__(self, work: list[Callable[[], None]]) -> None:
        self._work = work

    def callInThreadWithCallback(self, done: Any, call: Any, *arguments: Any) -> None:
        self._work.append(lambda: done(True, call(*arguments)))


def connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection over TCP on this machine: ours, the client's."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    return ours, client


def drain(client: socket.socket) -> bytes:
    """Return what a client has been sent so far."""
    client.setblocking(False)
    pieces = []
    try:
        while piece := client.recv(1 << 20):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


def unsent(sender: socket.socket) -> int:
    """Return how many bytes the other end's kernel has not got yet.

    Even on one machine it may get them a moment later than they were sent.
    """
    queued = fcntl.ioctl(sender.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", queued)[0])
