"""Listening: the places where clients come in, joined as the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint

from txregistry.config import Place, Settings, SocketPath
from txregistry.interfaces import InvalidOption
from txregistry.web.handing import HandedEndpoint, handed_endpoint
from txregistry.web.listeners import (
    Listener,
    UnixEndpoint,
    described_endpoint,
    kind_of,
    tcp_endpoint,
)
from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_context import REQUIRE_AND_VERIFY, TLSOptions
from txregistry.web.tls_endpoint import TLSEndpoint
from txregistry.web.tls_sending import Senders, make_senders
from txregistry.web.transport import DirectEndpoint


def make_contexts(settings: Settings, reactor: Any) -> ReloadingContextFactory | None:
    """Load the certificate; None: there is to be none.

    Raises:
        ConfigError: It cannot be used.
    """
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


def make_listeners(
    settings: Settings,
    reactor: Any,
    contexts: ReloadingContextFactory | None,
    handed: Mapping[str, int] | None = None,
) -> list[Listener]:
    """Join the places where clients come in.

    Args:
        settings: The configuration.
        reactor: Listens.
        contexts: Makes connections that speak TLS; None: there are none.
        handed: The descriptors of sockets that another process has opened, by the key
            of each place; None: this one is to open them.

    Raises:
        ConfigError: One cannot be used.
    """
    sharing = 1 if handed is None else settings.http.workers.number
    senders = make_senders(reactor, sharing)
    listeners = []
    for key, place in settings.http.places.items():
        descriptor = None if handed is None else handed[key]
        try:
            listeners.append(_listener(place, reactor, contexts, senders, descriptor))
        except InvalidOption as error:
            raise settings.error(f"{key}.{error.key}", error.problem) from None
    return listeners


def _listener(
    place: Place,
    reactor: Any,
    contexts: ReloadingContextFactory | None,
    senders: Senders,
    descriptor: int | None,
) -> Listener:
    kind = kind_of(place.endpoint)
    if descriptor is None:
        endpoint = DirectEndpoint(_endpoint(place, reactor))
    else:
        endpoint = DirectEndpoint(_handed(place, reactor, descriptor))
    # Nobody is to be served before the store is open.
    was_opened = kind == "systemd" or descriptor is not None
    if kind in ("ssl", "tls"):
        if place.tls:
            raise InvalidOption("tls", "is spoken by the endpoint itself; take it out")
        return Listener(endpoint, True, was_opened)
    if place.tls and contexts is None:
        raise InvalidOption("tls", "needs http.tls.certificate")
    if contexts is None or place.tls is False:
        return Listener(endpoint, False, was_opened)
    secure = TLSEndpoint(endpoint, contexts, reactor, senders)
    return Listener(secure, True, was_opened)


def _endpoint(place: Place, reactor: Any) -> IStreamServerEndpoint:
    addr, mode = place.addr, place.socketmode
    if addr is None:
        return described_endpoint(reactor, place.endpoint)
    if isinstance(addr, SocketPath):
        return UnixEndpoint(reactor, addr.path, None if mode is None else mode.bits)
    return tcp_endpoint(reactor, addr.host, addr.port)


def _handed(place: Place, reactor: Any, descriptor: int) -> IStreamServerEndpoint:
    if place.addr is None and kind_of(place.endpoint) != "systemd":
        return handed_endpoint(reactor, place.endpoint, descriptor)
    return HandedEndpoint(reactor, descriptor)
