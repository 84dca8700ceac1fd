"""Observing: what sees what the registry does, joined as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from txregistry.config import Settings
from txregistry.interfaces import IRequestWatcher
from txregistry.observe.accesslog import AccessLog
from txregistry.observe.debug import DebugSite, Pages, make_debug_site
from txregistry.web.listeners import Listener, tcp_endpoint


@frozen
class Observing:
    """What sees what the registry does.

    Attributes:
        watchers: Are told of requests.
        pages: What the debug listener shows.
    """

    watchers: Sequence[IRequestWatcher] = ()
    pages: Sequence[Pages] = field(default=())


@frozen
class DebugListener:
    """The debug listener.

    Attributes:
        listener: Where it listens.
        site: What it shows.
    """

    listener: Listener
    site: DebugSite


def make_observing(settings: Settings) -> Observing:
    """Join what sees what the registry does."""
    watchers: list[IRequestWatcher] = []
    if not settings.log.accesslog.disabled:
        watchers.append(AccessLog())
    return Observing(watchers)


def make_debug_listener(
    settings: Settings, reactor: Any, pages: Sequence[Pages]
) -> DebugListener | None:
    """Join the debug listener; None: there is to be none."""
    address = settings.http.debug.place
    if address is None:
        return None
    endpoint = tcp_endpoint(reactor, address.host, address.port)
    return DebugListener(Listener(endpoint), make_debug_site(pages, reactor))
