"""Manning: the workers, joined as the settings say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from txregistry.config import Settings
from txregistry.logs import Logs, Places

if TYPE_CHECKING:
    from txregistry.workers.assignment import Assignment
    from txregistry.workers.crew import Crew

_IN_MEMORY: Final = "inmemory"


def make_crew(
    settings: Settings, reactor: Any, logs: Logs | None, environ: Mapping[str, str]
) -> Crew | None:
    """Join the workers.

    Args:
        settings: The configuration.
        reactor: Gives time, and starts processes.
        logs: Say where workers log.
        environ: The environment.

    Returns:
        The workers, not started; None: this process is to serve alone.

    Raises:
        ConfigError: There cannot be any with these settings.
    """
    count = settings.http.workers.number
    if settings.http.workers.given is None and _is_for_one(settings):
        return None
    if count == 1:
        return None
    if problem := _is_for_one(settings):
        raise settings.error("http.workers", problem)
    # Not before there are to be some: it takes time and memory.
    from txregistry.observe.sharing import WorkersFolder, is_shared
    from txregistry.workers.crew import Crew

    counts = settings.http.debug.prometheus.enabled and not is_shared(environ)
    return Crew(
        count,
        list(settings.http.places),
        _assignment(settings, reactor, (logs and logs.places) or Places(None), counts),
        reactor,
        environ,
        WorkersFolder() if counts else None,
        [] if logs is None else logs.files,
        settings.http.workertimeout,
    )


def _is_for_one(settings: Settings) -> str:
    """Say why there can be one process only; empty: there can be more."""
    notifications = settings.notifications
    if settings.storage.driver == _IN_MEMORY:
        return "must be 1: storage.inmemory is within one process"
    if notifications.active and notifications.queue.driver == "memory":
        return "must be 1: notifications.queue.driver keeps events within one process"
    return ""


def _assignment(
    settings: Settings, reactor: Any, places: Places, counts: bool
) -> Assignment:
    from txregistry.workers.assignment import Assignment

    file = places.application
    return Assignment(
        name=settings.document.name,
        text=settings.document.text,
        folder=os.getcwd(),
        reactor=type(reactor).__module__,
        logs_itself=places.is_ours,
        log_file=os.path.abspath(file) if isinstance(file, str) else "",
        logs_access=places.access is not None,
        counts=counts,
    )
