"""TLS sending: files that threads encrypt and send, a burst at a time.

To encrypt and send a MiB keeps a processor busy for a millisecond. The reactor does so
with the beginning of a file, and for a client that takes little at a time. One that
takes as much as it is given is served by a thread: the connection is lent to it
(``tls_loan``), and comes back when the client takes no more for the moment, after a
while, or when the rest of the file has to come from the disk first. So a thread
never waits for long, and a few of them are enough for all connections.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable, Sized
from time import monotonic
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.interfaces import ContentShrank, StorageError
from txregistry.threads import InThread, LastingThreads
from txregistry.web.pagecache import would_wait
from txregistry.web.tls_loan import LendingMixin
from txregistry.web.tls_sealing import PIECE, Room, Sealer, back_on_socket, can_seal
from txregistry.web.transport import AHEAD

_log = Logger()

# Files of which less is to come are not worth a thread.
_LONG: Final = 512 * 1024

# Bytes after which a burst ends if others want their turn. Some 16 ms.
_MUCH: Final = 16 * 1024 * 1024

# Seconds after which it ends anyway, because what the client sends is to be read. To go
# from one thread to the other takes long on a busy machine.
_SECONDS: Final = 0.25

# A client that has taken so many in a burst will take as many in the next one.
_FAST: Final = 1024 * 1024

# For so long (milliseconds) a thread waits until the client takes more, if no other
# connection waits for it.
_MOMENT: Final = 20

# A record's content at the most: no less is sent when the kernel takes anything.
_RECORD: Final = 16 * 1024


class Burst:
    """A part of a file on its way to a client, moved by a thread.

    Attributes:
        sent: Bytes of the file so far. Any thread may look.
        rest: Records that the kernel has not taken, behind those bytes.
        cold: Whether it ended because the disk would have to be waited for.
        lost: Whether the client has gone.
        error: What the file failed with; None: nothing.
        problem: What OpenSSL failed with; None: nothing.
        counted: How many of the bytes the connection has counted.
        keeps_socket: Whether the socket is closed with the burst.
    """

    def __init__(
        self,
        tls: SSL.Connection,
        connected: socket.socket,
        file: tuple[int, int, int, int],
        room: Room,
        others: Sized,
        ended: Callable[[], None],
    ) -> None:
        """Take what is lent.

        Args:
            tls: OpenSSL's part of the connection, which has nothing left to send.
            connected: Its socket.
            file: The descriptor, which is closed in the end, the first byte, how many
                there are, and up to where the page cache has them.
            room: Where pieces are kept for a moment.
            others: Who waits for a thread. If there is anybody, this one waits for
                nothing.
            ended: Called when it is given back, in the reactor's thread.
        """
        self.sent = 0
        self.counted = 0
        self.rest = b""
        self.cold = False
        self.lost = False
        self.error: Exception | None = None
        self.problem: SSL.Error | None = None
        self.keeps_socket = False
        self.room = room
        self._tls = tls
        self._socket = connected
        self._descriptor, self._offset, self._size, self._warm = file
        self._others = others
        self._ended = ended
        self._stopped = False
        self._poll = select.poll()
        self._poll.register(connected, select.POLLOUT)

    def run(self) -> None:
        """Send until something ends it. Blocks, but not for long."""
        try:
            sealer = Sealer(self._tls, self.room)
            self._send(sealer)
            if not (self.rest or self.lost):
                sealer.end(self._socket.fileno())
        except SSL.Error as error:
            self.lost, self.problem = True, error

    def stop(self) -> None:
        """Have it end soon."""
        self._stopped = True

    def close(self) -> None:
        """Give the connection back, when ``run`` has ended or will not be called."""
        os.close(self._descriptor)
        if self.keeps_socket:
            self._socket.close()
        self._ended()

    def _send(self, sealer: Sealer) -> None:
        room, end = 0, monotonic() + _SECONDS
        while self.sent < self._size and not self._stopped:
            if room < PIECE:
                room = self._wait_for_room()
            piece = self._read(min(room, PIECE, self._size - self.sent))
            if not piece:
                return
            self.rest = self._give(sealer.seal(len(piece)))
            if not self.lost:
                self.sent += len(piece)
            if self.rest or self.lost or monotonic() > end:
                return
            if self._others and self.sent >= _MUCH:
                return
            room -= len(piece)

    def _wait_for_room(self) -> int:
        """Return how many bytes the kernel may take; 0: none for the moment."""
        room = self._room()
        if room >= PIECE:
            return room
        # Else small pieces would be sent as soon as there is room for one.
        writable = self._poll.poll(0 if self._others else _MOMENT)
        return max(self._room(), _RECORD) if writable else 0

    def _room(self) -> int:
        """Return how many bytes the kernel would still take, more or less."""
        try:
            size = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return PIECE  # sending tells what is the matter
        return size - int(struct.unpack("i", queued)[0])

    def _read(self, size: int) -> memoryview | None:
        """Return so many of the file's next bytes; None: that ends the burst."""
        if not size:
            return None
        offset = self._offset + self.sent
        if offset + size > self._warm:
            ahead = min(self._size - self.sent, AHEAD)
            self.cold = would_wait(self._descriptor, offset, ahead)
            if self.cold:
                return None
            self._warm = offset + ahead
        try:
            found = os.preadv(self._descriptor, [self.room.piece[:size]], offset)
        except OSError as error:
            self.error = StorageError(f"cannot send a file: {error.strerror}")
            return None
        if not found:
            self.error = ContentShrank(f"{self._size - self.sent} bytes are missing")
            return None
        return self.room.piece[:found]

    def _give(self, records: memoryview) -> bytes:
        """Give records to the kernel; return those that it does not take soon."""
        while records:
            try:
                records = records[self._socket.send(records) :]
            except BlockingIOError:
                if self._stopped or not self._poll.poll(0 if self._others else _MOMENT):
                    break
            except OSError:
                self.lost = True
                break
        return bytes(records)


