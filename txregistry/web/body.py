"""Body: the bytes that a request brings, as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer


class Flow(Protocol):
    """What lets bytes come in, or holds them back."""

    def pause_body(self) -> None:
        """Read no more from the client until told to."""

    def resume_body(self) -> None:
        """Read on."""


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
        self.received = 0
        self._flow = flow
        self._wanted = wanted
        self._early: list[bytes] = []
        self._write: Callable[[bytes], object] | None = None
        self._finished: Deferred[None] | None = None
        self._lost: Failure | None = None
        self._paused = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See IBodyProducer. Fails with ``BodyLost``, or what the consumer raised."""
        if self._lost is not None:
            return fail(self._lost)
        if self._write is not None:
            return fail(NoBody())
        self._write = consumer.write
        finished = self._finished = Deferred(lambda _: self._drop())
        self._deliver_early()
        if self.complete:
            self._finish(None)
        elif self._finished is not None:
            self._wanted()
            if not self._paused:
                self._flow.resume_body()
        return finished

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        if not self.complete:
            self._paused = True
            self._flow.pause_body()

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        if not self.complete:
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
        self.received += len(data)
        if self._write is None:
            self._early.append(data)
            self._flow.pause_body()
        else:
            self._deliver(data)

    def ended(self) -> None:
        """Note that all of it has arrived (called by the connection)."""
        self.complete = True
        if self._write is not None:
            self._finish(None)

    def lost(self, why: str) -> None:
        """Note that the rest will not come (called by the connection)."""
        if not self.complete:
            self._lost = Failure(BodyLost(why))
            self._finish(self._lost)

    def _deliver_early(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        assert self._write is not None
        try:
            self._write(data)
        except Exception:
            failure = Failure()
            self._drop()
            self._finish(failure)

    def _drop(self) -> None:
        self._early = []
        self._write = _discard
        if not self.complete:
            self._flow.resume_body()

    def _finish(self, result: Failure | None) -> None:
        finished, self._finished = self._finished, None
        if finished is not None and not finished.called:
            finished.callback(result)
