"""Tests of txregistry.web.channel: whose turn it is when time runs out."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.echo import make_echo
from tests.unit.web.test_channel_edges import SlowTransport
from txregistry.streams import Collector, pump
from txregistry.testing.wire import Wire
from txregistry.web.answers import send_bytes
from txregistry.web.app import Frame, make_resource
from txregistry.web.channel import RegistryChannel
from txregistry.web.endpoints import Endpoint
from txregistry.web.limits import Limits

LIMITS = Limits(header_timeout=5.0, idle_timeout=20.0)
WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"PUT /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"


class LateRoutes:
    """An endpoint that has work to do before it wants the body.

    Attributes:
        work: Ends the work.
    """

    def __init__(self) -> None:
        """Begin."""
        self.work: Deferred[None] = Deferred()

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [Endpoint("late", "PUT", "/late", self.late, None)]

    async def late(self, request: Any) -> None:
        """Work, then send the body back."""
        await self.work
        collector = Collector(1000)
        await pump(request.body, collector)
        send_bytes(request, 200, collector.content(), {})


class SlowPullerTests(SynchronousTestCase):
    """Clients to whom the end of an answer is still on its way."""

    def setUp(self) -> None:
        """Answer a client of which a thousand bytes wait in the buffers."""
        _, resource = make_echo()
        wire = Wire(resource, LIMITS)
        self.clock, self.site = wire.clock, wire.site
        self.transport = SlowTransport()
        self.channel: RegistryChannel = self.site.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        self.channel.dataReceived(b"PUT /refuse HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_progress(self) -> None:
        """As long as some of it goes out the connection stays."""
        for _ in range(9):
            self.transport.offset += 100
            self.clock.advance(LIMITS.idle_timeout)
        self.assertFalse(self.transport.disconnecting)

    def test_long_before(self) -> None:
        """So it does if most of it is that of a long answer before."""
        self.transport.dataBuffer = bytes(1_000_000)
        self.channel.dataReceived(b"PUT /refuse HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(9):
            self.transport.offset += 100_000
            self.clock.advance(LIMITS.idle_timeout)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.transport.disconnected)

    def test_all_taken(self) -> None:
        """When all has gone out, and nothing is asked, it is closed in good order."""
        self.transport.offset = 1000
        self.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.disconnected)

    def test_stalled(self) -> None:
        """When nothing goes out for the idle time it is cut."""
        self.transport.offset = 100
        self.clock.advance(LIMITS.idle_timeout)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.transport.disconnected)

    def test_closing(self) -> None:
        """So it is when the connection was to be closed after the answer."""
        self.channel.dataReceived(b"PUT /refuse HTTP/1.0\r\n\r\n")
        self.assertTrue(self.transport.disconnecting)
        self.transport.offset = 100
        self.clock.advance(LIMITS.idle_timeout)
        self.assertFalse(self.transport.disconnected)
        self.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.transport.disconnected)


class OurTurnTests(SynchronousTestCase):
    """Requests with a body for which we are not ready yet."""

    def setUp(self) -> None:
        """Connect."""
        self.routes = LateRoutes()
        self.wire = Wire(make_resource([self.routes], Frame()), LIMITS)

    def test_expect(self) -> None:
        """A client that waits for 100 Continue is not idle."""
        self.wire.send(UPLOAD + b"Expect: 100-continue\r\n\r\n")
        self.wire.clock.advance(10 * LIMITS.idle_timeout)
        self.routes.work.callback(None)
        self.assertEqual(100, self.wire.answer().status)
        self.wire.send(b"ok")
        self.assertEqual(b"ok", self.wire.answer().body)

    def test_started(self) -> None:
        """Once the body is wanted the client has to send it."""
        self.wire.send(UPLOAD + b"\r\n")
        self.wire.clock.advance(10 * LIMITS.idle_timeout)
        self.assertFalse(self.wire.transport.disconnecting)
        self.routes.work.callback(None)
        self.wire.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.wire.transport.disconnected)

    def test_refused(self) -> None:
        """So it has when the body is to be let go by."""
        self.wire.send(UPLOAD + b"\r\n")
        self.wire.clock.advance(10 * LIMITS.idle_timeout)
        self.routes.work.errback(RuntimeError("on purpose"))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        self.assertEqual(500, self.wire.answer().status)
        self.wire.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.wire.transport.disconnected)


class QuietTests(SynchronousTestCase):
    """The time in which a connection may be quiet."""

    def setUp(self) -> None:
        """Connect, and put some time between the ticks of the clock."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource, LIMITS)
        self.clock = self.wire.clock

    def is_open_after(self, seconds: float) -> bool:
        """Say whether the connection is open when a time has passed."""
        self.clock.advance(seconds)
        return not self.wire.transport.disconnecting

    def test_put_off(self) -> None:
        """It begins anew with each answer, to the moment."""
        for _ in range(5):
            self.assertTrue(self.is_open_after(LIMITS.idle_timeout - 1.0))
            self.wire.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(self.is_open_after(LIMITS.idle_timeout - 0.5))
        self.assertFalse(self.is_open_after(0.5))

    def test_one_call(self) -> None:
        """The clock is asked to call once, however many requests come."""
        self.wire.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        calls = self.clock.getDelayedCalls()
        for _ in range(5):
            self.clock.advance(1.0)
            self.wire.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(calls, self.clock.getDelayedCalls())
        self.assertEqual(1, len(calls))

    def test_while_running(self) -> None:
        """While a request runs there is no end to it; behind it, it begins anew."""
        self.wire.send(WAIT)
        self.assertTrue(self.is_open_after(3 * LIMITS.idle_timeout))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.routes.waiting[0].callback(None)
        self.assertTrue(self.is_open_after(LIMITS.idle_timeout - 1.0))
        self.assertFalse(self.is_open_after(1.0))

    def test_sooner(self) -> None:
        """It may be made shorter."""
        channel = self.wire.channel
        self.assertEqual(LIMITS.idle_timeout, channel.setTimeout(1.0))
        self.assertFalse(self.is_open_after(1.0))

    def test_lost(self) -> None:
        """When the connection is gone, nothing is left of it."""
        self.wire.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        self.wire.channel.connectionLost()
        self.assertEqual([], self.clock.getDelayedCalls())


