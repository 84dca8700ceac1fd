"""Lean channel: Twisted's HTTP channel, in a third of the memory while it waits."""

from __future__ import annotations

from math import inf
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import HTTPChannel

from txregistry.web.deadlines import TICK, Deadlines


class LeanChannel(HTTPChannel):
    """Has a slot for all that is set in it, and no call of the clock of its own.

    A dict for so many attributes would take three times as much. A subclass names its
    own slots; what has none is put in a dict, which costs no more than memory.
    """

    __slots__ = (
        "MAX_LENGTH",
        "_HTTPChannel__first_line",
        "_HTTPChannel__header",
        "_buffer",
        "_busyReceiving",
        "_clock",
        "_command",
        "_dataBuffer",
        "_deadlines",
        "_handlingRequest",
        "_look_at",
        "_networkProducer",
        "_path",
        "_quiet_until",
        "_receivedHeaderCount",
        "_receivedHeaderSize",
        "_requestProducer",
        "_requestProducerStreaming",
        "_savedTimeOut",
        "_transferDecoder",
        "_version",
        "_waitingForTransport",
        "connected",
        "factory",
        "length",
        "line_mode",
        "maxHeaders",
        "paused",
        "persistent",
        "requestFactory",
        "requests",
        "site",
        "timeOut",
        "totalHeadersSize",
        "transport",
    )

    transport: Any
    timeOut: float | None  # type: ignore[assignment]  # noqa: N815 - Twisted's

    def __init__(self, clock: IReactorTime, deadlines: Deadlines) -> None:
        """Take where time is from, and what tells when time is up."""
        super().__init__()
        self._clock = clock
        self._deadlines = deadlines
        self._quiet_until = 0.0
        self._look_at = inf  # when it is looked at next, if ever
        # What Twisted has in the class, where a slot hides it.
        self.connected = 0
        self.transport = self.factory = None
        self.line_mode, self._buffer = 1, b""
        self.paused = self._busyReceiving = self._waitingForTransport = False
        self.length, self.persistent = 0, 1
        self._receivedHeaderCount = self._receivedHeaderSize = 0
        self._HTTPChannel__first_line, self._HTTPChannel__header = 1, b""
        self._requestProducer = self._requestProducerStreaming = None
        self._savedTimeOut = None

    def setTimeout(  # noqa: N802 - Twisted's
        self, period: float | None
    ) -> float | None:
        """Let something happen within so many seconds; see TimeoutMixin.

        With each request this is called some times, so it only notes until when; when
        the time has come it is found out whether that was put off.

        Args:
            period: The seconds; None: that may take as long as it will.

        Returns:
            What it was before.
        """
        before, self.timeOut = self.timeOut, period
        if period is not None:
            until = self._quiet_until = self._clock.seconds() + period
            if until < self._look_at:
                self._forget_deadline()
                self._look_again(until)
        return before

    def resetTimeout(self) -> None:  # noqa: N802 - Twisted's
        """Begin to wait anew; see TimeoutMixin."""
        self.setTimeout(self.timeOut)

    def time_has_come(self) -> None:
        """See Waiter."""
        self._look_at = inf
        if self.timeOut is None:
            return
        if self._quiet_until - self._clock.seconds() > TICK:
            self._look_again(self._quiet_until)
        else:
            self.timeoutConnection()

    def _look_again(self, when: float) -> None:
        self._look_at = when
        self._deadlines.add(when, self)

    def _forget_deadline(self) -> None:
        if self._look_at < inf:
            self._deadlines.remove(self._look_at, self)
            self._look_at = inf
