"""Delivering: one endpoint gets its events, one message after another, in order."""

from __future__ import annotations

from collections import Counter
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txregistry.interfaces import StorageError
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.leases import Lease
from txregistry.webhooks.ledger import Tried, Waiting
from txregistry.webhooks.posting import Answer, PostFailed
from txregistry.webhooks.queue import Queue

_log = Logger()

PERMANENT: Final = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
"""Statuses by which a receiver says that it will never take this message.

Others may be mended at its side (a wrong password, a path that is not there yet): the
events wait.
"""

_BETWEEN_TRIES_TO_LEAD: Final = 2.0  # seconds
_AFTER_BROKEN_LEDGER: Final = 5.0  # seconds
# So many messages are sent before what came of them is noted, in so many seconds. What
# is not is sent again after a crash.
_AHEAD: Final = 16
_NOTE_WITHIN: Final = 0.25
_MOST_BYTES: Final = 1024 * 1024  # of events that are read, but for the first


class Deliverer:
    """Delivers to one endpoint.

    Attributes:
        endpoint: The endpoint.
        statuses: How often it has answered with which HTTP status.
        errors: How often it has not answered.
        leads: Whether this process delivers to it, and not another one.
    """

    def __init__(
        self, endpoint: Endpoint, queue: Queue, lease: Lease, clock: IReactorTime
    ) -> None:
        """Prepare; ``start`` begins."""
        self.endpoint = endpoint
        self.statuses: Counter[int] = Counter()
        self.errors = 0
        self.leads = False
        self._queue = queue
        self._lease = lease
        self._clock = clock
        self._stopping = False
        self._failures = 0
        self._delay = 0.0
        self._single = 0
        self._again = 0
        self._has_news = False
        self._news: Deferred[None] | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin to deliver what waits."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._log_end)

    async def stop(self) -> None:
        """Stop; what is on its way is given up, and sent again at the next start."""
        self._stopping = True
        if self._running is not None:
            self._running.cancel()
            await self._running
        self._lease.release()
        self.leads = False

    def wake(self) -> None:
        """Look whether something waits."""
        self._has_news = True
        news, self._news = self._news, None
        if news is not None:
            news.callback(None)

    async def _run(self) -> None:
        tried: list[Tried] = []
        while not (self._stopping and not tried):
            try:
                await self._lead()
                self._has_news = False
                waiting = await self._advance(tried)
            except (StorageError, OSError) as error:
                text = "notifications: cannot read what waits for {name}: {error}"
                _log.error(text, name=self.endpoint.name, error=error)
                if self._stopping:
                    break  # what cannot be noted is sent again at the next start
                await deferLater(self._clock, _AFTER_BROKEN_LEDGER)
                continue
            tried = []
            if self._stopping:
                break  # nobody would cancel the waits below any more
            if self._delay:
                delay, self._delay = self._delay, 0.0
                await deferLater(self._clock, delay)
            elif waiting:
                tried = await self._send_all(waiting)
            elif not self._has_news:
                self._news = Deferred()
                await self._news

    async def _lead(self) -> None:
        while not self._lease.acquire():
            self.leads = False
            await deferLater(self._clock, _BETWEEN_TRIES_TO_LEAD)
        self.leads = True

    async def _advance(self, tried: list[Tried]) -> list[Waiting]:
        name, now = self.endpoint.name, self._clock.seconds()
        # After a failure the same message is sent again: it has the same id.
        most = 1 if self._single else self._again or self.endpoint.batch
        if self._delay or self._stopping:
            most = 0  # what is sent next is for later to say
        elif not (self._single or self._again):
            most *= _AHEAD
        return await self._queue.work(
            lambda ledger: ledger.advance(name, tried, most, _MOST_BYTES, now)
        )

    async def _send_all(self, waiting: list[Waiting]) -> list[Tried]:
        """Send events, in messages, until one fails or some time is over.

        Returns:
            What came of those that were sent.
        """
        tried: list[Tried] = []
        size = self._again or self.endpoint.batch
        until = self._clock.seconds() + _NOTE_WITHIN
        for begin in range(0, len(waiting), size):
            try:
                await self._queue.may_send()
                tried += await self._send(waiting[begin : begin + size])
            except CancelledError:
                if not tried:
                    raise
                break  # what was taken must not be sent again
            over = self._stopping or self._clock.seconds() > until
            if over or self._failures or self._single:
                break
        return tried

    async def _send(self, waiting: list[Waiting]) -> list[Tried]:
        """Send events; return what came of it."""
        self._single = max(self._single - 1, 0)
        self._again = 0
        retry_after = None
        try:
            answer = await self.endpoint.send(waiting, self._clock.seconds())
        except PostFailed as error:
            self.errors += 1
            problem = str(error)
        except CancelledError:
            raise
        except Exception as error:  # it must not keep all others back for ever
            _log.failure("notifications: an event cannot be sent")
            return self._refused(waiting, f"cannot be sent: {error}")
        else:
            self.statuses[answer.status] += 1
            problem = _problem(answer)
            retry_after = answer.retry_after
            if not problem:
                self._succeeded()
                return [Tried(each.seq) for each in waiting]
            if answer.status in PERMANENT:
                return self._refused(waiting, problem)
        self._failed(problem, retry_after)
        self._again = len(waiting)
        return [Tried(each.seq, problem) for each in waiting]

    def _succeeded(self) -> None:
        if self._failures:
            text = "notifications: {name} takes events again, after {failures} failures"
            _log.info(text, name=self.endpoint.name, failures=self._failures)
        self._failures = 0

    def _refused(self, waiting: list[Waiting], problem: str) -> list[Tried]:
        if len(waiting) > 1:
            # It may be one of them that it does not take, or so many at once.
            self._single = len(waiting)
            return []
        (event,) = waiting
        _log.error(
            "notifications: {name} will not take event {event}: {problem}",
            name=self.endpoint.name,
            event=event.id,
            problem=problem,
        )
        return [Tried(event.seq, problem, final=True)]

    def _failed(self, problem: str, retry_after: float | None) -> None:
        self._failures += 1
        self._delay = delay = self.endpoint.backoff.delay(self._failures, retry_after)
        if _is_worth_a_line(self._failures):
            _log.warn(
                "notifications: {name}: {problem}; failure {failures} in a row,"
                " trying again in {delay:.3g} s",
                name=self.endpoint.name,
                problem=problem,
                failures=self._failures,
                delay=delay,
            )

    def _log_end(self, failure: object) -> None:
        error = getattr(failure, "value", None)
        if not isinstance(error, CancelledError):
            text = "notifications: delivery to {name} has ended"
            _log.failure(text, failure, name=self.endpoint.name)  # type: ignore[arg-type]


def _is_worth_a_line(failures: int) -> bool:
    return failures == 1 or (failures >= 8 and failures & (failures - 1) == 0)


def _problem(answer: Answer) -> str:
    """Say why an answer means that the events were not taken; empty: they were."""
    if 200 <= answer.status < 300:
        return ""
    problem = f"answered {answer.status}"
    return f"{problem}: {answer.problem}" if answer.problem else problem
