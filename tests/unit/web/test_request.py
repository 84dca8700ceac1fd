"""Tests of txregistry.web.request: faults of ours, pieces of bodies, old clients."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from tests.unit.web.echo import make_echo
from txregistry.streams import Collector, pump
from txregistry.testing.wire import Answer, Wire
from txregistry.web.answers import send_bytes, send_nothing
from txregistry.web.app import Frame, make_resource
from txregistry.web.channel import LINGER_SECONDS
from txregistry.web.endpoints import Endpoint

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Faulty(Resource):
    """A resource with a fault.

    Attributes:
        answer: What it does before it fails.
    """

    def __init__(self, answer: bool = False, begin: bool = False) -> None:
        """Fail; before that answer, or begin to."""
        super().__init__()
        self._answer = answer
        self._begin = begin

    def render(self, request: Any) -> int:
        """Fail."""
        if self._begin:
            send_bytes(request, 200, b"half", {"Content-Length": "8"})
        if self._answer:
            send_nothing(request, 200)
            request.finish()
        raise KeyError("on purpose")


class UnmeasuredRoutes:
    """An endpoint that does not say how long its answer is."""

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [Endpoint("unmeasured", "GET", "/a", self.answer, None)]

    def answer(self, request: Any) -> None:
        """Answer piece by piece."""
        for piece in (b"one", b"", b", two"):
            request.write(piece)


class UnmeasuredTests(SynchronousTestCase):
    """Answers of which nobody knows how long they are when they begin."""

    def test_end(self) -> None:
        """They end with the connection, and say so, if they have a body."""
        for method, rest in ((b"GET", b"one, two"), (b"HEAD", b"")):
            wire = Wire(make_resource([UnmeasuredRoutes()], Frame()))
            wire.send(GET.replace(b"GET", method))
            head, _, body = wire.transport.value().partition(b"\r\n\r\n")
            self.assertEqual(rest, body)
            self.assertEqual(bool(rest), b"\r\nConnection: close" in head)
            self.assertEqual(bool(rest), wire.transport.disconnecting)


class FaultTests(SynchronousTestCase):
    """Routes that fail in a way that nobody thought of."""

    def ask(self, resource: Resource) -> Wire:
        """Send a request; the fault is in our log."""
        wire = Wire(resource)
        wire.send(GET)
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))
        return wire

    def test_before_answer(self) -> None:
        """The client gets the error envelope, and the connection stays."""
        wire = self.ask(Faulty())
        answer = wire.answer()
        self.assertEqual(500, answer.status)
        self.assertIn(b'"errors"', answer.body)
        self.assertFalse(wire.transport.disconnecting)
        wire.send(GET)
        self.assertEqual(500, wire.answer().status)
        self.flushLoggedErrors(KeyError)

    def test_amid_answer(self) -> None:
        """An answer that has begun is cut."""
        self.assertTrue(self.ask(Faulty(begin=True)).transport.disconnected)

    def test_after_answer(self) -> None:
        """An answer that was whole is not touched."""
        wire = self.ask(Faulty(answer=True))
        self.assertEqual(200, wire.answer().status)
        self.assertFalse(wire.transport.disconnecting)


class OddHeaderTests(SynchronousTestCase):
    """Headers that a store or a plugin makes up."""

    def test_no_bytes(self) -> None:
        """A header that cannot be sent is a fault of ours, and is answered."""

        class Odd:
            """An endpoint that answers with such a header."""

            def endpoints(self) -> list[Endpoint]:
                """See Routes."""
                return [Endpoint("odd", "GET", "/a", self.odd, None)]

            def odd(self, request: Any) -> None:
                """Answer."""
                send_nothing(request, 307, {"Location": "/\u2026"})

        wire = Wire(make_resource([Odd()], Frame()))
        wire.send(GET)
        self.assertEqual(500, wire.answer().status)
        self.assertEqual(1, len(self.flushLoggedErrors(UnicodeEncodeError)))


class PieceRoutes:
    """An endpoint that notes the pieces of a body.

    Attributes:
        pieces: What was written, write for write.
    """

    def __init__(self, limit: int) -> None:
        """Take the most bytes of a body."""
        self.pieces: list[bytes] = []
        self._limit = limit

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [Endpoint("note", "PUT", "/note", self.note, None)]

    async def note(self, request: Any) -> None:
        """Note the pieces."""
        pieces = self.pieces

        class Noting(Collector):
            """Notes each piece."""

            def write(self, data: bytes) -> None:
                """See IConsumer."""
                pieces.append(data)
                super().write(data)

        await pump(request.body, Noting(self._limit))
        send_nothing(request, 204)


class PieceTests(SynchronousTestCase):
    """Bodies in chunks."""

    def connect(self, limit: int = 1000) -> None:
        """Connect to a route that takes so many bytes."""
        self.routes = PieceRoutes(limit)
        self.wire = Wire(make_resource([self.routes], Frame()))

    def ask(self, *segments: bytes) -> Answer:
        """Send a chunked body in segments."""
        self.wire.send(b"PUT /note HTTP/1.1\r\n" + CHUNKED)
        for segment in segments:
            self.wire.send(segment)
        return self.wire.answer()

    def test_joined(self) -> None:
        """Chunks that arrive together are written together."""
        self.connect()
        answer = self.ask(b"1\r\na\r\n" * 50, b"1\r\nb\r\n" * 9 + b"0\r\n\r\n")
        self.assertEqual(204, answer.status)
        self.assertEqual([b"a" * 50, b"b" * 9], self.routes.pieces)

    def test_before_bad_chunk(self) -> None:
        """What came before a broken chunk is written."""
        self.connect()
        self.assertEqual(400, self.ask(b"1\r\na\r\n1\r\nb\r\nxyz\r\n").status)
        self.assertEqual([b"ab"], self.routes.pieces)

    def refused(self, segment: bytes) -> None:
        """Send a body that the route refuses at its first piece."""
        self.connect(limit=1)
        answer = self.ask(segment)
        self.assertEqual("close", answer.header("connection"))
        self.assertEqual(1, len(self.routes.pieces))
        self.assertEqual(b"", self.wire.transport.value())
        self.wire.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.wire.transport.disconnecting)
        self.flushLoggedErrors()

    def test_refused_at_end(self) -> None:
        """A body whose last piece is refused is answered once."""
        self.refused(b"2\r\nab\r\n0\r\n\r\n" + GET)

    def test_refused_at_bad_chunk(self) -> None:
        """So is one that is refused and broken."""
        self.refused(b"2\r\nab\r\nxyz\r\n")


class ExpectTests(SynchronousTestCase):
    """Clients that wait for 100 Continue."""

    def test_http_1_0(self) -> None:
        """A client of HTTP/1.0, which does not know it, is not sent any."""
        wire = Wire(make_echo()[1])
        wire.send(b"PUT /echo HTTP/1.0\r\nContent-Length: 2\r\n")
        wire.send(b"Expect: 100-continue\r\n\r\n")
        self.assertEqual(b"", wire.transport.value())
        wire.send(b"ok")
        self.assertEqual(b"ok", wire.answer().body)
