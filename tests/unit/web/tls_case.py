"""The case under tests of TLS: files, a site on them, and clients in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, providedBy

from tests.certificates import Authority, Issued, common_name
from tests.unit.web.echo import make_echo
from txregistry.web.limits import Limits
from txregistry.web.site import RegistrySite
from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_connection import TLSConnection, TLSFactory
from txregistry.web.tls_context import TLSOptions


class Socket(StringTransport):
    """A TCP connection's end, in memory.

    Attributes:
        half_closed: Whether its owner has said that it writes no more.
    """

    def __init__(self) -> None:
        """Make it."""
        super().__init__(peerAddress=IPv4Address("TCP", "127.0.0.1", 54321))
        directlyProvides(self, providedBy(self), ITCPTransport)
        self.half_closed = False

    def loseWriteConnection(self) -> None:  # noqa: N802 - Twisted's
        """See ITCPTransport."""
        self.half_closed = True

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - Twisted's
        """See ITCPTransport."""


class Client:
    """A TLS client and the server's end of its connection.

    Attributes:
        tls: OpenSSL's part of the client.
        socket: What the server's end writes to.
        server: The server's end.
    """

    def __init__(
        self,
        factory: TLSFactory,
        clock: Clock,
        context: SSL.Context,
        session: SSL.Session | None = None,
    ) -> None:
        """Connect and shake hands.

        Args:
            factory: Makes the server's end.
            clock: Its time.
            context: What the client speaks.
            session: A session to go on with; None: none.

        Raises:
            SSL.Error: They come to no terms.
        """
        self._clock = clock
        self.tls = SSL.Connection(context)
        if session is not None:
            self.tls.set_session(session)
        self.tls.set_tlsext_host_name(b"localhost")
        self.tls.set_connect_state()
        self.socket = Socket()
        server: Any = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 54321))
        self.server: TLSConnection = server
        self.server.makeConnection(self.socket)
        with suppress(SSL.WantReadError):
            self.tls.do_handshake()
        self.pump()
        self.tls.do_handshake()
        self.pump()

    def pump(self) -> None:
        """Carry bytes both ways until there are none."""
        moved = True
        while moved:
            moved = False
            with suppress(SSL.WantReadError):
                while True:
                    data = self.tls.bio_read(1 << 16)
                    moved = True
                    if not self.socket.disconnecting:
                        self.server.dataReceived(data)
            self._clock.advance(0)
            if answer := self.socket.value():
                self.socket.clear()
                self.tls.bio_write(answer)
                moved = True
            with suppress(SSL.WantReadError):
                self.tls.do_handshake()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.tls.send(data)
        self.pump()

    def received(self) -> bytes:
        """Return what has come and was not returned yet."""
        found = b""
        with suppress(SSL.WantReadError, SSL.ZeroReturnError):
            while True:
                found += self.tls.recv(1 << 16)
        return found

    def get(self, path: str = "/none") -> bytes:
        """Send a request; return what comes back."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return self.received()

    @property
    def shown(self) -> X509:
        """The certificate that the server shows."""
        certificate = self.tls.get_peer_certificate()
        if certificate is None:
            raise AssertionError("the server shows no certificate")
        return certificate

    @property
    def shown_name(self) -> str:
        """The common name in it."""
        return common_name(self.shown.to_cryptography())


class TLSCase(SynchronousTestCase):
    """A folder with a server's certificate, and clients for what is served with it.

    Attributes:
        folder: The folder.
        authority: The authority that everybody trusts.
        clock: The time, which is now.
    """

    def setUp(self) -> None:
        """Make the certificate."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority()
        self.clock = Clock()
        self.clock.advance(time.time())
        self.write(self.authority.issue())

    def write(self, issued: Issued) -> None:
        """Put a pair into the place of the server's."""
        self.certificate, self.key = issued.write(self.folder)

    def options(self, **options: Any) -> TLSOptions:
        """Return options with the server's pair."""
        return TLSOptions(self.certificate, self.key, **options)

    def client_options(self, mode: str, **options: Any) -> TLSOptions:
        """Return options that trust the authority with clients' certificates."""
        cas = (self.authority.write(self.folder),)
        return self.options(client_cas=cas, client_auth=mode, **options)

    def contexts(self, **options: Any) -> ReloadingContextFactory:
        """Load the server's pair."""
        return ReloadingContextFactory(self.options(**options), self.clock)

    def factory(self, contexts: ReloadingContextFactory) -> TLSFactory:
        """Return a factory for an echo site."""
        self.echo, resource = make_echo()
        self.site = RegistrySite(resource, self.clock, Limits(), "test")
        return TLSFactory(contexts, self.site, self.clock)

    def connect(
        self,
        contexts: ReloadingContextFactory,
        issued: Issued | None = None,
        context: SSL.Context | None = None,
    ) -> Client:
        """Connect a client to a new site.

        Args:
            contexts: The server's contexts.
            issued: The certificate that the client shows; None: none.
            context: What else it speaks.

        Raises:
            SSL.Error: They come to no terms.
        """
        context = context or client_context()
        if issued is not None:
            context.use_certificate(issued.certificate)
            for certificate in issued.between:
                context.add_extra_chain_cert(certificate)
            context.use_privatekey(issued.key)
        return Client(self.factory(contexts), self.clock, context)


def client_context(
    newest: int = 0,
    ciphers: str = "",
    suites: str = "",
    protocols: Sequence[bytes] = (),
) -> SSL.Context:
    """Make a client's context.

    Args:
        newest: The newest version that it speaks, OpenSSL's number; 0: any.
        ciphers: The cipher suites of TLS 1.2, as OpenSSL lists them; empty: its own.
        suites: Those of TLS 1.3.
        protocols: What it offers by ALPN.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    # Tests also knock with what no client should speak any more.
    context.set_cipher_list((ciphers or "ALL:@SECLEVEL=0").encode())
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_max_proto_version(newest)
    if suites:
        context.set_tls13_ciphersuites(suites.encode())
    if protocols:
        context.set_alpn_protos(list(protocols))
    return context
