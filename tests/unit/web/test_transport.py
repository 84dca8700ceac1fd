"""Tests of txregistry.web.transport: what a connection on a real socket does."""

from __future__ import annotations

import os
import socket
import tempfile
from math import inf
from struct import Struct
from unittest.mock import patch

from twisted.internet import tcp, unix
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.sockets import ManualReactor, connected, drain
from txregistry.interfaces import ContentShrank, StorageError
from txregistry.web import transport as module
from txregistry.web.transport import DirectServer, DirectUnixServer, direct

MIB = 1024 * 1024


class _Silent(Protocol):
    """A protocol that only notes its end."""

    lost: Failure | None = None

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """See IProtocol."""
        self.lost = reason


class TransportCase(SynchronousTestCase):
    """A connection, the client's end of it, and a file."""

    def setUp(self) -> None:
        """Connect."""
        self.reactor = ManualReactor()
        ours, self.client = connected()
        self.addCleanup(self.client.close)
        self.protocol = _Silent()
        self.transport = DirectServer(
            ours,
            self.protocol,
            ours.getpeername(),
            None,
            1,
            self.reactor,
        )
        self.addCleanup(self.lose)

    def lose(self) -> None:
        """Lose the connection, if it is there."""
        self.transport.connectionLost(Failure(ConnectionLost()))

    def file(self, content: bytes) -> int:
        """Return the descriptor of a file."""
        descriptor, path = tempfile.mkstemp()
        self.addCleanup(os.close, descriptor)
        os.unlink(path)
        os.pwrite(descriptor, content, 0)
        return descriptor

    def run_all(self, most: int = 10_000) -> bytes:
        """Let the transport write until it does not want to; return what came."""
        came = [drain(self.client)]
        for _ in range(most):
            if self.transport not in self.reactor.writing:
                break
            self.assertIsNone(self.reactor.turn(self.transport))
            came.append(drain(self.client))
        return b"".join(came) + drain(self.client)

    def choke(self) -> int:
        """Write until the kernel takes no more; return how many bytes that were."""
        piece, written = b"x" * 65536, 0
        while self.transport not in self.reactor.writing:
            self.transport.write(piece)
            written += len(piece)
        return written


class ReadTests(TransportCase):
    """What comes."""

    def setUp(self) -> None:
        """Keep what comes."""
        super().setUp()
        self.came: list[bytes] = []
        self.protocol.dataReceived = self.came.append  # type: ignore[assignment,method-assign]

    def test_data(self) -> None:
        """The protocol gets it."""
        self.client.send(b"hello")
        self.assertIsNone(self.transport.doRead())
        self.assertEqual([b"hello"], self.came)

    def test_nothing(self) -> None:
        """Where nothing has come, nothing happens."""
        self.assertIsNone(self.transport.doRead())
        self.assertEqual([], self.came)

    def test_end(self) -> None:
        """When the client sends no more, that is told after the last of it."""
        self.client.send(b"hello")
        self.client.shutdown(socket.SHUT_WR)
        self.assertIsNone(self.transport.doRead())
        self.assertIs(CONNECTION_DONE, self.transport.doRead())
        self.assertEqual([b"hello"], self.came)

    def test_gone(self) -> None:
        """That the client is gone is told, too."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.client.close()
        self.assertIs(CONNECTION_LOST, self.transport.doRead())


class WriteTests(TransportCase):
    """Bytes."""

    def test_at_once(self) -> None:
        """What is written is there before the reactor has had a turn."""
        self.transport.write(b"hello")
        self.assertEqual(b"hello", drain(self.client))
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_after_a_sequence(self) -> None:
        """A header that was written as a sequence goes out with what follows it."""
        self.transport.writeSequence([b"head", b"er "])
        self.transport.write(b"body")
        self.assertEqual(b"header body", drain(self.client))
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_sequence_alone(self) -> None:
        """A sequence that nothing follows goes out when the reactor comes to it."""
        self.transport.writeSequence([b"head", b"er"])
        self.assertEqual(b"header", self.run_all())

    def test_full(self) -> None:
        """What the kernel does not take waits, and arrives in order."""
        written = self.choke()
        self.transport.write(b"the end")
        came = self.run_all()
        self.assertEqual(b"x" * written + b"the end", came)

    def test_bytes_only(self) -> None:
        """Text is refused, as Twisted does."""
        self.assertRaises(TypeError, self.transport.write, "text")

    def test_lost(self) -> None:
        """Writing to a client that is gone raises nothing; the reactor finds out."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.client.close()
        self.transport.write(b"hello")
        self.transport.write(b"hello")
        self.assertIs(CONNECTION_LOST, self.reactor.turn(self.transport))

    def test_after_the_end(self) -> None:
        """What is written to a connection that is gone is dropped."""
        self.lose()
        self.transport.write(b"hello")
        self.assertEqual(b"", self.client.recv(10))

    def test_producer(self) -> None:
        """A producer is paused while the client does not read, and resumed then."""
        calls = []

        class Producer:
            def pauseProducing(self) -> None:
                calls.append("pause")

            def resumeProducing(self) -> None:
                calls.append("resume")

            def stopProducing(self) -> None:
                """See IProducer."""

        self.transport.registerProducer(Producer(), True)
        self.choke()
        self.transport.write(b"x" * 200_000)
        self.assertEqual(["pause"], calls[:1])
        self.run_all()
        self.assertEqual("resume", calls[-1])

    def test_lose_connection(self) -> None:
        """A connection that is to end ends when all has been sent."""
        written = self.choke()
        self.transport.loseConnection()
        came, ended = b"", None
        for _ in range(10_000):
            came += drain(self.client)
            ended = self.reactor.turn(self.transport)
            if ended is not None:
                break
        self.assertIs(CONNECTION_DONE, ended)
        self.assertEqual(written, len(came + drain(self.client)))


