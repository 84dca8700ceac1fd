"""Observing: what sees what the registry does, joined as the settings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Any

from attrs import asdict, define, field, frozen

from txregistry import __version__
from txregistry.config import Settings
from txregistry.interfaces import Exchange, IRequestWatcher, IStorageDriver
from txregistry.observe.debug import DebugSite, Pages, make_debug_site
from txregistry.observe.gauges import HealthGauges, NotificationGauges, ProcessGauges
from txregistry.observe.lag import LagWatch
from txregistry.observe.metrics import Metrics, MetricsPages
from txregistry.observe.pages import ProcessPages
from txregistry.observe.profiling import ProfilePages
from txregistry.observe.request_metrics import (
    ContentMetrics,
    RequestMetrics,
    StorageMetrics,
)
from txregistry.storage.timed import TimedDriver
from txregistry.web.listeners import Listener, tcp_endpoint
from txregistry.web.site import RegistrySite
from txregistry.web.witness import CountingWitness, Witness
from txregistry.webhooks.notifications import Notifications


@define
class Observing:
    """What sees what the registry does.

    Attributes:
        watchers: Are told of requests.
        pages: What the debug listener shows.
        metrics: The metrics; None: there are none.
        lag: Measures how late the reactor is; None: nobody wants to know.
    """

    watchers: list[IRequestWatcher] = field(factory=list)
    pages: list[Pages] = field(factory=list)
    metrics: Metrics | None = None
    lag: LagWatch | None = None
    _repositories: int = 0

    def start(self) -> None:
        """Begin to measure."""
        if self.lag is not None:
            self.lag.start()

    def stop(self) -> None:
        """End it."""
        if self.lag is not None:
            self.lag.stop()

    def add_health(self, failures: Callable[[], Sized]) -> None:
        """Show how many checks fail, of those that are returned."""
        if self.metrics is not None:
            self.metrics.collectors.register(HealthGauges(failures))

    def driver(self, driver: IStorageDriver, clock: Any) -> IStorageDriver:
        """Return a driver that does the same, and is timed."""
        if self.metrics is None:
            return driver
        done = StorageMetrics(self.metrics, driver.name).done
        return TimedDriver(driver, clock, done)

    def witness(self, witness: Witness) -> Witness:
        """Return a witness that tells the same, and counts."""
        if self.metrics is None:
            return witness
        count = ContentMetrics(self.metrics, self._repositories).count
        return CountingWitness(witness, count)


@frozen
class DebugListener:
    """The debug listener.

    Attributes:
        listener: Where it listens.
        site: What it shows.
    """

    listener: Listener
    site: DebugSite


def make_observing(
    settings: Settings,
    reactor: Any,
    notifications: Notifications | None,
    certificate_days: Callable[[], float] | None,
) -> Observing:
    """Join what sees what the registry does.

    Args:
        settings: The configuration.
        reactor: Gives time and threads.
        notifications: What tells others; None: nobody is told.
        certificate_days: Returns for how many days the certificate is good; None:
            there is none.
    """
    observing = Observing()
    if settings.http.debug.prometheus.enabled:
        _add_metrics(observing, settings, reactor, notifications, certificate_days)
    return observing


def make_debug_listener(
    settings: Settings, reactor: Any, pages: Sequence[Pages], site: RegistrySite
) -> DebugListener | None:
    """Join the debug listener; None: there is to be none.

    Args:
        settings: The configuration.
        reactor: Listens, and gives time and threads.
        pages: What to show beside what the process is and does.
        site: Knows the requests that run.
    """
    address = settings.http.debug.place
    if address is None:
        return None

    def requests() -> list[dict[str, Any]]:
        return [_shown(exchange) for exchange in site.running()]

    process = ProcessPages(__version__, settings.effective, requests, reactor)
    all_pages = [*pages, process, ProfilePages(reactor)]
    endpoint = tcp_endpoint(reactor, address.host, address.port)
    return DebugListener(Listener(endpoint), make_debug_site(all_pages, reactor))


def _shown(exchange: Exchange) -> dict[str, Any]:
    """Return what is shown of a request that runs, which has no status yet."""
    return asdict(exchange, filter=lambda attribute, _: attribute.name != "status")


def _add_metrics(
    observing: Observing,
    settings: Settings,
    reactor: Any,
    notifications: Notifications | None,
    certificate_days: Callable[[], float] | None,
) -> None:
    prometheus = settings.http.debug.prometheus
    metrics = Metrics()
    metrics.collectors.register(ProcessGauges(__version__, reactor, certificate_days))
    if notifications is not None:
        gauges = NotificationGauges(notifications.states, reactor)
        metrics.gathering(gauges.gather)
        metrics.collectors.register(gauges)
    observing.metrics = metrics
    observing.lag = LagWatch(metrics.lag.observe, reactor)
    observing.watchers.append(RequestMetrics(metrics))
    observing.pages.append(MetricsPages(metrics, prometheus.path))
    observing._repositories = prometheus.repositories
