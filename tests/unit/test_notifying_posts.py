"""Tests of txregistry.notifying: endpoints as they are on the wire."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.unit.notifying_case import NotifyingCase
from txregistry import __version__
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.ledger import Waiting
from txregistry.webhooks.posting import Answer

WAITING = Waiting(1, "1", 0.0, b'{"id":"1"}', 0)


class Transport(StringTransport):
    """A client's connection.

    Attributes:
        disconnected: Whether the client has ended it at once.
    """

    disconnected = False

    def write(self, data: bytes) -> None:
        """See ITransport; it is full at once, and the other side reads nothing."""
        super().write(data)
        if self.producer is not None and len(self.value()) > 64 * 1024:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:
        """See ITCPTransport."""
        self.disconnected = True

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - Twisted's
        """See ITCPTransport."""


class PostTests(NotifyingCase):
    """Endpoints on the wire."""

    def send(self, endpoint: Endpoint, waiting: Waiting = WAITING) -> Deferred[Answer]:
        """Let an endpoint send an event."""
        return Deferred.fromCoroutine(endpoint.send([waiting], 0.0))

    def receive(self) -> tuple[Any, Transport]:
        """Accept the connection; return the client's end and what it writes to."""
        factory: Any = self.reactor.tcpClients[-1][2]
        client, transport = factory.buildProtocol(None), Transport()
        client.makeConnection(transport)
        self.reactor.advance(0)
        return client, transport

    def sent(self, endpoint: Endpoint) -> list[str]:
        """Return the lines that an endpoint sends."""
        self.send(endpoint).addErrback(lambda _: None)
        _, transport = self.receive()
        return str(transport.value(), "utf-8").split("\r\n")

    def test_sent(self) -> None:
        """An event is posted to the URL, by somebody who says who it is."""
        lines = self.sent(self.endpoint("headers: {X-Mine: [a, b]}"))
        first, *headers, empty, body = lines
        self.assertEqual("POST /in HTTP/1.1", first)
        self.assertEqual(("", '{"events":[{"id":"1"}]}'), (empty, body))
        self.assertLessEqual(
            {
                "Host: 192.0.2.1",
                f"User-Agent: txregistry/{__version__}",
                "X-Mine: a",
                "X-Mine: b",
                "Content-Length: 23",
                "Content-Type: application/vnd.docker.distribution.events.v2+json",
            },
            set(headers),
        )
        self.assertNotIn("Authorization", " ".join(headers))

    def test_user(self) -> None:
        """User and password in the URL are shown as Basic, and not in the URL."""
        lines = self.sent(self.endpoint(url="http://me:p%40ss:word@192.0.2.1:81/?a=b"))
        self.assertEqual("POST /?a=b HTTP/1.1", lines[0])
        self.assertIn("Authorization: Basic bWU6cEBzczp3b3Jk", lines)
        self.assertIn("Host: 192.0.2.1:81", lines)
        self.assertEqual(("192.0.2.1", 81), self.reactor.tcpClients[0][:2])

    def test_headers_win(self) -> None:
        """A header that is configured takes the place of ours."""
        for text, line in (
            ("headers: {User-Agent: [me]}", "User-Agent: me"),
            ("headers: {user-agent: [me]}", "User-Agent: me"),
            ("headers: {Authorization: [x]}", "Authorization: x"),
            ("headers: {authorization: [x]}", "Authorization: x"),
        ):
            self.setUp()
            url = "http://me:secret@192.0.2.1/"
            lines = self.sent(self.endpoint(text, url))
            name, _, _ = line.partition(":")
            found = [each for each in lines if each.startswith(f"{name}:")]
            self.assertEqual([line], found)

    def test_answer(self) -> None:
        """The answer is the receiver's, and the connection is used again."""
        endpoint = self.endpoint()
        for status in (204, 503):
            sending = self.send(endpoint)
            if status == 204:
                client, transport = self.receive()
            self.reactor.advance(0)
            answer = f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"
            client.dataReceived(answer.encode())
            self.assertEqual(Answer(status), self.successResultOf(sending))
            self.reactor.advance(0)
        self.assertEqual(1, len(self.reactor.tcpClients))
        self.assertEqual(2, transport.value().count(b"POST "))

    def test_odd_answers(self) -> None:
        """An answer counts by its status, whatever is wrong with its body."""
        head = b"HTTP/1.1 200 OK\r\n"
        for rest in (
            b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nno gzip..",
            b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n",
            b"Content-Length: 99999999\r\n\r\n" + b"x" * 100_000,
        ):
            self.setUp()
            sending = self.send(self.endpoint())
            client, _ = self.receive()
            client.dataReceived(head + rest)
            self.reactor.advance(0)
            self.reactor.pump([0.1] * 20)
            self.assertEqual(Answer(200), self.successResultOf(sending), rest[:50])

    def test_too_long(self) -> None:
        """An answer that does not end, or does not begin, is given up."""
        for start, rest in (
            (b"HTTP/1.1 200 OK\r\n", b"X-Header: more and more\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ):
            self.setUp()
            sending = self.send(self.endpoint())
            client, transport = self.receive()
            client.dataReceived(start)
            for _ in range(300):
                if not transport.disconnected:
                    client.dataReceived(rest * (1024 // len(rest)))
            self.assertTrue(transport.disconnected)
            client.connectionLost(Failure(ConnectionAborted()))
            text = str(self.failureResultOf(sending).value)
            self.assertEqual("answer of over 262144 bytes", text)

    def test_answered_early(self) -> None:
        """Who answers what it has not read is not waited for to read it."""
        waiting = evolve(WAITING, body=b'"%b"' % (b"x" * 300_000))
        sending = self.send(self.endpoint(), waiting)
        client, transport = self.receive()
        client.dataReceived(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(Answer(500), self.successResultOf(sending))
        self.assertLess(len(transport.value()), len(waiting.body))
        self.assertTrue(transport.disconnected)

    def test_ended(self) -> None:
        """A connection that was ended is gone in five seconds, read or not."""
        for is_read in (True, False):
            self.setUp()
            sending = self.send(self.endpoint())
            client, transport = self.receive()
            self.reactor.advance(0)
            head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            client.dataReceived(head)
            self.assertEqual(Answer(200), self.successResultOf(sending))
            self.assertEqual(
                (True, False), (transport.disconnecting, transport.disconnected)
            )
            if is_read:
                client.connectionLost(Failure(ConnectionDone()))
                self.assertEqual([], self.reactor.getDelayedCalls())
            else:
                self.reactor.advance(5.0)
                self.assertTrue(transport.disconnected)

    def test_not_read(self) -> None:
        """Of an answer that is too long no more is read, and the connection ends."""
        sending = self.send(self.endpoint())
        client, transport = self.receive()
        self.reactor.advance(0)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
        client.dataReceived(head + b"x" * 100_000)
        self.assertEqual(Answer(200), self.successResultOf(sending))
        self.assertTrue(transport.disconnected)

    def test_long_together(self) -> None:
        """The bound is for one answer, not for all on a connection."""
        endpoint = self.endpoint()
        for number in range(6):
            sending = self.send(endpoint)
            if number == 0:
                client, transport = self.receive()
            self.reactor.advance(0)
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"
            client.dataReceived(head + b"x" * 60_000)
            self.assertEqual(Answer(200), self.successResultOf(sending))
            self.reactor.advance(0)
        self.assertFalse(transport.disconnected)
        self.assertEqual(1, len(self.reactor.tcpClients))

    def test_timeout(self) -> None:
        """A try takes as long as it may; 0 is the default."""
        for text, seconds in (("", 1.0), ("timeout: 0", 1.0), ("timeout: 5s", 5.0)):
            self.setUp()
            sending = self.send(self.endpoint(text))
            self.receive()
            self.reactor.advance(seconds - 0.1)
            self.assertNoResult(sending)
            self.reactor.advance(0.2)
            failure = self.failureResultOf(sending)
            self.assertEqual(f"no answer in {seconds:g} s", str(failure.value))

    def test_cancelled(self) -> None:
        """Who waits no longer gives it up, connected or not: that is no failure."""
        for is_connected in (False, True):
            self.setUp()
            sending = self.send(self.endpoint())
            if is_connected:
                self.receive()
            sending.cancel()
            self.failureResultOf(sending, CancelledError)

    def test_connecting_for_ever(self) -> None:
        """Who cannot be reached in time is not waited for."""
        sending = self.send(self.endpoint())
        self.reactor.advance(1.0)
        self.assertEqual("no answer in 1 s", str(self.failureResultOf(sending).value))

    def test_tls(self) -> None:
        """A URL with https is asked by TLS."""
        endpoint = self.endpoint(url="https://192.0.2.1/")
        self.send(endpoint).addErrback(lambda _: None)
        _, transport = self.receive()
        self.assertEqual(443, self.reactor.tcpClients[0][1])
        self.assertEqual(b"\x16\x03", transport.value()[:2])
