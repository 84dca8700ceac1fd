"""Tests of txregistry.web.channel, framing and body: requests on a wire."""

from __future__ import annotations

import json

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.echo import make_echo
from txregistry.testing.wire import Wire
from txregistry.web.body import BodyLost
from txregistry.web.channel import LINGER_SECONDS
from txregistry.web.limits import Limits

LIMITS = Limits(
    header_size=1000, header_count=10, header_timeout=5.0, idle_timeout=20.0
)


class ChannelCase(SynchronousTestCase):
    """A wire to routes that echo."""

    def setUp(self) -> None:
        """Connect."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource, LIMITS)

    def code(self, body: bytes) -> str:
        """Return the error code of an answer."""
        return str(json.loads(body)["errors"][0]["code"])


class BodyTests(ChannelCase):
    """Bodies: framed by length, by chunks, or not at all."""

    def test_length(self) -> None:
        """A body of a promised length reaches the route whole."""
        answer = self.wire.request("PUT", "/echo", body=b"hello")
        self.assertEqual((200, b"hello"), (answer.status, answer.body))

    def test_chunked(self) -> None:
        """A chunked body reaches the route without its framing."""
        self.wire.send(
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n"
        )
        self.assertEqual(b"abcdefg", self.wire.answer().body)

    def test_in_pieces(self) -> None:
        """How the bytes are cut on their way makes no difference."""
        whole = (
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nworld\r\n0\r\n\r\n"
        )
        for byte in whole:
            self.wire.send(bytes([byte]))
        bodies = [self.wire.answer().body, self.wire.answer().body]
        self.assertEqual([b"hello", b"world"], bodies)

    def test_pipelined(self) -> None:
        """Requests that come together are answered in their order."""
        one = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
        self.wire.send(one + b"1" + one + b"2" + one + b"3")
        bodies = [self.wire.answer().body for _ in range(3)]
        self.assertEqual([b"1", b"2", b"3"], bodies)

    def test_continue(self) -> None:
        """A client that waits for 100 Continue gets it if the route wants the body."""
        head = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
        self.wire.send(head + b"Expect: 100-continue\r\n\r\n")
        self.assertEqual(100, self.wire.answer().status)
        self.wire.send(b"ok")
        self.assertEqual(b"ok", self.wire.answer().body)

    def test_refused_before_continue(self) -> None:
        """A refusal comes in place of 100 Continue, and ends the connection."""
        head = b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
        self.wire.send(head + b"Expect: 100-continue\r\n\r\n")
        answer = self.wire.answer()
        self.assertEqual(404, answer.status)
        self.assertEqual("close", answer.header("connection"))

    def test_refused_small(self) -> None:
        """A refusal with little of the body to come keeps the connection."""
        self.wire.send(b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        self.assertEqual(404, self.wire.answer().status)
        self.wire.send(b"rest")
        answer = self.wire.request("PUT", "/echo", body=b"next")
        self.assertEqual(b"next", answer.body)

    def test_refused_large(self) -> None:
        """A refusal of a large body is answered at once, and the connection ends."""
        self.wire.send(
            b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"
        )
        self.assertEqual("close", self.wire.answer().header("connection"))
        self.wire.send(b"x" * 100_000)
        self.assertFalse(self.wire.transport.disconnecting)
        self.wire.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.wire.transport.disconnecting)

    def test_client_leaves(self) -> None:
        """A route that waits for the body fails when the client goes away."""
        self.wire.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        self.wire.hang_up()
        self.assertIsInstance(self.routes.failures[0], BodyLost | CancelledError)

    def test_held_back(self) -> None:
        """While a route does not want the body, no more of it is read."""
        self.wire.send(b"PUT /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        self.assertEqual("paused", self.wire.transport.producerState)

    def test_bad_chunk(self) -> None:
        """A malformed chunk size is answered with 400 and ends the connection."""
        self.wire.send(
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"xyz\r\n"
        )
        self.assertEqual(400, self.wire.answer().status)
        self.wire.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.wire.transport.disconnecting)


class HeaderTests(ChannelCase):
    """Headers that are refused before anything is made of them."""

    def refused(self, *lines: bytes) -> int:
        """Send a header's lines and return the status."""
        self.wire.send(b"\r\n".join((*lines, b"", b"")))
        answer = self.wire.answer()
        self.assertEqual("UNSUPPORTED", self.code(answer.body))
        self.assertEqual(b"", self.wire.transport.value())
        self.wire.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.wire.transport.disconnecting)
        return answer.status

    def test_no_host(self) -> None:
        """HTTP/1.1 needs a Host."""
        self.assertEqual(400, self.refused(b"GET /wait HTTP/1.1"))

    def test_two_hosts(self) -> None:
        """Two Hosts could mean different things to different readers."""
        self.assertEqual(
            400, self.refused(b"GET /wait HTTP/1.1", b"Host: a", b"Host: b")
        )

    def test_both_lengths(self) -> None:
        """Content-Length and Transfer-Encoding together are a smuggling shape."""
        status = self.refused(
            b"PUT /echo HTTP/1.1",
            b"Host: a",
            b"Content-Length: 3",
            b"Transfer-Encoding: chunked",
        )
        self.assertEqual(400, status)

    def test_two_lengths(self) -> None:
        """Two Content-Lengths are refused, also when they agree."""
        status = self.refused(
            b"PUT /echo HTTP/1.1",
            b"Host: a",
            b"Content-Length: 3",
            b"Content-Length: 3",
        )
        self.assertEqual(400, status)

    def test_bad_length(self) -> None:
        """A Content-Length that is no number is refused."""
        for value in (b"+3", b"3,3", b"0x3", b"-1", b"9" * 900, b""):
            with self.subTest(value=value):
                self.setUp()
                status = self.refused(
                    b"PUT /echo HTTP/1.1", b"Host: a", b"Content-Length: " + value
                )
                self.assertEqual(400, status)

    def test_other_encoding(self) -> None:
        """Any Transfer-Encoding but chunked is refused."""
        for value in (b"gzip", b"identity", b"chunked, identity", b"xchunked"):
            with self.subTest(value=value):
                self.setUp()
                status = self.refused(
                    b"PUT /echo HTTP/1.1", b"Host: a", b"Transfer-Encoding: " + value
                )
                self.assertEqual(400, status)

    def test_space_before_colon(self) -> None:
        """A space before a header's colon is refused."""
        self.assertEqual(
            400, self.refused(b"GET /wait HTTP/1.1", b"Host: a", b"Content-Length : 3")
        )

    def test_folded(self) -> None:
        """A folded header line is refused."""
        self.assertEqual(
            400, self.refused(b"GET /wait HTTP/1.1", b"Host: a", b"X: y", b" z")
        )

    def test_nul(self) -> None:
        """A NUL in a header is refused."""
        self.assertEqual(
            400, self.refused(b"GET /wait HTTP/1.1", b"Host: a", b"X: a\0b")
        )

    def test_too_large(self) -> None:
        """A header over the limit is refused, whether in one line or in many."""
        long = b"X: " + b"y" * 900
        self.assertEqual(431, self.refused(b"GET / HTTP/1.1", b"Host: a", long, long))
        self.setUp()
        self.assertEqual(
            431, self.refused(b"GET / HTTP/1.1", b"Host: a", b"X: " + b"y" * 2000)
        )

    def test_too_many(self) -> None:
        """More headers than the limit are refused."""
        self.assertEqual(
            431, self.refused(b"GET / HTTP/1.1", b"Host: a", *[b"X: y"] * 11)
        )

    def test_long_target(self) -> None:
        """A target over the limit is refused."""
        self.assertEqual(414, self.refused(b"GET /" + b"x" * 2000 + b" HTTP/1.1"))

    def test_expectation(self) -> None:
        """Any expectation but 100-continue is refused."""
        self.assertEqual(
            417, self.refused(b"GET /wait HTTP/1.1", b"Host: a", b"Expect: tea")
        )

    def test_tls(self) -> None:
        """A client that tries TLS is told at once, without the end of a line."""
        self.wire.send(b"\x16\x03\x01\x02\x00\x01\x00")
        self.assertEqual(400, self.wire.answer().status)

    def test_garbage(self) -> None:
        """What is not HTTP is refused."""
        self.assertEqual(400, self.refused(b"\x01\x02\x03"))


