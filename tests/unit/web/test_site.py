"""Tests of txregistry.web.site: the access log, and the end."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.echo import make_echo
from txregistry.web.channel import RegistryChannel
from txregistry.web.limits import Limits
from txregistry.web.site import RegistrySite


class SiteCase(SynchronousTestCase):
    """A site and its clients."""

    access_log = True

    def setUp(self) -> None:
        """Make the site and watch the log."""
        self.routes, resource = make_echo()
        self.clock = Clock()
        self.site = RegistrySite(
            resource, self.clock, Limits(), "test/1", self.access_log
        )
        self.events = self.enterContext(capturedLogs())

    def connect(self) -> tuple[RegistryChannel, StringTransport]:
        """Return a client's connection."""
        channel = self.site.buildProtocol(None)
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.7", 1))
        channel.makeConnection(transport)
        return channel, transport

    def lines(self) -> list[str]:
        """Return what was written to the access log."""
        return [
            formatEvent(event)
            for event in self.events
            if event["log_namespace"] == "txregistry.access"
        ]


class AccessLogTests(SiteCase):
    """A line for each request."""

    def test_line(self) -> None:
        """A line says who asked what, and what came of it."""
        channel, _ = self.connect()
        channel.dataReceived(
            b"PUT /echo?a=b HTTP/1.1\r\nHost: a\r\nUser-Agent: docker/27\r\n"
            b"Content-Length: 5\r\n\r\nhello"
        )
        line = '192.0.2.7 "PUT /echo?a=b HTTP/1.1" 200 5 "docker/27"'
        self.assertEqual([line], self.lines())

    def test_no_agent(self) -> None:
        """A client that does not say what it is is a dash."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        (line,) = self.lines()
        self.assertTrue(line.endswith('"-"'))

    def test_forged(self) -> None:
        """Nothing that a client sends can pass for the line's own."""
        channel, _ = self.connect()
        channel.dataReceived(
            b'GET /"x\\{address} HTTP/1.1\r\nHost: a\r\n'
            b'User-Agent: a" 200 0 "\xff\r\n\r\n'
        )
        (line,) = self.lines()
        self.assertIn(r'"GET /\x22x\x5c{address} HTTP/1.1"', line)
        self.assertTrue(line.endswith(r'"a\x22 200 0 \x22\xff"'))


class SilentTests(SiteCase):
    """Without an access log."""

    access_log = False

    def test_nothing(self) -> None:
        """Nothing is written."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual([], self.lines())


class DrainTests(SiteCase):
    """The end."""

    def test_nobody(self) -> None:
        """Without connections it is drained at once."""
        self.successResultOf(self.site.drain())

    def test_all(self) -> None:
        """It is drained when the last connection is gone."""
        connections = [self.connect() for _ in range(3)]
        drained = self.site.drain()
        for channel, transport in connections:
            self.assertNoResult(drained)
            self.assertTrue(transport.disconnecting)
            channel.connectionLost()
        self.successResultOf(drained)

    def test_no_more_requests(self) -> None:
        """A request that runs is the last one of its connection."""
        channel, transport = self.connect()
        channel.dataReceived(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        self.site.drain()
        self.routes.waiting[0].callback(None)
        self.assertIn(b"Connection: close\r\n", transport.value())
        self.assertTrue(transport.disconnecting)

    def test_new_connection(self) -> None:
        """One that comes while it drains gets one answer."""
        self.site.drain()
        channel, transport = self.connect()
        channel.dataReceived(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"Connection: close\r\n", transport.value())

    def test_abort(self) -> None:
        """All connections can be cut."""
        connections = [self.connect() for _ in range(3)]
        connections[0][0].dataReceived(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        self.site.abort()
        for _, transport in connections:
            self.assertTrue(transport.disconnected)

    def test_factory(self) -> None:
        """Starting and stopping the factory starts no clock of its own."""
        self.site.doStart()
        self.site.doStop()
        self.assertEqual([], self.clock.getDelayedCalls())