class HeaderBehindTests(SynchronousTestCase):
    """Half of a header that came along with a whole request."""

    def setUp(self) -> None:
        """Connect."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource, LIMITS)

    def answered(self, first: bytes, second: bytes) -> list[bytes]:
        """Send a request and a half, drip by drip; return the answers' statuses."""
        self.wire.send(first + second)
        for waiting in self.routes.waiting:
            waiting.callback(None)
        for _ in range(5):
            self.wire.clock.advance(1.0)
            self.wire.send(b"x")
        lines = self.wire.transport.value().split(b"HTTP/1.1 ")[1:]
        return [line[:3] for line in lines]

    def test_header(self) -> None:
        """It has to come to its end in time, if the first is answered at once."""
        first = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
        second = b"GET /wait HTTP/1.1\r\nHo"
        self.assertEqual([b"404", b"408"], self.answered(first, second))

    def test_behind_body(self) -> None:
        """So it has behind a body."""
        first = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
        second = b"GET /wait HTTP/1.1\r\nHo"
        self.assertEqual([b"200", b"408"], self.answered(first, second))

    def test_late_answer(self) -> None:
        """So it has if the first takes a while."""
        second = b"GET /wait HTTP/1.1\r\nHo"
        self.assertEqual([b"204", b"408"], self.answered(WAIT, second))

    def test_request_line(self) -> None:
        """A request line that does not come to its end is cut off."""
        first = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
        self.assertEqual([b"404"], self.answered(first, b"GE"))
        self.assertTrue(self.wire.transport.disconnecting)
