"""Sources over content that can be read at any position."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.interfaces import ContentShrank
from txregistry.storage.sources import (
    CHUNK_SIZE,
    CHUNKS_A_TURN,
    RangeSource,
)
from txregistry.testing.streams import Breaking, Pattern, SinkBroke

TURN = CHUNK_SIZE * CHUNKS_A_TURN


@implementer(IConsumer)
class Reacting:
    """A sink that does something whenever a piece comes.

    Attributes:
        pieces: What came.
        depth: How deep its writes are within one another, at the most.
    """

    def __init__(self, react: Callable[[], object] = lambda: None) -> None:
        """Take what to do at each piece."""
        self.react = react
        self.pieces: list[bytes] = []
        self.depth = 0
        self._depth = 0

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        self.pieces.append(data)
        self._depth += 1
        self.depth = max(self.depth, self._depth)
        self.react()
        self._depth -= 1


class RangeSourceTests(SynchronousTestCase):
    """A push producer, on a clock of its own."""

    def setUp(self) -> None:
        """Begin with nothing released."""
        self.clock = Clock()
        self.released = 0
        self.asked: list[int] = []
        self.sink = Reacting()

    def source(self, length: int, offset: int = 0, missing: int = 0) -> RangeSource:
        """Make a source; of what it promises, some bytes may be missing."""
        pattern = Pattern(offset + length - missing)

        def read(position: int, size: int) -> bytes:
            self.asked.append(size)
            return pattern.piece(position, size)

        return RangeSource(self.clock, offset, length, read, self.release)

    def release(self) -> None:
        """Count how often the resource is released."""
        self.released += 1

    def run_out(self) -> None:
        """Let the clock run until nothing more is to happen."""
        while self.clock.getDelayedCalls():
            self.clock.advance(0)

    def require_ended(self) -> None:
        """Require that the source holds nothing any more."""
        self.assertEqual(1, self.released)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_provides(self) -> None:
        """It provides IBodyProducer."""
        verifyObject(IBodyProducer, self.source(3))

    def test_whole(self) -> None:
        """All comes in order, in pieces of bounded size, and then it lets go."""
        running = self.source(3 * TURN + 5).startProducing(self.sink)
        self.run_out()
        self.successResultOf(running)
        self.assertEqual(Pattern(3 * TURN + 5).content(), b"".join(self.sink.pieces))
        self.assertLessEqual(max(self.asked), CHUNK_SIZE)
        self.require_ended()

    def test_range(self) -> None:
        """A range begins at its offset."""
        running = self.source(10, offset=7).startProducing(self.sink)
        self.successResultOf(running)
        self.assertEqual(Pattern(17).content(7), b"".join(self.sink.pieces))

    def test_empty(self) -> None:
        """Nothing to produce is produced at once."""
        running = self.source(0).startProducing(self.sink)
        self.successResultOf(running)
        self.assertEqual([], self.sink.pieces)
        self.require_ended()

    def test_gives_way(self) -> None:
        """A sink that never pauses does not keep the reactor from its turns."""
        running = self.source(2 * TURN).startProducing(self.sink)
        self.assertEqual(CHUNKS_A_TURN, len(self.sink.pieces))
        self.assertNoResult(running)
        self.run_out()
        self.successResultOf(running)

    def test_pause(self) -> None:
        """While it is paused it does nothing at all, not even wait."""
        source = self.source(TURN)
        self.sink.react = source.pauseProducing
        running = source.startProducing(self.sink)
        self.assertEqual(1, len(self.sink.pieces))
        self.assertEqual([], self.clock.getDelayedCalls())
        source.resumeProducing()
        self.assertEqual(2, len(self.sink.pieces))
        source.stopProducing()
        self.failureResultOf(running, CancelledError)

    def test_pause_between_turns(self) -> None:
        """Paused when it has given way, it goes on when it is resumed."""
        source = self.source(2 * TURN)
        running = source.startProducing(self.sink)
        source.pauseProducing()
        self.assertEqual([], self.clock.getDelayedCalls())
        source.resumeProducing()
        self.run_out()
        self.successResultOf(running)
        self.assertEqual(2 * TURN, sum(map(len, self.sink.pieces)))

    def test_resume_within_write(self) -> None:
        """A sink that pauses and resumes within a write is not entered again."""
        source = self.source(TURN)

        def waver() -> None:
            source.pauseProducing()
            source.resumeProducing()

        self.sink.react = waver
        running = source.startProducing(self.sink)
        self.run_out()
        self.successResultOf(running)
        self.assertEqual(1, self.sink.depth)

    def test_resume_without_pause(self) -> None:
        """To resume what is not paused does not produce twice."""
        source = self.source(2 * TURN)
        running = source.startProducing(self.sink)
        source.resumeProducing()
        self.run_out()
        self.successResultOf(running)
        self.assertEqual(Pattern(2 * TURN).content(), b"".join(self.sink.pieces))

    def test_pause_at_the_end(self) -> None:
        """A sink that pauses at the last piece has had everything: it is the end."""
        source = self.source(10)
        self.sink.react = source.pauseProducing
        self.successResultOf(source.startProducing(self.sink))
        self.require_ended()

    def test_stop_within_write(self) -> None:
        """A sink may stop the source while it is written to."""
        source = self.source(2 * TURN)
        self.sink.react = source.stopProducing
        running = source.startProducing(self.sink)
        self.failureResultOf(running, CancelledError)
        self.assertEqual(1, len(self.sink.pieces))
        self.require_ended()

    def test_stop_within_last_write_of_turn(self) -> None:
        """Stopped just before it would give way, it has no turn any more."""
        source = self.source(4 * TURN)

        def stop_in_time() -> None:
            if len(self.sink.pieces) == CHUNKS_A_TURN:
                source.stopProducing()

        self.sink.react = stop_in_time
        running = source.startProducing(self.sink)
        self.failureResultOf(running, CancelledError)
        self.require_ended()

    def test_stop_within_last_write(self) -> None:
        """Stopped at the last piece, it has been stopped, and has not ended well."""
        source = self.source(3)
        self.sink.react = source.stopProducing
        running = source.startProducing(self.sink)
        self.failureResultOf(running, CancelledError)
        self.require_ended()

    def test_stop_between_turns(self) -> None:
        """Stopped when it has given way, it has no turn any more."""
        source = self.source(2 * TURN)
        running = source.startProducing(self.sink)
        source.stopProducing()
        self.failureResultOf(running, CancelledError)
        self.require_ended()

    def test_stop_before_start(self) -> None:
        """Stopped before it starts, it lets go, and cannot be started."""
        source = self.source(3)
        source.stopProducing()
        self.require_ended()
        self.failureResultOf(source.startProducing(self.sink), CancelledError)
        self.assertEqual([], self.sink.pieces)

    def test_stop_after_the_end(self) -> None:
        """To stop, pause or resume what has ended is harmless."""
        source = self.source(3)
        self.successResultOf(source.startProducing(self.sink))
        source.stopProducing()
        source.pauseProducing()
        source.resumeProducing()
        self.require_ended()

    def test_cancel(self) -> None:
        """To cancel its Deferred stops it."""
        running = self.source(2 * TURN).startProducing(self.sink)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.require_ended()

    def test_start_twice(self) -> None:
        """It produces once."""
        source = self.source(3)
        self.successResultOf(source.startProducing(self.sink))
        self.assertRaises(RuntimeError, source.startProducing, self.sink)

    def test_shrank(self) -> None:
        """Content that ends too early is a failure; nothing is made up for it."""
        running = self.source(100, missing=1).startProducing(self.sink)
        self.failureResultOf(running, ContentShrank)
        self.assertEqual(99, len(b"".join(self.sink.pieces)))
        self.require_ended()

    def test_sink_breaks(self) -> None:
        """What a sink raises is what it fails with."""
        running: Deferred[None] = self.source(2 * TURN).startProducing(Breaking())
        self.failureResultOf(running, SinkBroke)
        self.require_ended()
