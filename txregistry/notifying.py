"""Notifying: the notifications, joined as the settings say."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from attrs import evolve
from cryptography.hazmat.primitives.serialization import Encoding
from treq.client import HTTPClient
from twisted.internet import ssl
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from txregistry import __version__
from txregistry.config import Address, Settings
from txregistry.config.sections.notifications import Endpoint as EndpointSettings
from txregistry.config.sections.weburls import split_user
from txregistry.interfaces import InvalidOption, ITracer
from txregistry.oci.events import SourceRecord
from txregistry.oci.forwarded import client
from txregistry.oci.globs import Globs, InvalidGlob
from txregistry.threads import in_own_threads_of, in_threads_of
from txregistry.web.pem import load_certificates
from txregistry.web.urls import Urls
from txregistry.web.witness import EventWitness
from txregistry.webhooks.client import make_client
from txregistry.webhooks.connections import make_pool
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.ledger import IN_MEMORY, BrokenLedger, Ledger
from txregistry.webhooks.names import Names
from txregistry.webhooks.notifications import Bounds, Notifications
from txregistry.webhooks.places import Places
from txregistry.webhooks.posting import Poster
from txregistry.webhooks.retrying import Backoff
from txregistry.webhooks.signing import InvalidSecret, Signer

_FILE: Final = "_txregistry/events.sqlite3"
_DEFAULT_TIMEOUT: Final = 1.0
_DEFAULT_THRESHOLD: Final = 10
_DEFAULT_BACKOFF: Final = 1.0


def make_notifications(
    settings: Settings,
    reactor: Any,
    tracer: ITracer | None = None,
    leave_to: Callable[[frozenset[str]], None] | None = None,
) -> Notifications | None:
    """Join the notifications.

    Args:
        settings: The configuration.
        reactor: Gives time, threads and connections.
        tracer: Traces messages; None: they are not traced.
        leave_to: See Notifications.

    Returns:
        The notifications, not started; None: nobody is to be told anything.

    Raises:
        ConfigError: A part of ``notifications`` cannot be used.
    """
    endpoints = make_endpoints(settings, reactor)
    if not endpoints:
        return None
    endpoints = [evolve(each, tracer=tracer) for each in endpoints]
    path = ledger_path(settings)
    queue = settings.notifications.queue
    return Notifications(
        endpoints,
        lambda: open_ledger(path),
        Bounds(queue.maxage, queue.keep, queue.maxsize),
        reactor,
        in_threads_of(reactor),
        leave_to,
    )


def make_witness(
    settings: Settings, notifications: Notifications, urls: Urls, clock: Any
) -> EventWitness:
    """Return what makes events of what requests do, for the notifications."""
    proxies = settings.http.trustforwarded
    return EventWitness(
        notifications,
        clock,
        make_source(settings),
        urls.content,
        _client_address(lambda peer: peer in proxies),
        settings.notifications.events.includereferences,
    )


def make_endpoints(settings: Settings, reactor: Any) -> list[Endpoint]:
    """Join all endpoints that are not disabled.

    Raises:
        ConfigError: A part of one cannot be used.
    """
    names: set[str] = set()
    endpoints = []
    for index, given in settings.notifications.active.items():
        key = f"notifications.endpoints.{index}"
        for option, value in (("url", given.url), ("name", given.name)):
            if not value:
                raise settings.error(f"{key}.{option}", "is missing")
        if given.name in names:
            raise settings.error(f"{key}.name", "is another endpoint's, too")
        names.add(given.name)
        try:
            endpoints.append(_endpoint(given, reactor))
        except InvalidOption as error:
            raise settings.error(f"{key}.{error.key}", error.problem) from None
    return endpoints


def ledger_path(settings: Settings) -> str:
    """Return where events wait: a file, or ``IN_MEMORY``.

    Raises:
        ConfigError: It is not known where.
    """
    queue, storage = settings.notifications.queue, settings.storage
    in_memory = queue.driver is None and not queue.path and storage.driver == "inmemory"
    if queue.driver == "memory" or in_memory:
        return IN_MEMORY
    if queue.path:
        return queue.path
    folder = storage.parameters.get("rootdirectory")
    if storage.driver != "filesystem" or not isinstance(folder, str):
        problem = f"is needed with storage.{storage.driver}: a file on a local disk"
        raise settings.error("notifications.queue.path", problem)
    return os.path.join(folder, _FILE)


def open_ledger(path: str) -> Ledger:
    """Open what events wait in; make its folder if it is not there.

    Raises:
        StorageError: It cannot be used.
    """
    if path != IN_MEMORY:
        try:
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BrokenLedger(f"{path}: {error.strerror}") from error
    return Ledger(path)


def _endpoint(given: EndpointSettings, reactor: Any) -> Endpoint:
    url, credentials = split_user(given.url)
    ignored = {*given.ignore.mediatypes, *given.ignoredmediatypes}
    timeout = given.timeout or _DEFAULT_TIMEOUT
    poster = Poster(
        _client(reactor, given.rootcerts, timeout),
        url,
        _headers({"User-Agent": [f"txregistry/{__version__}"], **credentials}, given),
        timeout,
        reactor,
    )
    backoff = Backoff(
        given.threshold or _DEFAULT_THRESHOLD,
        given.backoff or _DEFAULT_BACKOFF,
        given.maxbackoff,
        random.random,
    )
    return Endpoint(
        given.name,
        EventFilter(
            frozenset(ignored),
            frozenset(given.ignore.actions),
            _globs(given.repositories),
        ),
        poster,
        backoff,
        given.envelope,
        given.batch,
        _signer(given.secrets),
    )


def _headers(
    ours: Mapping[str, Sequence[str]], given: EndpointSettings
) -> dict[str, Sequence[str]]:
    """Return the headers that are configured, and those of ours that are not."""
    taken = {name.lower() for name in given.headers}
    free = {name: values for name, values in ours.items() if name.lower() not in taken}
    return {**free, **given.headers}


def _globs(texts: Sequence[str]) -> Globs | None:
    if not texts:
        return None
    for index, text in enumerate(texts):
        try:
            Globs.parse([text])
        except InvalidGlob as error:
            raise InvalidOption(f"repositories.{index}", str(error)) from None
    return Globs.parse(texts)


def _signer(secrets: Sequence[str]) -> Signer | None:
    for index, secret in enumerate(secrets):
        try:
            Signer.parse((secret,))
        except InvalidSecret as error:
            raise InvalidOption(f"secrets.{index}", str(error)) from None
    return Signer.parse(tuple(secrets)) if secrets else None


def _client(reactor: Any, rootcerts: str, timeout: float) -> HTTPClient:
    policy = BrowserLikePolicyForHTTPS(_roots(rootcerts))
    names = Names(in_own_threads_of(reactor))
    places = Places(reactor, names, policy, timeout)
    agent = Agent.usingEndpointFactory(reactor, places, make_pool(reactor))
    return make_client(agent, reactor)


def _roots(path: str) -> Any:
    """Return what vouches for a receiver's certificate; None: what the system has."""
    if not path:
        return None
    return ssl.trustRootFromCertificates(
        [
            ssl.Certificate.load(each.public_bytes(Encoding.DER))
            for each in load_certificates("rootcerts", path)
        ]
    )


def make_source(settings: Settings) -> SourceRecord:
    """Return what events say of this process."""
    name = socket.gethostname()
    for place in settings.http.places.values():
        if isinstance(place.addr, Address):
            name = f"{name}:{place.addr.port}"
            break
    return SourceRecord(name, str(uuid4()))


def _client_address(trusts: Callable[[str], bool]) -> Callable[[Any], str]:
    """Return what tells the address of a request's client, as events have it."""

    def address(request: Any) -> str:
        peer = request.getClientAddress()
        found = client(request.headers("x-forwarded-for"), peer.host, trusts)
        if found != peer.host or not hasattr(peer, "port"):
            return found
        host = f"[{found}]" if ":" in found else found
        return f"{host}:{peer.port}"

    return address
