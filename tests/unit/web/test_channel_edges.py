"""Tests of txregistry.web.channel: slow readers, lingering, and other edges."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.echo import make_echo
from txregistry.streams import Collector, pump
from txregistry.testing.wire import Wire
from txregistry.web.answers import send_bytes
from txregistry.web.app import Frame, make_resource
from txregistry.web.channel import DRAINABLE, LINGER_BYTES, LINGER_SECONDS
from txregistry.web.endpoints import Endpoint
from txregistry.web.limits import Limits

LIMITS = Limits(
    header_size=1000, header_count=10, header_timeout=5.0, idle_timeout=20.0
)
WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"


class SlowTransport(StringTransport):
    """A connection whose other end does not read.

    Attributes:
        dataBuffer: What waits to go out, as in Twisted's own.
        offset: How much of that has gone.
    """

    def __init__(self) -> None:
        """Connect."""
        super().__init__(peerAddress=IPv4Address("TCP", "127.0.0.1", 1))
        self.dataBuffer = b"x" * 1000
        self.offset = 0
        self._tempDataLen = 0
        self.socket = None

    def fileno(self) -> int:
        """Return the socket's number; there is none."""
        raise OSError


class HalfRoutes:
    """An endpoint that sends half of its answer before it looks at the body."""

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [Endpoint("half", "PUT", "/half", self.half, None)]

    async def half(self, request: Any) -> None:
        """Send half."""
        send_bytes(request, 200, b"half", {"Content-Length": "8"})
        await pump(request.body, Collector(1000))


