"""TLS loan: a connection with TLS on the socket, lent to a thread for a while.

OpenSSL's part of a connection is for one thread at a time. While it is lent, the thread
has it, and the reactor leaves it alone: what comes and what is written waits, and a
socket that would be closed stays open until the thread has done, because another
connection might get its number.

A thread that reads has a ``Loan``; what one has that writes is in ``tls_sending``.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

from OpenSSL import SSL

# The most that a record holds (RFC 8446, 5.1).
RECORD: Final = 16 * 1024

_RESET: Final = struct.pack("ii", 1, 0)


class Lent(Protocol):
    """What a thread has of a connection.

    Attributes:
        keeps_socket: Whether it is to close the socket when it has done.
    """

    keeps_socket: bool

    def stop(self) -> None:
        """Have the thread end soon, because the connection is lost."""


class Loan:
    """A connection as a thread reads from it: like a socket that does not block.

    Attributes:
        step: It must have room for so many bytes: then nothing is left inside OpenSSL.
        problem: What OpenSSL failed with; None: nothing.
        keeps_socket: Whether the socket is closed with the loan.
    """

    step: Final = RECORD

    def __init__(
        self, tls: SSL.Connection, connected: Any, ended: Callable[[], None]
    ) -> None:
        """Take what is lent.

        Args:
            tls: OpenSSL's part of the connection.
            connected: Its socket.
            ended: Called when it is given back, in the reactor's thread.
        """
        self.problem: SSL.Error | None = None
        self.keeps_socket = False
        self._error: SSL.Error | None = None
        self._tls = tls
        self._socket = connected
        self._ended = ended

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for it."""
        return int(self._socket.fileno())

    def recv_into(self, room: memoryview) -> int:
        """Receive what is there; 0: the client has said goodbye.

        Raises:
            BlockingIOError: Nothing is there.
            ConnectionResetError: Nothing comes any more that can be understood.
        """
        if self._error is not None:
            return self._ended_with(self._error)
        size, last = 0, len(room) - RECORD
        receive = self._tls.recv_into
        try:
            while size <= last:
                size += receive(room[size:], RECORD)  # a record's content at the most
        except SSL.WantReadError:
            if not size:
                raise BlockingIOError(errno.EAGAIN, "not now") from None
        except SSL.Error as error:
            self._error = error
            if not size:
                return self._ended_with(error)
        return size

    def stop(self) -> None:
        """See Lent: whoever reads has heard of it."""

    def close(self) -> None:
        """Give it back."""
        if self.keeps_socket:
            self._socket.close()
        self._ended()

    def _ended_with(self, error: SSL.Error) -> int:
        if isinstance(error, SSL.ZeroReturnError):
            return 0
        # One that wants to write first has a client that sends and does not read: it is
        # not waited for.
        if not isinstance(error, SSL.SysCallError | SSL.WantWriteError):
            self.problem = error
        raise ConnectionResetError(errno.ECONNRESET, "TLS failed") from error


class LendingMixin:
    """A connection that can be lent, over one with TLS on the socket."""

    # The connection's, which the classes that extend this have.
    connected: Any
    disconnecting: Any
    reads_on: Any
    socket: Any
    _has_queued: Any
    _problem: Any
    _tls: Any

    _loan: Lent | None = None
    _missed = False  # something to be read

    def lend(self) -> Loan | None:
        """Let a thread read from it until it closes the loan; None: not now."""
        if self._is_ending() or self._has_queued() or not self.reads_on:
            return None
        loan = Loan(self._tls, self.socket, self._take_back)
        self._loan = loan
        return loan

    def doRead(self) -> Any:
        """See IReadDescriptor."""
        if self._is_away():
            self.stopReading()
            self._missed = True
            return None
        return super().doRead()  # type: ignore[misc]

    def stopReading(self) -> None:  # noqa: N802 - Twisted's
        """See IReadDescriptor. Who says so does not miss anything."""
        self._missed = False
        super().stopReading()  # type: ignore[misc]

    def doWrite(self) -> Any:
        """See IWriteDescriptor."""
        if self._loan is not None:
            self.stopWriting()  # type: ignore[attr-defined]
            return None
        return super().doWrite()  # type: ignore[misc]

    def loseConnection(self) -> None:
        """See ITransport. While a thread reads, no goodbye can be said."""
        if isinstance(self._loan, Loan):
            self.abortConnection()  # type: ignore[attr-defined]
        else:
            super().loseConnection()  # type: ignore[misc]

    def _is_away(self) -> bool:
        """Whether the reactor cannot use OpenSSL's part."""
        return self._loan is not None

    def _read_on(self) -> None:
        """Let come what was missed."""
        if self._missed:
            self._missed = False
            self.startReading()  # type: ignore[attr-defined]

    def _is_ending(self) -> bool:
        return self._loan is not None or super()._is_ending()  # type: ignore[misc]

    def _closeSocket(self, orderly: bool) -> None:  # noqa: N802 - Twisted's
        if self._loan is None:
            super()._closeSocket(orderly)  # type: ignore[misc]
            return
        self._loan.keeps_socket = True
        self._loan.stop()
        if not orderly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _take_back(self) -> None:
        loan, self._loan = self._loan, None
        if isinstance(loan, Loan) and self.connected:
            self._problem = loan.problem
            self._read_on()
            if self._has_queued() or self.disconnecting:
                self.startWriting()  # type: ignore[attr-defined]
