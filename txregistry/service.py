"""Service: the one place where the parts are joined."""

from __future__ import annotations

import os
from typing import Any, Final

from klein.resource import KleinResource
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from txregistry import __version__
from txregistry.admission import Admitted, make_admission
from txregistry.checking import make_health
from txregistry.config import Place, Settings, SocketPath
from txregistry.interfaces import InvalidOption, IStorageDriver, StorageError
from txregistry.logs import Logs
from txregistry.lookups import Lookups
from txregistry.notifying import make_notifications, make_witness
from txregistry.observe.cache_metrics import CONTENT, LOGINS
from txregistry.observe.health import Health, HealthPages
from txregistry.observing import (
    make_debug_listener,
    make_observing,
    make_tracing,
)
from txregistry.plugins import BrokenPlugin, UnknownPlugin
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules, is_plain_url
from txregistry.registry.secret import shared_secret
from txregistry.serving import Part, RegistryService
from txregistry.storage.loading import find_factory
from txregistry.threads import in_threads_of
from txregistry.web.app import Frame, make_resource
from txregistry.web.cors import Cors
from txregistry.web.endpoints import Routes
from txregistry.web.intake import make_intake
from txregistry.web.limits import Limits
from txregistry.web.listeners import (
    Listener,
    UnixEndpoint,
    described_endpoint,
    kind_of,
    tcp_endpoint,
)
from txregistry.web.push_location import PushLocations
from txregistry.web.routes.base import BaseRoutes, NotYetRoutes
from txregistry.web.routes.blobs import BlobRoutes
from txregistry.web.routes.lists import ListRoutes
from txregistry.web.routes.manifests import ManifestRoutes
from txregistry.web.routes.uploads import UploadRoutes
from txregistry.web.site import RegistrySite
from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_connection import TLSEndpoint
from txregistry.web.tls_context import REQUIRE_AND_VERIFY, TLSOptions
from txregistry.web.transport import DirectEndpoint
from txregistry.web.urls import Urls
from txregistry.web.witness import SilentWitness, Witness

_log = Logger()

SERVER_NAME: Final = f"txregistry/{__version__}"

_GREETING: Final = (
    "txregistry/{version} serves on {address}, storage {storage}, auth {auth} with "
    "{rules}, notification endpoints: {endpoints}"
)


def make_service(
    settings: Settings,
    reactor: Any,
    makes_files: bool = True,
    logs: Logs | None = None,
) -> RegistryService:
    """Join the parts as the settings say.

    Args:
        settings: The configuration, checked.
        reactor: Gives time, threads and sockets.
        makes_files: Whether files of ``auth`` that are missing are made; if not, the
            service is good for nothing but to see whether it can be made.
        logs: Take what it logs; None: requests are not logged, and the rest is where
            Twisted's logger takes it.

    Raises:
        ConfigError: A part does not take its share of the configuration, such as the
            storage driver; or a file for TLS cannot be used.
    """
    own_driver = _make_driver(settings, reactor)
    contexts = _contexts(settings, reactor)
    urls = _urls(settings)
    admitted = make_admission(settings, reactor, urls, makes_files)
    tracing = make_tracing(os.environ, reactor)
    notifications = make_notifications(settings, reactor, tracing.tracer)
    observing = make_observing(
        settings,
        reactor,
        notifications,
        None if contexts is None else contexts.expires_in,
        tracing,
        os.environ,
    )
    driver = observing.driver(own_driver, reactor)
    health = make_health(settings, driver, reactor)
    observing.add_health(lambda: health.failures)
    frame = _frame(settings, health)
    witness: Witness = SilentWitness()
    if notifications is not None:
        witness = make_witness(settings, notifications, urls, reactor)
    witness = observing.witness(witness)
    intake = make_intake(reactor)
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

    async def open_routes() -> KleinResource:
        routes = await _routes(settings, driver, reactor, urls)
        all_routes = [*routes, *admitted.routes]
        if site.fast is not None:
            site.fast.open(admitted.gate, witness, health.is_failing)
        return make_resource(all_routes, frame, admitted.gate, witness)

    pages = [*observing.pages, HealthPages(health)]
    debug = make_debug_listener(settings, reactor, pages, site)
    parts: list[Part | None] = [observing, debug, notifications, intake]
    return RegistryService(
        site,
        _listeners(settings, reactor, contexts),
        lambda: Deferred.fromCoroutine(open_routes()),
        reactor,
        settings.http.draintimeout,
        _GREETING,
        _facts(settings),
        reloads=[] if contexts is None else [contexts.reload],
        parts=[part for part in parts if part is not None],
        health=health,
        logs=logs,
    )


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
    settings: Settings, driver: IStorageDriver, reactor: Any, urls: Urls
) -> list[Routes]:
    registry = Registry(driver, reactor, _rules(settings), in_threads_of(reactor))
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


def _contexts(settings: Settings, reactor: Any) -> ReloadingContextFactory | None:
    tls = settings.http.tls
    if not tls.certificate:
        return None
    options = TLSOptions(
        tls.certificate,
        tls.key,
        tls.clientcas,
        tls.clientauth or REQUIRE_AND_VERIFY,
        tls.minimumtls,
        tls.ciphersuites,
    )
    try:
        return ReloadingContextFactory(options, reactor)
    except InvalidOption as error:
        raise settings.error(f"http.tls.{error.key}", error.problem) from None


def _listeners(
    settings: Settings, reactor: Any, contexts: ReloadingContextFactory | None
) -> list[Listener]:
    listeners = []
    for key, place in settings.http.places.items():
        try:
            listeners.append(_listener(place, reactor, contexts))
        except InvalidOption as error:
            raise settings.error(f"{key}.{error.key}", error.problem) from None
    return listeners


def _listener(
    place: Place, reactor: Any, contexts: ReloadingContextFactory | None
) -> Listener:
    endpoint = DirectEndpoint(_endpoint(place, reactor))
    kind = kind_of(place.endpoint)
    was_opened = kind == "systemd"
    if kind in ("ssl", "tls"):
        if place.tls:
            raise InvalidOption("tls", "is spoken by the endpoint itself; take it out")
        return Listener(endpoint, speaks_tls=True)
    if place.tls and contexts is None:
        raise InvalidOption("tls", "needs http.tls.certificate")
    if contexts is None or place.tls is False:
        return Listener(endpoint, False, was_opened)
    return Listener(TLSEndpoint(endpoint, contexts, reactor), True, was_opened)


def _endpoint(place: Place, reactor: Any) -> IStreamServerEndpoint:
    addr, mode = place.addr, place.socketmode
    if addr is None:
        return described_endpoint(reactor, place.endpoint)
    if isinstance(addr, SocketPath):
        return UnixEndpoint(reactor, addr.path, None if mode is None else mode.bits)
    return tcp_endpoint(reactor, addr.host, addr.port)


def _facts(settings: Settings) -> dict[str, object]:
    """Return what the greeting says."""
    access = settings.access
    has_rules = bool(access.file) or access.rules is not None
    endpoints = settings.notifications.endpoints
    return {
        "version": __version__,
        "storage": _store(settings),
        "auth": settings.auth.controller or "none",
        "rules": "rules" if has_rules else "no rules",
        "endpoints": sum(not endpoint.disabled for endpoint in endpoints),
    }


def _store(settings: Settings) -> str:
    """Return what content is kept with, and where, for a person."""
    where = settings.storage.parameters.get("rootdirectory", "")
    return f"{settings.storage.driver} {where}".strip()
