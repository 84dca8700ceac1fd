"""Request metrics: requests counted and timed, and what they did to content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from zope.interface import implementer

from txregistry.interfaces import Exchange, IRequestWatcher
from txregistry.observe.metrics import Metrics
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
        self._ended: list[Exchange] = []
        metrics.settling(self._settle)
        self._running: defaultdict[str, int] = defaultdict(int)
        self._gauges: dict[str, Gauge] = {}
        self._kinds: dict[tuple[str, int, str], Callable[[Exchange], None]] = {}

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""
        self._running[route] += 1

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        if exchange.route:
            self._running[exchange.route] -= 1
        self._ended.append(exchange)

    def _settle(self) -> None:
        for route, running in self._running.items():
            gauge = self._gauges.get(route)
            if gauge is None:
                gauge = self._gauges[route] = self._metrics.in_flight.labels(route)
            gauge.set(running)
        ended, self._ended = self._ended, []
        for exchange in ended:
            kind = exchange.route, exchange.status, _known(exchange.method)
            note = self._kinds.get(kind)
            if note is None:
                note = self._kinds[kind] = self._noting(*kind)
            note(exchange)

    def _noting(
        self, route: str, status: int, method: str
    ) -> Callable[[Exchange], None]:
        """Return what notes that a request of a kind has ended."""
        metrics, handler, lower = self._metrics, route or _NO_ROUTE, method.lower()
        observe_seconds = metrics.durations.labels(handler, lower).observe
        observe_received = metrics.request_sizes.labels(handler).observe
        observe_sent = metrics.response_sizes.labels(handler).observe
        steps: list[Callable[[], None]] = [
            metrics.requests.labels(handler, str(status), lower).inc
        ]
        outcome = _upload_outcome(route, status, method)
        if outcome is not None:
            steps.append(metrics.uploads.labels(outcome).inc)
        refusal = _REFUSALS.get(status)
        if refusal is not None:
            steps.append(metrics.logins.labels(refusal).inc)
        granted = None if refusal else metrics.logins.labels("granted").inc

        def note(exchange: Exchange) -> None:
            observe_seconds(exchange.seconds)
            observe_received(exchange.received)
            observe_sent(exchange.sent)
            for step in steps:
                step()
            if granted is not None and exchange.user is not None:
                granted()

        return note


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
        self._counters: dict[tuple[str, str], Counter] = {}
        self._done: list[Activity] = []
        metrics.settling(self._settle)

    def count(self, activity: Activity) -> None:
        """Count something that was done."""
        self._done.append(activity)

    def _settle(self) -> None:
        done, self._done = self._done, []
        for activity in done:
            self._count(activity)

    def _count(self, activity: Activity) -> None:
        metrics = self._metrics
        kind = _kind(activity), activity.action
        counter = self._counters.get(kind)
        if counter is None:
            counter = self._counters[kind] = metrics.contents.labels(*kind)
        counter.inc()
        if self._most:
            name = str(activity.repository)
            if name not in self._known:
                if len(self._known) < self._most:
                    self._known.add(name)
                else:
                    name = _OTHERS
            metrics.repositories.labels(name, activity.action).inc()


class StorageMetrics:
    """Times what the storage driver does."""

    def __init__(self, metrics: Metrics, driver: str) -> None:
        """Take the instruments and the driver's name."""
        self._metrics = metrics
        self._driver = driver
        self._timers: dict[str, Histogram] = {}
        self._done: list[tuple[str, float | None, bool]] = []
        metrics.settling(self._settle)

    def done(self, action: str, seconds: float | None, failed: bool) -> None:
        """Note that the driver has done something, or could not.

        Args:
            action: What it did.
            seconds: How long it took; None: that was not measured.
            failed: Whether it could not.
        """
        self._done.append((action, seconds, failed))

    def _settle(self) -> None:
        done, self._done = self._done, []
        for each in done:
            self._count(*each)

    def _count(self, action: str, seconds: float | None, failed: bool) -> None:
        if seconds is not None:
            timer = self._timers.get(action)
            if timer is None:
                timer = self._metrics.storage.labels(self._driver, action)
                self._timers[action] = timer
            timer.observe(seconds)
        if failed:
            self._metrics.storage_errors.labels(self._driver, action).inc()


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
