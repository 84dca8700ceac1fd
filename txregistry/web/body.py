"""Body: the bytes that a request brings, as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from txregistry.streams import IThreadSink
from txregistry.threads import to_the_end
from txregistry.web.transfer import Transfer

# Of a body threads take in the rest (bytes) when it is known to be so long, or when so
# much has come of one whose length nobody knows.
LONG_REST: Final = 4 * 1024 * 1024
LONG_BEGINNING: Final = 2 * 1024 * 1024


class Flow(Protocol):
    """What lets bytes come in, or holds them back."""

    def pause_body(self) -> None:
        """Read no more from the client until told to."""

    def resume_body(self) -> None:
        """Read on."""

    def take_in(self, sink: IThreadSink) -> tuple[Transfer, Deferred[None]] | None:
        """Have threads take in what is to come yet.

        Args:
            sink: Where it goes.

        Returns:
            The transfer, and a Deferred that fires at its end; None: it cannot be now.
        """

    def taken_in(self, transfer: Transfer) -> None:
        """Go on where a transfer has ended."""


class BodyLost(Exception):
    """The client went away, or broke the framing, before the body's end."""


class NoBody(Exception):
    """The body was asked for twice."""


def _discard(_data: bytes) -> None:
    """Take in bytes that nobody wants."""


@implementer(IBodyProducer)
class RequestBody:
    """A request's body: a source that the route may start, once, or leave.

    Until it is started nothing but what came along with the header is read.

    Attributes:
        length: Its length in bytes, or ``UNKNOWN_LENGTH`` (chunked).
        complete: Whether all of it has arrived.
    """

    def __init__(
        self, length: int | None, flow: Flow, wanted: Callable[[], None]
    ) -> None:
        """Prepare for a body.

        Args:
            length: In bytes; None: chunked.
            flow: The connection.
            wanted: Called when the body is started: time for ``100 Continue``.
        """
        self.length: int | object = UNKNOWN_LENGTH if length is None else length
        self.complete = length == 0
        self._received = 0
        self._flow = flow
        self._wanted = wanted
        self._early: list[bytes] = []
        self._write: Callable[[bytes], object] | None = None
        self._finished: Deferred[None] | None = None
        self._lost: Failure | None = None
        self._paused = False
        self._sink: IThreadSink | None = None
        self._transfer: Transfer | None = None
        self._handed_back: Deferred[None] = Deferred()

    @property
    def received(self) -> int:
        """How many bytes of it have come."""
        transfer = self._transfer
        return self._received + (0 if transfer is None else transfer.received)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See IBodyProducer. Fails with ``BodyLost``, or what the consumer raised.

        A long body is handed to threads if the consumer can be written to from there.
        What the Deferred fires with then, be it cancelled, it fires when none of them
        works for the consumer any more.
        """
        if self._lost is not None:
            return fail(self._lost)
        if self._write is not None:
            return fail(NoBody())
        self._write = consumer.write
        if self.complete:
            return self._produce_early()
        self._sink = IThreadSink(consumer, None)
        finished = self._finished = Deferred(lambda _: self._drop())
        self._deliver_early()
        if self._finished is not None:
            self._wanted()
            if not self._paused and not self._hand_over():
                self._flow.resume_body()
        finished.addBoth(self._settle)
        return finished

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        if not self.complete and self._transfer is None:
            self._paused = True
            self._flow.pause_body()

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        if not self.complete and self._transfer is None:
            self._paused = False
            self._flow.resume_body()

    def stopProducing(self) -> None:
        """Want no more of it; the Deferred fails with ``CancelledError``."""
        self._drop()
        self._finish(Failure(CancelledError()))

    def discard(self) -> None:
        """Let the rest come and go: the answer did not need it."""
        self._drop()

    def data_received(self, data: bytes) -> None:
        """Take what arrived next (called by the connection)."""
        self._received += len(data)
        if self._write is None:
            self._early.append(data)
            self._flow.pause_body()
        else:
            self._deliver(data)
            self._hand_over()

    def arrived(self, data: bytes) -> None:
        """Take all of it, which came with the header (called by the connection)."""
        self._received = len(data)
        self._early.append(data)
        self.complete = True

    def ended(self) -> None:
        """Note that all of it has arrived (called by the connection)."""
        self.complete = True
        if self._write is not None:
            self._finish(None)

    def lost(self, why: str) -> None:
        """Note that the rest will not come (called by the connection)."""
        if not self.complete:
            self._lost = Failure(BodyLost(why))
            if self._transfer is not None:
                self._transfer.stop()
            self._finish(self._lost)

    def _produce_early(self) -> Deferred[None]:
        """Deliver all of it, which is there already."""
        early, self._early = self._early, []
        assert self._write is not None
        try:
            for data in early:
                self._write(data)
        except Exception:
            self._drop()
            return fail(Failure())
        return succeed(None)

    def _deliver_early(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        assert self._write is not None
        try:
            self._write(data)
        except Exception:
            self._refused(Failure())

    def _refused(self, failure: Failure) -> None:
        self._drop()
        self._finish(failure)

    def _drop(self) -> None:
        self._early = []
        self._write = _discard
        self._sink = None
        if self._transfer is not None:
            self._transfer.stop()
        elif not self.complete:
            self._flow.resume_body()

    def _hand_over(self) -> bool:
        """Let threads take in the rest, if it is worth it; say whether they do."""
        if self._sink is None or self._paused or not self._is_long():
            return False
        begun = self._flow.take_in(self._sink)
        if begun is None:
            return False
        self._transfer, ended = begun
        ended.addCallback(lambda _: self._take_back())
        return True

    def _is_long(self) -> bool:
        if isinstance(self.length, int):
            return self.length - self._received >= LONG_REST
        return self._received >= LONG_BEGINNING

    def _take_back(self) -> None:
        transfer, self._transfer = self._transfer, None
        assert transfer is not None
        self._received += transfer.received
        if transfer.error is not None:
            self._refused(Failure(transfer.error))
        self._flow.taken_in(transfer)
        handed_back, self._handed_back = self._handed_back, Deferred()
        handed_back.callback(None)

    def _settle(self, result: Any) -> Any:
        """Wait for threads, if any are at work; the result stays what it is."""
        if self._transfer is None:
            return result
        return Deferred.fromCoroutine(self._settled(result))

    async def _settled(self, result: Failure | None) -> None:
        await to_the_end(self._handed_back)
        if result is not None:
            result.raiseException()

    def _finish(self, result: Failure | None) -> None:
        finished, self._finished = self._finished, None
        if finished is not None and not finished.called:
            finished.callback(result)
