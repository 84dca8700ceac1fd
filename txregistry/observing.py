"""Observing: what sees what the registry does, joined as the settings say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

from attrs import asdict, define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from txregistry import __version__
from txregistry.config import ConfigError, Origin, Settings
from txregistry.interfaces import Exchange, IRequestWatcher, IStorageDriver, ITracer
from txregistry.lookups import Lookups
from txregistry.observe.cache_metrics import CacheMetrics
from txregistry.observe.debug import DebugSite, Pages, make_debug_site
from txregistry.observe.exporters import UnusableVariable, asked
from txregistry.observe.lag import LagWatch
from txregistry.observe.pages import ProcessPages
from txregistry.observe.profiling import ProfilePages
from txregistry.observe.upload_pages import UploadPages
from txregistry.registry.sessions import (
    Census,
    Sessions,
    SessionState,
    look_at_latest,
)
from txregistry.storage.timed import TimedDriver
from txregistry.storage.traced import Begin, TracedDriver
from txregistry.threads import in_own_threads_of
from txregistry.web.listeners import Listener, tcp_endpoint
from txregistry.web.site import RegistrySite
from txregistry.web.witness import CountingWitness, Witness

if TYPE_CHECKING:
    from txregistry.observe.metrics import Metrics
    from txregistry.observe.sharing import Folder
    from txregistry.observe.upload_gauges import UploadGauges
    from txregistry.webhooks.notifications import Notifications
    from txregistry.workers.chief import Chief
    from txregistry.workers.crew import Crew

_log = Logger()


@frozen
class Tracing:
    """What traces requests; as it stands here, nothing does.

    Attributes:
        tracer: Makes spans of requests and messages.
        begin: Makes spans of what is done in the store.
        start: Begins to send them.
        stop: Sends what is left, for some seconds at the most.
    """

    tracer: ITracer | None = None
    begin: Begin | None = None
    start: Callable[[], None] = lambda: None
    stop: Callable[[], Deferred[None]] = lambda: succeed(None)


@define
class Observing:
    """What sees what the registry does.

    What makes metrics is not imported before somebody wants them: with
    prometheus_client it takes time and memory.

    Attributes:
        watchers: Are told of requests.
        pages: What the debug listener shows.
        metrics: The metrics; None: there are none.
        lag: Measures how late the reactor is; None: nobody wants to know.
        tracing: Traces requests.
    """

    watchers: list[IRequestWatcher] = field(factory=list)
    pages: list[Pages] = field(factory=list)
    metrics: Metrics | None = None
    lag: LagWatch | None = None
    tracing: Tracing = field(factory=Tracing)
    _repositories: int = 0
    _uploads: UploadGauges | None = None

    async def start(self) -> None:
        """Begin to measure."""
        if self.metrics is not None:
            self.metrics.start()
        if self.lag is not None:
            self.lag.start()
        self.tracing.start()

    async def stop(self) -> None:
        """End it."""
        if self.lag is not None:
            self.lag.stop()
        if self._uploads is not None:
            self._uploads.stop()
        if self.metrics is not None:
            self.metrics.stop()
        await self.tracing.stop()

    def add_health(self, failures: Callable[[], Sized]) -> None:
        """Show how many checks fail, of those that are returned."""
        if self.metrics is not None:
            from txregistry.observe.gauges import HealthGauges

            self.metrics.collectors.register(HealthGauges(failures))

    def add_teller(self, tell: Callable[[], None]) -> None:
        """Have watchers told of what they have not been, before metrics are shown."""
        if self.metrics is not None:
            self.metrics.settling(tell, first=True)

    def add_caches(self, caches: Mapping[str, Lookups]) -> None:
        """Show how often caches were asked, and what came of it.

        Args:
            caches: Their lookups by their names; ``content`` is what is kept of the
                store.
        """
        if self.metrics is not None:
            CacheMetrics(self.metrics, caches)

    def add_uploads(
        self,
        sessions: Sessions,
        driver: IStorageDriver,
        clock: Any,
        running: Callable[[], Sequence[Exchange]],
    ) -> None:
        """Show upload sessions: how many there are, and those that were seen last.

        Args:
            sessions: What this process has had to do with.
            driver: The store. What is done to look at it is not counted.
            clock: Gives time.
            running: Returns the requests that run.
        """
        if self.metrics is not None:
            from txregistry.observe.upload_gauges import UploadGauges

            gauges = UploadGauges(Census(driver, clock), clock)
            self.metrics.gathering(gauges.gather)
            self.metrics.collectors.register(gauges)
            self._uploads = gauges

        async def uploads() -> list[dict[str, Any]]:
            written = {exchange.reference for exchange in running()}
            states = await look_at_latest(sessions, driver, clock)
            return [_shown_session(state, written) for state in states]

        self.pages.append(UploadPages(uploads))

    def driver(self, driver: IStorageDriver, clock: Any) -> IStorageDriver:
        """Return a driver that does the same, and is timed and traced."""
        if self.metrics is not None:
            from txregistry.observe.request_metrics import StorageMetrics

            done = StorageMetrics(self.metrics, driver.name).done
            driver = TimedDriver(driver, clock, done)
        if self.tracing.begin is not None:
            driver = TracedDriver(driver, self.tracing.begin)
        return driver

    def witness(self, witness: Witness) -> Witness:
        """Return a witness that tells the same, and counts."""
        if self.metrics is None:
            return witness
        from txregistry.observe.request_metrics import ContentMetrics

        count = ContentMetrics(self.metrics, self._repositories).count
        return CountingWitness(witness, count)


class DebugListener:
    """The debug listener."""

    def __init__(self, listener: Listener, site: DebugSite) -> None:
        """Take where to listen, and what is shown there."""
        self._listener = listener
        self._site = site
        self._port: IListeningPort | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            Exception: It cannot be done.
        """
        self._port = await self._listener.endpoint.listen(self._site)
        address = self._listener.shown(self._port.getHost())
        _log.info("debug listener on {address}", address=address)

    async def stop(self) -> None:
        """Listen no more."""
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)


