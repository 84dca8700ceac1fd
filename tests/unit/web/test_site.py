"""Tests of txregistry.web.site: the access log, and the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.echo import make_echo
from txregistry.interfaces import IRequestWatcher
from txregistry.observe.accessformats import CombinedFormat
from txregistry.observe.accesslog import AccessLog
from txregistry.observe.outputs import StreamOutput
from txregistry.web.channel import RegistryChannel
from txregistry.web.limits import Limits
from txregistry.web.site import RegistrySite


class SiteCase(SynchronousTestCase):
    """A site and its clients."""

    silent = False

    def setUp(self) -> None:
        """Make the site and watch the log."""
        self.routes, resource = make_echo()
        self.clock = Clock()
        self.stream = StringIO()
        log = AccessLog(StreamOutput(self.stream, "a string"), CombinedFormat())
        watchers: Sequence[IRequestWatcher] = () if self.silent else (log,)
        self.site = RegistrySite(resource, self.clock, Limits(), "test/1", watchers)
        self.enterContext(capturedLogs())

    def connect(self) -> tuple[RegistryChannel, StringTransport]:
        """Return a client's connection."""
        channel = self.site.buildProtocol(None)
        transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.7", 1))
        channel.makeConnection(transport)
        return channel, transport

    def lines(self) -> list[str]:
        """Return what was written to the access log."""
        lines = self.stream.getvalue().splitlines()
        return [re.sub(" - (.*) \\[.*?\\] ", r" - \1 [then] ", line) for line in lines]


class AccessLogTests(SiteCase):
    """A line for each request."""

    def test_line(self) -> None:
        """A line says who asked what, and what came of it."""
        channel, _ = self.connect()
        channel.dataReceived(
            b"PUT /echo?a=b HTTP/1.1\r\nHost: a\r\nUser-Agent: docker/27\r\n"
            b"Content-Length: 5\r\n\r\nhello"
        )
        request = '"PUT /echo?a=b HTTP/1.1" 200 5 "-" "docker/27"'
        line = f"192.0.2.7 - - [then] {request}"
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


class UnansweredTests(SiteCase):
    """A line for what did not come to its end, too."""

    def statuses(self) -> list[str]:
        """Return the statuses and sizes in the log."""
        return [" ".join(line.split('"')[2].split()) for line in self.lines()]

    def test_mid_body(self) -> None:
        """A client that leaves with its body unsent is a 499."""
        channel, _ = self.connect()
        channel.dataReceived(
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"
        )
        channel.connectionLost()
        (line,) = self.lines()
        self.assertIn('"PUT /echo HTTP/1.1" 499 0 "-"', line)

    def test_mid_answer(self) -> None:
        """So is one that leaves before its answer's end."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.connectionLost()
        self.assertEqual(["499 0"], self.statuses())

    def test_our_fault(self) -> None:
        """An answer that we cut short has the status that was sent."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        channel.connectionLost()
        self.assertEqual(["200 4"], self.statuses())

    def test_answered(self) -> None:
        """What was answered is one line, though the client leaves amid its body."""
        channel, _ = self.connect()
        channel.dataReceived(
            b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
        )
        channel.connectionLost()
        self.assertEqual(["404 0"], self.statuses())

    def test_refused(self) -> None:
        """Refusals of what is no request are there, with what is known of it."""
        long = b"x" * 20_000
        for data, line in (
            (b"GET / HTTP/1.1\r\nUser-Agent: a\r\n\r\n", "GET / HTTP/1.1 400 a"),
            (b"\x01\r\n", "- - - 400 -"),
            (b"GET /" + long, "- - - 414 -"),
            (b"GET / HTTP/1.1\r\nX: " + long, "GET / HTTP/1.1 431 -"),
            (b"\x16\x03\x01", "- - - 400 -"),
        ):
            channel, transport = self.connect()
            channel.dataReceived(data)
            channel.connectionLost()
            body = transport.value().partition(b"\r\n\r\n")[2]
            logged = self.lines()[-1]
            _, request, result, _, _, agent, _ = logged.split('"')
            status, size = result.split()
            self.assertEqual(line, f"{request} {status} {agent}")
            self.assertEqual(len(body), int(size))
        self.assertEqual(5, len(self.lines()))

    def test_late_header(self) -> None:
        """So are headers that came too late."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET /a HTTP/1.1\r\nHo")
        self.clock.advance(Limits().header_timeout)
        (line,) = self.lines()
        self.assertIn('"GET /a HTTP/1.1" 408 ', line)

    def test_bad_chunk(self) -> None:
        """A request with a broken body is one line."""
        channel, _ = self.connect()
        channel.dataReceived(
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"xyz\r\n"
        )
        channel.connectionLost()
        (line,) = self.lines()
        self.assertIn('"PUT /echo HTTP/1.1" 400 ', line)

    def test_no_request(self) -> None:
        """A client that leaves without a request is none."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET / HTTP/1.1\r\nHo")
        channel.connectionLost()
        self.assertEqual([], self.lines())


class SecretTests(SiteCase):
    """What a reader of the log could use."""

    def test_state(self) -> None:
        """The state of an upload is masked, however its name is written."""
        targets = {
            "/x?_state=abc": "/x?_state=***",
            "/x?a=b&_state=abc&digest=c": "/x?a=b&_state=***&digest=c",
            "/x?%5Fst%61te=abc": "/x?_state=***",
            "/x?a;_state=abc;_state=d": "/x?a;_state=***;_state=***",
            "/x?my_state=abc&a": "/x?my_state=abc&a",
            "/_state=abc": "/_state=abc",
        }
        channel, _ = self.connect()
        for target in targets:
            channel.dataReceived(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        logged = [line.split(" ")[5] for line in self.lines()]
        self.assertEqual(list(targets.values()), logged)

    def test_others(self) -> None:
        """So is what people put into URLs although it has no place there."""
        targets = {
            "http://user:pass@a/v2/": "http://***@a/v2/",
            "http://a/v2/@b": "http://a/v2/@b",
            "/x?Token=abc&a=b": "/x?Token=***&a=b",
            "/x?password=a%20b&sig=c": "/x?password=***&sig=***",
        }
        channel, _ = self.connect()
        for target in targets:
            lines = (f"GET {target} HTTP/1.1", "Host: a", f"Referer: {target}", "", "")
            channel.dataReceived("\r\n".join(lines).encode())
        logged = [(line.split(" ")[5], line.split('"')[3]) for line in self.lines()]
        self.assertEqual([(shown, shown) for shown in targets.values()], logged)


class SilentTests(SiteCase):
    """Without an access log."""

    silent = True

    def test_nothing(self) -> None:
        """Nothing is written."""
        channel, _ = self.connect()
        channel.dataReceived(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.dataReceived(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.connectionLost()
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
