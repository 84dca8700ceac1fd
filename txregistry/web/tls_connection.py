"""TLS connection: one client's over any transport, and the factory that makes it.

On sockets, ``txregistry.web.tls_socket`` is faster.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure

from txregistry.oci.errors import BadRequest
from txregistry.web.answers import raw_answer
from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_context import reason_of
from txregistry.web.tls_sending import Senders

_log = Logger()

# How long a client has to answer our goodbye, which few clients do. What it was sent
# before is on its way whatever it does.
GOODBYE_SECONDS: Final = 1.0

# How long a client that speaks plain HTTP has to read the answer.
PLAIN_SECONDS: Final = 5.0

# Bytes that are encrypted and sent at a time, if there are so many: some 0.15 ms. More
# would not stay in the processor's cache.
ROOM: Final = 128 * 1024


class Identified:
    """A connection that knows what certificate its client has shown."""

    _doubted = False
    _verified = False
    _certificate: x509.Certificate | None = None

    getHandle: Any  # noqa: N815 - Twisted's, which the classes that extend this have

    def note_verified(self, depth: int, holds: bool) -> None:
        """Note what OpenSSL found about a certificate of the client's chain.

        Args:
            depth: Its place in the chain; 0 is the client's own.
            holds: Whether all is well with it.
        """
        self._doubted = self._doubted or not holds
        self._verified = depth == 0 and not self._doubted

    def client_certificate(self) -> x509.Certificate | None:
        """Return the client's certificate; None: none, or one that does not hold."""
        connection: SSL.Connection | None = self.getHandle()
        if self._certificate is None and self._verified and connection is not None:
            shown = connection.get_peer_certificate()
            self._certificate = None if shown is None else shown.to_cryptography()
        return self._certificate


class TLSConnection(Identified, BufferingTLSTransport):
    """A transport that speaks TLS, over any other transport."""

    factory: TLSFactory
    transport: Any

    def __init__(
        self,
        factory: TLSFactory,
        wrappedProtocol: Any,  # noqa: N803 - Twisted's
        _connectWrapped: bool = True,  # noqa: N803 - Twisted's
    ) -> None:
        """See TLSMemoryBIOProtocol."""
        super().__init__(factory, wrappedProtocol, _connectWrapped)
        self._heard = False
        self._plain = False
        self._half_closed = False
        self._end: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol. The first byte tells whether the client speaks TLS at all."""
        if not self._heard:
            self._heard = True
            # A record of TLS begins with its type, 22; a request with a letter.
            self._plain = data[:1].isalpha()
            if self._plain:
                self._refuse_plain()
        if not self._plain:
            super().dataReceived(data)

    def loseWriteConnection(self) -> None:  # noqa: N802 - Twisted's
        """See ITCPTransport: say goodbye, and go on reading."""
        self._half_closed = True
        self._aggregator.flush()
        self._shutdownTLS()

    def loseConnection(self) -> None:
        """See ITransport. Twisted's waits for the client's goodbye, for ever."""
        super().loseConnection()
        if self._half_closed:
            self.transport.loseConnection()
        elif self._end is None and self.connected:
            self._end_in(GOODBYE_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IProtocol."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        error = self._reason.value if self._reason is not None else None
        if isinstance(error, SSL.Error) and not self._plain:
            log_failed(self.getPeer(), error)
        super().connectionLost(reason)

    def _refuse_plain(self) -> None:
        error = BadRequest(message="this port speaks TLS: use https://")
        self.transport.write(raw_answer(error))
        if ITCPTransport.providedBy(self.transport):
            self.transport.loseWriteConnection()
        self._end_in(PLAIN_SECONDS)

    def _end_in(self, seconds: float) -> None:
        self._end = self.factory.clock.callLater(seconds, self._close)

    def _close(self) -> None:
        self._end = None
        self.transport.loseConnection()


class TLSFactory(TLSMemoryBIOFactory):
    """Makes TLS connections.

    Attributes:
        contexts: Makes OpenSSL's part of each connection.
        clock: Gives them time.
        room: Where connections on sockets keep what they pass on, for a moment.
        senders: Have threads send files for them; None: there are none.
        is_below: Whether the transports speak TLS themselves, as those on sockets do.
    """

    protocol = TLSConnection

    def __init__(
        self,
        contexts: ReloadingContextFactory,
        wrapped: IProtocolFactory,
        clock: IReactorTime,
        senders: Senders | None = None,
    ) -> None:
        """Prepare.

        Args:
            contexts: Makes OpenSSL's part of each connection.
            wrapped: Makes the protocols that talk over them.
            clock: Gives time.
            senders: Have threads send files over sockets; None: the reactor does.
        """
        super().__init__(contexts, False, wrapped, clock)
        self.contexts = contexts
        self.clock = clock
        self.is_below = False
        self.room = bytearray(ROOM)
        self.senders = senders

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """See IProtocolFactory."""
        if self.is_below:
            return self.wrappedFactory.buildProtocol(addr)
        return super().buildProtocol(addr)

    def _applyProtocolNegotiation(self, connection: SSL.Connection) -> None:  # noqa: N802
        """Do nothing: Twisted 24.7 would change the context, which others use too."""


def log_failed(peer: IAddress, error: SSL.Error) -> None:
    """Say in the log why a connection ended in an error of TLS.

    Args:
        peer: The client.
        error: What OpenSSL says.
    """
    _log.info(
        "TLS with {peer} failed: {problem}",
        peer=getattr(peer, "host", "unix"),
        problem=reason_of(error),
    )
