"""Tests of txregistry.web.channel: clients that send more than they read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.echo import make_echo
from txregistry.testing.wire import Wire
from txregistry.web.channel import READ_AHEAD
from txregistry.web.limits import Limits

LIMITS = Limits(header_timeout=5.0, idle_timeout=20.0)
WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
ECHO = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"


class PipeliningCase(SynchronousTestCase):
    """A wire to routes that echo."""

    def setUp(self) -> None:
        """Connect."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource, LIMITS)

    def written(self) -> int:
        """Return how many answers were written, and forget them."""
        written: int = self.wire.transport.value().count(b"HTTP/1.1 ")
        self.wire.transport.clear()
        return written


class UnreadTests(PipeliningCase):
    """A client that sends requests and does not read the answers."""

    def setUp(self) -> None:
        """Connect; the transport is full while the first request runs."""
        super().setUp()
        self.wire.send(WAIT)
        self.wire.channel.pauseProducing()

    def test_no_next(self) -> None:
        """While the transport is full, no further request is run."""
        self.wire.send(ECHO * 3)
        self.routes.waiting[0].callback(None)
        self.assertEqual(1, self.written())
        self.wire.send(ECHO)
        self.assertEqual(0, self.written())

    def test_not_read(self) -> None:
        """Nor is more read from the client."""
        self.routes.waiting[0].callback(None)
        self.assertEqual("paused", self.wire.transport.producerState)

    def test_goes_on(self) -> None:
        """When the client reads on, its requests are run, to the last."""
        self.wire.send(ECHO * 3)
        self.routes.waiting[0].callback(None)
        self.wire.send(ECHO)
        self.wire.channel.resumeProducing()
        self.assertEqual("producing", self.wire.transport.producerState)
        self.assertEqual(5, self.written())

    def test_full_again(self) -> None:
        """They are held again as soon as the transport is full again."""
        self.wire.send(WAIT + ECHO)
        self.routes.waiting[0].callback(None)
        self.wire.channel.resumeProducing()
        self.wire.channel.pauseProducing()
        self.routes.waiting[1].callback(None)
        self.assertEqual(2, self.written())
        self.wire.channel.resumeProducing()
        self.assertEqual(1, self.written())

    def test_flood(self) -> None:
        """What it sends while its request runs is read up to a bound."""
        self.wire.send(b"x" * READ_AHEAD)
        self.assertEqual("producing", self.wire.transport.producerState)
        self.wire.send(b"x")
        self.assertEqual("paused", self.wire.transport.producerState)

    def test_no_deadline(self) -> None:
        """The time for a header does not run while we do not read it."""
        self.routes.waiting[0].callback(None)
        self.wire.send(ECHO[:10])
        self.wire.clock.advance(LIMITS.header_timeout)
        self.assertFalse(self.wire.transport.disconnecting)

    def test_leaves(self) -> None:
        """When it goes away, nothing of that is left."""
        self.wire.send(ECHO)
        self.routes.waiting[0].callback(None)
        self.wire.hang_up()
        self.assertEqual(1, self.written())
        self.assertEqual([], self.wire.clock.getDelayedCalls())

    def test_drain(self) -> None:
        """When the registry ends, what is held is not run."""
        self.wire.send(ECHO)
        self.routes.waiting[0].callback(None)
        self.wire.site.drain()
        self.assertTrue(self.wire.transport.disconnecting)
        self.assertEqual(1, self.written())
