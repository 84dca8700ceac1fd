"""Tests of txregistry.webhooks.places: where is connected to."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, SOCK_STREAM
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI, BrowserLikePolicyForHTTPS

from txregistry.threads import InThread
from txregistry.webhooks.names import Names
from txregistry.webhooks.places import Places

FOUND = [
    (AF_INET6, SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0)),
    (AF_INET, SOCK_STREAM, 6, "", ("192.0.2.1", 80)),
]


class PlacesTests(SynchronousTestCase):
    """Places."""

    def connect(self, url: bytes, in_thread: InThread = execute) -> Deferred[Any]:
        """Connect to where a URL is."""
        self.reactor = MemoryReactorClock()
        names = Names(in_thread, lambda *_, **_options: FOUND)
        places = Places(self.reactor, names, BrowserLikePolicyForHTTPS(), 2.0)
        endpoint = places.endpointForURI(URI.fromBytes(url))
        return endpoint.connect(Factory.forProtocol(Protocol))

    def accept(self, number: int) -> StringTransport:
        """Accept a connection; return what is written to."""
        factory: Any = self.reactor.tcpClients[number][2]
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def places(self) -> list[tuple[str, int, float]]:
        """Return where it is tried to connect to, and how long."""
        return [(each[0], each[1], each[3]) for each in self.reactor.tcpClients]

    def test_addresses(self) -> None:
        """All addresses of a name are tried, one soon after the other."""
        for name in (b"hooks.example", b"under_score"):
            connecting = self.connect(b"http://%b:80/" % name)
            self.assertEqual([("2001:db8::1", 80, 2.0)], self.places())
            refused = Failure(ConnectionRefusedError())
            factory: Any = self.reactor.tcpClients[0][2]
            factory.clientConnectionFailed(None, refused)
            self.reactor.advance(1.0)
            self.assertEqual(("192.0.2.1", 80, 2.0), self.places()[1])
            self.accept(1)
            self.assertIsInstance(self.successResultOf(connecting), Protocol)

    def test_address(self) -> None:
        """A URL may have an address in place of the name."""
        for url, place in (
            (b"http://192.0.2.7/", ("192.0.2.7", 80, 2.0)),
            (b"http://[2001:db8::7]:81/", ("2001:db8::7", 81, 2.0)),
            (b"https://[2001:db8::7]/", ("2001:db8::7", 443, 2.0)),
        ):
            connecting = self.connect(url)
            self.assertEqual([place], self.places())
            connecting.cancel()
            self.failureResultOf(connecting)

    def test_tls(self) -> None:
        """A URL with https is spoken to by TLS."""
        self.connect(b"https://192.0.2.7/")
        self.assertEqual(b"\x16\x03", self.accept(0).value()[:2])

    def test_cancelled(self) -> None:
        """Who waits no longer while a name is looked up has not failed."""
        connecting = self.connect(b"http://hooks.example/", lambda _: Deferred())
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual([], self.places())
