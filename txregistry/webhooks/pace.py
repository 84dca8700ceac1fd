"""Pace: when a message to a receiver may begin, so that answers to clients go first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed


class Pace:
    """Lets messages begin, one in a turn of the reactor, and none during a write.

    A message takes more of the processor than an answer does, and there may be many
    for each: one for each receiver. Somebody waits for what is written, and a thread
    that writes waits for the processor. But after each write one message begins,
    whatever waits to be written then: they come to an end, too.
    """

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        """Take what does something in the next turn of the reactor."""
        self._later = later
        self._waiting: deque[Deferred[None]] = deque()
        self._writes = 0
        self._is_due = False

    def turn(self) -> Deferred[None]:
        """Wait until a message may begin."""
        if not (self._writes or self._is_due):
            self._come_back()
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def begin_write(self) -> None:
        """Note that there is something to be written."""
        self._writes += 1

    def end_write(self) -> None:
        """Note that it was written, and those who waited for it were told."""
        self._writes -= 1
        self._let_one()

    def _come_back(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._later(self._look)

    def _look(self) -> None:
        self._is_due = False
        if self._waiting and not self._writes:
            self._let_one()

    def _let_one(self) -> None:
        if self._waiting:
            self._come_back()
            self._waiting.popleft().callback(None)