class FileTests(TransportCase):
    """Files."""

    def test_whole(self) -> None:
        """A file arrives behind the header, byte for byte."""
        content = os.urandom(5 * MIB + 17)
        self.transport.writeSequence([b"header"])
        sent = self.transport.send_file(self.file(content), 0, len(content))
        self.assertEqual(b"header" + content, self.run_all())
        self.successResultOf(sent)
        self.assertEqual(len(content), self.transport.file_bytes)
        self.assertEqual(0, self.transport.file_left)

    def test_range(self) -> None:
        """A range arrives, and nothing around it."""
        content = os.urandom(MIB)
        self.transport.send_file(self.file(content), 1000, 5000)
        self.assertEqual(content[1000:6000], self.run_all())

    def test_empty(self) -> None:
        """Nothing of a file is sent at once."""
        sent = self.transport.send_file(self.file(b""), 0, 0)
        self.assertEqual(b"", self.run_all())
        self.successResultOf(sent)

    def test_behind_much(self) -> None:
        """A file waits for all that was written before."""
        written = self.choke()
        self.transport.send_file(self.file(b"file"), 0, 4)
        self.assertEqual(b"x" * written + b"file", self.run_all())

    def test_before_what_follows(self) -> None:
        """What is written while a file is sent comes behind it."""
        content = os.urandom(3 * MIB)
        self.transport.send_file(self.file(content), 0, len(content))
        self.transport.write(b"the ")
        self.transport.write(b"end")
        self.assertEqual(content + b"the end", self.run_all())

    def test_sequence_follows(self) -> None:
        """So does what is written in pieces."""
        content = os.urandom(3 * MIB)
        self.transport.send_file(self.file(content), 0, len(content))
        self.reactor.turn(self.transport)
        self.transport.writeSequence([b"the ", b"end"])
        self.assertEqual(content + b"the end", self.run_all())

    def test_next_from_callback(self) -> None:
        """When a file is sent, another one can be, there and then."""
        first, second = self.file(b"first"), self.file(b"second")
        sent = self.transport.send_file(first, 0, 5)
        sent.addCallback(lambda _: self.transport.send_file(second, 0, 6))
        self.assertEqual(b"firstsecond", self.run_all())

    def test_full_packets(self) -> None:
        """While a file is sent, and only then, packets that are not full wait."""
        asked = socket.IPPROTO_TCP, socket.TCP_CORK
        self.assertEqual(0, self.transport.socket.getsockopt(*asked))
        self.transport.send_file(self.file(b"x" * 3 * MIB), 0, 3 * MIB)
        self.reactor.turn(self.transport)
        self.assertEqual(1, self.transport.socket.getsockopt(*asked))
        self.assertEqual(3 * MIB, len(self.run_all()))
        self.assertEqual(0, self.transport.socket.getsockopt(*asked))

    def test_near(self) -> None:
        """To a client next door not more is under way than it can need."""
        asked = socket.SOL_SOCKET, socket.SO_SNDBUF
        before = self.transport.socket.getsockopt(*asked)
        self.transport.send_file(self.file(b"x" * 1000), 0, 1000)
        self.assertEqual(1000, len(self.run_all()))
        self.patch(self.transport, "_round_trip", lambda: 101)
        self.transport.send_file(self.file(b"x" * 3 * MIB), 0, 3 * MIB)
        self.assertEqual(3 * MIB, len(self.run_all()))
        self.assertGreaterEqual(self.transport.socket.getsockopt(*asked), before)
        self.patch(self.transport, "_round_trip", lambda: 100)
        self.transport.send_file(self.file(b"x" * 3 * MIB), 0, 3 * MIB)
        self.assertEqual(3 * MIB, len(self.run_all()))
        self.assertLessEqual(self.transport.socket.getsockopt(*asked), 512 * 1024)

    def test_round_trip(self) -> None:
        """The kernel says how long it takes to the client and back."""
        found = self.transport._round_trip()
        self.assertGreater(found, 0)
        self.assertLess(found, 1_000_000)
        self.patch(module, "_INFO", Struct("400xI"))  # as where it does not say it
        self.assertEqual(inf, self.transport._round_trip())
        for said in (b"\0" * 256, b"\0" * 104):  # as where it says nothing of it
            with patch.object(self.transport, "socket") as asked:
                asked.getsockopt = lambda *its, said=said: said[: its[-1]]
                self.patch(module, "_INFO", Struct("148xI"))
                self.assertEqual(inf, self.transport._round_trip())

    def test_one_at_a_time(self) -> None:
        """A second file while one is sent is a mistake."""
        sent = self.transport.send_file(self.file(b"first"), 0, 5)
        self.assertRaises(RuntimeError, self.transport.send_file, 0, 0, 1)
        self.assertEqual(b"first", self.run_all())
        self.successResultOf(sent)

    def test_fair(self) -> None:
        """In a turn of the reactor no more than a part is sent."""
        descriptor = self.file(b"x" * (8 * MIB))
        sent = self.transport.send_file(descriptor, 0, 8 * MIB)
        self.reactor.turn(self.transport)
        self.assertGreaterEqual(self.transport.file_left, 7 * MIB)
        sent.addErrback(lambda _: None)

    def test_shrank(self) -> None:
        """A file that ends too early is an error, and nothing is made up."""
        sent = self.transport.send_file(self.file(b"short"), 0, 50)
        self.assertEqual(b"short", self.run_all())
        self.failureResultOf(sent, ContentShrank)

    def test_unreadable(self) -> None:
        """What cannot be read is the store's fault, and not the connection's."""
        descriptor = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        sent = self.transport.send_file(descriptor, 0, 50)
        self.run_all()
        self.failureResultOf(sent, StorageError)
        self.assertIsNone(self.protocol.lost)

    def test_client_leaves(self) -> None:
        """A client that goes away in the midst of a file ends the sending."""
        descriptor = self.file(b"x" * (64 * MIB))
        sent = self.transport.send_file(descriptor, 0, 64 * MIB)
        for _ in range(100):
            self.reactor.turn(self.transport)
        self.assertNoResult(sent)
        self.client.close()
        problem = None
        for _ in range(100):
            problem = problem or self.reactor.turn(self.transport)
        self.assertIs(CONNECTION_LOST, problem)
        self.lose()
        self.failureResultOf(sent, ConnectionLost)

    def test_gone_before(self) -> None:
        """To a client that is gone nothing is sent."""
        self.lose()
        sent = self.transport.send_file(self.file(b"file"), 0, 4)
        self.failureResultOf(sent, ConnectionDone)

    def test_cancelled(self) -> None:
        """When it is cancelled, the file is not looked at any more."""
        descriptor = self.file(b"x" * (64 * MIB))
        sent = self.transport.send_file(descriptor, 0, 64 * MIB)
        self.reactor.turn(self.transport)
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        came = len(self.run_all())
        self.assertLess(came, 2 * MIB)

    def test_aborted(self) -> None:
        """A connection that is cut sends no more, and says so."""
        sent = self.transport.send_file(self.file(b"x" * MIB), 0, MIB)
        self.transport.abortConnection()
        self.reactor.advance(0)
        self.failureResultOf(sent, ConnectionAborted)

    def test_lose_connection(self) -> None:
        """A connection that is to end ends when the file has been sent."""
        content = os.urandom(4 * MIB)
        self.transport.send_file(self.file(content), 0, len(content))
        self.transport.loseConnection()
        came, ended = b"", None
        for _ in range(10_000):
            came += drain(self.client)
            ended = self.reactor.turn(self.transport)
            if ended is not None:
                break
        self.assertIs(CONNECTION_DONE, ended)
        self.assertEqual(content, came + drain(self.client))

    def test_aborted_by_who_waits(self) -> None:
        """Whoever waits for a file may cut the connection when it has been sent."""
        sent = self.transport.send_file(self.file(b"file"), 0, 4)
        sent.addCallback(lambda _: self.transport.abortConnection())
        self.assertEqual(b"file", self.run_all())
        self.reactor.advance(0)
        self.assertIsNotNone(self.protocol.lost)