def make_observing(
    settings: Settings,
    reactor: Any,
    notifications: Notifications | None,
    certificate_days: Callable[[], float] | None,
    tracing: Tracing | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    crew: Crew | None = None,
    chief: Chief | None = None,
) -> Observing:
    """Join what sees what the registry does.

    Args:
        settings: The configuration.
        reactor: Gives time and threads.
        notifications: What tells others; None: nobody is told.
        certificate_days: Returns for how many days the certificate is good; None:
            there is none.
        tracing: Traces requests; None: nothing does.
        environ: The environment; None: nothing in it is for us.
        crew: The workers that this process minds; None: there are none.
        chief: The process that minds this one; None: it is no worker.

    Raises:
        ConfigError: The environment asks for what there is not.
    """
    observing = Observing(tracing=tracing or Tracing())
    if settings.http.debug.prometheus.enabled:
        metrics = _make_metrics(reactor, environ or {}, certificate_days, crew, chief)
        _add_metrics(observing, metrics, settings, reactor, notifications)
    return observing


def _make_metrics(
    reactor: Any,
    environ: Mapping[str, str],
    certificate_days: Callable[[], float] | None,
    crew: Crew | None,
    chief: Chief | None,
) -> Metrics:
    from txregistry.observe.gauges import ProcessGauges
    from txregistry.observe.metrics import Metrics

    try:
        metrics = Metrics(reactor, _folder(environ, crew, chief))
    except UnusableVariable as error:
        raise _config_error(error) from None
    metrics.collectors.register(ProcessGauges(__version__, reactor, certificate_days))
    if crew is not None:
        from txregistry.workers.gauges import WorkerGauges

        metrics.collectors.register(WorkerGauges(crew.supervisor))
    return metrics


