"""Tests of txregistry.web.tls_loan: reading in the reactor's place, on a real socket.

The test's own thread is the one that the connection is lent to.
"""

from __future__ import annotations

import os
import select
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import execute
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from tests.unit.web.sockets import drain, unsent
from tests.unit.web.test_tls_socket import SocketCase
from tests.unit.web.test_transfer import Sink
from txregistry.web.decoding import LengthFraming
from txregistry.web.intake import Intake
from txregistry.web.tls_loan import RECORD, Loan
from txregistry.web.transfer import Transfer


class LoanCase(SocketCase):
    """A connection that has shaken hands, and room to receive in."""

    def setUp(self) -> None:
        """Shake hands."""
        super().setUp()
        self.shake()
        self.room = memoryview(bytearray(4 * RECORD))

    def lend(self) -> Loan:
        """Lend the connection."""
        loan: Loan | None = self.transport.lend()
        assert loan is not None
        self.transport.stopReading()
        return loan

    def say(self, data: bytes) -> None:
        """Have the client send something."""
        for offset in range(0, len(data), RECORD):
            self.tls.send(data[offset : offset + RECORD])
            self.flush()
        self.arrive()

    def arrive(self) -> None:
        """Wait until all that the client has sent is there."""
        for _ in range(1_000_000):
            if not unsent(self.client):
                break
            os.sched_yield()


class ReceiveTests(LoanCase):
    """What whoever has the loan receives."""

    def test_records(self) -> None:
        """All that is there comes at once, up to the last record that has room."""
        content = os.urandom(5 * RECORD)
        loan = self.lend()
        self.say(content)
        self.assertEqual(4 * RECORD, loan.recv_into(self.room))
        self.assertEqual(content[: 4 * RECORD], self.room)
        self.assertEqual(RECORD, loan.recv_into(self.room))
        self.assertEqual(content[4 * RECORD :], self.room[:RECORD])
        self.assertEqual(0, self.transport._tls.pending())

    def test_nothing(self) -> None:
        """When nothing is there, it says so."""
        loan = self.lend()
        self.assertRaises(BlockingIOError, loan.recv_into, self.room)
        self.say(b"hello")
        self.assertEqual(5, loan.recv_into(self.room))
        self.assertRaises(BlockingIOError, loan.recv_into, self.room)

    def test_goodbye(self) -> None:
        """Behind a goodbye nothing comes."""
        loan = self.lend()
        self.say(b"last words")
        self.tls.shutdown()
        self.flush()
        self.arrive()
        self.assertEqual(10, loan.recv_into(self.room))
        self.assertEqual(0, loan.recv_into(self.room))
        self.assertIsNone(loan.problem)

    def test_left(self) -> None:
        """A client that goes without one is no problem of OpenSSL's."""
        loan = self.lend()
        self.client.close()
        select.select([loan], [], [], 30)
        self.assertRaises(ConnectionResetError, loan.recv_into, self.room)
        self.assertIsNone(loan.problem)

    def test_garbage(self) -> None:
        """What came before garbage is received; then the log has the reason."""
        loan = self.lend()
        self.say(b"hello")
        self.client.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        self.arrive()
        self.assertEqual(5, loan.recv_into(self.room))
        self.assertRaises(ConnectionResetError, loan.recv_into, self.room)
        loan.close()
        with capturedLogs() as events:
            self.transport.abortConnection()
            self.reactor.advance(0)
        [event] = events
        self.assertIn("TLS with {peer} failed", event["log_format"])

    def test_transfer(self) -> None:
        """A transfer takes a body from it; what is behind that is not lost."""
        content = os.urandom(5 * RECORD + 17)
        sink = Sink()
        loan = self.lend()
        transfer = Transfer(
            loan, LengthFraming(len(content)), sink, 0.001, [bytearray(2 * RECORD)]
        )
        for offset in range(0, len(content), RECORD):
            self.tls.send(content[offset : offset + RECORD])
        self.tls.send(b"GET / ")
        self.flush_all()
        self.arrive()
        transfer.run()
        transfer.close()
        self.assertEqual((content, content), (sink.content, sink.seen))
        self.assertEqual((False, None), (transfer.lost, transfer.error))
        self.transport.startReading()
        self.step()
        self.assertEqual(b"GET / ", transfer.rest + self.protocol.data)

    def flush_all(self) -> None:
        """Give the kernel all that the client has."""
        while True:
            try:
                data = self.tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return
            self.client.setblocking(True)
            self.client.sendall(data)


