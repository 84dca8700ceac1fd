"""Metrics: the instruments, and the page that shows what they say.

Names and labels that the Go registry has are its own, so that dashboards go on working.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from twisted.internet.interfaces import IReactorTime

from txregistry.observe.debug import Content, Page
from txregistry.observe.gathering import Gather, Gatherer
from txregistry.observe.sharing import Folder

# The library's own says 1.0.0 where it writes the same, and old servers balk at that.
_TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"

_LATENCIES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)
_SIZES: Final = tuple(1024.0 * 2**step for step in range(22))


class Metrics:
    """The instruments of one process.

    Several processes with the same folder show the sum of all, whichever is asked.

    Attributes:
        collectors: What is shown; takes further instruments, those of this process.
        in_flight: Requests that run, by handler.
        requests: Requests that have ended, by handler, code and method.
        durations: Seconds that requests took, by handler and method.
        request_sizes: Bytes of requests' bodies, by handler; the sum is what came in.
        response_sizes: Bytes of answers' bodies, by handler; the sum is what went out.
        uploads: Requests that send a blob's content, by outcome.
        contents: What was done to content, by kind and action.
        repositories: What was done to content, by repository and action.
        logins: Requests by what came of asking who sends them.
        storage: Seconds that the storage driver took, by driver and action.
        storage_errors: What the storage driver could not do, by driver and action.
        cached: Lookups in caches, by cache and outcome.
        store_cached: Lookups in what is kept of the store, by the Go registry's types.
        store_cache_requests: The same, all of them, as version 3 of it counts.
        store_cache_hits: Those that were hits.
        lag: Seconds by which the reactor was late.
    """

    def __init__(self, clock: IReactorTime, folder: Folder | None = None) -> None:
        """Make the instruments, which say nothing yet.

        Args:
            clock: Gives time.
            folder: Where other processes count, too; None: there are none.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.collectors = CollectorRegistry()
        self._clock = clock
        self._gatherers: list[Gatherer] = []
        self._settling: list[Callable[[], None]] = []
        self._folder = folder
        registry = self.collectors
        if folder is not None:
            # What the folder shows is what these count, here and elsewhere.
            registry = CollectorRegistry()
            folder.add_to(self.collectors)
        self.in_flight = Gauge(
            "registry_http_in_flight_requests",
            "Requests that run now.",
            ["handler"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.requests = Counter(
            "registry_http_requests_total",
            "Requests that have ended.",
            ["handler", "code", "method"],
            registry=registry,
        )
        self.durations = Histogram(
            "registry_http_request_duration_seconds",
            "How long requests took, from the end of their header on.",
            ["handler", "method"],
            registry=registry,
            buckets=_LATENCIES,
        )
        self.request_sizes = Histogram(
            "registry_http_request_size_bytes",
            "Sizes of requests' bodies.",
            ["handler"],
            registry=registry,
            buckets=_SIZES,
        )
        self.response_sizes = Histogram(
            "registry_http_response_size_bytes",
            "Sizes of answers' bodies.",
            ["handler"],
            registry=registry,
            buckets=_SIZES,
        )
        self.uploads = Counter(
            "registry_uploads_total",
            "Uploads that were started, completed, cancelled or failed, and requests"
            " with content whose client left (abandoned).",
            ["outcome"],
            registry=registry,
        )
        self.contents = Counter(
            "registry_content_total",
            "What was done to blobs, manifests and tags.",
            ["kind", "action"],
            registry=registry,
        )
        self.repositories = Counter(
            "registry_repository_content_total",
            "What was done to content, by repository; those behind the cap together.",
            ["repository", "action"],
            registry=registry,
        )
        self.logins = Counter(
            "registry_auth_requests_total",
            "Requests by what came of asking who sends them.",
            ["outcome"],
            registry=registry,
        )
        self.storage = Histogram(
            "registry_storage_action_seconds",
            "How long the storage driver took.",
            ["driver", "action"],
            registry=registry,
        )
        self.storage_errors = Counter(
            "registry_storage_errors_total",
            "What the storage driver could not do, but for what is not there.",
            ["driver", "action"],
            registry=registry,
        )
        self.cached = Counter(
            "registry_cache_lookups_total",
            "Lookups in caches of this process, by what came of them.",
            ["cache", "outcome"],
            registry=registry,
        )
        self.store_cached = Counter(
            "registry_storage_cache_total",
            "Lookups in what is kept of the store: requests, hits and misses.",
            ["type"],
            registry=registry,
        )
        self.store_cache_requests = Counter(
            "registry_storage_cache_requests_total",
            "Lookups in what is kept of the store.",
            registry=registry,
        )
        self.store_cache_hits = Counter(
            "registry_storage_cache_hits_total",
            "Lookups in what is kept of the store that were hits.",
            registry=registry,
        )
        self.lag = Histogram(
            "registry_reactor_lag_seconds",
            "By how much the reactor was late.",
            registry=registry,
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
        )
        ProcessCollector(registry=self.collectors)

    def start(self) -> None:
        """Begin to count with others, if there are any."""
        if self._folder is not None:
            self._folder.enter()

    def stop(self) -> None:
        """Count what is left, and end it."""
        self.settle()
        if self._folder is not None:
            self._folder.leave()

    def gathering(self, gather: Gather) -> None:
        """Have something done each time before the metrics are shown.

        If it fails or hangs they are shown without it.
        """
        self._gatherers.append(Gatherer(gather, self._clock))

    def settling(self, settle: Callable[[], None], *, first: bool = False) -> None:
        """Have something done a few times a second, and before the metrics are shown.

        Args:
            settle: Counts what was noted.
            first: Whether it tells others who count then, so that it comes before them.

        What sees a request notes it down and counts later, many together: that costs
        half of what it does to go through all instruments amid each request.
        """
        self._settling.insert(0 if first else len(self._settling), settle)

    def tick(self, lag: float) -> None:
        """Note by how many seconds the reactor is late, and what there is to count."""
        self.lag.observe(lag)
        self.settle()

    def settle(self) -> None:
        """Count what was noted down."""
        for settle in self._settling:
            settle()

    async def text(self) -> bytes:
        """Return all metrics in the text format 0.0.4 of Prometheus."""
        self.settle()
        for gatherer in self._gatherers:
            await gatherer.run()
        return generate_latest(self.collectors)


class MetricsPages:
    """The metrics on the debug listener."""

    def __init__(self, metrics: Metrics, path: str) -> None:
        """Take the metrics and the path."""
        self._metrics = metrics
        self._path = path

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        return [Page(self._path, self._show, "metrics for Prometheus")]

    async def _show(self, _parameters: dict[str, str]) -> Content:
        return Content(await self._metrics.text(), _TEXT_FORMAT)
