"""Tests of txregistry.web.intake: long bodies of a whole registry, on a socket.

The threads' work is done in the test's own thread, when it is begun.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.unix import Server
from zope.interface import implementer

from tests.unit.service_case import ServiceCase, start_upload
from txregistry.registry import uploads
from txregistry.streams import IThreadSink, Piece, Watch
from txregistry.threads import InThread
from txregistry.web import body
from txregistry.web.decoding import LengthFraming
from txregistry.web.intake import Intake, make_intake
from txregistry.web.site import RegistrySite

CONTENT = bytes(range(256)) * 64
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Listening:
    """What a connection of Twisted's knows of its port."""

    _realPortNumber = 0  # noqa: N815 - Twisted's


class SocketClient:
    """A client on a pair of sockets.

    Attributes:
        own: The client's socket.
        transport: The registry's end.
    """

    def __init__(self, site: Any, reactor: Any) -> None:
        """Connect."""
        self.own, other = socket.socketpair()
        self.own.setblocking(False)
        channel = site.buildProtocol(None)
        arguments: tuple[Any, ...] = (other, channel, "", Listening(), 1, reactor)
        self.transport: Any = Server(*arguments)
        self.transport.bufferSize = 1024  # so that the reactor's part is small
        self._reactor = reactor
        channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """Send, and let the registry read as long as it wants to."""
        self.own.sendall(data)
        self.turn()

    def turn(self) -> None:
        """Let the registry read what there is, and write what it has to."""
        for _ in range(20):
            if self.transport.connected and self.transport in self._reactor.readers:
                reason = self.transport.doRead()
                if reason is not None:
                    self.transport.readConnectionLost(reason)
            if self.transport.connected and self.transport in self._reactor.writers:
                self.transport.doWrite()
            self._reactor.advance(0)

    def received(self) -> bytes:
        """Return what the registry has answered."""
        try:
            return self.own.recv(1 << 20)
        except BlockingIOError:
            return b""


class IntakeCase(ServiceCase):
    """A registry on a folder, whose long bodies begin at 1000 bytes."""

    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        self.patch(body, "LONG_REST", 1000)
        self.patch(body, "LONG_BEGINNING", 1000)
        self.patch(uploads, "SMALL", 0)
        self.tree = self.mktemp()
        where = f"filesystem: {{rootdirectory: {self.tree}}}"
        self.visitor = self.serve("http: {secret: a}", where)
        site: Any = self.reactor.tcpServers[0][1]
        self.site: RegistrySite = site
        self.works = 0
        self.use(execute)

    def use(self, in_thread: InThread, most: int = 8) -> None:
        """Let the threads' work be done by something."""

        def counted(work: Callable[[], Any]) -> Deferred[Any]:
            self.works += 1
            return in_thread(work)

        self.intake = self.site.intake = Intake(counted, 2, most)

    def connect(self) -> SocketClient:
        """Connect a client."""
        client = SocketClient(self.site, self.reactor)
        self.addCleanup(client.own.close)
        self.addCleanup(client.transport.connectionLost, _gone())
        return client

    def head(self, method: str, target: str, *lines: str) -> bytes:
        """Return a header block."""
        all_lines = "".join(f"{line}\r\n" for line in lines)
        return f"{method} {target} HTTP/1.1\r\nHost: a\r\n{all_lines}\r\n".encode()

    def put(self, *lines: str) -> bytes:
        """Return the header block of a request that ends a new session."""
        target = f"{start_upload(self.visitor)}&digest={DIGEST}"
        return self.head("PUT", target, *lines)

    def patch_of(self, *lines: str) -> tuple[str, bytes]:
        """Return a new session's place, and the header block of a PATCH to it."""
        target = start_upload(self.visitor)
        return target, self.head("PATCH", target, *lines)

    def assert_pushed(self) -> None:
        """Check that the blob is there."""
        answer = self.visitor.ask("GET", f"/v2/a/blobs/{DIGEST}")
        self.assertEqual(CONTENT, answer.partition(b"\r\n\r\n")[2])

    def range_of(self, target: str) -> bytes:
        """Return what a session has, as it says itself."""
        answer = self.visitor.ask("GET", target)
        return answer.partition(b"\r\nRange: ")[2].partition(b"\r\n")[0]


def _gone() -> Any:
    from twisted.internet.error import ConnectionDone
    from twisted.python.failure import Failure

    return Failure(ConnectionDone())


LENGTH = f"Content-Length: {len(CONTENT)}"
CHUNKED = "Transfer-Encoding: chunked"


