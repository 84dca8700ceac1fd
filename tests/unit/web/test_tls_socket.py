"""Tests of txregistry.web.tls_socket: TLS on a real socket, driven by hand."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from typing import Any
from unittest.mock import patch

from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.unit.web.sockets import ManualReactor, connected, drain
from tests.unit.web.tls_case import TLSCase, client_context
from txregistry.interfaces import ContentShrank, StorageError
from txregistry.web import transport as direct_module
from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_connection import GOODBYE_SECONDS, PLAIN_SECONDS, TLSFactory
from txregistry.web.tls_sending import Senders
from txregistry.web.tls_socket import TLSServer, TLSUnixServer, secure
from txregistry.web.transport import direct

MIB = 1024 * 1024
_TURNS = 5000


class Heard(Protocol):
    """A protocol that notes what it hears.

    Attributes:
        pieces: What came.
        lost: Why the connection was lost; None: it is there.
        pauses: Whether it pauses at each piece.
    """

    transport: Any
    pauses = False

    def __init__(self) -> None:
        """Have heard nothing yet."""
        self.pieces: list[bytes] = []
        self.lost: Failure | None = None

    @property
    def data(self) -> bytes:
        """What came, in one."""
        return b"".join(self.pieces)

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol."""
        self.pieces.append(data)
        if self.pauses:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """See IProtocol."""
        self.lost = reason


class Port:
    """A port, as far as a connection asks it."""

    _realPortNumber = 5000  # noqa: N815 - Twisted's

    def __init__(self, factory: TLSFactory) -> None:
        """Take its factory."""
        self.factory = factory


