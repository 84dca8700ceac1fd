"""Transport: a connection on a socket that writes at once and sends files.

Twisted's own queues what is written until the reactor comes round to it, and takes a
file only as bytes. This one

- gives the kernel a write there and then, if nothing waits before it: an answer leaves
  before the reactor looks at the next connection, which is half of what a small answer
  costs;
- sends a range of an open file with ``sendfile``, so that no byte of it passes through
  this process. What the page cache does not hold is read in another thread first,
  because ``sendfile`` would wait for the disk, and the reactor with it. While it is
  sent TCP sends no packet that is not full, else every second one would have a few
  bytes.

``direct`` has a port make such connections.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from math import inf
from socket import IPPROTO_TCP, SO_SNDBUF, SOL_SOCKET, TCP_CORK, TCP_INFO
from struct import Struct
from typing import Any, Final

from attrs import define
from twisted.internet import tcp, unix
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.interfaces import ContentShrank, StorageError
from txregistry.threads import in_threads_of
from txregistry.web.lean import LeanMixin
from txregistry.web.pagecache import would_wait

# Bytes that one connection may send in a turn of the reactor: some 0.15 ms.
TURN: Final = 1024 * 1024

# Bytes that are looked for in the page cache at a time, or brought there.
AHEAD: Final = 4 * 1024 * 1024
_PIECE: Final = 256 * 1024

# Seconds for which what was found there is taken to stay. A client with a fast line has
# got it by then.
_STAYS: Final = 1.0

# A client whose acknowledgement takes no longer (microseconds) is on the same machine,
# or next to it. A line on which half a MiB under way is not enough for it would have to
# be one of 40 Gbit/s. Where the kernel is left to have more, it costs twice the time,
# because the processor's cache has not all of it at hand.
_NEAR: Final = 100
_ENOUGH: Final = 200 * 1024  # bytes, of which the kernel makes twice as many
_LARGE: Final = 1024 * 1024
_INFO: Final = Struct("148xI")  # tcpi_min_rtt of struct tcp_info

# If more bytes than that wait to be sent, the kernel will not take any now.
_LITTLE: Final = 16 * 1024

# What says something of the connection, and not of the file.
_CONNECTION_GONE: Final = (
    errno.EPIPE,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ENETDOWN,
)


@define(eq=False)
class _Range:
    """What is left of a range of a file that is being sent.

    Attributes:
        descriptor: The open file.
        offset: The next byte.
        left: How many bytes.
        finished: Fires when there are none.
        warm: Up to here the page cache has it.
        until: And until then, by the reactor's clock.
    """

    descriptor: int
    offset: int
    left: int
    finished: Deferred[None]
    warm: int = 0
    until: float = 0.0


class DirectMixin(LeanMixin):
    """What the two kinds of connections have in common; see the module.

    Attributes:
        file_bytes: How many bytes of files it has sent.
        came: While what came is dealt with, all of it that was read at one go.
    """

    file_bytes = 0
    came = b""

    # Twisted's, which the classes below inherit.
    reactor: Any
    socket: Any
    protocol: Any
    bufferSize: Any  # noqa: N815
    connected: Any
    dataBuffer: Any  # noqa: N815
    offset: Any
    _aborting: Any
    _tempDataBuffer: Any  # noqa: N815
    _tempDataLen: Any  # noqa: N815
    _writeDisconnected: Any  # noqa: N815
    _writeDisconnecting: Any  # noqa: N815
    disconnecting: Any

    _range: _Range | None = None
    _behind: bytes = b""

    def __init__(self, *arguments: Any) -> None:
        """Begin; for the arguments see Twisted's."""
        # What is set now and then is set from the start. So all have attributes of the
        # same names, of which Python keeps one copy (PEP 412).
        self.file_bytes, self.came = 0, b""
        self._range, self._behind = None, b""
        self.dataBuffer, self.offset = b"", 0
        super().__init__(*arguments)

    @property
    def file_left(self) -> int:
        """How many bytes of a file are yet to be sent."""
        return 0 if self._range is None else self._range.left

    def send_file(self, descriptor: int, offset: int, length: int) -> Deferred[None]:
        """Send a range of a file behind all that was written.

        Args:
            descriptor: An open file; it is the caller's to close, afterwards.
            offset: The first byte.
            length: How many bytes.

        Returns:
            A Deferred that fires when the kernel has taken all of it. Fails with
            ``ConnectionDone`` or ``ConnectionLost`` when the client goes away, with
            ``ContentShrank`` when the file has fewer bytes, with ``StorageError``
            when it cannot be read; then the connection cannot be used any more.
            Cancelling it sends no more.

        Raises:
            RuntimeError: Another file is being sent.
        """
        if self._range is not None:
            raise RuntimeError("one file at a time")
        if not self.connected or self._writeDisconnected:
            return fail(ConnectionDone())
        finished: Deferred[None] = Deferred(lambda _: self._end_range(CancelledError()))
        self._range = _Range(descriptor, offset, length, finished)
        self._begin_file(length)
        self.startWriting()  # type: ignore[attr-defined]
        return finished

    def doRead(self) -> Any:
        """See IReadDescriptor. What Twisted's does, in one step."""
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.came = data
        self.protocol.dataReceived(data)
        self.came = b""
        return None

    def write(self, data: bytes) -> None:
        """See ITransport."""
        if self._range is not None:
            self._behind += data
        elif not self._send_now(data):
            super().write(data)  # type: ignore[misc]

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """See ITransport."""
        if self._range is not None:
            self._behind += b"".join(iovec)
        else:
            super().writeSequence(iovec)  # type: ignore[misc]

    def doWrite(self) -> Any:
        """See IWriteDescriptor."""
        if self._range is None:
            return super().doWrite()  # type: ignore[misc]
        if self._tempDataLen or len(self.dataBuffer) > self.offset:
            problem = self._flush()
            if problem is not None or self.dataBuffer:
                return problem
        return self._send_range(self._range)

    def connectionLost(self, reason: Failure) -> None:
        """See IReadDescriptor."""
        super().connectionLost(reason)  # type: ignore[misc]
        if self._range is not None:
            self._end_range(reason)

    def _send_now(self, data: bytes) -> bool:
        """Give bytes to the kernel, if none wait that it would not take.

        Returns:
            Whether it has taken all of them; if not, nothing has changed.
        """
        waiting = self._tempDataBuffer
        if self.dataBuffer or self._tempDataLen > _LITTLE or self._is_ending():
            return False
        everything = b"".join((*waiting, data)) if waiting else data
        try:
            sent = self._give(everything)
        except OSError:
            return False  # if it is gone, the reactor will find out, and tell
        if waiting:
            waiting.clear()
            self._tempDataLen = 0
            self.stopWriting()  # type: ignore[attr-defined]
        if sent < len(everything):
            super().write(everything[sent:])  # type: ignore[misc]
        return True

    def _give(self, data: bytes) -> int:
        """Give bytes to the kernel.

        Returns:
            How many it has taken.

        Raises:
            OSError: It takes none now, or never again.
        """
        return self.socket.send(data)  # type: ignore[no-any-return]

    def _give_file(self, descriptor: int, offset: int, size: int) -> int:
        """Give bytes of a file to the kernel; see ``_give``."""
        return os.sendfile(self.fileno(), descriptor, offset, size)

    def _begin_file(self, length: int) -> None:
        """Prepare for so many bytes of a file."""

    def _end_file(self) -> None:
        """Undo that."""

    def _is_ending(self) -> bool:
        if self.connected and not self.disconnecting:
            return bool(self._writeDisconnecting or self._writeDisconnected)
        return True

    def _flush(self) -> Any:
        """Send what was written before the file; return what went wrong, if anything.

        ``dataBuffer`` has what is left.
        """
        before = memoryview(self.dataBuffer)[self.offset :]
        data = b"".join([before, *self._tempDataBuffer])
        self._tempDataBuffer.clear()
        self._tempDataLen = 0
        sent = self.writeSomeData(data)  # type: ignore[attr-defined]
        if isinstance(sent, Exception):
            return sent
        self.dataBuffer, self.offset = (data, sent) if sent < len(data) else (b"", 0)
        return None

    def _send_range(self, part: _Range) -> Any:
        size = min(part.left, TURN)
        if size and not self._is_warm(part, size):
            self._warm(part)
            return None
        try:
            sent = 0
            if size:
                sent = self._give_file(part.descriptor, part.offset, size)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _CONNECTION_GONE:
                return CONNECTION_LOST
            self._end_range(StorageError(f"cannot send a file: {error.strerror}"))
            return None
        part.offset += sent
        part.left -= sent
        self.file_bytes += sent
        if sent == 0 and part.left:
            self._end_range(ContentShrank(f"{part.left} bytes are missing"))
        elif part.left == 0:
            self._end_range(None)
            if self._range is None and self.connected and not self._aborting:
                # Nothing waits, or what was written behind: Twisted's does the rest.
                return super().doWrite()  # type: ignore[misc]
        return None

    def _is_warm(self, part: _Range, size: int) -> bool:
        now = self.reactor.seconds()
        if part.offset + size <= part.warm and now < part.until:
            return True
        ahead = min(part.left, AHEAD)
        if would_wait(part.descriptor, part.offset, ahead):
            return False
        part.warm, part.until = part.offset + ahead, now + _STAYS
        return True

    def _end_range(self, problem: Any) -> None:
        part, self._range = self._range, None
        if part is None:
            return
        if self.connected:
            self._end_file()
        behind, self._behind = self._behind, b""
        if problem is None:
            if behind:
                self.write(behind)
            part.finished.callback(None)
        elif not part.finished.called:
            part.finished.errback(problem)

    def _warm(self, part: _Range) -> None:
        """Have the next bytes brought into the page cache, and go on then."""
        self.stopWriting()  # type: ignore[attr-defined]
        end = part.offset + min(part.left, AHEAD)
        # Of its own, because the caller may close the other one meanwhile.
        read = partial(_read_through, os.dup(part.descriptor), part.offset, end)

        def go_on(_: object) -> None:
            part.warm, part.until = end, inf
            if self._range is part and self.connected:
                self.startWriting()  # type: ignore[attr-defined]

        in_threads_of(self.reactor)(read).addBoth(go_on)


