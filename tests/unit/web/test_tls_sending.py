"""Tests of txregistry.web.tls_sending: files that threads send, on a real socket.

The test's own thread is the one that the connection is lent to, at once or when the
test says so.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.logger import capturedLogs

from tests.unit.web.sockets import drain, unsent
from tests.unit.web.test_tls_socket import MIB, SocketCase
from tests.unit.web.tls_case import client_context
from txregistry.interfaces import ContentShrank, StorageError
from txregistry.web import tls_sending
from txregistry.web.tls_sealing import PIECE, Sealer
from txregistry.web.tls_sending import Burst, Senders, make_senders

_RESET = struct.pack("ii", 1, 0)


class Threads:
    """Runs work at once, or when it is told to. See InThread.

    Attributes:
        begun: How many works there were.
        waits: Whether they wait for ``go``.
    """

    def __init__(self) -> None:
        """Have no work."""
        self.begun = 0
        self.waits = False
        self._work: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[[], Any], /) -> Deferred[Any]:
        """Take a work."""
        self.begun += 1
        ended: Deferred[Any] = Deferred()
        self._work.append((work, ended))
        if not self.waits:
            self.go()
        return ended

    def go(self) -> None:
        """Do what there is to be done."""
        works, self._work = self._work, []
        for work, ended in works:
            try:
                result = work()
            except Exception:
                ended.errback()
            else:
                ended.callback(result)


class SendingCase(SocketCase):
    """A connection that has shaken hands, and threads for its files.

    Attributes:
        threads: Send them.
        content: A file's content.
    """

    def setUp(self) -> None:
        """Shake hands."""
        self.threads = Threads()
        self.senders = Senders(self.threads, 1)
        super().setUp()
        self.shake()
        self.content = os.urandom(3 * MIB + 17)

    def send(self, content: bytes | None = None) -> Deferred[None]:
        """Have a file sent."""
        content = self.content if content is None else content
        sent: Deferred[None] = self.transport.send_file(
            self.file(content), 0, len(content)
        )
        return sent

    def lend(self) -> Deferred[None]:
        """Have a file sent, up to where a thread has to go on, which waits."""
        self.threads.waits = True
        sent = self.send()
        for _ in range(100):
            if self.threads.begun:
                break
            self.turn()
        self.assertEqual(1, self.threads.begun)
        return sent


class BurstTests(SendingCase):
    """What a thread sends."""

    def test_whole(self) -> None:
        """It comes between what is written before and behind, with either version."""
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.begin(self.contexts(), client_context(newest=newest))
            self.shake()
            for _ in range(2):
                begun = self.threads.begun
                before = self.transport.file_bytes
                self.transport.writeSequence([b"header"])
                sent = self.send()
                self.transport.write(b"the end")
                expected = b"header" + self.content + b"the end"
                self.assertEqual(expected, self.receive(len(expected)))
                self.successResultOf(sent)
                self.assertGreater(self.threads.begun, begun)
                self.assertEqual(len(self.content), self.transport.file_bytes - before)
                self.assertEqual(0, self.transport.file_left)
            self.tls.send(b"thanks")
            self.step()
            self.assertEqual(b"thanks", self.protocol.data)

    def test_ciphers(self) -> None:
        """Records may be longer than those of today's ciphers."""
        options = {"cipher_suites": ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",)}
        self.begin(self.contexts(**options), client_context(SSL.TLS1_2_VERSION))
        self.shake()
        sent = self.send()
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)

    def test_sizes(self) -> None:
        """Whatever a file's size, and the size of what the kernel takes."""
        for size in (0, 1, PIECE, 3 * PIECE - 1, 3 * PIECE, 3 * PIECE + 1, 5 * MIB):
            self.transport.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000 + size // 3
            )
            sent = self.send(self.content[:size])
            expected = self.content[:size]
            self.assertEqual(expected, self.receive(len(expected)))
            for _ in range(3):
                self.step()
            self.successResultOf(sent)

    def test_short(self) -> None:
        """The reactor sends a short file itself, and the beginning of a long one."""
        self.send(self.content[: MIB // 2])
        self.receive(MIB // 2)
        self.assertEqual(0, self.threads.begun)
        self.lend().addErrback(lambda _: None)
        self.assertEqual(MIB // 2 + PIECE, self.transport.file_bytes)

    def test_slow_reader(self) -> None:
        """For a client that takes no more nobody waits, and nothing is kept."""
        sent = self.send(b"x" * 32 * MIB)
        for _ in range(100):
            self.turn()
        self.assertNoResult(sent)
        self.assertLess(self.threads.begun, 50)
        self.assertGreater(self.transport.file_left, 16 * MIB)
        self.assertLessEqual(len(self.transport._rest), 2 * PIECE)
        self.assertEqual(b"", self.transport.dataBuffer)
        self.assertEqual(32 * MIB, len(self.receive(32 * MIB)))
        self.successResultOf(sent)

    def test_rest(self) -> None:
        """What the kernel does not take, though it had promised, goes out first."""
        self.patch(Burst, "_room", lambda _: PIECE)
        self.content = os.urandom(9 * MIB)
        sent = self.send()
        for _ in range(100):
            if self.transport._rest:
                break
            self.turn()
        rest = len(self.transport._rest)
        self.assertGreater(rest, 0)
        part = self.transport._range
        self.assertEqual(part.left + rest, self.transport.file_left)
        self.tls.send(b"still here")
        self.flush()
        self.turn()
        self.assertEqual(b"", self.protocol.data)
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        self.step()
        self.assertEqual(b"still here", self.protocol.data)

    def test_rest_lost(self) -> None:
        """A client that goes before it has taken the rest has gone."""
        self.patch(Burst, "_room", lambda _: PIECE)
        sent = self.send(b"x" * 32 * MIB)
        for _ in range(100):
            self.turn()
        self.assertTrue(self.transport._rest)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.client.close()
        select.select([self.transport], [], [], 30)
        self.turn()
        self.failureResultOf(sent, ConnectionLost)

    def test_cold(self) -> None:
        """What has to come from the disk is fetched by a thread of another kind."""
        asked: list[tuple[int, ...]] = []

        def is_cold(*where: int) -> bool:
            asked.append(where)
            return len(asked) == 1

        self.patch(tls_sending, "would_wait", is_cold)
        self.content += os.urandom(4 * MIB)
        sent = self.send()
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        self.assertGreater(self.threads.begun, 1)
        # What the reactor has found in the page cache is not looked for again.
        self.assertEqual(4 * MIB, asked[0][1])

    def test_much(self) -> None:
        """A burst ends after a while, whatever its client takes."""
        self.patch(tls_sending, "_SECONDS", -1)
        sent = self.send()
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        self.assertGreaterEqual(self.threads.begun, 3)


class FailedTests(SendingCase):
    """What keeps a thread from it."""

    def test_shrank(self) -> None:
        """A file that ends too early is an error, and the line is cut."""
        sent = self.transport.send_file(self.file(self.content), 0, 9 * MIB)
        self.receive(len(self.content))
        for _ in range(3):
            self.step()
        self.failureResultOf(sent, ContentShrank)
        self.reactor.advance(0)
        self.assertTrue(
            self.protocol.lost and self.protocol.lost.check(ConnectionAborted)
        )

    def test_unreadable(self) -> None:
        """What cannot be read is the store's fault."""
        sent = self.lend()
        burst: Any = self.transport._loan
        folder = os.open("/", os.O_RDONLY)
        os.dup2(folder, burst._descriptor)
        os.close(folder)
        self.threads.go()
        self.failureResultOf(sent, StorageError)
        self.reactor.advance(0)
        self.assertIsNotNone(self.protocol.lost)

    def test_client_leaves(self) -> None:
        """A client that goes away in the midst of a burst ends it."""
        sent = self.lend()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.client.close()
        self.threads.go()
        self.failureResultOf(sent, ConnectionLost)
        self.assertNotIn(self.transport, self.reactor.reading)
        self.assertNotIn(self.transport, self.reactor.writing)

    def test_lost(self) -> None:
        """A connection that is lost meanwhile is closed when the thread has done."""
        sent = self.lend()
        burst: Any = self.transport._loan
        left = self.transport.file_left
        burst.sent = MIB  # by the thread, until now
        self.assertEqual(left - MIB, self.transport.file_left)
        self.transport.abortConnection()
        self.reactor.advance(0)
        self.failureResultOf(sent, ConnectionAborted)
        self.assertIsNotNone(self.protocol.lost)
        self.assertEqual(MIB + PIECE, self.transport.file_bytes)
        self.assertGreaterEqual(burst._socket.fileno(), 0)
        drain(self.client)
        self.threads.go()
        self.assertEqual(-1, burst._socket.fileno())
        self.assertRaises(ConnectionResetError, self.client.recv, 1)
        self.assertRaises(OSError, os.fstat, burst._descriptor)

    def test_cancelled(self) -> None:
        """When it is cancelled, the line is cut, and the thread sends no more."""
        sent = self.lend()
        burst: Any = self.transport._loan
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.reactor.advance(0)
        self.assertIsNotNone(self.protocol.lost)
        self.threads.go()
        self.assertEqual(0, burst.sent)

    def test_problem(self) -> None:
        """What OpenSSL fails with stands in the log."""
        sent = self.lend()

        def fail(*_: object) -> None:
            raise SSL.Error([("", "", "out of order")])

        self.patch(Sealer, "seal", fail)
        with capturedLogs() as events:
            self.threads.go()
        self.failureResultOf(sent, SSL.Error)
        [event] = events
        self.assertEqual("out of order", event["problem"])

    def test_unexpected(self) -> None:
        """What nobody has thought of does, too, and the connection is lost."""
        sent = self.lend()
        self.patch(Sealer, "seal", lambda *_: 1 // 0)
        with capturedLogs() as events:
            self.threads.go()
        self.failureResultOf(sent, ConnectionLost)
        self.assertEqual(ZeroDivisionError, events[0]["log_failure"].type)
        self.flushLoggedErrors(ZeroDivisionError)


class LentTests(SendingCase):
    """A connection that a thread sends from."""

    def test_read(self) -> None:
        """What the client says meanwhile is heard when the thread has done."""
        sent = self.lend()
        self.tls.send(b"hello")
        self.flush()
        self.turn()
        self.assertEqual(b"", self.protocol.data)
        self.assertNotIn(self.transport, self.reactor.reading)
        self.threads.go()
        self.receive(len(self.content))
        self.assertEqual(b"hello", self.protocol.data)
        self.successResultOf(sent)

    def test_paused(self) -> None:
        """Unless who would hear it has paused meanwhile."""
        self.lend()
        self.tls.send(b"hello")
        self.flush()
        self.turn()
        self.transport.pauseProducing()
        self.threads.go()
        self.receive(len(self.content))
        self.assertEqual(b"", self.protocol.data)
        self.transport.resumeProducing()
        self.step()
        self.assertEqual(b"hello", self.protocol.data)

    def test_not_for_two(self) -> None:
        """Nobody else borrows it, and the reactor leaves it alone."""
        self.lend().addErrback(lambda _: None)
        self.assertIsNone(self.transport.lend())
        before = self.transport.file_bytes
        self.transport.startWriting()
        self.turn()
        self.assertNotIn(self.transport, self.reactor.writing)
        self.assertEqual(before, self.transport.file_bytes)

    def test_lose(self) -> None:
        """One that is to end then sends the file first, and says goodbye."""
        sent = self.lend()
        self.transport.loseConnection()
        self.threads.waits = False
        self.threads.go()
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        for _ in range(3):
            self.step()
        self.assertTrue(self.heard_goodbye())

    def test_all_sent(self) -> None:
        """That all is sent is told at once: a client may go that has got it."""
        self.patch(tls_sending, "_LONG", 1)
        self.content = self.content[: PIECE + 1000]
        sent = self.lend()
        while unsent(self.transport.socket):
            drain(self.client)
        self.threads.go()
        self.successResultOf(sent)


class SendersTests(SendingCase):
    """Threads and those who wait for them."""

    def test_turns(self) -> None:
        """One waits for the other, which waits for nothing then."""
        first = self.lend()
        one, client, tls = self.transport, self.client, self.tls
        burst: Any = one._loan
        self.begin(self.contexts())
        self.shake()
        second = self.send()
        for _ in range(10):
            self.turn()
        self.assertEqual(1, self.threads.begun)
        self.assertTrue(self.transport._waits)
        self.transport.startWriting()
        self.turn()
        self.assertNotIn(self.transport, self.reactor.writing)
        self.assertEqual(1, len(burst._others))
        self.patch(tls_sending, "_MUCH", PIECE)
        self.threads.waits = False
        self.threads.go()
        self.assertLessEqual(burst.sent, 2 * PIECE)
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(second)
        self.assertNotEqual(tls, self.tls)
        client.close()
        one.abortConnection()
        one.reactor.advance(0)
        first.addErrback(lambda _: None)

    def test_lost(self) -> None:
        """One that is lost while it waits is passed over."""
        first = self.lend()
        one = self.transport
        self.addCleanup(self.client.close)
        self.begin(self.contexts())
        self.shake()
        second = self.send()
        for _ in range(10):
            self.turn()
        self.assertTrue(self.transport._waits)
        self.transport.abortConnection()
        self.reactor.advance(0)
        self.failureResultOf(second, ConnectionAborted)
        one.abortConnection()
        one.reactor.advance(0)
        self.failureResultOf(first, ConnectionAborted)
        self.threads.go()
        self.assertEqual(1, self.threads.begun)

    def test_no_threads(self) -> None:
        """Without threads the reactor sends all."""
        never = patch.object(Threads, "__call__", side_effect=RuntimeError)
        with never as called:
            sent = self.send()
            self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        self.assertTrue(called.called)

    def test_no_descriptors(self) -> None:
        """So it does without descriptors."""
        with patch.object(os, "dup", side_effect=OSError):
            sent = self.send()
            self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        self.assertEqual(0, self.threads.begun)

    def test_other_libraries(self) -> None:
        """So it does with libraries that do not show what is needed."""
        self.patch(tls_sending, "can_seal", lambda _: False)
        sent = self.send()
        self.assertEqual(self.content, self.receive(len(self.content)))
        self.successResultOf(sent)
        self.assertEqual(0, self.threads.begun)

    def test_made(self) -> None:
        """They are made for the processors that there are."""
        self.assertIsInstance(make_senders(self.reactor), Senders)
        self.assertEqual(2, make_senders(self.reactor, 10_000)._most)
