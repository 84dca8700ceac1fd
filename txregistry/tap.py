"""Tap: ``twistd txregistry --config FILE``."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage

from txregistry.starting import importing

with importing():
    from txregistry.config import ConfigError, load
    from txregistry.logs import Places, open_logs
    from txregistry.service import make_service
    from txregistry.serving import (
        RegistryService,
        settle_memory,
        spare_from_signals,
        stop_on_signals,
    )

_log = Logger()

# Where twistd logs if it is a daemon and nobody says anything else.
_LOG_FILE: Final = "twistd.log"


class Options(usage.Options):
    """The command line's options."""

    synopsis = "[--config FILE]"
    longdesc = "A registry for container images."
    optParameters = [  # noqa: N815 - Twisted's
        [
            "config",
            "c",
            None,
            "The configuration (default: REGISTRY_CONFIGURATION_PATH, else 127.0.0.1:"
            "5000 with the folder registry-data).",
        ],
    ]


def makeService(options: Options) -> IService:
    """Make the registry's service, as twistd asks for it.

    Raises:
        SystemExit: The configuration cannot be used; one line says why.
    """
    from twisted.internet import reactor

    # Those of twistd's own, without which it is not twistd that asks.
    of_twistd: Mapping[str, Any] = options.parent or {"nodaemon": True}
    return _make(options["config"], reactor, of_twistd)


def _make(path: str | None, reactor: Any, of_twistd: Mapping[str, Any]) -> IService:
    spare_from_signals()
    try:
        settings = load(path, os.environ)
        logs = open_logs(settings, _places(of_twistd))
        service = make_service(settings, reactor, logs=logs)
    except ConfigError as error:
        sys.exit(f"txregistry: {error}")
    for warning in settings.warnings:
        _log.warn("{problem}", problem=warning)
    service.when_serving(settle_memory)
    reactor.callWhenRunning(stop_on_signals, reactor, service)
    reactor.addSystemEventTrigger("after", "shutdown", _tell_failure, service)
    return service


def _places(of_twistd: Mapping[str, Any]) -> Places:
    """Return where twistd would log; it has replaced no stream yet."""
    file = of_twistd.get("logfile")
    if of_twistd.get("syslog") or of_twistd.get("logger"):
        return Places(None, is_ours=False)
    if not of_twistd.get("nodaemon"):
        return Places(file or _LOG_FILE)
    return Places(sys.stderr if file in (None, "", "-") else file, sys.stdout)


def _tell_failure(service: RegistryService) -> None:
    """See to it that the process ends with status 1, if the registry did not start.

    twistd has no way to say so: it ends with 0 whatever its services did, and swallows
    what is raised. So this ends the process when twistd has tidied up.
    """
    if service.failure is not None:
        atexit.register(_exit, 1)


def _exit(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
