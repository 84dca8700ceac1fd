"""Service: the one place where the parts are joined; what starts and stops when."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from klein.resource import KleinResource
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from txregistry import __version__
from txregistry.admission import make_admission
from txregistry.checking import make_health
from txregistry.config import Place, Settings, SocketPath
from txregistry.interfaces import InvalidOption, IStorageDriver, StorageError
from txregistry.logs import Logs
from txregistry.notifying import make_notifications, make_witness
from txregistry.observe.health import Health, HealthPages
from txregistry.observing import (
    DebugListener,
    Observing,
    make_debug_listener,
    make_observing,
    make_tracing,
)
from txregistry.plugins import BrokenPlugin, UnknownPlugin
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules, is_plain_url
from txregistry.registry.secret import shared_secret
from txregistry.storage.loading import find_factory
from txregistry.threads import in_threads_of
from txregistry.web.app import Frame, make_resource
from txregistry.web.cors import Cors
from txregistry.web.endpoints import Routes
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
from txregistry.web.urls import Urls
from txregistry.web.witness import SilentWitness, Witness
from txregistry.webhooks.notifications import Notifications

_log = Logger()

_REACHED_AS_LOCALHOST: Final = ("127.0.0.1", "0.0.0.0", "::", "::1")

SERVER_NAME: Final = f"txregistry/{__version__}"

_GREETING: Final = (
    "txregistry/{version} serves on {address}, storage {storage}, auth {auth} with "
    "{rules}, notification endpoints: {endpoints}"
)


class RegistryService(Service):
    """A registry that listens, serves and, at the end, drains.

    Attributes:
        failure: Why it could not start; None: it could, or has not tried.
    """

    def __init__(
        self,
        site: RegistrySite,
        listeners: Sequence[Listener],
        open_routes: Callable[[], Deferred[KleinResource]],
        reactor: Any,
        drain_timeout: float,
        greeting: str,
        reloads: Sequence[Callable[[], object]] = (),
        notifications: Notifications | None = None,
        debug: DebugListener | None = None,
        observing: Observing | None = None,
        health: Health | None = None,
        logs: Logs | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        """Prepare.

        Args:
            site: Serves clients; what it serves is replaced when the store is open.
            listeners: Where to listen.
            open_routes: Opens the store and makes the routes on it.
            reactor: Gives time; is stopped when the registry cannot start.
            drain_timeout: Seconds that running requests have to end.
            greeting: What is logged when clients can come; ``{address}`` is where to,
                and ``facts`` are in it by their names.
            reloads: What reads its files anew, and logs how that went.
            notifications: Take events while it serves; None: nobody is told.
            debug: The listener for those who run it; None: there is none.
            observing: Sees what it does; None: nothing does.
            health: Checks what it depends on; None: nothing does.
            logs: Take what it logs; None: somebody else does.
            facts: What there is to know about it, for the log.
        """
        self.failure: Exception | None = None
        self._site = site
        self._listeners = listeners
        self._open_routes = open_routes
        self._reactor = reactor
        self._drain_timeout = drain_timeout
        self._greeting = greeting
        self._reloads = reloads
        self._notifications = notifications
        self._debug = debug
        self._observing = observing or Observing()
        self._health = health or Health([], reactor)
        self._logs = logs or Logs()
        self._facts = facts or {}
        self._debug_port: IListeningPort | None = None
        self._notifying = False
        self._listening: dict[Listener, Deferred[IListeningPort]] = {}
        self._ports: dict[Listener, IListeningPort] = {}
        self._hurry: Deferred[None] = Deferred()

    def setServiceParent(self, parent: Any) -> None:
        """See IService. twistd logs as its application says, which learns it here."""
        super().setServiceParent(parent)
        for observer in self._logs.observers:
            if isinstance(parent, Componentized):
                parent.setComponent(ILogObserver, observer)

    def privilegedStartService(self) -> None:
        """Bind the ports, which may need rights that the process gives up next."""
        super().privilegedStartService()
        self._listen(was_opened=False)

    def startService(self) -> None:
        """Open the store and serve."""
        super().startService()
        Deferred.fromCoroutine(self._start()).addErrback(
            lambda failure: _log.failure("cannot start", failure)
        )

    def stopService(self) -> Deferred[None]:
        """Stop accepting, let running requests end for a while, then stop."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Wait for running requests no longer."""
        if not self._hurry.called:
            self._hurry.callback(None)

    def reload(self) -> None:
        """Read anew what can be read anew: certificates. Go on in new log files."""
        self.reopen_logs()
        _log.info("reloading")
        for reload in self._reloads:
            try:
                reload()
            except Exception:  # the others shall have their turn
                _log.failure("cannot reload")

    def reopen_logs(self) -> None:
        """Go on in new log files, as somebody has put the old ones aside."""
        self._logs.reopen()
        _log.info("log files were reopened")

    def _listen(self, was_opened: bool) -> None:
        for listener in self._listeners:
            if listener.was_opened == was_opened and listener not in self._listening:
                listening = listener.endpoint.listen(self._site)
                self._listening[listener] = listening

    async def _await_ports(self) -> None:
        error: Exception | None = None
        for listener, listening in self._listening.items():
            if listener not in self._ports:
                try:
                    self._ports[listener] = await listening
                except Exception as failed:  # endpoints fail as they like
                    error = error or failed
        if error is not None:
            raise error

    async def _start(self) -> None:
        try:
            self._observing.start()
            if self._debug is not None:
                debug = self._debug
                self._debug_port = await debug.listener.endpoint.listen(debug.site)
            self._listen(was_opened=False)
            await self._await_ports()
            if self._notifications is not None:
                await self._notifications.start()
                self._notifying = True
            self._site.resource = await self._open_routes()
            # Whoever waits there has made the service manager start us, and is served.
            self._listen(was_opened=True)
            await self._await_ports()
        except Exception as error:  # whatever it is, nothing works without it
            self.failure = error
            _log.error("cannot start: {error}", error=error)
            self._reactor.callWhenRunning(self._reactor.stop)
            return
        self._health.start()
        self._greet()
        if self._debug is not None and self._debug_port is not None:
            address = self._debug.listener.shown(self._debug_port.getHost())
            _log.info("debug listener on {address}", address=address)

    def _greet(self) -> None:
        addresses: dict[Listener, Any] = {
            listener: self._ports[listener].getHost() for listener in self._listeners
        }
        shown = [listener.shown(address) for listener, address in addresses.items()]
        _log.info(self._greeting, address=", ".join(shown), **self._facts)
        for address in addresses.values():
            if getattr(address, "host", None) in _REACHED_AS_LOCALHOST:
                port = address.port
                _log.info("push to it: docker push localhost:{port}/NAME", port=port)
                break

    async def _stop(self) -> None:
        self._health.stop()
        await gatherResults([_stop_listening(port) for port in self._ports.values()])
        drained = self._site.drain()
        if not drained.called:
            _log.info("stopping; waiting for running requests")
        timer = self._reactor.callLater(self._drain_timeout, self.hurry)
        self._hurry.addCallback(lambda _: self._site.abort())
        await drained
        if timer.active():
            timer.cancel()
        if self._notifications is not None and self._notifying:
            await self._notifications.stop()
        if self._debug_port is not None:
            await _stop_listening(self._debug_port)
        await self._observing.stop()
        _log.info("stopped")


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
    )
    driver = observing.driver(own_driver, reactor)
    health = make_health(settings, driver, reactor)
    observing.add_health(lambda: health.failures)
    frame = _frame(settings, health)
    witness: Witness = SilentWitness()
    if notifications is not None:
        witness = make_witness(settings, notifications, urls, reactor)
    witness = observing.witness(witness)
    site = RegistrySite(
        make_resource([NotYetRoutes()], frame),
        reactor,
        _limits(settings),
        SERVER_NAME,
        [*(logs or Logs()).watchers, *observing.watchers],
        tracer=tracing.tracer,
    )

    async def open_routes() -> KleinResource:
        routes = await _routes(settings, driver, reactor, urls)
        all_routes = [*routes, *admitted.routes]
        return make_resource(all_routes, frame, admitted.gate, witness)

    pages = [*observing.pages, HealthPages(health)]
    return RegistryService(
        site,
        _listeners(settings, reactor, contexts),
        lambda: Deferred.fromCoroutine(open_routes()),
        reactor,
        settings.http.draintimeout,
        _GREETING,
        [] if contexts is None else [contexts.reload],
        notifications,
        make_debug_listener(settings, reactor, pages, site),
        observing,
        health,
        logs,
        _facts(settings),
    )


def _stop_listening(port: IListeningPort) -> Deferred[Any]:
    return maybeDeferred(port.stopListening).addErrback(
        lambda failure: _log.failure("cannot stop listening", failure)
    )


def stop_on_signals(reactor: Any, service: RegistryService) -> None:
    """Stop at the first SIGTERM or SIGINT, and at once at the second; reload at SIGHUP.

    SIGUSR1, and SIGHUP too, let it go on in new log files.

    When the terminal goes away in which we run, SIGHUP is a reason to stop.

    Call it when the reactor runs, which installs handlers of its own before.
    """
    seen = []
    at_terminal = _has_terminal()

    def stop(number: int, _frame: object) -> None:
        seen.append(number)
        call = reactor.stop if len(seen) == 1 else service.hurry
        reactor.callFromThread(call)

    def hang_up(number: int, frame: object) -> None:
        if at_terminal and not _has_terminal():
            stop(number, frame)
        else:
            reactor.callFromThread(service.reload)

    def reopen(_number: int, _frame: object) -> None:
        reactor.callFromThread(service.reopen_logs)

    signal.signal(signal.SIGUSR1, reopen)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, hang_up)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


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
    endpoint, kind = _endpoint(place, reactor), kind_of(place.endpoint)
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
