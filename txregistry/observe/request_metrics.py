"""Request metrics: requests counted and timed, and what they did to content."""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from attrs import define
from prometheus_client import Counter, Gauge
from zope.interface import implementer

from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.observe.metrics import Metrics
from txregistry.observe.tallies import HistogramTally
from txregistry.oci.events import Activity

_NO_ROUTE: Final = "none"
_OTHERS: Final = "others"
_METHODS: Final = frozenset(
    {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"}
)
_REFUSALS: Final = {401: "unauthorized", 403: "denied", 429: "throttled"}
_SENDING: Final = frozenset({"PATCH", "PUT"})
_UPLOAD: Final = "blob_upload"
_CHUNK: Final = "blob_upload_chunk"
_LEFT: Final = 499


@implementer(IRequestWatcher)
class RequestMetrics:
    """Counts requests.

    What is to be counted for a handler, a status and a method is looked up at the first
    request of that kind.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Take the instruments."""
        self._metrics = metrics
        self._running: defaultdict[str, int] = defaultdict(int)
        self._gauges: dict[str, Gauge] = {}
        self._kinds: dict[tuple[str, int, str], _Kind] = {}
        metrics.settling(self._settle)

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""
        self._running[route] += 1

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        route = exchange.route
        if route:
            self._running[route] -= 1
        self._kind(exchange).note(exchange)

    def ended_alike(self, exchange: Exchange, hits: Sequence[Hit]) -> None:
        """See IRequestWatcher."""
        if hits:
            self._kind(exchange).note_alike(exchange, hits)

    def told(self) -> None:
        """See IRequestWatcher."""

    def _kind(self, exchange: Exchange) -> _Kind:
        named = exchange.route, exchange.status, exchange.method
        kind = self._kinds.get(named)
        if kind is None:
            named = exchange.route, exchange.status, _known(exchange.method)
            kind = self._kinds.get(named)
            if kind is None:
                kind = self._kinds[named] = _Kind.make(self._metrics, *named)
        return kind

    def _settle(self) -> None:
        for route, running in self._running.items():
            gauge = self._gauges.get(route)
            if gauge is None:
                gauge = self._gauges[route] = self._metrics.in_flight.labels(route)
            gauge.set(running)
        for kind in self._kinds.values():
            kind.settle()


@define
class _Kind:
    """Requests for one endpoint, by one method, with one status.

    Attributes:
        seconds: How long they took.
        received: How many bytes came.
        sent: How many bytes went.
        counters: Count each.
        logins: Counts those of somebody known; None: none is let in.
        ended: How many are to be counted.
        known: How many of those were somebody's.
    """

    seconds: HistogramTally
    received: HistogramTally
    sent: HistogramTally
    counters: list[Counter]
    logins: Counter | None
    ended: int = 0
    known: int = 0

    @classmethod
    def make(cls, metrics: Metrics, route: str, status: int, method: str) -> _Kind:
        """Look up what is to be counted."""
        handler, lower = route or _NO_ROUTE, method.lower()
        counters = [metrics.requests.labels(handler, str(status), lower)]
        outcome = _upload_outcome(route, status, method)
        if outcome is not None:
            counters.append(metrics.uploads.labels(outcome))
        refusal = _REFUSALS.get(status)
        if refusal is not None:
            counters.append(metrics.logins.labels(refusal))
        return cls(
            HistogramTally(metrics.durations.labels(handler, lower)),
            HistogramTally(metrics.request_sizes.labels(handler)),
            HistogramTally(metrics.response_sizes.labels(handler)),
            counters,
            None if refusal else metrics.logins.labels("granted"),
        )

    def note(self, exchange: Exchange) -> None:
        """Note a request that has ended."""
        self.seconds.note(exchange.seconds)
        self.received.note(exchange.received)
        self.sent.note(exchange.sent)
        self.ended += 1
        if exchange.user is not None:
            self.known += 1

    def note_alike(self, exchange: Exchange, hits: Sequence[Hit]) -> None:
        """Note requests that have ended, and are alike."""
        count = len(hits)
        self.seconds.note_all([hit.seconds for hit in hits])
        self.received.note(exchange.received, count)
        self.sent.note(exchange.sent, count)
        self.ended += count
        if exchange.user is not None:
            self.known += count

    def settle(self) -> None:
        """Count what was noted."""
        if not self.ended:
            return
        for tally in (self.seconds, self.received, self.sent):
            tally.settle()
        for counter in self.counters:
            counter.inc(self.ended)
        if self.logins is not None and self.known:
            self.logins.inc(self.known)
        self.ended = self.known = 0


class ContentMetrics:
    """Counts what was done to content; of repositories up to so many one by one."""

    def __init__(self, metrics: Metrics, repositories: int = 0) -> None:
        """Prepare.

        Args:
            metrics: The instruments.
            repositories: How many repositories are told apart, those that come first;
                0: nothing is counted by repository.
        """
        self._metrics = metrics
        self._most = repositories
        self._known: set[str] = set()
        self._kinds: Tally[tuple[str, str]] = Tally()
        self._repositories: Tally[tuple[str, str]] = Tally()
        metrics.settling(self._settle)

    def count(self, activity: Activity, times: int = 1) -> None:
        """Count something that was done so many times."""
        self._kinds[_kind(activity), activity.action] += times
        if self._most:
            name = str(activity.repository)
            if name not in self._known:
                if len(self._known) < self._most:
                    self._known.add(name)
                else:
                    name = _OTHERS
            self._repositories[name, activity.action] += times

    def _settle(self) -> None:
        for tally, counter in (
            (self._kinds, self._metrics.contents),
            (self._repositories, self._metrics.repositories),
        ):
            for labels, count in tally.items():
                counter.labels(*labels).inc(count)
            tally.clear()


class StorageMetrics:
    """Times what the storage driver does."""

    def __init__(self, metrics: Metrics, driver: str) -> None:
        """Take the instruments and the driver's name."""
        self._metrics = metrics
        self._driver = driver
        self._timers: dict[str, HistogramTally] = {}
        self._failures: Tally[str] = Tally()
        metrics.settling(self._settle)

    def done(self, action: str, seconds: float | None, failed: bool) -> None:
        """Note that the driver has done something, or could not.

        Args:
            action: What it did.
            seconds: How long it took, less than 0 if the clock was set meanwhile; None:
                that was not measured.
            failed: Whether it could not.
        """
        if seconds is not None:
            timer = self._timers.get(action)
            if timer is None:
                timer = HistogramTally(
                    self._metrics.storage.labels(self._driver, action)
                )
                self._timers[action] = timer
            timer.note(seconds if seconds > 0 else 0.0)
        if failed:
            self._failures[action] += 1

    def _settle(self) -> None:
        for timer in self._timers.values():
            timer.settle()
        for action, count in self._failures.items():
            self._metrics.storage_errors.labels(self._driver, action).inc(count)
        self._failures.clear()


def _upload_outcome(route: str, status: int, method: str) -> str | None:
    """Return what came of a request about an upload; None: nothing to count."""
    if route not in (_UPLOAD, _CHUNK):
        return None
    if status == _LEFT and (method in _SENDING or route == _UPLOAD):
        return "abandoned"
    if route == _UPLOAD and method == "POST":
        return {201: "completed", 202: "started"}.get(status, "failed")
    if method == "DELETE":
        return "cancelled" if status == 204 else None
    if method in _SENDING:
        if status < 300:
            return "completed" if method == "PUT" else None
        return "failed"
    return None


def _kind(activity: Activity) -> str:
    if activity.target is None:
        return "tag"
    return "blob" if activity.is_about_blob else "manifest"


def _known(method: str) -> str:
    """Return a method; of those that a client has made up one name for all."""
    return method if method in _METHODS else "OTHER"
