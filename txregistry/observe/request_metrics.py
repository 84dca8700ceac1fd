"""Request metrics: requests counted and timed, and what they did to content."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from prometheus_client import Counter, Histogram
from zope.interface import implementer

from txregistry.interfaces import Exchange, IRequestWatcher
from txregistry.observe.metrics import Metrics
from txregistry.oci.events import Activity

_NO_ROUTE: Final = "none"
_OTHERS: Final = "others"
_METHODS: Final = frozenset(
    {"get", "head", "put", "post", "patch", "delete", "options"}
)
_SENDING: Final = frozenset({"PATCH", "PUT"})
_UPLOAD: Final = "blob_upload"
_CHUNK: Final = "blob_upload_chunk"
_LEFT: Final = 499


@implementer(IRequestWatcher)
class RequestMetrics:
    """Counts requests."""

    def __init__(self, metrics: Metrics) -> None:
        """Take the instruments."""
        self._metrics = metrics
        self._of_handler = cache(self._make_of_handler)
        self._duration = cache(metrics.durations.labels)
        self._count = cache(self._make_count)

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""
        self._of_handler(route)[0].inc()

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        route, method = exchange.route or _NO_ROUTE, exchange.method
        in_flight, request_size, response_size = self._of_handler(route)
        if exchange.route:
            in_flight.dec()
        lower = _lower(method)
        self._count(route, exchange.status, lower).inc()
        self._duration(route, lower).observe(exchange.seconds)
        request_size.observe(exchange.received)
        response_size.observe(exchange.sent)
        if route in (_UPLOAD, _CHUNK):
            self._count_upload(exchange)
        self._count_login(exchange)

    def _make_of_handler(self, route: str) -> tuple[Any, Any, Any]:
        metrics = self._metrics
        return (
            metrics.in_flight.labels(route),
            metrics.request_sizes.labels(route),
            metrics.response_sizes.labels(route),
        )

    def _make_count(self, route: str, status: int, method: str) -> Counter:
        return self._metrics.requests.labels(route, str(status), method)

    def _count_upload(self, exchange: Exchange) -> None:
        outcome = _upload_outcome(exchange)
        if outcome:
            self._metrics.uploads.labels(outcome).inc()

    def _count_login(self, exchange: Exchange) -> None:
        outcome = {401: "unauthorized", 403: "denied", 429: "throttled"}.get(
            exchange.status
        )
        if outcome is None and exchange.user is not None:
            outcome = "granted"
        if outcome is not None:
            self._metrics.logins.labels(outcome).inc()


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

    def count(self, activity: Activity) -> None:
        """Count something that was done."""
        metrics = self._metrics
        metrics.contents.labels(_kind(activity), activity.action).inc()
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
        self._timer = cache(self._make_timer)

    def done(self, action: str, seconds: float, failed: bool) -> None:
        """Note that the driver has done something, or could not."""
        self._timer(action).observe(seconds)
        if failed:
            self._metrics.storage_errors.labels(self._driver, action).inc()

    def _make_timer(self, action: str) -> Histogram:
        return self._metrics.storage.labels(self._driver, action)


def _upload_outcome(exchange: Exchange) -> str | None:
    """Return what came of a request about an upload; None: nothing to count."""
    route, method, status = exchange.route, exchange.method, exchange.status
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


def _lower(method: str) -> str:
    lower = method.lower()
    return lower if lower in _METHODS else "other"
