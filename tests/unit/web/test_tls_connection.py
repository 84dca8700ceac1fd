"""Tests of TLS connections: clients' certificates, plain clients, the end."""

from __future__ import annotations

import json
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from tests.certificates import Authority, Issued
from tests.unit.web.tls_case import Client, Socket, TLSCase, client_context
from txregistry.web.answers import send_bytes
from txregistry.web.app import Frame, make_resource
from txregistry.web.channel import LINGER_SECONDS
from txregistry.web.endpoints import Endpoint
from txregistry.web.limits import Limits
from txregistry.web.request import RegistryRequest
from txregistry.web.site import RegistrySite
from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_connection import GOODBYE_SECONDS, TLSFactory

MODES = (
    "request-client-cert",
    "require-any-client-cert",
    "verify-client-cert-if-given",
    "require-and-verify-client-cert",
)


class ClientCertificateTests(TLSCase):
    """What a client shows, and what is made of it."""

    def setUp(self) -> None:
        """Make the certificates."""
        super().setUp()
        self.good = self.authority.issue("alice", is_client=True, units=["dev"])
        self.strange = Authority("elsewhere").issue("alice", is_client=True)

    def terms(self, mode: str, issued: Issued | None, newest: int = 0) -> str | None:
        """Return whom a request is from.

        Returns:
            The subject; empty: nobody says; None: client and server come to no terms.
        """
        tls = ReloadingContextFactory(self.client_options(mode), self.clock)
        try:
            client = self.connect(tls, issued, client_context(newest=newest))
            if b"404" not in client.get():
                return None
        except SSL.Error:
            return None
        certificate = client.server.client_certificate()
        return "" if certificate is None else certificate.subject.rfc4514_string()

    def test_modes(self) -> None:
        """Each mode takes, and believes, what it should, in both versions of TLS."""
        expired = self.authority.issue("alice", days=-0.5, is_client=True)
        servers = self.authority.issue("alice")
        alice = "OU=dev,CN=alice"
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for mode, none, unverified in (
                ("request-client-cert", "", ""),
                ("require-any-client-cert", None, ""),
                ("verify-client-cert-if-given", "", None),
                ("require-and-verify-client-cert", None, None),
            ):
                self.assertEqual(alice, self.terms(mode, self.good, newest), mode)
                self.assertEqual(none, self.terms(mode, None, newest), mode)
                for bad in (self.strange, expired, servers):
                    self.assertEqual(unverified, self.terms(mode, bad, newest), mode)

    def test_not_asked(self) -> None:
        """Without authorities no client is asked."""
        client = self.connect(self.contexts(), self.good)
        self.assertIn(b"404", client.get())
        self.assertIsNone(client.server.client_certificate())

    def test_chain(self) -> None:
        """A client's certificate may lead to an authority by way of others."""
        between = Authority("between", self.authority)
        issued = between.issue("bob", is_client=True)
        self.assertEqual("CN=bob", self.terms(MODES[3], issued))
        alone = Issued(issued.certificate, issued.key)
        self.assertIsNone(self.terms(MODES[3], alone))

    def test_trusted_between(self) -> None:
        """An authority that is no root is trusted without its root."""
        between = Authority("between", self.authority)
        self.authority = between
        issued = between.issue("bob", is_client=True)
        self.assertEqual("CN=bob", self.terms(MODES[3], issued))

    def test_authorities_named(self) -> None:
        """A client is told which authorities count."""
        tls = ReloadingContextFactory(self.client_options(MODES[2]), self.clock)
        client = self.connect(tls)
        named = [name.der() for name in client.tls.get_client_ca_list()]
        subject = self.authority.certificate.subject
        self.assertEqual([subject.public_bytes()], named)

    def test_logged(self) -> None:
        """Why a client was turned away stands in the log, with its address."""
        tls = ReloadingContextFactory(self.client_options(MODES[3]), self.clock)
        client = self.connect(tls, self.strange, client_context())
        with capturedLogs() as events:
            client.server.connectionLost(Failure(ConnectionDone()))
        [event] = events
        self.assertEqual("127.0.0.1", event["peer"])
        self.assertIn("certificate verify failed", event["problem"])

    def test_request(self) -> None:
        """A route gets the certificate from its request."""
        seen: list[Any] = []

        def handle(request: Any) -> None:
            seen.append(request.client_certificate())
            send_bytes(request, 200, b"", {})

        class Whoami:
            def endpoints(self) -> list[Endpoint]:
                return [Endpoint("whoami", "GET", "/whoami", handle, None)]

        site = RegistrySite(
            make_resource([Whoami()], Frame()), self.clock, Limits(), "test"
        )
        tls = ReloadingContextFactory(self.client_options(MODES[2]), self.clock)
        context = client_context()
        context.use_certificate(self.good.certificate)
        context.use_privatekey(self.good.key)
        for each in (context, client_context()):
            client = Client(TLSFactory(tls, site, self.clock), self.clock, each)
            self.assertIn(b"200 OK", client.get("/whoami"))
        self.assertEqual([self.good.certificate, None], seen)


