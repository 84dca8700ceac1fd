"""Worker: ``python -m txregistry.worker N``, which a registry with workers starts.

It is no command for people: it asks for descriptors that only that registry gives it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

from txregistry.starting import importing

with importing():
    from txregistry.config import ConfigError, Document, load_document
    from txregistry.logs import Places, open_logs
    from txregistry.service import make_service
    from txregistry.serving import RegistryService, settle_memory
    from txregistry.workers.assignment import ASSIGNMENT, Assignment
    from txregistry.workers.chief import Chief

_log = Logger()


def main() -> None:
    """Serve until the process that minds us has us stop, or ends."""
    number, assignment = int(sys.argv[1]), Assignment.read(ASSIGNMENT)
    os.close(ASSIGNMENT)
    reactor = _reactor(assignment.reactor)
    chief = Chief(number, assignment, reactor, reactor.stop)
    try:
        service = make_worker(chief, reactor)
    except ConfigError as error:
        chief.report_failure(str(error))
        sys.exit(1)
    reactor.callWhenRunning(_begin, reactor, chief, service)
    # What a terminal sends does not come here, and nothing but SIGTERM is for us.
    reactor.run(installSignalHandlers=False)
    sys.exit(0 if service.failure is None else 1)


def make_worker(chief: Chief, reactor: Any) -> RegistryService:
    """Make the service of a worker.

    Args:
        chief: The process that minds it.
        reactor: Gives time, threads and sockets.

    Raises:
        ConfigError: It cannot be made.
    """
    assignment = chief.assignment
    here = os.getcwd()
    if here != assignment.folder:
        # Relative paths lead from where that process was when it read them.
        os.chdir(assignment.folder)
    settings = load_document(Document(assignment.name, assignment.text), os.environ)
    logs = open_logs(settings, _places(assignment), assignment.files)
    observers: Sequence[ILogObserver] = logs.observers
    if not assignment.logs_itself:
        observers = [_Forwarding(chief)]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
    service = make_service(settings, reactor, logs=logs, chief=chief)
    chief.commands = {
        "hurry": service.hurry,
        "reload": service.reload,
        "reopen": service.reopen_logs,
    }
    service.when_serving(settle_memory)
    if here != assignment.folder:
        os.chdir(here)
    return service


def _reactor(module: str) -> Any:
    """Install a reactor of the kind that the process has that minds us; return it."""
    try:
        importlib.import_module(module).install()
    except (AttributeError, ReactorAlreadyInstalledError):
        _log.debug("{module} installs no reactor", module=module)
    from twisted.internet import reactor

    return reactor


def _begin(reactor: Any, chief: Chief, service: RegistryService) -> None:
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(chief.end))
    reactor.addSystemEventTrigger("before", "shutdown", chief.note_end)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    chief.connect()
    service.startService()


def _places(assignment: Assignment) -> Places:
    if not assignment.logs_itself:
        return Places(None, is_ours=False)
    access = sys.stdout if assignment.logs_access else None
    return Places(assignment.log_file or sys.stderr, access)


@implementer(ILogObserver)
class _Forwarding:
    """Has the process that minds us log what we have to say."""

    def __init__(self, chief: Chief) -> None:
        self._chief = chief

    def __call__(self, event: LogEvent) -> None:
        """See ILogObserver."""
        level = event.get("log_level", LogLevel.info)
        own = event.get("log_namespace", "-").startswith("txregistry")
        if not own and level < LogLevel.warn:
            return
        text = formatEvent(event)
        if "log_failure" in event:
            text = f"{text}\n{event['log_failure'].getTraceback()}"
        self._chief.report_line(level.name, text)


if __name__ == "__main__":
    main()