class Senders:
    """The threads that send files over TLS, and the connections that wait for one."""

    def __init__(self, in_thread: InThread, most: int) -> None:
        """Prepare.

        Args:
            in_thread: Runs each burst in a thread.
            most: How many there may be at a time.
        """
        self._in_thread = in_thread
        self._most = most
        self._busy = 0
        self._waiting: deque[SendingMixin] = deque()
        self._spare: list[Room] = []

    def take(self, connection: SendingMixin) -> None:
        """Have a thread send what a connection has, when one is free."""
        self._waiting.append(connection)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._busy < self._most:
            connection = self._waiting.popleft()
            room = self._spare.pop() if self._spare else Room()
            burst = connection.begin_burst(room, self._waiting)
            if burst is None:
                self._spare.append(room)
            else:
                self._begin(burst)

    def _begin(self, burst: Burst) -> None:
        self._busy += 1
        try:
            running = self._in_thread(burst.run)
        except RuntimeError:  # no more threads: the reactor goes on
            self._end(None, burst)
        else:
            running.addBoth(self._end, burst)

    def _end(self, result: object, burst: Burst) -> None:
        if isinstance(result, Failure):
            _log.failure("cannot send a file over TLS", result)
            burst.lost = True
        self._busy -= 1
        self._spare.append(burst.room)
        burst.close()
        self._go_on()