class LentTests(LoanCase):
    """A connection that is lent."""

    def test_left_alone(self) -> None:
        """The reactor does not read, and what is written waits for the end."""
        loan = self.lend()
        self.say(b"for the thread")
        self.transport.startReading()
        self.turn()
        self.assertNotIn(self.transport, self.reactor.reading)
        self.transport.write(b"answer")
        self.turn()
        self.assertNotIn(self.transport, self.reactor.writing)
        self.assertEqual((b"", b""), (self.protocol.data, drain(self.client)))
        self.assertEqual(14, loan.recv_into(self.room))
        loan.close()
        self.assertEqual(b"answer", self.receive(6))

    def test_intake(self) -> None:
        """An intake has a body moved from it, and gives it back."""
        self.say(b"a body")
        sink = Sink()
        begun = Intake(execute, 1, 1).begin(
            self.transport, LengthFraming(6), sink, 0.001
        )
        assert begun is not None
        self.successResultOf(begun[1])
        self.assertEqual(b"a body", sink.content)
        self.lend().close()

    def test_again(self) -> None:
        """It is lent once at a time."""
        loan = self.lend()
        self.assertIsNone(self.transport.lend())
        loan.close()
        self.lend().close()

    def test_file(self) -> None:
        """A file waits, too."""
        loan = self.lend()
        sent = self.transport.send_file(self.file(b"file"), 0, 4)
        self.turn()
        self.assertNoResult(sent)
        loan.close()
        self.assertEqual(b"file", self.receive(4))
        self.successResultOf(sent)

    def test_lose(self) -> None:
        """One that is lost without a goodbye is cut."""
        loan = self.lend()
        self.transport.loseConnection()
        self.reactor.advance(0)
        lost = self.protocol.lost
        self.assertTrue(lost and lost.check(ConnectionAborted))
        loan.close()

    def test_socket(self) -> None:
        """While a thread may read from it, its socket's number is nobody else's."""
        for reason in (ConnectionLost(), ConnectionAborted()):
            self.begin(self.contexts())
            self.shake()
            loan = self.lend()
            number = loan.fileno()
            self.transport.connectionLost(Failure(reason))
            self.assertIsNotNone(self.protocol.lost)
            self.say(b"hello")
            self.assertEqual((number, 5), (loan.fileno(), loan.recv_into(self.room)))
            loan.close()
            self.assertEqual(-1, loan.fileno())
            self.client.setblocking(True)
            if isinstance(reason, ConnectionAborted):
                self.assertRaises(ConnectionResetError, self.client.recv, 1 << 16)
            else:
                self.assertEqual(b"", self.client.recv(1 << 16))


class RefusedTests(LoanCase):
    """When nothing is lent."""

    def test_before_handshake(self) -> None:
        """Before the handshake."""
        self.begin(self.contexts())
        self.assertIsNone(self.transport.lend())

    def test_queued(self) -> None:
        """While something is still to be written: it would wait for the body."""
        written = self.choke()
        self.assertIsNone(self.transport.lend())
        self.receive(len(written))
        self.step()
        self.lend().close()

    def test_ending(self) -> None:
        """When the connection ends."""
        self.transport.loseConnection()
        self.assertIsNone(self.transport.lend())

    def test_goodbye(self) -> None:
        """When the client has said goodbye along with what it has sent."""
        lent: list[Any] = []
        self.patch(
            self.protocol, "dataReceived", lambda _: lent.append(self.transport.lend())
        )
        self.tls.send(bytes(RECORD))
        self.tls.shutdown()
        self.step()
        self.assertEqual([None], lent)

    def test_no_threads(self) -> None:
        """An intake gives back what it finds no thread for."""

        def never(_work: object) -> Any:
            raise RuntimeError("no more threads")

        intake = Intake(never, 1, 1)
        for _ in range(2):  # it was given back
            begun = intake.begin(self.transport, LengthFraming(9), Sink(), 30)
            self.assertIsNone(begun)
        self.say(b"hello")
        self.step()
        self.assertEqual(b"hello", self.protocol.data)
        self.lend().close()
