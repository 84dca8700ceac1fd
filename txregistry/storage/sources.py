"""Sources: content of known length that drivers read piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.interfaces import ContentShrank

CHUNK_SIZE: Final = 128 * 1024  # bytes; the most that a source holds at a time
CHUNKS_A_TURN: Final = 8  # then the reactor has a turn, however fast the sink is


@implementer(IBodyProducer)
class RangeSource:
    """A push producer over something that can be read at any position.

    Attributes:
        offset: The first byte's position.
        length: How many bytes there are, exactly.
    """

    def __init__(
        self,
        clock: IReactorTime,
        offset: int,
        length: int,
        read: Callable[[int, int], bytes],
        release: Callable[[], None],
    ) -> None:
        """Take a range and the two ways to deal with what it lies in.

        Args:
            clock: Where turns of the reactor come from.
            offset: The first byte's position.
            length: How many bytes.
            read: Given a position and a size in bytes, returns up to so many; nothing
                if the content has ended.
            release: Called once, when the source needs its resource no more.
        """
        self.offset = offset
        self.length = length
        self._clock = clock
        self._position = offset
        self._read = read
        self._release = release
        self._released = False
        self._paused = False
        self._producing = False
        self._sink: IConsumer | None = None
        self._finished: Deferred[None] | None = None
        self._turn: IDelayedCall | None = None

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See IBodyProducer. The first bytes are written before it returns.

        Raises:
            RuntimeError: It was started before.
        """
        if self._finished is not None:
            raise RuntimeError("a source produces once")
        finished: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._finished = finished
        if self._released:
            finished.errback(CancelledError())
        else:
            self._sink = consumer
            self._produce()
        return finished

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self._paused = True
        self._cancel_turn()

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self._paused = False
        self._produce()

    def stopProducing(self) -> None:
        """See IProducer. Its Deferred fails with CancelledError."""
        if not self._released:
            self._end(Failure(CancelledError()))

    def _produce(self) -> None:
        # A sink may pause and resume from within write: the loop that runs goes on.
        if self._sink is None or self._producing:
            return
        self._producing = True
        self._cancel_turn()
        try:
            self._write_chunks(self._sink)
        except Exception:
            self._end(Failure())
        finally:
            self._producing = False

    def _write_chunks(self, sink: IConsumer) -> None:
        for _ in range(CHUNKS_A_TURN):
            if self._left() == 0:
                self._end(None)
            if self._paused or self._released:
                return
            self._write_chunk(sink)
        if not self._released:
            self._turn = self._clock.callLater(0, self._produce)

    def _write_chunk(self, sink: IConsumer) -> None:
        chunk = self._read(self._position, min(CHUNK_SIZE, self._left()))
        if not chunk:
            raise ContentShrank(f"{self._left()} bytes are missing")
        self._position += len(chunk)
        sink.write(chunk)

    def _left(self) -> int:
        return self.offset + self.length - self._position

    def _end(self, result: Failure | None) -> None:
        if self._released:
            return
        self._released = True
        self._sink = None
        self._cancel_turn()
        self._release()
        if self._finished is not None:
            self._finished.callback(result)

    def _cancel_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None and turn.active():
            turn.cancel()
