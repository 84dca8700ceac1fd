"""Tests of txregistry.web.body: a request's body as a source."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface.verify import verifyObject

from txregistry.streams import Collector
from txregistry.testing.streams import Breaking, SinkBroke
from txregistry.web.body import BodyLost, NoBody, RequestBody


class Valve:
    """A flow of bytes that can be held back.

    Attributes:
        open: Whether bytes may come.
    """

    open = True

    def pause_body(self) -> None:
        """See Flow."""
        self.open = False

    def resume_body(self) -> None:
        """See Flow."""
        self.open = True


class BodyTests(SynchronousTestCase):
    """A body of ten bytes."""

    def setUp(self) -> None:
        """Begin."""
        self.valve = Valve()
        self.wanted = 0
        self.body = RequestBody(10, self.valve, self.want)
        self.sink = Collector(10)

    def want(self) -> None:
        """Note that the body is wanted."""
        self.wanted += 1

    def test_interface(self) -> None:
        """It is a source."""
        verifyObject(IBodyProducer, self.body)

    def test_length(self) -> None:
        """A chunked body's length is not known; of one without length it is 0."""
        chunked = RequestBody(None, self.valve, self.want)
        empty = RequestBody(0, self.valve, self.want)
        self.assertEqual((UNKNOWN_LENGTH, False), (chunked.length, chunked.complete))
        self.assertEqual((0, True), (empty.length, empty.complete))

    def test_whole(self) -> None:
        """What arrives goes on to the sink, and at the end the source is done."""
        producing = self.body.startProducing(self.sink)
        for piece in (b"0123", b"456789"):
            self.body.data_received(piece)
        self.assertNoResult(producing)
        self.body.ended()
        self.successResultOf(producing)
        self.assertEqual(b"0123456789", self.sink.content())

    def test_early(self) -> None:
        """What arrives before it is started waits, and no more is let in."""
        self.body.data_received(b"01")
        self.assertFalse(self.valve.open)
        producing = self.body.startProducing(self.sink)
        self.assertEqual((b"01", True), (self.sink.content(), self.valve.open))
        self.assertNoResult(producing)

    def test_all_early(self) -> None:
        """If all of it has come before, nothing needs to be let in."""
        self.body.data_received(b"0123456789")
        self.body.ended()
        self.successResultOf(self.body.startProducing(self.sink))
        self.assertEqual(b"0123456789", self.sink.content())
        self.assertEqual((0, False), (self.wanted, self.valve.open))

    def test_empty(self) -> None:
        """A body of no bytes is done at once."""
        empty = RequestBody(0, self.valve, self.want)
        self.successResultOf(empty.startProducing(self.sink))

    def test_wanted(self) -> None:
        """When it is started the client is told, once."""
        self.body.startProducing(self.sink)
        self.assertEqual(1, self.wanted)

    def test_pause(self) -> None:
        """A sink can hold it back and let it go on."""
        self.body.startProducing(self.sink)
        self.body.pauseProducing()
        self.assertFalse(self.valve.open)
        self.body.resumeProducing()
        self.assertTrue(self.valve.open)

    def test_pause_at_end(self) -> None:
        """At its end there is nothing to be held back."""
        self.body.ended()
        self.body.pauseProducing()
        self.assertTrue(self.valve.open)
        self.valve.open = False
        self.body.resumeProducing()
        self.assertFalse(self.valve.open)

    def test_twice(self) -> None:
        """It can be started once."""
        self.body.startProducing(self.sink)
        self.failureResultOf(self.body.startProducing(self.sink), NoBody)

    def test_stop(self) -> None:
        """A sink that wants no more gets no more; the rest is let go by."""
        producing = self.body.startProducing(self.sink)
        self.body.data_received(b"01")
        self.body.pauseProducing()
        self.body.stopProducing()
        self.failureResultOf(producing, CancelledError)
        self.body.data_received(b"23")
        self.body.ended()
        self.assertEqual((b"01", True), (self.sink.content(), self.valve.open))

    def test_cancel(self) -> None:
        """So it is when whoever waits for it is cancelled."""
        producing = self.body.startProducing(self.sink)
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.body.data_received(b"23")
        self.body.lost("gone")
        self.assertEqual(b"", self.sink.content())

    def test_discard(self) -> None:
        """A body that nobody wants is let go by."""
        self.body.data_received(b"01")
        self.body.discard()
        self.assertTrue(self.valve.open)
        self.body.data_received(b"23456789")
        self.assertTrue(self.valve.open)
        self.assertEqual(10, self.body.received)

    def test_broken_sink(self) -> None:
        """A sink that fails is not written to again; its error comes out."""
        producing = self.body.startProducing(Breaking())
        self.body.data_received(b"01")
        self.failureResultOf(producing, SinkBroke)
        self.body.data_received(b"23")
        self.body.ended()

    def test_broken_sink_early(self) -> None:
        """So it is with what came before it was started."""
        self.body.data_received(b"01")
        producing = self.body.startProducing(Breaking())
        self.failureResultOf(producing, SinkBroke)
        self.assertEqual(0, self.wanted)

    def test_lost(self) -> None:
        """A body that ends before its end fails."""
        producing = self.body.startProducing(self.sink)
        self.body.lost("gone")
        self.failureResultOf(producing, BodyLost)

    def test_lost_before(self) -> None:
        """So does one that was lost before it was started."""
        self.body.lost("gone")
        self.failureResultOf(self.body.startProducing(self.sink), BodyLost)

    def test_lost_after(self) -> None:
        """What has arrived whole cannot be lost."""
        self.body.data_received(b"0123456789")
        self.body.ended()
        self.body.lost("gone")
        self.successResultOf(self.body.startProducing(self.sink))

    def test_paused_early(self) -> None:
        """A sink that is full with what came before it was started is not overrun."""
        self.body.data_received(b"01")
        body, taken = self.body, self.sink

        class Full(Collector):
            """Takes one piece and has enough."""

            def write(self, data: bytes) -> None:
                """See IConsumer."""
                taken.write(data)
                body.pauseProducing()

        self.body.startProducing(Full(10))
        self.assertEqual((b"01", 1), (self.sink.content(), self.wanted))
        self.assertFalse(self.valve.open)
        self.body.resumeProducing()
        self.assertTrue(self.valve.open)