class SocketCase(TLSCase):
    """A connection on a socket, and a client in memory at its other end.

    Attributes:
        reactor: Notes what the connection wants.
        client: The client's socket.
        tls: The client's part of OpenSSL.
        protocol: What talks over the connection.
        transport: The connection.
        senders: Have threads send its files; None: there are none.
    """

    senders: Senders | None = None

    def setUp(self) -> None:
        """Connect, without shaking hands."""
        super().setUp()
        self.begin(self.contexts())

    def begin(
        self, contexts: ReloadingContextFactory, context: SSL.Context | None = None
    ) -> None:
        """Connect with other contexts."""
        self.reactor = ManualReactor()
        ours, self.client = connected()
        self.addCleanup(self.client.close)
        self.client.setblocking(False)
        for each in (self.client, ours):  # else the kernel holds small pieces back
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = SSL.Connection(context or client_context())
        self.tls.set_connect_state()
        self.protocol = Heard()
        factory = TLSFactory(contexts, Factory(), self.reactor, self.senders)
        self.transport = TLSServer(
            ours,
            self.protocol,
            ours.getpeername(),
            Port(factory),
            1,
            self.reactor,
        )
        self.protocol.makeConnection(self.transport)
        self.addCleanup(self.lose)

    def lose(self) -> None:
        """Lose the connection, if it is there."""
        self.transport.connectionLost(Failure(ConnectionLost()))

    def end(self, problem: Any, is_read: bool) -> None:
        """Do as the reactor does when a connection says that it is over."""
        if problem is not None:
            if is_read and isinstance(problem, ConnectionDone):
                self.transport.readConnectionLost(Failure(problem))
            else:
                self.transport.connectionLost(Failure(problem))

    def turn(self) -> None:
        """Let the reactor have a turn: write and read what can be."""
        if self.transport in self.reactor.writing:
            self.end(self.transport.doWrite(), False)
        if self.transport in self.reactor.reading:
            self.end(self.transport.doRead(), True)

    def flush(self) -> None:
        """Give the server what the client has for it, as far as its socket takes it."""
        while True:
            try:
                data = self.tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return
            while data:
                try:
                    data = data[self.client.send(data) :]
                except BlockingIOError:
                    self.turn()
                except OSError:
                    return

    def step(self) -> bytes:
        """Carry bytes in both directions; return what the client has read."""
        self.flush()
        self.turn()
        with contextlib.suppress(OSError):
            if data := drain(self.client):
                self.tls.bio_write(data)
        with contextlib.suppress(SSL.WantReadError, SSL.ZeroReturnError):
            self.tls.do_handshake()
        return self.read()

    def read(self) -> bytes:
        """Return what the client can read."""
        pieces = []
        with contextlib.suppress(SSL.WantReadError, SSL.ZeroReturnError):
            while True:
                pieces.append(self.tls.recv(1 << 16))
        return b"".join(pieces)

    def shake(self) -> None:
        """Shake hands."""
        for _ in range(6):
            self.step()
        self.tls.do_handshake()

    def receive(self, size: int) -> bytes:
        """Return so many bytes, or what there is after many turns."""
        received = bytearray()
        for _ in range(_TURNS):
            received += self.step()
            if len(received) >= size:
                break
        return bytes(received)

    def heard_goodbye(self) -> bool:
        """Say whether the client has heard that nothing more comes."""
        return bool(self.tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def choke(self) -> bytes:
        """Write until the kernel takes no more; return what was written."""
        written = bytearray()
        while not self.transport.dataBuffer and not self.transport._tempDataLen:
            piece = os.urandom(100_000)
            self.transport.write(piece)
            written += piece
        return bytes(written)

    def file(self, content: bytes) -> int:
        """Return the descriptor of a file."""
        descriptor, path = tempfile.mkstemp()
        self.addCleanup(os.close, descriptor)
        os.unlink(path)
        os.pwrite(descriptor, content, 0)
        return descriptor


class HandshakeTests(SocketCase):
    """How a connection begins."""

    def test_interfaces(self) -> None:
        """It is what HTTP takes for TLS, and knows what was agreed on."""
        verifyObject(ISSLTransport, self.transport)
        context = client_context(protocols=[b"h2", b"http/1.1"])
        self.begin(self.contexts(), context)
        self.shake()
        self.assertEqual(b"http/1.1", self.transport.negotiatedProtocol)
        self.assertEqual("127.0.0.1", self.transport.getPeer().host)
        self.assertIsNone(self.transport.getPeerCertificate())

    def test_versions(self) -> None:
        """Both versions are spoken, and nothing is left to be written in the end."""
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.begin(self.contexts(), client_context(newest=newest))
            self.shake()
            self.assertNotIn(self.transport, self.reactor.writing)
            self.tls.send(b"hello")
            self.step()
            self.assertEqual(b"hello", self.protocol.data)

    def test_byte_by_byte(self) -> None:
        """A handshake may come in the smallest pieces, and costs no turns meanwhile."""
        with contextlib.suppress(SSL.WantReadError):
            self.tls.do_handshake()
        for byte in self.tls.bio_read(1 << 16):
            self.client.send(bytes([byte]))
            self.turn()
            self.assertIsNone(self.protocol.lost)
        self.shake()

    def test_written_before(self) -> None:
        """What is written before the handshake comes after it."""
        self.transport.write(b"early")
        self.turn()
        self.assertNotIn(self.transport, self.reactor.writing)
        self.assertEqual(b"early", self.receive(5))

    def test_certificate(self) -> None:
        """A client's certificate is known."""
        alice = self.authority.issue("alice", is_client=True)
        context = client_context()
        context.use_certificate(alice.certificate)
        context.use_privatekey(alice.key)
        options = self.client_options("require-and-verify-client-cert")
        self.begin(ReloadingContextFactory(options, self.clock), context)
        self.shake()
        self.assertEqual(alice.certificate, self.transport.client_certificate())
        self.lose()
        self.assertIsNone(self.transport.getHandle())
        self.assertIsNone(self.transport.getPeerCertificate())

    def test_refused(self) -> None:
        """Why a client was turned away stands in the log, and the client hears it."""
        options = self.client_options("require-and-verify-client-cert")
        contexts = ReloadingContextFactory(options, self.clock)
        self.begin(contexts, client_context(newest=SSL.TLS1_2_VERSION))
        with capturedLogs() as events:
            error = self.assertRaises(SSL.Error, self.shake)
        self.assertIn("handshake failure", str(error))
        [event] = events
        self.assertEqual("127.0.0.1", event["peer"])
        self.assertIn("did not return a certificate", event["problem"])
        self.assertIsNotNone(self.protocol.lost)

    def test_neither(self) -> None:
        """Bytes that are neither TLS nor HTTP end the connection."""
        self.client.send(b"\x00\x01\x02\x03\x04\x05")
        self.turn()
        self.assertIsInstance(
            self.protocol.lost and self.protocol.lost.value, SSL.Error
        )

    def test_gone(self) -> None:
        """A client that leaves before, or in, the handshake leaves no line in a log."""
        for first in (b"", b"\x16\x03\x01"):
            self.begin(self.contexts())
            self.client.send(first)
            self.turn()
            self.client.close()
            with capturedLogs() as events:
                self.turn()
            self.assertIsNotNone(self.protocol.lost)
            self.assertEqual([], events)

    def test_reset(self) -> None:
        """So does one that resets the connection."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.client.close()
        with capturedLogs() as events:
            self.turn()
        self.assertEqual([], events)
        self.assertIsNotNone(self.protocol.lost)

    def test_lose_connection(self) -> None:
        """Who has not shaken hands is not said goodbye to."""
        self.transport.loseConnection()
        self.reactor.advance(0)
        self.assertIsNotNone(self.protocol.lost)

    def test_plain(self) -> None:
        """A client that speaks plain HTTP is told so, has time to read it, and goes."""
        self.client.send(b"GET / HTTP/1.1\r\n\r\n")
        self.turn()
        self.assertIn(b"https://", drain(self.client))
        self.client.send(b"more")
        self.turn()
        self.assertEqual(b"", self.protocol.data)
        self.reactor.advance(PLAIN_SECONDS)
        self.assertIsNotNone(self.protocol.lost)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_plain_leaves(self) -> None:
        """When it goes itself, nothing is left."""
        self.client.send(b"GET / HTTP/1.1\r\n\r\n")
        self.turn()
        self.client.shutdown(socket.SHUT_WR)
        self.turn()
        self.turn()
        self.assertIsNotNone(self.protocol.lost)
        self.assertEqual([], self.reactor.getDelayedCalls())


class ReadTests(SocketCase):
    """What the client sends."""

    def setUp(self) -> None:
        """Shake hands."""
        super().setUp()
        self.shake()

    def test_large(self) -> None:
        """Much comes whole and in order, in pieces of many records."""
        content = os.urandom(3 * MIB)
        for offset in range(0, MIB, 16384):
            self.tls.send(content[offset : offset + 16384])
        for offset in range(MIB, 3 * MIB, 16384):
            self.flush()
            self.tls.send(content[offset : offset + 16384])
        for _ in range(200):
            self.step()
        self.assertEqual(content, self.protocol.data)
        self.assertGreater(max(map(len, self.protocol.pieces)), 60_000)

    def test_paused(self) -> None:
        """Whoever pauses at each piece hears nothing then, and loses nothing."""
        self.protocol.pauses = True
        content = os.urandom(400_000)
        for offset in range(0, len(content), 16384):
            self.tls.send(content[offset : offset + 16384])
        self.flush_some()
        for _ in range(500):
            before = len(self.protocol.pieces)
            self.turn()
            self.turn()
            self.assertLessEqual(len(self.protocol.pieces), before + 1)
            self.transport.resumeProducing()
            self.flush_some()
        self.assertEqual(content, self.protocol.data)

    def flush_some(self) -> None:
        """Give the server a part of what the client has."""
        with contextlib.suppress(SSL.WantReadError):
            self.client.setblocking(True)
            self.client.sendall(self.tls.bio_read(1 << 14))

    def test_with_goodbye(self) -> None:
        """What comes along with a goodbye is heard, and the goodbye answered."""
        self.tls.send(b"last words")
        self.tls.shutdown()
        self.step()
        self.step()
        self.assertEqual(b"last words", self.protocol.data)
        self.assertTrue(self.protocol.lost and self.protocol.lost.check(ConnectionDone))
        self.assertTrue(self.heard_goodbye())

    def test_goodbye_while_written_to(self) -> None:
        """What waits when the client says goodbye is sent before the end."""
        written = self.choke()
        self.tls.shutdown()
        received = self.receive(len(written))
        for _ in range(3):
            self.step()
        self.assertEqual(written, received)
        self.assertIsNotNone(self.protocol.lost)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_cut(self) -> None:
        """A client that ends without a goodbye is lost, without a line in the log."""
        self.client.close()
        with capturedLogs() as events:
            self.turn()
        self.assertTrue(self.protocol.lost and self.protocol.lost.check(ConnectionLost))
        self.assertEqual([], events)

    def test_garbage(self) -> None:
        """Bytes that were tampered with end the connection, and the log says so."""
        self.client.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        with capturedLogs() as events:
            self.turn()
        self.assertIsNotNone(self.protocol.lost)
        self.assertEqual(1, len(events))

    def test_wants_to_write(self) -> None:
        """If OpenSSL must write to read, reading goes on when it can."""
        self.tls.send(b"hello")
        self.flush()
        real = self.transport._tls

        class Stuck:
            def recv(self, size: int) -> bytes:
                raise SSL.WantWriteError

        self.transport._tls = Stuck()
        self.assertIsNone(self.transport.doRead())
        self.transport._tls = real
        self.assertIn(self.transport, self.reactor.writing)
        self.assertIsNone(self.transport.doWrite())
        self.assertEqual(b"hello", self.protocol.data)
        self.assertNotIn(self.transport, self.reactor.writing)


class WriteTests(SocketCase):
    """What is written."""

    def setUp(self) -> None:
        """Shake hands."""
        super().setUp()
        self.shake()

    def test_at_once(self) -> None:
        """What is written is there before the reactor has had a turn, in one record."""
        self.transport.writeSequence([b"head", b"er "])
        self.transport.write(b"body")
        data = drain(self.client)
        self.assertEqual(len(data), 5 + int.from_bytes(data[3:5], "big"))
        self.tls.bio_write(data)
        self.assertEqual(b"header body", self.read())
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_slow(self) -> None:
        """What the client does not take waits, and comes in order."""
        written = self.choke()
        for index in range(100):
            self.transport.write(b"%d" % index * 500)
            written += b"%d" % index * 500
        self.assertEqual(written, self.receive(len(written)))
        self.step()
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_bytes_only(self) -> None:
        """Text is refused."""
        self.assertRaises(TypeError, self.transport.write, "text")

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
        written = self.choke()
        self.transport.write(b"x" * 100_000)
        self.assertEqual(["pause"], calls[:1])
        self.receive(len(written) + 100_000)
        self.step()
        self.assertEqual("resume", calls[-1])

    def test_lost(self) -> None:
        """Writing to a client that is gone raises nothing; the reactor finds out."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.client.close()
        self.transport.write(b"hello")
        self.transport.write(b"hello")
        self.turn()
        self.assertIsNotNone(self.protocol.lost)

    def test_both_ways(self) -> None:
        """Much goes in both directions at once."""
        content = os.urandom(2 * MIB)
        sent, received = 0, bytearray()
        for _ in range(_TURNS):
            if sent < len(content):
                self.tls.send(content[sent : sent + 16384])
                sent += 16384
                self.transport.write(content[sent - 16384 : sent])
            received += self.step()
            if len(received) == len(self.protocol.data) == len(content):
                break
        self.assertEqual(content, bytes(received))
        self.assertEqual(content, self.protocol.data)


class FileTests(SocketCase):
    """Files."""

    def setUp(self) -> None:
        """Shake hands."""
        super().setUp()
        self.shake()

    def test_whole(self) -> None:
        """A file comes between what was written before and behind, byte for byte."""
        content = os.urandom(5 * MIB + 17)
        self.transport.writeSequence([b"header"])
        sent = self.transport.send_file(self.file(content), 0, len(content))
        self.transport.write(b"the end")
        expected = b"header" + content + b"the end"
        self.assertEqual(expected, self.receive(len(expected)))
        self.successResultOf(sent)
        self.assertEqual(len(content), self.transport.file_bytes)

    def test_range_behind_much(self) -> None:
        """A range waits for all that was written before."""
        written = self.choke()
        content = os.urandom(MIB)
        self.transport.send_file(self.file(content), 1000, 700_000)
        expected = written + content[1000:701_000]
        self.assertEqual(expected, self.receive(len(expected)))

    def test_slow_reader(self) -> None:
        """Not more is read of a file than the client takes."""
        sent = self.transport.send_file(self.file(b"x" * 32 * MIB), 0, 32 * MIB)
        for _ in range(100):
            self.turn()
        self.assertNoResult(sent)
        self.assertGreater(self.transport.file_left, 16 * MIB)
        self.assertEqual(b"", self.transport.dataBuffer)
        sent.addErrback(lambda _: None)

    def test_before_handshake(self) -> None:
        """A file may be given before the handshake."""
        self.begin(self.contexts())
        sent = self.transport.send_file(self.file(b"file"), 0, 4)
        self.assertEqual(b"file", self.receive(4))
        self.successResultOf(sent)

    def test_shrank(self) -> None:
        """A file that ends too early is an error, and the line is cut."""
        sent = self.transport.send_file(self.file(b"short"), 0, 50)
        self.assertEqual(b"short", self.receive(5))
        self.step()
        self.failureResultOf(sent, ContentShrank)
        self.reactor.advance(0)
        self.assertTrue(
            self.protocol.lost and self.protocol.lost.check(ConnectionAborted)
        )

    def test_unreadable(self) -> None:
        """What cannot be read is the store's fault."""
        descriptor = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        sent = self.transport.send_file(descriptor, 0, 50)
        self.step()
        self.failureResultOf(sent, StorageError)

    def test_client_leaves(self) -> None:
        """A client that goes away in the midst of a file ends the sending."""
        descriptor = self.file(b"x" * (32 * MIB))
        sent = self.transport.send_file(descriptor, 0, 32 * MIB)
        self.turn()
        self.client.close()
        for _ in range(100):
            self.turn()
        self.failureResultOf(sent, ConnectionLost)
        self.assertNotIn(self.transport, self.reactor.reading)
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_cancelled(self) -> None:
        """When it is cancelled, nothing that follows could be understood: it is cut."""
        descriptor = self.file(b"x" * (32 * MIB))
        sent = self.transport.send_file(descriptor, 0, 32 * MIB)
        self.turn()
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.reactor.advance(0)
        self.assertIsNotNone(self.protocol.lost)

    def test_cold(self) -> None:
        """The disk is waited for in another thread."""
        content = os.urandom(MIB)
        with patch.object(direct_module, "would_wait", lambda *_: True):
            self.transport.send_file(self.file(content), 0, len(content))
            self.step()
        [warm] = self.reactor.work
        self.assertNotIn(self.transport, self.reactor.writing)
        warm()
        self.assertEqual(content, self.receive(len(content)))


class EndTests(SocketCase):
    """How a connection ends."""

    def setUp(self) -> None:
        """Shake hands."""
        super().setUp()
        self.shake()

    def test_goodbye(self) -> None:
        """The client hears a goodbye behind all that was written, and has a moment."""
        written = self.choke()
        self.transport.loseConnection()
        self.assertEqual(written, self.receive(len(written)))
        for _ in range(3):
            self.step()
        self.assertTrue(self.heard_goodbye())
        self.assertIsNone(self.protocol.lost)
        self.reactor.advance(GOODBYE_SECONDS)
        self.assertTrue(self.protocol.lost and self.protocol.lost.check(ConnectionDone))

    def test_answered(self) -> None:
        """A client that answers the goodbye is not waited for."""
        self.transport.loseConnection()
        self.tls.send(b"what nobody hears any more")
        for _ in range(3):
            self.step()
        self.assertIsNone(self.protocol.lost)
        self.tls.shutdown()
        self.step()
        self.assertIsNotNone(self.protocol.lost)
        self.assertEqual(b"", self.protocol.data)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_half_closed(self) -> None:
        """Behind a goodbye that is only half a one, what the client says is heard."""
        self.transport.write(b"answer")
        self.transport.loseWriteConnection()
        self.assertEqual(b"answer", self.receive(6))
        self.assertTrue(self.heard_goodbye())
        self.tls.send(b"still here")
        self.step()
        self.assertEqual(b"still here", self.protocol.data)
        self.transport.loseConnection()
        self.assertIsNotNone(self.protocol.lost)

    def test_goodbye_waits(self) -> None:
        """A goodbye that the kernel does not take yet is said later."""
        real = self.transport._tls

        class Full:
            def send(self, data: Any) -> int:
                return len(data)

            def shutdown(self) -> bool:
                raise SSL.WantWriteError

        self.transport.loseConnection()
        self.transport._tls = Full()
        self.turn()
        self.transport._tls = real
        self.assertIn(self.transport, self.reactor.writing)
        for _ in range(3):
            self.step()
        self.assertTrue(self.heard_goodbye())

    def test_abort(self) -> None:
        """A connection that is cut says nothing."""
        self.transport.abortConnection()
        self.reactor.advance(0)
        self.step()
        self.assertFalse(self.heard_goodbye())
        self.assertTrue(
            self.protocol.lost and self.protocol.lost.check(ConnectionAborted)
        )

    def test_twice(self) -> None:
        """A connection is lost once."""
        self.lose()
        self.lose()
        self.assertEqual(set(), self.reactor.reading | self.reactor.writing)


class SecureTests(TLSCase):
    """Ports."""

    def factory_for(self) -> TLSFactory:
        """Return a factory."""
        return TLSFactory(self.contexts(), Factory.forProtocol(Heard), self.clock)

    def test_kinds(self) -> None:
        """Ports with sockets make connections with TLS on them."""
        for make, kind in [
            (lambda factory: tcp.Port(0, factory), TLSServer),
            (lambda factory: direct(tcp.Port(0, factory)), TLSServer),
            (lambda factory: unix.Port(b"/x", factory), TLSUnixServer),
        ]:
            factory = self.factory_for()
            port: Any = secure(make(factory), factory)
            self.assertIs(kind, port.transport)
            self.assertIsInstance(factory.buildProtocol(None), Heard)

    def test_others(self) -> None:
        """Over others TLS is laid as before."""
        factory = self.factory_for()
        port = MemoryReactorClock().listenTCP(0, factory)
        self.assertIs(port, secure(port, factory))
        self.assertNotIsInstance(factory.buildProtocol(None), Heard)

    def test_wrapped(self) -> None:
        """A port whose factory is another one is left alone."""
        factory = self.factory_for()
        port: Any = secure(tcp.Port(0, Factory()), factory)
        self.assertIs(tcp.Server, port.transport)
        self.assertFalse(factory.is_below)