class DirectServer(DirectMixin, tcp.Server):
    """A client's connection over TCP."""

    def _begin_file(self, length: int) -> None:
        with suppress(OSError):  # what is wrong with it is seen when it is written to
            self.socket.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
            if length >= _LARGE and self._round_trip() <= _NEAR:
                self.socket.setsockopt(SOL_SOCKET, SO_SNDBUF, _ENOUGH)

    def _end_file(self) -> None:
        with suppress(OSError):
            self.socket.setsockopt(IPPROTO_TCP, TCP_CORK, 0)

    def _round_trip(self) -> float:
        """Return the shortest time to the client and back, in microseconds."""
        found = self.socket.getsockopt(IPPROTO_TCP, TCP_INFO, _INFO.size)
        if len(found) < _INFO.size:
            return inf
        return _INFO.unpack(found)[0] or inf  # gVisor fills in nothing


class DirectUnixServer(DirectMixin, unix.Server):
    """A client's connection over a Unix socket."""


@implementer(IStreamServerEndpoint)
class DirectEndpoint:
    """An endpoint whose connections, if they are Twisted's own, are such ones."""

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        """Take the endpoint that listens."""
        self._endpoint = endpoint

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        return self._endpoint.listen(protocolFactory).addCallback(direct)


def direct(port: IListeningPort) -> IListeningPort:
    """Have a port make connections of ours, if it would make Twisted's own."""
    kinds: dict[Any, Any] = {tcp.Server: DirectServer, unix.Server: DirectUnixServer}
    made = getattr(port, "transport", None)
    if made in kinds:
        port.transport = kinds[made]  # type: ignore[attr-defined]
    return port


def _read_through(descriptor: int, begin: int, end: int) -> None:
    """Read a range of a file, for nothing but that the kernel has it, and close it."""
    room = bytearray(_PIECE)
    try:
        while begin < end and (size := os.preadv(descriptor, [room], begin)):
            begin += size
    finally:
        os.close(descriptor)
