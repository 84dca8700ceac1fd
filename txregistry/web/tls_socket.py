"""TLS socket: a connection whose TLS lies directly on the socket.

Twisted's TLS lies over any transport: each record is copied into a buffer of OpenSSL's,
out of it, and into the transport's. Here OpenSSL reads and writes the socket itself,
and Twisted only says when. That nearly halves what a byte costs. What one has to know:

- Whether OpenSSL wants to read or to write is not ours to say. While it shakes hands
  the reactor's events only drive it on (``_shake``), and reading may have to wait until
  the socket can be written to (``_read_stuck``).
- ``recv`` returns the content of one record at the most, and with room for a whole one
  nothing is ever left inside OpenSSL: what is not read yet is in the kernel, and the
  reactor tells of it, however often a protocol pauses. What comes in a turn is handed
  on in one piece, because each piece costs the protocol as much.
- ``send`` makes many records of a large piece, one after the other, and returns when
  all are sent (``TLSContext`` sees to that): a call for each record would cost a third
  more. When it would have to wait, it must be called again with the same bytes first,
  of which it skips what it has sent. What ``DirectMixin`` has not sent it keeps, in
  order, and offers again; if a file is given up there, the line is cut.
- A file is read and sent piece by piece, through room that all connections share; of
  what was not sent, nothing is kept: it is read again.
- We end with a goodbye (close_notify), and close when the client has answered, or soon.

A thread may read for a while in the reactor's place (``tls_loan``), or send the rest of
a file (``tls_sending``). ``secure`` has a port make such connections.
"""

from __future__ import annotations

import errno
import os
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet import tcp, unix
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    ISSLTransport,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.oci.errors import BadRequest
from txregistry.web.answers import raw_answer
from txregistry.web.tls_connection import (
    GOODBYE_SECONDS,
    PLAIN_SECONDS,
    ROOM,
    Identified,
    TLSFactory,
    log_failed,
)
from txregistry.web.tls_loan import RECORD
from txregistry.web.tls_sealing import PIECE
from txregistry.web.tls_sending import SendingMixin
from txregistry.web.transport import TURN, DirectMixin, DirectServer, DirectUnixServer

# Bytes that one connection may bring in a turn of the reactor: some 0.1 ms.
_COME: Final = 128 * 1024

# A record that is that small is no part of something large, so none is waited for.
_SMALL: Final = 4 * 1024

_PEEK: Final = 2  # MSG_PEEK