class PlainTests(TLSCase):
    """A client that speaks plain HTTP to a port with TLS."""

    def knock(self, data: bytes) -> tuple[Any, Socket]:
        """Send the first bytes of a connection, if any; return the server's end."""
        server = self.factory(self.contexts()).buildProtocol(
            IPv4Address("TCP", "127.0.0.1", 54321)
        )
        socket = Socket()
        assert server is not None
        server.makeConnection(socket)
        if data:
            server.dataReceived(data)
        self.clock.advance(0)
        return server, socket

    def test_answer(self) -> None:
        """It is told what to do, as JSON, and the connection ends."""
        server, socket = self.knock(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head, _, body = socket.value().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertIn("https://", json.loads(body)["errors"][0]["message"])
        self.assertTrue(socket.half_closed)
        self.assertFalse(socket.disconnecting)
        self.clock.advance(5)
        self.assertTrue(socket.disconnecting)
        server.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_rest(self) -> None:
        """What else it sends is dropped."""
        server, socket = self.knock(b"PUT")
        socket.clear()
        server.dataReceived(b" /v2/ HTTP/1.1\r\n\r\n")
        self.assertEqual(b"", socket.value())
        server.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_other(self) -> None:
        """Bytes that are neither are OpenSSL's to refuse."""
        _, socket = self.knock(b"\x00\x01\x02\x03\x04\x05")
        self.assertTrue(socket.disconnecting)
        self.assertNotIn(b"HTTP", socket.value())

    def test_silent(self) -> None:
        """A client that never begins is cut off when its time is over."""
        _, socket = self.knock(b"\x16")
        self.clock.advance(Limits().idle_timeout)
        self.assertTrue(socket.disconnected)

    def test_gone(self) -> None:
        """A client that only looks whether somebody listens leaves no line in a log."""
        server, _ = self.knock(b"")
        with capturedLogs() as events:
            server.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([], events)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_in_pieces(self) -> None:
        """A client that speaks TLS may send its first record byte by byte."""
        server, socket = self.knock(b"\x16")
        server.dataReceived(b"\x03")
        self.assertEqual((b"", False), (socket.value(), socket.disconnecting))


class EndTests(TLSCase):
    """How a connection ends."""

    def setUp(self) -> None:
        """Connect a client."""
        super().setUp()
        self.client = self.connect(self.contexts())
        self.socket = self.client.socket

    def test_goodbye(self) -> None:
        """The client hears a goodbye at once; a second later TCP ends too."""
        self.close()
        self.client.pump()
        self.assertTrue(self.heard_goodbye())
        self.assertFalse(self.socket.disconnecting)
        self.clock.advance(GOODBYE_SECONDS)
        self.assertTrue(self.socket.disconnecting)

    def close(self) -> None:
        """Have the server's protocol close the connection."""
        channel: Any = self.client.server.wrappedProtocol
        channel.loseConnection()

    def heard_goodbye(self) -> bool:
        """Say whether the client has heard one."""
        self.client.received()
        return bool(self.client.tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def test_answered(self) -> None:
        """A client that answers the goodbye is not waited for."""
        self.close()
        self.client.pump()
        self.client.received()
        self.client.tls.shutdown()
        self.client.pump()
        self.assertTrue(self.socket.disconnecting)

    def test_client_ends(self) -> None:
        """A client that says goodbye first is heard."""
        self.client.tls.shutdown()
        self.client.pump()
        self.assertTrue(self.socket.disconnecting)

    def test_lost(self) -> None:
        """Nothing is left to do when the connection is gone."""
        self.client.get()
        self.close()
        self.client.server.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_certificate_of_lost(self) -> None:
        """A connection that is gone has no certificate any more."""
        self.client.server.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(self.client.server.client_certificate())

    def test_no_files(self) -> None:
        """A transport below that takes files does not get them: TLS would be left out.

        Twisted's wrappers pass on to it what they lack themselves.
        """
        below: Any = self.socket
        below.send_file = None
        channel: Any = self.client.server.wrappedProtocol
        self.assertTrue(hasattr(channel.transport, "send_file"))
        self.assertFalse(RegistryRequest(channel).can_send_files)

    def test_close(self) -> None:
        """An answer that ends the connection comes whole, with a goodbye behind it."""
        self.client.send(
            b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        body = self.client.received().partition(b"\r\n\r\n")[2]
        self.assertEqual(1_000_000, len(body))
        self.client.pump()
        self.assertTrue(self.heard_goodbye())

    def test_lingering(self) -> None:
        """After a refusal in mid-body the client has time to read it."""
        self.client.send(
            b"PUT /refuse HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 9999999\r\n\r\n"
        )
        self.client.send(b"x" * 100_000)
        self.assertIn(b"404 Not Found", self.client.received())
        self.assertTrue(self.heard_goodbye())
        self.assertFalse(self.socket.disconnecting)
        self.client.send(b"x" * 100_000)
        self.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.socket.disconnecting)
        self.client.server.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_drain(self) -> None:
        """A site that drains says goodbye to idle clients."""
        drained = self.site.drain()
        self.client.pump()
        self.assertTrue(self.heard_goodbye())
        self.assertNoResult(drained)
        self.client.server.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(drained)

    def test_abort(self) -> None:
        """A connection that is cut ends at once."""
        self.site.abort()
        self.assertTrue(self.socket.disconnected)