class ColdTests(TransportCase):
    """Files that are not in the page cache."""

    def setUp(self) -> None:
        """Have the cache hold nothing but what was read; the kernel takes much."""
        super().setUp()
        self.patch(self.transport, "_round_trip", lambda: inf)
        self.cold = True
        self.read: list[tuple[int, int]] = []
        self.looks: list[tuple[int, int]] = []

        def would_wait(descriptor: int, offset: int, size: int) -> bool:
            self.looks.append((offset, size))
            return self.cold and not any(b <= offset < e for b, e in self.read)

        def read_through(descriptor: int, begin: int, end: int) -> None:
            self.read.append((begin, end))
            os.close(descriptor)

        for name, double in ("would_wait", would_wait), ("_read_through", read_through):
            patcher = patch.object(module, name, double)
            patcher.start()
            self.addCleanup(patcher.stop)

    def warm(self) -> None:
        """Do what is to be done in other threads."""
        work, self.reactor.work[:] = list(self.reactor.work), []
        for each in work:
            each()

    def send(self, content: bytes) -> Deferred[None]:
        """Begin to send a file."""
        return self.transport.send_file(self.file(content), 0, len(content))

    def test_read_elsewhere(self) -> None:
        """The disk is waited for in another thread; the reactor has other things."""
        content = os.urandom(9 * MIB)
        sent = self.send(content)
        came = self.run_all()
        self.assertEqual(b"", came)
        self.assertNotIn(self.transport, self.reactor.writing)
        while self.reactor.work:
            self.warm()
            came += self.run_all()
        self.assertEqual(content, came)
        self.successResultOf(sent)
        self.assertEqual(3, len(self.read))

    def test_looks(self) -> None:
        """What the cache has is looked at once, as much as is read at a time."""
        self.cold = False
        content = os.urandom(9 * MIB)
        sent = self.send(content)
        self.assertEqual(content, self.run_all())
        self.successResultOf(sent)
        looks = [(0, 4 * MIB), (4 * MIB, 4 * MIB), (8 * MIB, MIB)]
        self.assertEqual(looks, self.looks)

    def test_looks_again(self) -> None:
        """What it had a second ago may be gone; what was read is believed to stay."""
        self.cold = False
        sent = self.send(os.urandom(4 * MIB))
        self.transport.doWrite()
        self.cold = True
        self.reactor.advance(2)
        self.assertLess(len(self.run_all()), 4 * MIB)
        self.assertEqual(2, len(self.looks))
        self.warm()
        self.reactor.advance(2)
        self.run_all()
        self.successResultOf(sent)
        self.assertEqual(2, len(self.looks))

    def test_lost_meanwhile(self) -> None:
        """A client may leave while the disk is waited for."""
        sent = self.send(b"content")
        self.run_all()
        self.lose()
        self.failureResultOf(sent, ConnectionLost)
        self.warm()
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_cancelled_meanwhile(self) -> None:
        """It may be cancelled while the disk is waited for."""
        sent = self.send(b"content")
        self.run_all()
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.warm()
        self.assertEqual(b"", self.run_all())


class CacheTests(SynchronousTestCase):
    """What is done to find out whether a file is cold, and to warm it."""

    def test_read_through(self) -> None:
        """A range is read, the end of the file notwithstanding, and closed."""
        with tempfile.TemporaryFile() as stream:
            stream.write(b"x" * 1000)
            stream.flush()
            descriptor = os.dup(stream.fileno())
            module._read_through(descriptor, 10, 5000)
        self.assertRaises(OSError, os.fstat, descriptor)


class DirectTests(SynchronousTestCase):
    """Ports."""

    def test_kinds(self) -> None:
        """Ports of Twisted's make connections of ours; others stay as they are."""
        for port, kind in [
            (tcp.Port(0, Factory()), DirectServer),
            (unix.Port(b"/x", Factory()), DirectUnixServer),
        ]:
            direct(port)
            self.assertIs(kind, port.transport)
        reactor = MemoryReactorClock()
        other = reactor.listenTCP(0, Factory())
        self.assertIs(other, direct(other))
