"""Deadlines: when each of many is to be looked at, by one call of the clock for all.

A call of the reactor's takes more than 400 bytes, which would be a fifth of what an
idle connection takes; here it is a number and a reference. Most deadlines are later
than all others, and are put at the end; any other one has its place found.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

# Less is no time left (seconds): a sum of floats is not exact.
TICK: Final = 0.001


class Waiter(Protocol):
    """Somebody whose time may come."""

    def time_has_come(self) -> None:
        """Do what is to be done at the deadline, which is forgotten by now."""


class Deadlines:
    """Those who wait, in the order in which their time comes."""

    def __init__(self, clock: IReactorTime) -> None:
        """Take where time is from."""
        self._clock = clock
        self._times = array("d")
        self._waiters: list[Waiter] = []
        self._call: IDelayedCall | None = None

    def add(self, when: float, waiter: Waiter) -> None:
        """Let somebody wait.

        Args:
            when: The deadline, in seconds by the clock.
            waiter: Is told when it has come.
        """
        place = bisect_right(self._times, when)
        self._times.insert(place, when)
        self._waiters.insert(place, waiter)
        if place == 0:
            self._expect()

    def remove(self, when: float, waiter: Waiter) -> None:
        """Let somebody wait no more; the deadline must be the one that was given.

        Raises:
            ValueError: It is not there.
        """
        place = self._waiters.index(waiter, bisect_left(self._times, when))
        del self._times[place], self._waiters[place]
        if not self._times and self._call is not None:
            self._call.cancel()
            self._call = None

    def _expect(self) -> None:
        """Have the clock call at the first deadline, or before."""
        delay = max(self._times[0] - self._clock.seconds(), 0.0)
        if self._call is None:
            self._call = self._clock.callLater(delay, self._look)
        elif self._times[0] < self._call.getTime():
            self._call.reset(delay)

    def _look(self) -> None:
        self._call = None
        now = self._clock.seconds() + TICK
        try:
            # So many at most: some wait anew at once.
            for _ in range(bisect_right(self._times, now)):
                if self._times and self._times[0] <= now:
                    del self._times[0]
                    self._waiters.pop(0).time_has_come()
        finally:  # one that fails does not keep the others waiting
            if self._times:
                self._expect()
