"""Polling: one check, made again and again."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.observe.checks import Check, CheckFailed

_log = Logger()


@frozen
class Schedule:
    """When a check is made, and what is made of its failures.

    Attributes:
        interval: Seconds from one time to the next, and before the first.
        timeout: Seconds after which a check that has not ended has failed.
        threshold: How many failures in a row it takes until they count.
    """

    interval: float
    timeout: float
    threshold: int = 1


class Poller:
    """Makes a check again and again, never twice at a time."""

    def __init__(
        self,
        check: Check,
        schedule: Schedule,
        clock: IReactorTime,
        tell: Callable[[str, str | None], None],
    ) -> None:
        """Prepare.

        Args:
            check: The check.
            schedule: When it is made.
            clock: Gives time.
            tell: Is told, each time, the check's name and why it fails; None: it does
                not, or not often enough.
        """
        self._check = check
        self._schedule = schedule
        self._clock = clock
        self._tell = tell
        self._failures = 0
        self._running: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._late = False
        self._loop = LoopingCall(self._poll)
        self._loop.clock = clock

    def start(self) -> None:
        """Make the check for the first time after one interval."""
        self._loop.start(self._schedule.interval, now=False)

    def stop(self) -> None:
        """Make it no more; what is under way is given up. Harmless if not started."""
        if self._loop.running:
            self._loop.stop()
        if self._running is not None:
            self._give_up()

    def _poll(self) -> None:
        if self._running is None:
            self._begin()
        elif self._late:
            # It hangs so badly that it cannot even be given up, as a disk may.
            self._note_late()

    def _begin(self) -> None:
        self._late = False
        self._timer = self._clock.callLater(self._schedule.timeout, self._time_out)
        running = self._running = Deferred.fromCoroutine(self._check.run())
        running.addCallbacks(lambda _: None, self._reason).addCallback(self._end)

    def _time_out(self) -> None:
        self._note_late()
        self._give_up()

    def _give_up(self) -> None:
        self._late = True
        assert self._running is not None
        self._running.cancel()

    def _end(self, reason: str | None) -> None:
        assert self._timer is not None
        if self._timer.active():
            self._timer.cancel()
        self._running = None
        if not self._late:
            self._note(reason)

    def _note_late(self) -> None:
        self._note(f"no answer in {self._schedule.timeout:g} s")

    def _note(self, reason: str | None) -> None:
        self._failures = 0 if reason is None else self._failures + 1
        counts = self._failures >= self._schedule.threshold
        self._tell(self._check.name, reason if counts else None)

    def _reason(self, failure: Failure) -> str:
        if failure.check(CheckFailed):
            return str(failure.value)
        if not (self._failures or self._late):
            _log.failure("a health check is broken", failure)
        return f"the check is broken: {type(failure.value).__name__}"