def make_senders(reactor: Any, sharing: int = 1) -> Senders:
    """Make senders for the processors that the process may use.

    Args:
        reactor: Is told of by threads.
        sharing: How many processes share them.
    """
    cores = max(len(os.sched_getaffinity(0)) // sharing, 1)
    return Senders(LastingThreads(reactor), 2 * cores)


class SendingMixin(LendingMixin):
    """A connection whose files are sent by threads, over one with TLS on the socket."""

    # The connection's, which the classes that extend this have.
    file_bytes: Any
    _begun: Any
    _end_range: Any
    _factory: Any
    _range: Any
    reactor: Any

    _rest: bytes = b""
    _waits = False
    _is_fast = False

    @property
    def file_left(self) -> int:
        """How many bytes of a file are yet to be sent."""
        left: int = super().file_left  # type: ignore[misc]
        if isinstance(self._loan, Burst):
            left -= self._loan.sent - self._loan.counted
        return left + len(self._rest)

    def begin_burst(self, room: Room, others: Sized) -> Burst | None:
        """Lend the connection to a thread; None: nothing is to be sent any more.

        Args:
            room: See Burst.
            others: Likewise.
        """
        waits, self._waits, part = self._waits, False, self._range
        if not (waits and self.connected and part is not None):
            return None
        try:
            descriptor = os.dup(part.descriptor)
        except OSError:  # there are no more: the reactor goes on
            self.startWriting()  # type: ignore[attr-defined]
            return None
        warm = part.warm if self.reactor.seconds() < part.until else 0
        file = (descriptor, part.offset, part.left, warm)
        ended = self._take_back_burst
        burst = Burst(self._tls, self.socket, file, room, others, ended)
        self._loan = burst
        return burst

    def doWrite(self) -> Any:
        """See IWriteDescriptor."""
        if self._waits:
            self.stopWriting()  # type: ignore[attr-defined]
            return None
        if self._loan is None and self._rest:
            problem = self._give_rest()
            if problem is not None or self._rest:
                return problem
        if self._is_fast and self._range is not None and self._loan is None:
            self._is_fast = False
            if self._hand_over():
                return None
        return super().doWrite()

    def connectionLost(self, reason: Failure) -> None:
        """See IReadDescriptor. What was sent until now is counted."""
        if isinstance(self._loan, Burst):
            self._count(self._loan)
        super().connectionLost(reason)  # type: ignore[misc]

    def _is_away(self) -> bool:
        return self._loan is not None or bool(self._rest)

    def _send_range(self, part: Any) -> Any:
        before = part.left
        problem = super()._send_range(part)  # type: ignore[misc]
        if problem is None and self._range is part and before - part.left >= PIECE:
            self._hand_over()
        return problem

    def _hand_over(self) -> bool:
        """Have a thread go on, if the file is worth it."""
        senders: Senders | None = self._factory.senders
        if senders is None or self._range.left < _LONG:
            return False
        if self._begun or not can_seal(self._tls):
            return False
        self._waits = True
        self.stopWriting()  # type: ignore[attr-defined]
        senders.take(self)
        return True

    def _take_back_burst(self) -> None:
        burst, self._loan = self._loan, None
        if not (self.connected and isinstance(burst, Burst)):
            return
        self._count(burst)
        self._rest = burst.rest
        self._problem = burst.problem
        if burst.lost:
            self.connectionLost(Failure(burst.problem or CONNECTION_LOST))
        elif burst.error is not None:
            self._end_range(burst.error)
        else:
            self._read_on()
            self.startWriting()  # type: ignore[attr-defined]
            part = self._range
            if part is not None and not (part.left or self._rest):
                # Now, lest a client that has all and goes is taken for one that left.
                self._end_range(None)
            else:
                self._is_fast = burst.sent >= _FAST and not burst.cold

    def _count(self, burst: Burst) -> None:
        """Count what a burst has sent, once."""
        sent, part = burst.sent - burst.counted, self._range
        burst.counted += sent
        self.file_bytes += sent
        if part is not None:
            part.offset += sent
            part.left -= sent

    def _give_rest(self) -> Any:
        """Give the kernel what a burst has left; return what went wrong, if anything.

        Then the connection writes to its socket again.
        """
        try:
            self._rest = self._rest[self.socket.send(self._rest) :]
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not self._rest:
            back_on_socket(self._tls, self.socket.fileno())
            self._read_on()
        return None