def _folder(
    environ: Mapping[str, str], crew: Crew | None, chief: Chief | None
) -> Folder | None:
    """Return where processes count together; None: this one counts alone."""
    from txregistry.observe.sharing import NumberedFolder, shared_folder

    if crew is not None and crew.folder is not None:
        return crew.folder
    if chief is not None and chief.assignment.counts:
        numbered = NumberedFolder(chief.number)
        numbered.count()
        return numbered
    return shared_folder(environ)


def make_tracing(environ: Mapping[str, str], reactor: Any) -> Tracing:
    """Join what traces requests.

    Args:
        environ: The environment; OpenTelemetry reads that of the process itself.
        reactor: Gives time, and is told of by threads.

    Raises:
        ConfigError: The environment asks for what there is not.
    """
    try:
        wanted = asked(environ)
        if wanted is None:
            return Tracing()
        # Not before: it takes time and memory, and need not be there.
        from txregistry.observe.sending import make_sending

        in_thread = in_own_threads_of(reactor)
        from_thread = reactor.callFromThread
        sending = make_sending(wanted, __version__, reactor, from_thread, in_thread)
    except UnusableVariable as error:
        raise _config_error(error) from None
    except ImportError as error:
        problem = f"needs what pip installs with txregistry[tracing]: {error}"
        origin = Origin(variable=None if wanted is None else wanted.variable)
        raise ConfigError("", problem, origin) from None
    return Tracing(sending.tracer, sending.tracer.store, sending.start, sending.stop)


def make_process_pages(
    settings: Settings, reactor: Any, site: RegistrySite
) -> list[Pages]:
    """Join the pages that show what a process is and does.

    Args:
        settings: The configuration.
        reactor: Gives time and threads.
        site: Knows the requests that run.
    """

    def requests() -> list[dict[str, Any]]:
        return [_shown(exchange) for exchange in site.running()]

    process = ProcessPages(__version__, settings.effective, requests, reactor)
    return [process, ProfilePages(reactor)]


def make_debug_listener(
    settings: Settings, reactor: Any, pages: Sequence[Pages]
) -> DebugListener | None:
    """Join the debug listener; None: there is to be none.

    Args:
        settings: The configuration.
        reactor: Listens.
        pages: What to show.

    Raises:
        ConfigError: The metrics are to be where something else is.
    """
    address = settings.http.debug.place
    if address is None:
        return None
    paths = [page.path for each in pages for page in each.pages()]
    if paths.count(settings.http.debug.prometheus.path) > 1:
        raise settings.error("http.debug.prometheus.path", "is another page's, too")
    endpoint = tcp_endpoint(reactor, address.host, address.port)
    return DebugListener(Listener(endpoint), make_debug_site(pages, reactor))


def _shown(exchange: Exchange) -> dict[str, Any]:
    """Return what is shown of a request that runs, which has no status yet."""
    return asdict(exchange, filter=lambda attribute, _: attribute.name != "status")


def _shown_session(
    state: SessionState, written: Collection[str | None]
) -> dict[str, Any]:
    session = state.session
    return {
        "repository": session.repository,
        "session_id": session.session_id,
        "offset": state.offset,
        "age": None if state.age is None else round(state.age, 3),
        "idle": round(state.idle, 3),
        "running": session.session_id in written,
    }


def _add_metrics(
    observing: Observing,
    metrics: Metrics,
    settings: Settings,
    reactor: Any,
    notifications: Notifications | None,
) -> None:
    from txregistry.observe.gauges import NotificationGauges
    from txregistry.observe.metrics import MetricsPages
    from txregistry.observe.request_metrics import RequestMetrics

    if notifications is not None:
        gauges = NotificationGauges(notifications.states, reactor)
        metrics.gathering(gauges.gather)
        metrics.collectors.register(gauges)
    prometheus = settings.http.debug.prometheus
    observing.metrics = metrics
    observing.lag = LagWatch(metrics.tick, reactor)
    observing.watchers.append(RequestMetrics(metrics))
    observing.pages.append(MetricsPages(metrics, prometheus.path))
    observing._repositories = prometheus.repositories


def _config_error(error: UnusableVariable) -> ConfigError:
    return ConfigError("", error.problem, Origin(variable=error.variable))