class TimeTests(ChannelCase):
    """Clients that are slow."""

    def test_slow_header(self) -> None:
        """A header that does not arrive in time is answered with 408, drip or not."""
        self.wire.send(b"GET / HTTP/1.1\r\n")
        for _ in range(4):
            self.wire.clock.advance(1.5)
            self.wire.send(b"X: y\r\n")
        self.assertEqual(408, self.wire.answer().status)

    def test_silent(self) -> None:
        """A connection that sends nothing is closed after the idle time."""
        self.wire.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.wire.transport.disconnecting)

    def test_idle_body(self) -> None:
        """A body that stops coming ends the connection after the idle time."""
        self.wire.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        self.wire.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.wire.transport.disconnecting)

    def test_slow_body(self) -> None:
        """A body that keeps coming is waited for, however long it takes."""
        self.wire.send(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        for _ in range(5):
            self.wire.clock.advance(LIMITS.idle_timeout - 1)
            self.wire.send(b"x")
        self.assertEqual(b"xxxxx", self.wire.answer().body)

    def test_slow_route(self) -> None:
        """A route may take longer than the idle time."""
        self.wire.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        self.wire.clock.advance(10 * LIMITS.idle_timeout)
        self.routes.waiting[0].callback(None)
        self.assertEqual(204, self.wire.answer().status)

    def test_idle_again(self) -> None:
        """After an answer the idle time runs again."""
        self.wire.request("PUT", "/echo", body=b"hello")
        self.wire.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.wire.transport.disconnecting)


class AnswerTests(ChannelCase):
    """Answers and the connection after them."""

    def test_broken(self) -> None:
        """An answer that fails after it began is cut, not ended well."""
        self.wire.send(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(self.wire.transport.disconnecting)
        self.assertNotIn(b"<html", self.wire.transport.value())
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_http_1_0(self) -> None:
        """An HTTP/1.0 client is answered and the connection ends."""
        self.wire.send(b"GET /large HTTP/1.0\r\n\r\n")
        answer = self.wire.answer()
        self.assertEqual("close", answer.header("connection"))
        self.assertTrue(self.wire.transport.disconnecting)

    def test_close(self) -> None:
        """A client that asks for it gets the connection closed."""
        self.wire.request("PUT", "/echo", {"Connection": "foo, Close"}, b"x")
        self.assertTrue(self.wire.transport.disconnecting)

    def test_drain(self) -> None:
        """Draining lets a running request end, then closes; idle ones close at once."""
        self.wire.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        drained = self.wire.site.drain()
        self.assertNoResult(drained)
        self.routes.waiting[0].callback(None)
        self.assertEqual("close", self.wire.answer().header("connection"))
        self.wire.hang_up()
        self.successResultOf(drained)

    def test_drain_idle(self) -> None:
        """Draining closes a connection on which nothing runs."""
        self.wire.site.drain()
        self.assertTrue(self.wire.transport.disconnecting)
