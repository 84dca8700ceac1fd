"""Tests of txregistry.web.channel: clients that have said all, and listen."""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.web.echo import make_echo
from txregistry.testing.wire import Wire
from txregistry.web.limits import Limits

WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"


class HalfClosedTests(SynchronousTestCase):
    """A client that has closed its side."""

    def setUp(self) -> None:
        """Connect."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource)
        self.transport = self.wire.transport

    def half_close(self, data: bytes) -> None:
        """Send the last bytes."""
        self.wire.send(data)
        self.wire.channel.readConnectionLost()

    def test_interface(self) -> None:
        """It is told of that."""
        verifyObject(IHalfCloseableProtocol, self.wire.channel)
        self.wire.channel.writeConnectionLost()

    def test_idle(self) -> None:
        """If it asks nothing the connection is closed."""
        self.half_close(b"")
        self.assertTrue(self.transport.disconnecting)

    def test_in_header(self) -> None:
        """So it is if there will be no whole header."""
        self.half_close(b"GET / HTTP/1.1\r\nHo")
        self.assertTrue(self.transport.disconnecting)
        self.wire.clock.advance(Limits().header_timeout)
        self.assertEqual(b"", self.transport.value())

    def test_answer(self) -> None:
        """It gets its answer, and then the connection is closed."""
        self.half_close(WAIT)
        self.assertFalse(self.transport.disconnecting)
        self.routes.waiting[0].callback(None)
        self.assertEqual(204, self.wire.answer().status)
        self.assertTrue(self.transport.disconnecting)

    def test_answers(self) -> None:
        """If it has asked more than once it gets all answers."""
        last = b"PUT /refuse HTTP/1.1\r\nHost: a\r\n\r\n"
        self.half_close(WAIT + last + WAIT + last)
        for number in range(2):
            self.assertFalse(self.transport.disconnecting)
            self.routes.waiting[number].callback(None)
        answers = [self.wire.answer().status for _ in range(4)]
        self.assertEqual([204, 404, 204, 404], answers)
        self.assertTrue(self.transport.disconnecting)

    def test_body(self) -> None:
        """A body without its end is lost, at once."""
        self.half_close(b"PUT /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        self.assertTrue(self.transport.disconnected)

    def test_answered(self) -> None:
        """Unless the answer is out already."""
        self.half_close(b"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(404, self.wire.answer().status)
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.disconnected)

    def test_lingering(self) -> None:
        """Nothing more is waited for where the connection was to be closed anyway."""
        self.half_close(b"GET\r\n\r\n")
        self.assertEqual(400, self.wire.answer().status)
        self.assertTrue(self.transport.disconnecting)