def chunks(content: bytes) -> bytes:
    """Return content as chunks, without the end."""
    pieces = [content[start : start + 999] for start in range(0, len(content), 999)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


class BodyTests(IntakeCase):
    """Bodies that threads take in."""

    def test_length(self) -> None:
        """A body with a length; behind it the next request is answered."""
        client = self.connect()
        client.send(self.put(LENGTH) + CONTENT + self.head("GET", "/v2/"))
        answers = client.received()
        self.assertTrue(answers.startswith(b"HTTP/1.1 201 "), answers)
        self.assertEqual(1, answers.count(b"HTTP/1.1 200 "), answers)
        self.assertEqual(1, self.works)
        self.assert_pushed()

    def test_chunked(self) -> None:
        """A chunked one; behind it, too."""
        client = self.connect()
        chunked = chunks(CONTENT) + b"0\r\n\r\n"
        client.send(self.put(CHUNKED) + chunked + self.head("GET", "/v2/"))
        answers = client.received()
        self.assertTrue(answers.startswith(b"HTTP/1.1 201 "), answers)
        self.assertEqual(1, answers.count(b"HTTP/1.1 200 "), answers)
        self.assertEqual(1, self.works)
        self.assert_pushed()

    def test_left(self) -> None:
        """What a client has sent before it left is kept."""
        target, head = self.patch_of(LENGTH)
        client = self.connect()
        client.own.sendall(head + CONTENT[:5000])
        client.own.shutdown(socket.SHUT_WR)
        client.turn()
        self.assertEqual(1, self.works)
        self.assertFalse(client.transport.connected)
        self.assertEqual(b"0-4999", self.range_of(target))

    def test_malformed(self) -> None:
        """A malformed body is refused, and what came before is kept."""
        target, head = self.patch_of(CHUNKED)
        client = self.connect()
        client.send(head + chunks(CONTENT[:4995]) + b"nonsense\r\n")
        answer = client.received()
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertEqual(b"0-4994", self.range_of(target))

    def test_promise(self) -> None:
        """A chunked body that is not as long as was said is refused."""
        _, head = self.patch_of(CHUNKED, "Content-Range: 0-99999")
        client = self.connect()
        client.send(head + chunks(CONTENT) + b"0\r\n\r\n")
        answer = client.received()
        self.assertIn(b"SIZE_INVALID", answer)

    def test_digest(self) -> None:
        """A body with another digest is refused."""
        client = self.connect()
        client.send(self.put(LENGTH) + CONTENT[:-1] + b"?")
        self.assertIn(b"DIGEST_INVALID", client.received())
        self.assertEqual(1, self.works)

    def test_no_room(self) -> None:
        """A body for which there is no room is read by the reactor."""
        self.use(execute, most=0)
        self.push()
        self.assertEqual(0, self.works)

    def test_no_threads(self) -> None:
        """So it is when there are no more threads."""

        def refuse(_work: object) -> Deferred[Any]:
            raise RuntimeError("can't start new thread")

        self.use(refuse)
        self.push()

    def test_no_intake(self) -> None:
        """So it is without an intake."""
        self.site.intake = None
        self.push()

    def test_broken_thread(self) -> None:
        """What a thread fails with is an error of the server's."""
        self.use(lambda _: fail(ValueError("broken")))
        client = self.connect()
        client.send(self.put(LENGTH) + CONTENT)
        self.assertIn(b"HTTP/1.1 500 ", client.received())
        self.flushLoggedErrors()

    def push(self) -> None:
        """Push the blob."""
        client = self.connect()
        client.send(self.put(LENGTH) + CONTENT)
        answer = client.received()
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer)
        self.assert_pushed()


class LaterTests(IntakeCase):
    """Bodies whose threads work when the test says so."""

    def setUp(self) -> None:
        """Keep the work."""
        super().setUp()
        self.work: list[tuple[Callable[[], Any], Deferred[Any]]] = []

        def later(work: Callable[[], Any]) -> Deferred[Any]:
            running: Deferred[Any] = Deferred()
            self.work.append((work, running))
            return running

        self.use(later)

    def go_on(self) -> None:
        """Do the work."""
        for work, running in self.work:
            running.callback(work())

    def test_reading(self) -> None:
        """Until the threads have done their work nobody else reads."""
        client = self.connect()
        client.send(self.put(LENGTH))
        self.assertNotIn(client.transport, self.reactor.readers)
        client.send(CONTENT)
        self.assertEqual(b"", client.received())
        self.go_on()
        client.turn()
        self.assertIn(client.transport, self.reactor.readers)
        self.assertTrue(client.received().startswith(b"HTTP/1.1 201 "))

    def test_aborted(self) -> None:
        """A connection that is cut ends the work, and then its request."""
        target, head = self.patch_of(LENGTH)
        client = self.connect()
        client.send(head)
        client.send(CONTENT[:3000])
        self.site.abort()
        self.reactor.advance(0)
        other = self.reactor.connect()
        running = other.ask("PATCH", target)
        self.assertEqual(b"", running)  # it waits for the session
        self.go_on()
        self.reactor.pump([0.05] * 50)
        self.assertIn(b" 202 ", other.transport.value())

    def test_stop(self) -> None:
        """The intake's end waits for what still runs."""
        client = self.connect()
        client.send(self.put(LENGTH))
        stopping = Deferred.fromCoroutine(self.intake.stop())
        self.assertNoResult(stopping)
        self.go_on()
        self.successResultOf(stopping)

    def test_buffers(self) -> None:
        """While processors are free a body gets two threads, otherwise one."""
        sizes = []
        for _ in range(3):
            client = self.connect()
            begun = self.intake.begin(client.transport, LengthFraming(9), Silent(), 30)
            assert begun is not None
            sizes.append(len(begun[0].buffers))
            begun[0].stop()
        self.go_on()
        self.assertEqual([4, 1, 1], sizes)
        self.successResultOf(Deferred.fromCoroutine(self.intake.start()))

    def test_not_plain(self) -> None:
        """What is no plain socket is not taken."""
        client = self.connect()
        client.transport.TLS = True
        for transport in (client.transport, self.visitor.transport):
            begun = self.intake.begin(transport, LengthFraming(9), Silent(), 30)
            self.assertIsNone(begun)
        self.assertIsInstance(make_intake(self.reactor), Intake)


@implementer(IThreadSink)
class Silent:
    """A sink that takes what it gets."""

    watchers: Sequence[Watch] = ()

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """See IThreadSink."""
