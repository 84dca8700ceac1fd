"""Tests of txregistry.web.body: a request's body as a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.streams import Collector, IThreadSink, Piece, Watch
from txregistry.testing.streams import Breaking, SinkBroke
from txregistry.web import body
from txregistry.web.body import BodyLost, NoBody, RequestBody
from txregistry.web.transfer import Transfer


class Handed:
    """A transfer that does nothing.

    Attributes:
        stopped: Whether it was stopped.
    """

    received = 0
    error: Exception | None = None
    stopped = False

    def stop(self) -> None:
        """See Transfer."""
        self.stopped = True


@implementer(IThreadSink)
class ThreadCollector(Collector):
    """A collector that threads may write to."""

    watchers: Sequence[Watch] = ()

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """See IThreadSink."""


class Valve:
    """A flow of bytes that can be held back.

    Attributes:
        open: Whether bytes may come.
        has_room: Whether a transfer can be begun.
        handed: The transfer.
        handed_back: Whether it has ended.
    """

    open = True
    has_room = False
    handed: tuple[Any, Deferred[None]] | None = None
    handed_back = False

    def pause_body(self) -> None:
        """See Flow."""
        self.open = False

    def resume_body(self) -> None:
        """See Flow."""
        self.open = True

    def take_in(self, sink: IThreadSink) -> tuple[Transfer, Deferred[None]] | None:
        """See Flow."""
        if self.has_room:
            self.handed = Handed(), Deferred[None]()
        return self.handed

    def taken_in(self, transfer: Transfer) -> None:
        """See Flow."""
        self.handed_back = True


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


class HandedOverTests(SynchronousTestCase):
    """A long body of ten bytes."""

    def setUp(self) -> None:
        """Begin."""
        self.patch(body, "LONG_REST", 6)
        self.patch(body, "LONG_BEGINNING", 6)
        self.valve = Valve()
        self.valve.has_room = True
        self.body = RequestBody(10, self.valve, lambda: None)
        self.sink = ThreadCollector(10)

    def hand_over(self) -> tuple[Handed, Deferred[None], Deferred[None]]:
        """Start it; return what moves it, what ends that, and its own end."""
        producing = self.body.startProducing(self.sink)
        assert self.valve.handed is not None
        return *self.valve.handed, producing

    def test_whole(self) -> None:
        """It counts what threads take in, and ends as any other."""
        self.body.data_received(b"01")
        handed, ended, producing = self.hand_over()
        handed.received = 5
        self.assertEqual(7, self.body.received)
        handed.received = 8
        ended.callback(None)
        self.assertEqual((10, True), (self.body.received, self.valve.handed_back))
        self.body.ended()
        self.successResultOf(producing)

    def test_chunked(self) -> None:
        """One whose length nobody knows is handed over when much has come."""
        self.body = RequestBody(None, self.valve, lambda: None)
        self.body.startProducing(self.sink)
        self.body.data_received(b"01234")
        self.assertIsNone(self.valve.handed)
        self.body.data_received(b"5")
        self.assertIsNotNone(self.valve.handed)

    def test_short(self) -> None:
        """A short rest is not handed over."""
        self.body.data_received(b"01234")
        self.body.startProducing(self.sink)
        self.assertIsNone(self.valve.handed)

    def test_other_sink(self) -> None:
        """Nor is it for a sink that threads may not write to."""
        self.body.startProducing(Collector(10))
        self.assertIsNone(self.valve.handed)

    def test_later(self) -> None:
        """What finds no room at first may find some later."""
        self.valve.has_room = False
        self.body.startProducing(self.sink)
        self.body.data_received(b"0")
        self.assertTrue(self.valve.open)
        self.valve.has_room = True
        self.body.data_received(b"1")
        self.assertIsNotNone(self.valve.handed)

    def test_no_valve(self) -> None:
        """While threads read nobody else is told to."""
        self.hand_over()
        self.valve.open = False
        self.body.resumeProducing()
        self.assertFalse(self.valve.open)
        self.valve.open = True
        self.body.pauseProducing()
        self.assertTrue(self.valve.open)

    def test_cancelled(self) -> None:
        """Cancelled, it ends when no thread works for it any more."""
        handed, ended, producing = self.hand_over()
        self.valve.open = False
        producing.cancel()
        producing.cancel()
        self.assertTrue(handed.stopped)
        self.assertNoResult(producing)
        self.assertFalse(self.valve.open)
        ended.callback(None)
        self.failureResultOf(producing, CancelledError)

    def test_lost(self) -> None:
        """So it is when the client went away."""
        handed, ended, producing = self.hand_over()
        self.body.lost("gone")
        self.assertTrue(handed.stopped)
        self.assertNoResult(producing)
        ended.callback(None)
        self.failureResultOf(producing, BodyLost)

    def test_broken_sink(self) -> None:
        """What the sink fails with in a thread comes out; the rest is let go by."""
        handed, ended, producing = self.hand_over()
        self.valve.open = False
        handed.error = SinkBroke()
        ended.callback(None)
        self.failureResultOf(producing, SinkBroke)
        self.assertTrue(self.valve.open)
        self.body.data_received(b"rest")
        self.assertEqual(b"", self.sink.content())
