"""Tests of txregistry.web.lean: connections on real sockets, and what they keep."""

from __future__ import annotations

import os
import tempfile

from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.sockets import ManualReactor, connected, drain
from txregistry.web.transport import DirectServer


class _Port:
    """A port, as far as a connection looks at it."""

    _realPortNumber = 5000  # noqa: N815 - Twisted's


class LeanTests(SynchronousTestCase):
    """A connection over TCP."""

    def setUp(self) -> None:
        """Connect."""
        self.reactor = ManualReactor()
        self.socket, self.client = connected()
        self.addCleanup(self.client.close)
        self.transport = DirectServer(
            self.socket,
            Protocol(),
            ("192.0.2.1", 54321),
            _Port(),
            7,
            self.reactor,
        )
        self.addCleanup(self.lose)

    def lose(self) -> None:
        """Lose the connection, if it is there."""
        self.transport.connectionLost(Failure(ConnectionLost()))

    def test_shown(self) -> None:
        """It is shown as Twisted's own is, and so is its log prefix."""
        self.assertEqual("<Protocol #7 on 5000>", repr(self.transport))
        self.assertEqual("Protocol,7,192.0.2.1", self.transport.logPrefix())

    def test_descriptor(self) -> None:
        """Its descriptor is the socket's."""
        self.assertEqual(self.socket.fileno(), self.transport.fileno())

    def test_lost(self) -> None:
        """When it is lost it can be shown, and has no descriptor."""
        self.lose()
        self.assertEqual(-1, self.transport.fileno())
        self.assertEqual("<DirectServer #7 on 5000>", repr(self.transport))

    def test_nothing_kept(self) -> None:
        """What is made on demand is not kept."""
        kept = vars(self.transport)
        self.assertEqual(set(), {"fileno", "logstr", "repstr"} & kept.keys())

    def test_names(self) -> None:
        """What it does gives it no more attributes, which would cost it a dict.

        Python keeps the names of up to 30 for all of a kind, if they are the first
        one's.
        """
        self.transport.registerProducer(StringTransport(), True)
        before = vars(self.transport).keys() | set()
        self.assertLess(len(before), 30)
        self.client.send(b"question")
        self.transport.doRead()
        self.transport.write(b"answer")
        with tempfile.TemporaryFile() as file:
            os.pwrite(file.fileno(), b"content", 0)
            self.transport.send_file(file.fileno(), 0, 7)
            self.transport.write(b"behind")
            while self.transport in self.reactor.writing:
                self.reactor.turn(self.transport)
        self.assertEqual(b"answercontentbehind", drain(self.client))
        self.assertEqual(before, vars(self.transport).keys())
