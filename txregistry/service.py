"""Service: the one place where the parts are joined."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from klein.resource import KleinResource
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txregistry import __version__
from txregistry.checking import make_health
from txregistry.config import Settings
from txregistry.heralds import Herald, LogHerald, WorkerHerald
from txregistry.interfaces import (
    InvalidOption,
    IStartedDriver,
    IStorageDriver,
    StorageError,
)
from txregistry.listening import make_contexts, make_listeners
from txregistry.logs import Logs
from txregistry.lookups import Lookups
from txregistry.manning import make_crew
from txregistry.observe.cache_metrics import CONTENT, LOGINS
from txregistry.observe.health import Health, HealthPages
from txregistry.observing import (
    Tracing,
    make_debug_listener,
    make_observing,
    make_process_pages,
    make_tracing,
)
from txregistry.plugins import BrokenPlugin, UnknownPlugin
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules, is_plain_url
from txregistry.registry.secret import shared_secret
from txregistry.registry.sessions import Sessions
from txregistry.serving import Part, RegistryService
from txregistry.storage.loading import find_factory
from txregistry.threads import in_threads_of
from txregistry.web.app import Frame, make_resource
from txregistry.web.cors import Cors
from txregistry.web.endpoints import Routes
from txregistry.web.gate import Admitted, OpenGate
from txregistry.web.intake import make_intake
from txregistry.web.limits import Limits
from txregistry.web.push_location import PushLocations
from txregistry.web.routes.base import BaseRoutes, NotYetRoutes
from txregistry.web.routes.blobs import BlobRoutes
from txregistry.web.routes.lists import ListRoutes
from txregistry.web.routes.manifests import ManifestRoutes
from txregistry.web.routes.uploads import UploadRoutes
from txregistry.web.site import RegistrySite
from txregistry.web.urls import Urls
from txregistry.web.witness import SilentWitness, Witness

if TYPE_CHECKING:
    from txregistry.observe.debug import Pages
    from txregistry.webhooks.notifications import Notifications
    from txregistry.workers.chief import Chief
    from txregistry.workers.crew import Crew

_log = Logger()

SERVER_NAME: Final = f"txregistry/{__version__}"

_GREETING: Final = (
    "txregistry/{version} serves on {address}, storage {storage}, auth {auth} with "
    "{rules}, notification endpoints: {endpoints}{workers}"
)


def make_service(
    settings: Settings,
    reactor: Any,
    makes_files: bool = True,
    logs: Logs | None = None,
    chief: Chief | None = None,
) -> RegistryService:
    """Join the parts as the settings say.

    Args:
        settings: The configuration, checked.
        reactor: Gives time, threads and sockets.
        makes_files: Whether files of ``auth`` that are missing are made; if not, the
            service is good for nothing but to see whether it can be made.
        logs: Take what it logs; None: requests are not logged, and the rest is where
            Twisted's logger takes it.
        chief: The process that minds this one, which is a worker; None: it is none,
            and minds workers if the settings ask for some.

    Raises:
        ConfigError: A part does not take its share of the configuration, such as the
            storage driver; or a file for TLS cannot be used.
    """
    crew = None if chief else make_crew(settings, reactor, logs, os.environ)
    own_driver = _make_driver(settings, reactor)
    contexts = make_contexts(settings, reactor)
    urls = _urls(settings)
    admitted = _admission(settings, reactor, urls, makes_files)
    tracing = make_tracing(os.environ, reactor)
    telling = _make_telling(settings, reactor, urls, tracing, chief)
    notifications, witness = telling.notifications, telling.witness
    observing = make_observing(
        settings,
        reactor,
        notifications,
        None if contexts is None else contexts.expires_in,
        tracing,
        os.environ,
        crew=crew,
        chief=chief,
    )
    driver = observing.driver(own_driver, reactor)
    health = chief.health if chief else make_health(settings, driver, reactor)
    observing.add_health(lambda: health.failures)
    frame = _frame(settings, health)
    witness = observing.witness(witness)
    intake = make_intake(reactor, settings.http.workers.number if chief else 1)
    site = RegistrySite(
        make_resource([NotYetRoutes()], frame),
        reactor,
        _limits(settings),
        SERVER_NAME,
        [*(logs or Logs()).watchers, *observing.watchers],
        tracer=tracing.tracer,
        intake=intake,
    )
    observing.add_caches(_caches(admitted, site))
    if site.fast is not None:
        observing.add_teller(site.fast.tell_all)
    sessions = Sessions()
    observing.add_uploads(sessions, own_driver, reactor, site.running)

    async def open_routes() -> KleinResource:
        routes = await _routes(settings, driver, reactor, urls, sessions)
        all_routes = [*routes, *admitted.routes]
        if site.fast is not None:
            site.fast.open(admitted.gate, witness, health.is_failing)
        return make_resource(all_routes, frame, admitted.gate, witness)

    handed = chief.assignment.sockets if chief else None
    pages = make_process_pages(settings, reactor, site)
    debug = None
    herald: Herald = LogHerald(_GREETING, _facts(settings, crew))
    if chief is not None:
        herald, chief.pages = WorkerHerald(chief), pages
    else:
        if crew is not None:
            pages = [_worker_pages(crew, pages)]
            health.changed = lambda: crew.tell_health(health.failures)
            if notifications is not None:
                crew.hear_of_events = notifications.wake
        shown = HealthPages(health, crew.problems if crew else list)
        pages = [*observing.pages, shown, *pages]
        debug = make_debug_listener(settings, reactor, pages)
    store = _Store(own_driver) if IStartedDriver.providedBy(own_driver) else None
    parts: list[Part | None] = [store, observing, debug, notifications, intake]
    return RegistryService(
        site,
        make_listeners(settings, reactor, contexts, handed),
        lambda: Deferred.fromCoroutine(open_routes()),
        reactor,
        settings.http.draintimeout,
        herald,
        reloads=[] if contexts is None else [contexts.reload],
        parts=[part for part in parts if part is not None],
        health=health,
        logs=logs,
        crew=crew,
    )


class _Store:
    """A driver that is started and stopped. See Part."""

    def __init__(self, driver: IStorageDriver) -> None:
        """Take the driver, which is an IStartedDriver."""
        self._driver = IStartedDriver(driver)

    async def start(self) -> None:
        """See Part."""
        await self._driver.start()

    async def stop(self) -> None:
        """See Part."""
        await self._driver.stop()


def _worker_pages(crew: Crew, pages: Sequence[Pages]) -> Pages:
    # Not before there are workers: what minds them takes time and memory.
    from txregistry.workers.pages import WorkerPages

    return WorkerPages(crew.supervisor, pages)


def _admission(
    settings: Settings, reactor: Any, urls: Urls, makes_files: bool
) -> Admitted:
    access = settings.access
    if not (settings.auth.controller or access.file or access.rules is not None):
        return Admitted(OpenGate())
    # Not before somebody is to be asked: what knows tokens takes time and memory.
    from txregistry.admission import make_admission

    return make_admission(settings, reactor, urls, makes_files)


@frozen
class _Telling:
    """What tells others of what is done.

    Attributes:
        notifications: The notifications; None: nobody is told.
        witness: What makes events for them.
    """

    notifications: Notifications | None = None
    witness: Witness = field(factory=SilentWitness)


def _make_telling(
    settings: Settings, reactor: Any, urls: Urls, tracing: Tracing, chief: Chief | None
) -> _Telling:
    if not settings.notifications.active:
        return _Telling()
    # Not before somebody is to be told: it takes time and memory.
    from txregistry.notifying import make_notifications, make_witness

    leave_to = chief.report_news if chief else None
    made = make_notifications(settings, reactor, tracing.tracer, leave_to)
    if made is None:
        return _Telling()
    return _Telling(made, make_witness(settings, made, urls, reactor))


def _caches(admitted: Admitted, site: RegistrySite) -> dict[str, Lookups]:
    caches = {}
    if admitted.logins is not None:
        caches[LOGINS] = admitted.logins
    if site.fast is not None:
        caches[CONTENT] = site.fast.lookups
    return caches


def _urls(settings: Settings) -> Urls:
    http = settings.http
    host = None if http.host is None else f"{http.host.scheme}://{http.host.authority}"
    trusted = http.trustforwarded
    return Urls(http.prefix, host, http.relativeurls, lambda peer: peer in trusted)


async def _routes(
    settings: Settings,
    driver: IStorageDriver,
    reactor: Any,
    urls: Urls,
    sessions: Sessions,
) -> list[Routes]:
    registry = Registry(
        driver, reactor, _rules(settings), in_threads_of(reactor), sessions
    )
    http, storage = settings.http, settings.storage
    can_delete = storage.delete.enabled
    if http.secret is None:
        try:
            secret = await shared_secret(driver)
        except StorageError as error:
            raise StorageError(f"{_store(settings)}: {error}") from error
    else:
        secret = http.secret.encode()
    max_size = settings.validation.manifests.maxsize
    return [
        BaseRoutes(),
        BlobRoutes(registry, can_delete, not storage.redirect.disable),
        ManifestRoutes(registry, urls, can_delete, max_size),
        UploadRoutes(registry, urls, PushLocations(secret)),
        ListRoutes(registry, settings.tags.maxtags, settings.catalog.maxentries),
    ]


def _make_driver(settings: Settings, reactor: Any) -> IStorageDriver:
    storage = settings.storage
    try:
        factory = find_factory(storage.driver)
        return factory.make_driver(reactor, storage.parameters)
    except (UnknownPlugin, BrokenPlugin) as error:
        raise settings.error(f"storage.{storage.driver}", str(error)) from None
    except InvalidOption as error:
        key = f"storage.{storage.driver}.{error.key}"
        raise settings.error(key, error.problem) from None


def _rules(settings: Settings) -> ManifestRules:
    validation = settings.validation
    manifests = validation.manifests
    indexes = manifests.indexes
    platforms = None
    if not validation.active or indexes.platforms == "none":
        platforms = frozenset[tuple[str, str]]()
    elif indexes.platforms == "list":
        platforms = frozenset((p.architecture, p.os) for p in indexes.platformlist)

    def permits_url(url: str) -> bool:
        if not validation.active:
            return True
        return is_plain_url(url) and manifests.urls.permits(url)

    return ManifestRules(
        sparse=manifests.sparse,
        platforms=platforms,
        permits_url=permits_url,
        classes=frozenset(settings.policy.repository.classes),
    )


def _frame(settings: Settings, health: Health) -> Frame:
    http = settings.http
    cors = Cors(frozenset(http.cors.origins), http.cors.maxage)
    read_only = settings.storage.maintenance.readonly.enabled
    return Frame(http.prefix, http.headers, cors, read_only, health.is_failing)


def _limits(settings: Settings) -> Limits:
    limits = settings.http.limits
    return Limits(
        header_size=limits.headersize,
        header_count=limits.headercount,
        header_timeout=limits.headertimeout,
        idle_timeout=limits.idletimeout,
    )


def _facts(settings: Settings, crew: Crew | None) -> dict[str, object]:
    """Return what the greeting says."""
    access = settings.access
    has_rules = bool(access.file) or access.rules is not None
    endpoints = settings.notifications.endpoints
    workers = 1 if crew is None else len(crew.supervisor.workers)
    return {
        "version": __version__,
        "storage": _store(settings),
        "auth": settings.auth.controller or "none",
        "rules": "rules" if has_rules else "no rules",
        "endpoints": sum(not endpoint.disabled for endpoint in endpoints),
        "workers": f", workers: {workers}" if workers > 1 else "",
    }


def _store(settings: Settings) -> str:
    """Return what content is kept with, and where, for a person."""
    where = settings.storage.parameters.get("rootdirectory", "")
    return f"{settings.storage.driver} {where}".strip()
