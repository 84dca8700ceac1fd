"""Tests of txregistry.web.transfer: moving a body, here in the test's own thread."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.streams import IThreadSink, Piece, Watch
from txregistry.web.chunks import ChunkFraming
from txregistry.web.decoding import Framing, LengthFraming
from txregistry.web.transfer import Transfer


class Full(Exception):
    """What a sink fails with."""


@implementer(IThreadSink)
class Sink:
    """Keeps what it gets.

    Attributes:
        content: What was written.
        seen: What the watcher saw.
        room: How much may be written before it fails, in bytes.
        calls: How often something was written.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.content = b""
        self.seen = b""
        self.room = 1 << 30
        self.calls = 0
        self.on_write: Callable[[], object] = lambda: None
        self.watchers: Sequence[Watch] = [self.watch]

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """See IThreadSink."""
        self.calls += 1
        self.on_write()
        content = b"".join(pieces)
        if len(self.content) + len(content) > self.room:
            raise Full
        self.content += content

    def watch(self, piece: Piece) -> None:
        """See a piece."""
        self.seen += piece


def open_descriptors() -> set[str]:
    """Name the descriptors that this process has."""
    return set(os.listdir("/proc/self/fd"))


class TransferCase(SynchronousTestCase):
    """A transfer between a client and a sink, with one thread or two."""

    buffers = 1

    def setUp(self) -> None:
        """Connect."""
        self.before = open_descriptors()
        self.client, self.receiver = socket.socketpair()
        self.receiver.setblocking(False)
        self.sink = Sink()

    def tearDown(self) -> None:
        """Nothing stays open."""
        self.client.close()
        # What others have left may be closed meanwhile, with the rest of the garbage.
        self.assertEqual(set(), open_descriptors() - self.before)

    def move(self, framing: Framing, patience: float = 30) -> Transfer:
        """Move what the client has sent."""
        buffers = [bytearray(16) for _ in range(self.buffers)]
        transfer = Transfer(self.receiver, framing, self.sink, patience, buffers)
        self.started(transfer)
        transfer.run()
        transfer.close()
        transfer.stop()  # which is harmless then
        return transfer

    def started(self, transfer: Transfer) -> None:
        """Do something at a transfer's beginning."""

    def assert_taken(self, content: bytes, transfer: Transfer) -> None:
        """Check that content was taken in, and by all."""
        self.assertEqual((content, content), (self.sink.content, self.sink.seen))
        self.assertEqual((len(content), None), (transfer.received, transfer.error))


class OneThreadTests(TransferCase):
    """The thread that receives does all."""

    def test_length(self) -> None:
        """A body is taken up to its end, and no byte more leaves the socket."""
        content = bytes(range(100))
        self.client.sendall(content + b"GET /")
        framing = LengthFraming(100)
        again = self.receiver.dup()
        transfer = self.move(framing)
        self.assert_taken(content, transfer)
        self.assertEqual((True, False), (framing.complete, transfer.lost))
        self.assertEqual(b"GET /", again.recv(99))
        again.close()

    def test_chunks(self) -> None:
        """What arrived behind a chunked body's end is kept."""
        content = bytes(range(100))
        chunk = b"64\r\n" + content + b"\r\n"
        self.client.sendall(chunk + chunk + b"0\r\n\r\nG")
        framing = ChunkFraming()
        transfer = self.move(framing)
        self.assert_taken(content * 2, transfer)
        self.assertTrue(framing.complete)
        self.assertTrue(b"G".startswith(transfer.rest))

    def test_malformed(self) -> None:
        """What comes before a malformed chunk is taken."""
        self.client.sendall(b"3\r\nabc\r\nx\r\n")
        framing = ChunkFraming()
        self.assert_taken(b"abc", self.move(framing))
        self.assertEqual((False, True), (framing.complete, framing.malformed))

    def test_left(self) -> None:
        """What came before a client left is taken."""
        self.client.sendall(b"abc")
        self.client.close()
        transfer = self.move(LengthFraming(100))
        self.assert_taken(b"abc", transfer)
        self.assertTrue(transfer.lost)

    def test_silent(self) -> None:
        """A client that sends nothing for too long is given up."""
        self.client.sendall(b"abc")
        transfer = self.move(LengthFraming(100), patience=0.001)
        self.assert_taken(b"abc", transfer)
        self.assertTrue(transfer.lost)

    def test_last_byte(self) -> None:
        """Also a body's last byte is waited for."""
        framing = LengthFraming(1)
        transfer = self.move(framing, patience=0.001)
        self.assertEqual((True, False), (transfer.lost, framing.complete))

    def test_failed(self) -> None:
        """What the sink fails with is kept; the watchers see no more than it has."""
        self.client.sendall(bytes(100))
        self.sink.room = 40
        transfer = self.move(LengthFraming(100))
        self.assertIsInstance(transfer.error, Full)
        self.assertFalse(transfer.lost)
        self.assertEqual(self.sink.content, self.sink.seen)
        self.assertLessEqual(len(self.sink.content), 40)

    def test_watcher_failed(self) -> None:
        """So is what a watcher fails with."""

        def fail(_piece: Piece) -> None:
            raise Full

        self.client.sendall(bytes(100))
        self.sink.watchers = [fail]
        self.assertIsInstance(self.move(LengthFraming(100)).error, Full)

    def test_small_pieces(self) -> None:
        """Many small pieces are written as one."""
        self.client.sendall(b"1\r\nx\r\n" * 500 + b"0\r\n\r\n")
        self.client.close()
        buffers = [bytearray(4096) for _ in range(self.buffers)]
        framing = ChunkFraming()
        transfer = Transfer(self.receiver, framing, self.sink, 30, buffers)
        transfer.run()
        transfer.close()
        self.assert_taken(b"x" * 500, transfer)
        self.assertTrue(framing.complete)
        self.assertLess(self.sink.calls, 10)


class TwoThreadTests(OneThreadTests):
    """A second thread shows the pieces."""

    buffers = 4


class StoppedTests(TransferCase):
    """A transfer that is stopped."""

    def started(self, transfer: Transfer) -> None:
        """Stop it when the first piece is written."""
        self.sink.on_write = transfer.stop

    def test_stopped(self) -> None:
        """It ends where it is, with all that it has received."""
        self.client.sendall(bytes(100))
        framing = LengthFraming(100)
        transfer = self.move(framing)
        self.assert_taken(bytes(16), transfer)
        self.assertEqual((84, False), (framing.wanted, transfer.lost))

    def test_stopped_waiting(self) -> None:
        """It ends though nothing comes."""
        self.client.sendall(bytes(16))
        self.assert_taken(bytes(16), self.move(LengthFraming(100)))


class StoppedBesideTests(StoppedTests):
    """So it is with two threads."""

    buffers = 4
