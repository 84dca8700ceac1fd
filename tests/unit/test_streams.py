"""Tests of txregistry.streams: moving bytes."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.storage.sources import RangeSource
from txregistry.streams import (
    Collector,
    IThreadSink,
    Piece,
    Tee,
    TooLong,
    Watch,
    pump,
)
from txregistry.testing.streams import Breaking, SinkBroke

CONTENT = b"0123456789"


@implementer(IConsumer)
class Watched:
    """A sink that keeps what comes, and notes its producer.

    Attributes:
        producer: Who produces; None: nobody.
        pushes: Whether it said that it pushes.
        content: What came.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.producer: IProducer | None = None
        self.pushes = False
        self.content = b""

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""
        self.producer, self.pushes = producer, streaming

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self.producer = None

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        self.content += data


class StreamCase(SynchronousTestCase):
    """A source of ten bytes."""

    def setUp(self) -> None:
        """Make the source."""
        self.released: list[bool] = []

        def read(position: int, size: int) -> bytes:
            return CONTENT[position : position + min(size, 4)]

        def release() -> None:
            self.released.append(True)

        self.source = RangeSource(Clock(), 0, len(CONTENT), read, release)

    def pump(self, sink: IConsumer) -> Deferred[None]:
        """Begin to move the bytes."""
        return Deferred.fromCoroutine(pump(self.source, sink))


class PumpTests(StreamCase):
    """From a source into a sink."""

    def test_whole(self) -> None:
        """All comes over, and then the sink has no producer any more."""
        sink = Watched()
        self.source.pauseProducing()
        pumping = self.pump(sink)
        self.assertEqual((self.source, True), (sink.producer, sink.pushes))
        self.source.resumeProducing()
        self.successResultOf(pumping)
        self.assertEqual((CONTENT, None), (sink.content, sink.producer))

    def test_sink_fails(self) -> None:
        """What the sink raises comes out, and the source is stopped."""
        self.failureResultOf(self.pump(Breaking()), SinkBroke)
        self.assertEqual([True], self.released)

    def test_cancel(self) -> None:
        """Who moves them can be cancelled, and the source is stopped."""
        sink = Watched()
        self.source.pauseProducing()
        pumping = self.pump(sink)
        pumping.cancel()
        self.failureResultOf(pumping, CancelledError)
        self.assertEqual(([True], None), (self.released, sink.producer))


class TeeTests(StreamCase):
    """A sink that others look into."""

    def test_watchers(self) -> None:
        """All watchers see what the sink gets, after it."""
        sink = Watched()
        seen: list[Piece] = []
        tee = Tee(sink, [seen.append, seen.append])
        verifyObject(IConsumer, tee)
        self.successResultOf(self.pump(tee))
        self.assertEqual(CONTENT, sink.content)
        pieces = [b"0123", b"0123", b"4567", b"4567", b"89", b"89"]
        self.assertEqual(pieces, seen)
        self.assertIsNone(sink.producer)

    def test_sink_fails(self) -> None:
        """What the sink does not take nobody sees."""
        seen: list[Piece] = []
        tee = Tee(Breaking(), [seen.append])
        self.failureResultOf(self.pump(tee), SinkBroke)
        self.assertEqual([], seen)


@implementer(IThreadSink)
class ThreadWatched(Watched):
    """A sink that threads may write to."""

    def __init__(self, watchers: Sequence[Watch]) -> None:
        """Take its own watchers."""
        super().__init__()
        self.watchers = watchers

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """See IThreadSink."""
        self.content += b"".join(pieces)


class ThreadTeeTests(SynchronousTestCase):
    """A Tee as threads see it."""

    def test_both(self) -> None:
        """They write to its sink; all watchers are to see it, in order."""
        seen: list[str] = []
        sink = ThreadWatched([lambda _: seen.append("own")])
        inner = Tee(sink, [lambda _: seen.append("inner")])
        outer = IThreadSink(Tee(inner, [lambda _: seen.append("outer")]))
        verifyObject(IThreadSink, outer)
        outer.write_pieces([b"ab", b"c"])
        for watch in outer.watchers:
            watch(b"abc")
        self.assertEqual((b"abc", ["own", "inner", "outer"]), (sink.content, seen))

    def test_none(self) -> None:
        """They cannot write to one whose sink is not for them."""
        tee = Tee(Watched(), [])
        self.assertIsNone(IThreadSink(tee, None))
        self.assertIsNone(IBodyProducer(tee, None))


class CollectorTests(StreamCase):
    """A sink that keeps a small content."""

    def test_fits(self) -> None:
        """What fits is kept."""
        sink = Collector(10)
        verifyObject(IConsumer, sink)
        self.successResultOf(self.pump(sink))
        self.assertEqual(CONTENT, sink.content())

    def test_too_long(self) -> None:
        """What does not fit is refused where it stops to fit."""
        failure = self.failureResultOf(self.pump(Collector(9)), TooLong)
        error = failure.value
        assert isinstance(error, TooLong)
        self.assertEqual((9, "more than 9 bytes"), (error.limit, str(error)))
        self.assertEqual([True], self.released)
