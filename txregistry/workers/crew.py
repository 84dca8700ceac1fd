"""Crew: the workers of a registry, from its start to its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger, LogLevel

from txregistry.observe.outputs import FileOutput
from txregistry.observe.sharing import WorkersFolder
from txregistry.web.handing import descriptor_of
from txregistry.workers.assignment import FIRST_SOCKET, Assignment
from txregistry.workers.spawning import Spawner
from txregistry.workers.supervising import Supervisor

_log = Logger()

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


class Crew:
    """The workers, as the registry that minds them sees them.

    Attributes:
        supervisor: Keeps them going.
        folder: Where they count; None: nowhere, or where the environment says.
        hear_of_events: Is told for which endpoints of notifications there are events.
    """

    def __init__(
        self,
        count: int,
        keys: Sequence[str],
        assignment: Assignment,
        reactor: Any,
        environ: Mapping[str, str],
        folder: WorkersFolder | None = None,
        files: Sequence[FileOutput] = (),
        silence: float = 30.0,
    ) -> None:
        """Prepare; ``start`` begins.

        Args:
            count: How many workers there are to be.
            keys: Which part of the configuration says where each port is.
            assignment: What they have to know, but for the sockets.
            reactor: Gives time, and starts processes when it runs.
            environ: The environment.
            folder: See above.
            files: The log files that we have open, and they might not be able to open.
            silence: See Supervisor.
        """
        self._keys = keys
        self._assignment = assignment
        self._reactor = reactor
        self._environ = environ
        self.folder = folder
        self._files = files
        self._is_running = False
        self._spawner: Spawner | None = None
        self.supervisor = Supervisor(
            count, self._spawn, reactor, self._hear, self._forget, silence
        )
        self.hear_of_events: Callable[[frozenset[str]], None] = lambda _: None

    async def start(self, ports: Sequence[IListeningPort]) -> None:
        """Start them, and wait until all serve.

        Args:
            ports: Where clients come in, a port for each key.

        Raises:
            WorkerFailed: One of them cannot begin.
        """
        running: Deferred[None] = Deferred()
        self._reactor.callWhenRunning(running.callback, None)
        await running  # processes that end are noticed from then on
        sockets = [descriptor_of(port) for port in ports]
        named = {key: FIRST_SOCKET + index for index, key in enumerate(self._keys)}
        behind = FIRST_SOCKET + len(sockets)
        files = {each.path: behind + n for n, each in enumerate(self._files)}
        assignment = evolve(self._assignment, sockets=named, files=files)
        environ = dict(self._environ)
        if self.folder is not None:
            environ[_VARIABLE] = self.folder.path
        self._spawner = Spawner(
            self._reactor,
            assignment.write(),
            sockets,
            environ,
            lambda: [each.descriptor for each in self._files],
        )
        await self.supervisor.start()
        self._is_running = True

    def drain(self) -> Deferred[None]:
        """See Supervisor."""
        if self._spawner is None:
            return succeed(None)
        return self.supervisor.drain().addCallback(lambda _: self._close())

    def hurry(self) -> None:
        """See Supervisor."""
        self.supervisor.hurry()

    def reload(self) -> None:
        """Have them read anew what can be read anew, and go on in new log files."""
        self.supervisor.tell({"do": "reload"})

    def reopen_logs(self) -> None:
        """Have them go on in new log files."""
        self.supervisor.tell({"do": "reopen"})

    def tell_health(self, failures: Mapping[str, str]) -> None:
        """Tell them which checks fail, and why."""
        self.supervisor.keep_told({"failures": dict(failures)})

    def problems(self) -> list[str]:
        """Return why no requests are served, although there is nothing else."""
        if self._is_running and not self.supervisor.serving():
            return ["no worker serves"]
        return []

    def _spawn(self, number: int, hears: Any) -> Any:
        assert self._spawner is not None
        return self._spawner(number, hears)

    def _hear(self, message: dict[str, Any]) -> None:
        if "events" in message:
            self.hear_of_events(frozenset(message["events"]))
        elif "log" in message:
            level = LogLevel.lookupByName(message["level"])
            _log.emit(level, "{text}", text=message["log"])

    def _forget(self, number: int) -> None:
        if self.folder is not None:
            self.folder.forget(number)

    def _close(self) -> None:
        self._is_running = False
        spawner, self._spawner = self._spawner, None
        if spawner is not None:
            os.close(spawner.assignment)