class EdgeCase(SynchronousTestCase):
    """A wire to routes that echo."""

    def setUp(self) -> None:
        """Connect."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource, LIMITS)

    def refused(self, data: bytes) -> int:
        """Send what is refused; return the status."""
        self.wire.send(data)
        answer = self.wire.answer()
        self.assertEqual("UNSUPPORTED", json.loads(answer.body)["errors"][0]["code"])
        self.assertEqual("close", answer.header("connection"))
        return answer.status


class RefusalTests(EdgeCase):
    """Headers."""

    def test_shapes(self) -> None:
        """Whatever two readers could read in two ways is refused."""
        shapes = {
            b"Content-Length: 1\r\nContent-Length: 1": 400,
            b"Content-Length: 1, 1": 400,
            b"Content-Length: +1": 400,
            b"Content-Length: 0x1": 400,
            b"Content-Length: -1": 400,
            b"Content-Length: \xb2": 400,
            b"Content-Length: 1\r\nTransfer-Encoding: chunked": 400,
            b"Transfer-Encoding: gzip, chunked": 400,
            b"Transfer-Encoding: identity": 400,
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": 400,
            b"Transfer-Encoding : chunked": 400,
            b"Transfer-Encoding\x0b: chunked": 400,
            b"Content-Range: 0-1\r\nContent-Range: 1-2": 400,
            b"Range: bytes=0-1\r\nRange: bytes=1-2": 400,
            b"Authorization: a\r\nAuthorization: b": 400,
            b"Expect: 200-ok": 417,
            b" folded: x": 400,
            b"X: y\r\n folded": 400,
            b"no colon": 400,
            b": no name": 400,
            b"X: a\x00b": 400,
            b"X: a\rb": 400,
            b"X: a\x1bb": 400,
            b"Content-Length: " + b"9" * 500: 400,
            b"X: " + b"y" * 1000: 431,
            b"X: y\r\n" * 11 + b"X: y": 431,
            b"Host: b": 400,
            b"Host: a b": 400,
            b"Host: a/b": 400,
            b"Host: user@b": 400,
        }
        found = {}
        for shape in shapes:
            self.setUp()
            first = b"PUT /echo HTTP/1.1\r\n"
            host = b"" if shape.startswith(b"Host: ") else b"Host: a\r\n"
            if shape == b"Host: b":
                host = b"Host: a\r\n"
            found[shape] = self.refused(first + host + shape + b"\r\n\r\nx")
        self.assertEqual(shapes, found)

    def test_request_lines(self) -> None:
        """So is what is no request line, or of no version that we speak."""
        for line in (
            b"GET",
            b"GET /",
            b"GET / HTTP/2.0",
            b"GET / HTTP/1.2",
            b"GET / HTTP/1.1 x",
            b"GET  / HTTP/1.1",
            b"GET\t/ HTTP/1.1",
            b"GET / http/1.1",
            b"GE\x00T / HTTP/1.1",
            b"G\xe9T / HTTP/1.1",
            b"GET /\xe9 HTTP/1.1",
            b" GET / HTTP/1.1",
            b"PRI * HTTP/2.0",
        ):
            self.setUp()
            self.assertEqual(400, self.refused(line + b"\r\nHost: a\r\n\r\n"), line)

    def test_endless_line(self) -> None:
        """A line that does not end is refused where the limit is."""
        self.assertEqual(414, self.refused(b"GET /" + b"x" * 1001))
        self.setUp()
        start = b"GET / HTTP/1.1\r\nX: "
        self.assertEqual(431, self.refused(start + b"y" * 1001))

    def test_chunked_1_0(self) -> None:
        """HTTP/1.0 knows no chunks."""
        header = b"PUT /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(400, self.refused(header))

    def test_once(self) -> None:
        """What is refused is answered once, and what follows it is not read."""
        self.refused(b"GET\r\n\r\n" + WAIT)
        self.wire.send(WAIT)
        self.assertEqual(b"", self.wire.transport.value())
        self.assertEqual([], self.routes.waiting)

    def test_bad_chunk_under_route(self) -> None:
        """A broken chunk is answered for a route that does something else."""
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        self.wire.send(b"PUT /wait HTTP/1.1\r\nHost: a\r\n" + chunked)
        self.assertEqual(400, self.refused(b"xyz\r\n"))
        self.routes.waiting[0].callback(None)
        self.assertEqual(b"", self.wire.transport.value())

    def test_bad_chunk_after_answer(self) -> None:
        """Once the answer has begun, a broken chunk cuts the connection."""
        self.wire = Wire(make_resource([HalfRoutes()], Frame()), LIMITS)
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        self.wire.send(b"PUT /half HTTP/1.1\r\nHost: a\r\n" + chunked)
        self.assertIn(b" 200 ", self.wire.transport.value())
        self.wire.send(b"xyz\r\n")
        self.assertTrue(self.wire.transport.disconnecting)


class HeaderTimeTests(EdgeCase):
    """The time for a header, wherever it begins."""

    def test_request_line(self) -> None:
        """A request line that does not end is cut off, for there is no request yet."""
        for _ in range(5):
            self.wire.send(b"G")
            self.wire.clock.advance(1.0)
        self.assertTrue(self.wire.transport.disconnecting)

    def test_second(self) -> None:
        """The time runs for each request anew."""
        self.wire.request("PUT", "/echo", body=b"x")
        self.wire.send(b"GET /wait HTTP/1.1\r\n")
        self.wire.clock.advance(LIMITS.header_timeout)
        self.assertEqual(408, self.wire.answer().status)

    def test_behind_another(self) -> None:
        """It runs for a header that began while another request was running."""
        self.wire.send(WAIT + b"GET /wait HTTP/1.1\r\nHost: a\r\n")
        self.routes.waiting[0].callback(None)
        self.assertEqual(204, self.wire.answer().status)
        for number in range(5):
            self.wire.send(b"X%d: y\r\n" % number)
            self.wire.clock.advance(1.0)
        self.assertEqual(408, self.wire.answer().status)

    def test_behind_another_in_time(self) -> None:
        """Such a request is answered if its header comes to its end in time."""
        self.wire.send(WAIT + b"GET /refuse HTTP/1.1\r\nHost: a\r\n")
        self.routes.waiting[0].callback(None)
        self.assertEqual(204, self.wire.answer().status)
        self.wire.send(b"\r\n")
        self.assertEqual(405, self.wire.answer().status)
        self.wire.clock.advance(LIMITS.header_timeout)
        self.assertEqual(b"", self.wire.transport.value())


class LingerTests(EdgeCase):
    """After an answer that ends the connection, what still comes is dropped."""

    def linger(self) -> None:
        """Get a refusal of a body that is too large to be drained."""
        length = f"{DRAINABLE + 1}".encode()
        header = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: "
        self.wire.send(header + length + b"\r\n\r\n")
        self.assertEqual("close", self.wire.answer().header("connection"))

    def test_time(self) -> None:
        """It ends after some seconds."""
        self.linger()
        self.wire.send(b"x" * DRAINABLE)
        self.assertFalse(self.wire.transport.disconnecting)
        self.wire.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.wire.transport.disconnecting)
        self.wire.send(b"x" * 10 + WAIT)
        self.assertEqual([], self.routes.waiting)

    def test_bytes(self) -> None:
        """It ends after so many bytes."""
        self.linger()
        piece = b"x" * (LINGER_BYTES // 4)
        for _ in range(4):
            self.wire.send(piece)
        self.assertFalse(self.wire.transport.disconnecting)
        self.wire.send(b"x")
        self.assertTrue(self.wire.transport.disconnecting)

    def test_client_leaves(self) -> None:
        """It ends when the client goes away, and no clock runs on."""
        self.linger()
        self.wire.hang_up()
        self.assertEqual([], self.wire.clock.getDelayedCalls())

    def test_drainable(self) -> None:
        """A body that is small enough is drained, and the connection kept."""
        length = f"{DRAINABLE}".encode()
        header = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: "
        self.wire.send(header + length + b"\r\n\r\n")
        self.assertNotIn("connection", self.wire.answer().headers)
        self.wire.send(b"x" * DRAINABLE + WAIT)
        self.assertEqual(1, len(self.routes.waiting))


class SlowReaderTests(EdgeCase):
    """Clients that do not read their answers."""

    def setUp(self) -> None:
        """Connect a client that stops to read."""
        super().setUp()
        self.transport = SlowTransport()
        self.channel = self.wire.site.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        self.channel.dataReceived(WAIT)
        self.channel.pauseProducing()

    def test_stalled(self) -> None:
        """If nothing goes out for the idle time the connection is cut."""
        self.wire.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.transport.disconnected)

    def test_slow(self) -> None:
        """As long as something goes out it is kept."""
        for _ in range(5):
            self.transport.offset += 1
            self.wire.clock.advance(LIMITS.idle_timeout)
            self.channel.pauseProducing()
        self.assertFalse(self.transport.disconnected)

    def test_reads_on(self) -> None:
        """A client that reads on is not watched any more."""
        self.channel.resumeProducing()
        self.channel.resumeProducing()
        self.wire.clock.advance(10 * LIMITS.idle_timeout)
        self.assertFalse(self.transport.disconnected)

    def test_leaves(self) -> None:
        """Nor is one that has left."""
        self.channel.connectionLost()
        self.wire.hang_up()
        self.assertEqual([], self.wire.clock.getDelayedCalls())


class GoneTests(EdgeCase):
    """Clients that go away."""

    def test_in_header(self) -> None:
        """A client may go away in the middle of a header."""
        self.wire.send(b"GET /wait HTTP/1.1\r\nHos")
        self.wire.hang_up()
        self.assertEqual([], self.wire.clock.getDelayedCalls())

    def test_with_next_waiting(self) -> None:
        """A client may go away while the next request waits for its turn."""
        self.wire.send(WAIT + WAIT)
        self.wire.hang_up()
        self.assertEqual(1, len(self.routes.failures))
        self.assertEqual(1, len(self.routes.waiting))

    def test_while_paused(self) -> None:
        """A client may go away while its body is held back."""
        self.wire.send(b"PUT /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        self.wire.hang_up()
        self.assertEqual(1, len(self.routes.failures))
        self.assertEqual([], self.wire.clock.getDelayedCalls())

    def test_after_answer(self) -> None:
        """A client may go away with a part of its body unsent, after the answer."""
        self.wire.send(b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        self.assertEqual(404, self.wire.answer().status)
        self.wire.hang_up()
        self.assertEqual([], self.wire.clock.getDelayedCalls())
