"""Service: the one place where the parts are joined; what starts and stops when."""

from __future__ import annotations

import signal
from collections.abc import Callable
from socket import has_dualstack_ipv6
from typing import Any, Final

from klein.resource import KleinResource
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger

from txregistry import __version__
from txregistry.config import Address, Settings
from txregistry.interfaces import InvalidOption, IStorageDriver
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules, is_plain_url
from txregistry.registry.secret import shared_secret
from txregistry.storage.loading import BrokenDriver, UnknownDriver, find_factory
from txregistry.threads import in_threads_of
from txregistry.web.app import Frame, make_resource
from txregistry.web.cors import Cors
from txregistry.web.endpoints import Routes
from txregistry.web.limits import Limits
from txregistry.web.push_location import PushLocations
from txregistry.web.routes.base import BaseRoutes, NotYetRoutes
from txregistry.web.routes.blobs import BlobRoutes
from txregistry.web.routes.lists import ListRoutes
from txregistry.web.routes.manifests import ManifestRoutes
from txregistry.web.routes.uploads import UploadRoutes
from txregistry.web.site import RegistrySite
from txregistry.web.urls import Urls

_log = Logger()

_REACHED_AS_LOCALHOST: Final = ("127.0.0.1", "0.0.0.0", "::", "::1")

SERVER_NAME: Final = f"txregistry/{__version__}"


class RegistryService(Service):
    """A registry that listens, serves and, at the end, drains.

    Attributes:
        failure: Why it could not start; None: it could, or has not tried.
    """

    def __init__(
        self,
        site: RegistrySite,
        endpoint: IStreamServerEndpoint,
        open_routes: Callable[[], Deferred[KleinResource]],
        reactor: Any,
        drain_timeout: float,
        greeting: str,
    ) -> None:
        """Prepare.

        Args:
            site: Serves clients; what it serves is replaced when the store is open.
            endpoint: Where to listen.
            open_routes: Opens the store and makes the routes on it.
            reactor: Gives time; is stopped when the registry cannot start.
            drain_timeout: Seconds that running requests have to end.
            greeting: What is logged when clients can come; ``{address}`` is where to.
        """
        self.failure: Exception | None = None
        self._site = site
        self._endpoint = endpoint
        self._open_routes = open_routes
        self._reactor = reactor
        self._drain_timeout = drain_timeout
        self._greeting = greeting
        self._port: Deferred[IListeningPort] | None = None
        self._hurry: Deferred[None] = Deferred()

    def privilegedStartService(self) -> None:
        """Bind the port, which may need rights that the process gives up next."""
        super().privilegedStartService()
        self._port = self._endpoint.listen(self._site)

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

    async def _start(self) -> None:
        try:
            if self._port is None:
                self._port = self._endpoint.listen(self._site)
            port = await self._port
            self._site.resource = await self._open_routes()
        except Exception as error:  # whatever it is, nothing works without it
            self.failure = error
            _log.error("cannot start: {error}", error=error)
            self._reactor.callWhenRunning(self._reactor.stop)
            return
        address: Any = port.getHost()
        _log.info(self._greeting, address=f"{address.host}:{address.port}")
        if address.host in _REACHED_AS_LOCALHOST:
            _log.info(
                "push to it: docker push localhost:{port}/NAME", port=address.port
            )

    async def _stop(self) -> None:
        if self._port is not None and self.failure is None:
            port = await self._port
            await maybeDeferred(port.stopListening)
        _log.info("stopping; waiting for running requests")
        drained = self._site.drain()
        timer = self._reactor.callLater(self._drain_timeout, self.hurry)
        self._hurry.addCallback(lambda _: self._site.abort())
        await drained
        if timer.active():
            timer.cancel()
        _log.info("stopped")


def make_service(settings: Settings, reactor: Any) -> RegistryService:
    """Join the parts as the settings say.

    Args:
        settings: The configuration, checked.
        reactor: Gives time, threads and sockets.

    Raises:
        ConfigError: The storage driver does not take its part of the configuration.
    """
    driver = _make_driver(settings, reactor)
    frame = _frame(settings)
    site = RegistrySite(
        make_resource([NotYetRoutes()], frame),
        reactor,
        _limits(settings),
        SERVER_NAME,
        access_log=not settings.log.accesslog.disabled,
    )

    async def open_routes() -> KleinResource:
        return make_resource(await _routes(settings, driver, reactor), frame)

    return RegistryService(
        site,
        _endpoint(settings.http.addr, reactor),
        lambda: Deferred.fromCoroutine(open_routes()),
        reactor,
        settings.http.draintimeout,
        _greeting(settings),
    )


def stop_on_signals(reactor: Any, service: RegistryService) -> None:
    """Stop at the first SIGTERM or SIGINT, and at once at the second.

    Call it when the reactor runs, which installs handlers of its own before.
    """
    seen = []

    def stop(number: int, _frame: object) -> None:
        seen.append(number)
        call = reactor.stop if len(seen) == 1 else service.hurry
        reactor.callFromThread(call)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


async def _routes(
    settings: Settings, driver: IStorageDriver, reactor: Any
) -> list[Routes]:
    registry = Registry(driver, reactor, _rules(settings), in_threads_of(reactor))
    http, storage = settings.http, settings.storage
    host = None if http.host is None else f"{http.host.scheme}://{http.host.authority}"
    trusted = http.trustforwarded
    urls = Urls(http.prefix, host, http.relativeurls, lambda peer: peer in trusted)
    can_delete = storage.delete.enabled
    if http.secret is None:
        secret = await shared_secret(driver)
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
    except (UnknownDriver, BrokenDriver) as error:
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


def _frame(settings: Settings) -> Frame:
    http = settings.http
    cors = Cors(frozenset(http.cors.origins), http.cors.maxage)
    read_only = settings.storage.maintenance.readonly.enabled
    return Frame(http.prefix, http.headers, cors, read_only)


def _limits(settings: Settings) -> Limits:
    limits = settings.http.limits
    return Limits(
        header_size=limits.headersize,
        header_count=limits.headercount,
        header_timeout=limits.headertimeout,
        idle_timeout=limits.idletimeout,
    )


def _endpoint(address: Address, reactor: Any) -> IStreamServerEndpoint:
    if ":" in address.host:
        return TCP6ServerEndpoint(reactor, address.port, interface=address.host)
    if not address.host and has_dualstack_ipv6():
        # One socket takes both, as the Go registry's ":5000" does.
        return TCP6ServerEndpoint(reactor, address.port, interface="::")
    return TCP4ServerEndpoint(reactor, address.port, interface=address.host)


def _greeting(settings: Settings) -> str:
    driver = settings.storage.driver
    where = settings.storage.parameters.get("rootdirectory", "")
    kept = f"{driver} {where}".strip().replace("{", "{{").replace("}", "}}")
    return f"{SERVER_NAME} serves on {{address}}, storage {kept}"