class TLSMixin(Identified, DirectMixin):
    """What the two kinds of connections have in common; see the module.

    Attributes:
        reads_on: Whether OpenSSL can go on to read when bytes come.
    """

    reads_on = True

    # Twisted's, which the classes below inherit.
    protocol: Any
    startReading: Any  # noqa: N815
    startWriting: Any  # noqa: N815
    stopWriting: Any  # noqa: N815
    getPeer: Any

    _factory: TLSFactory
    _tls: Any  # an SSL.Connection; None when the connection is lost

    _begun = 0  # bytes of which OpenSSL has sent a part, or may have
    _heard = False
    _plain = False
    _shaken = False
    _read_stuck = False
    _said_goodbye = False
    _heard_goodbye = False
    _problem: SSL.Error | None = None
    _end: IDelayedCall | None = None

    def __init__(
        self,
        sock: Any,
        protocol: Any,
        client: Any,
        server: Any,
        sessionno: int,
        reactor: Any,
    ) -> None:
        """Begin; for the arguments see Twisted's. The port has a TLSFactory."""
        self._factory = server.factory
        self._tls = self._factory.contexts.connection_on(sock, self)
        super().__init__(
            sock,
            protocol,
            client,
            server,
            sessionno,
            reactor,
        )

    # What others may ask

    def getHandle(self) -> Any:  # noqa: N802 - Twisted's
        """See ISystemHandle: OpenSSL's part; None when the connection is lost."""
        return self._tls

    def getPeerCertificate(self) -> X509 | x509.Certificate | None:  # noqa: N802
        """See ISSLTransport. Whether it holds is not looked at."""
        return None if self._tls is None else self._tls.get_peer_certificate()

    @property
    def negotiatedProtocol(self) -> bytes | None:  # noqa: N802 - Twisted's
        """See INegotiated."""
        return None if self._tls is None else self._tls.get_alpn_proto_negotiated()

    # Reading

    def doRead(self) -> Any:
        """See IReadDescriptor. The first byte tells whether the client speaks TLS."""
        if not self._heard:
            try:
                first = self.socket.recv(1, _PEEK)
            except BlockingIOError:
                return None
            except OSError:
                return CONNECTION_LOST
            if not first:
                return CONNECTION_DONE
            self._heard = True
            if first.isalpha():
                # A record of TLS begins with its type, 22; a request with a letter.
                self._refuse_plain()
        if self._plain:
            return self._drop()
        problem = None if self._shaken else self._shake()
        if problem is not None or not self._shaken:
            return problem
        return self._read()

    def readConnectionLost(self, reason: Failure) -> None:
        """See IHalfCloseableDescriptor: TLS has no other half."""
        self.connectionLost(reason)

    def _read(self) -> Any:
        pieces, problem = self._records()
        self.reads_on = problem is None and not self._read_stuck
        if pieces and not self.disconnecting:
            self.protocol.dataReceived(b"".join(pieces))
        if problem is CONNECTION_DONE and self.connected and not self._aborting:
            self._heard_goodbye = True
            if self._has_queued():
                self.loseConnection()
                return None
            self._say_goodbye()
        return problem

    def _records(self) -> tuple[list[bytes], Any]:
        """Return what came, and what came to an end, if anything did."""
        pieces: list[bytes] = []
        size = 0
        try:
            while size < _COME:
                piece = self._tls.recv(RECORD)
                pieces.append(piece)
                size += len(piece)
                if len(piece) < _SMALL:
                    break
        except SSL.WantReadError:
            pass
        except SSL.WantWriteError:
            self._read_stuck = True
            self.startWriting()
        except SSL.ZeroReturnError:
            return pieces, CONNECTION_DONE
        except SSL.Error as error:
            return pieces, self._failed(error)
        return pieces, None

    def _shake(self) -> Any:
        """Go on with the handshake; return what went wrong, if anything."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self.stopWriting()
        except SSL.WantWriteError:
            self.startWriting()
        except SSL.Error as error:
            return self._failed(error)
        else:
            self._shaken = True
            self.startWriting()  # if nothing waits, it will see that
        return None

    def _failed(self, error: SSL.Error) -> Any:
        """Return why a connection is lost, and note it for the log."""
        if isinstance(error, SSL.SysCallError):
            return CONNECTION_LOST
        self._problem = error
        return error

    # Writing

    def doWrite(self) -> Any:
        """See IWriteDescriptor."""
        if not self._shaken:
            return self._shake()
        if self._read_stuck:
            self._read_stuck = False
            problem = self._read()
            if problem is not None or not self.connected:
                return problem
        return super().doWrite()

    def writeSomeData(self, data: bytes) -> Any:
        """See FileDescriptor."""
        try:
            return self._encrypt(memoryview(data)[:TURN])
        except OSError:
            return self._problem or CONNECTION_LOST

    def _is_ending(self) -> bool:
        return not self._shaken or super()._is_ending()

    def _give(self, data: bytes) -> int:
        return self._encrypt(memoryview(data))

    def _give_file(self, descriptor: int, offset: int, size: int) -> int:
        room, given = memoryview(self._factory.room), 0
        size = min(size, PIECE)
        while given < size:
            part = room[: min(len(room), size - given)]
            found = os.preadv(descriptor, [part], offset + given)
            if found < self._begun:
                break  # the file has shrunk
            sent = self._encrypt(part[:found])
            given += sent
            if sent < len(part):
                if not given and found:
                    raise BlockingIOError(errno.EAGAIN, "not now")
                break
        return given

    def _encrypt(self, data: memoryview) -> int:
        """Send bytes; return how many OpenSSL and the kernel have taken.

        Raises:
            ConnectionResetError: They take none any more.
        """
        sent, send = 0, self._tls.send
        try:
            while sent < len(data):
                piece = data[sent : sent + ROOM]
                sent += send(piece)
                self._begun = 0
        except (SSL.WantWriteError, SSL.WantReadError):
            # We never renegotiate, so it is the first of them.
            self._begun = len(piece)
        except SSL.Error as error:
            self._failed(error)
            raise ConnectionResetError(errno.ECONNRESET, "TLS failed") from error
        return sent

    def _has_queued(self) -> bool:
        return bool(self.dataBuffer or self._tempDataLen or self._range is not None)

    # The end

    def loseConnection(self) -> None:
        """See ITransport. Who has not shaken hands yet hears no goodbye."""
        if self._shaken or self._has_queued():
            super().loseConnection()  # type: ignore[misc]
        else:
            self.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure) -> None:
        """See IReadDescriptor."""
        if self._tls is None:
            return
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if self._problem is not None:
            log_failed(self.getPeer(), self._problem)
            self._drop()  # else the kernel would reset, and the client not hear why
        tls, self._tls = self._tls, None
        tls.set_app_data(None)
        super().connectionLost(reason)

    def _end_range(self, problem: Any) -> None:
        gives_up = problem is not None and self._range is not None
        super()._end_range(problem)
        if gives_up and self.connected:
            self.abortConnection()  # type: ignore[attr-defined]

    def _postLoseConnection(self) -> Any:  # noqa: N802 - Twisted's
        """All is written: say goodbye, and give the client a moment to answer."""
        if not self._say_goodbye():
            return None
        if self._heard_goodbye:
            return CONNECTION_DONE
        self._end_in(GOODBYE_SECONDS)
        self.startReading()
        return None

    def _closeWriteConnection(self) -> None:  # noqa: N802 - Twisted's
        """All is written: say goodbye, and go on reading."""
        self._say_goodbye()

    def _say_goodbye(self) -> bool:
        """Return whether it is said, or nobody is there to hear it."""
        try:
            if not self._said_goodbye:
                self._tls.shutdown()
        except SSL.WantWriteError:
            self.startWriting()  # Twisted's doWrite comes here again
            return False
        except SSL.Error:
            pass
        self._said_goodbye = True
        return True

    def _refuse_plain(self) -> None:
        self._plain = True
        error = BadRequest(message="this port speaks TLS: use https://")
        try:
            self.socket.send(raw_answer(error))
            self.socket.shutdown(1)
        except OSError:
            pass  # it is gone, and reading tells
        self._end_in(PLAIN_SECONDS)

    def _drop(self) -> Any:
        """Read what comes, for nothing."""
        try:
            return None if self.socket.recv(1 << 16) else CONNECTION_DONE
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST

    def _end_in(self, seconds: float) -> None:
        if self._end is None:
            self._end = self._factory.clock.callLater(seconds, self._finish)

    def _finish(self) -> None:
        self._end = None
        self.connectionLost(Failure(CONNECTION_DONE))


@implementer(ISSLTransport)
class TLSServer(SendingMixin, TLSMixin, tcp.Server):
    """A client's connection over TCP."""


@implementer(ISSLTransport)
class TLSUnixServer(SendingMixin, TLSMixin, unix.Server):
    """A client's connection over a Unix socket."""


def secure(port: IListeningPort, factory: TLSFactory) -> IListeningPort:
    """Have a port make connections with TLS on the socket, if it has sockets.

    Args:
        port: It listens already.
        factory: Its factory, which makes the protocols; if the port has no sockets of
            Twisted's own, it goes on to lay TLS over what there is.
    """
    kinds: dict[Any, Any] = {
        tcp.Server: TLSServer,
        DirectServer: TLSServer,
        unix.Server: TLSUnixServer,
        DirectUnixServer: TLSUnixServer,
    }
    made = getattr(port, "transport", None)
    if made in kinds and getattr(port, "factory", None) is factory:
        port.transport = kinds[made]  # type: ignore[attr-defined]
        factory.is_below = True
    return port
