"""Spawning: the processes of workers, and how they and we talk."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import field, frozen
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from txregistry.processes import start_module, usable
from txregistry.workers.assignment import (
    ASSIGNMENT,
    COMMANDS,
    FIRST_SOCKET,
    REPORTS,
)
from txregistry.workers.lines import LineReader, to_line
from txregistry.workers.supervising import Hears, WorkerProcess

_MODULE: Final = "txregistry.worker"


class Channel(ProcessProtocol):
    """The process of a worker. See WorkerProcess."""

    transport: IProcessTransport

    def __init__(self, hears: Hears) -> None:
        """Take who hears from it."""
        self._hears = hears
        self._lines = LineReader()

    @property
    def pid(self) -> int:
        """See WorkerProcess."""
        return int(self.transport.pid or 0)

    def send(self, message: dict[str, Any]) -> None:
        """See WorkerProcess. One that does not listen any more is about to end."""
        with suppress(KeyError):
            self.transport.writeToChild(COMMANDS, to_line(message))

    def signal(self, name: str) -> None:
        """See WorkerProcess."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803
        """See IProcessProtocol."""
        for message in self._lines.feed(data):
            self._hears.heard(message)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's
        """See IProcessProtocol."""
        self._hears.ended(_shown(reason.value))


@frozen
class Spawner:
    """Starts workers. See Spawn.

    Attributes:
        reactor: Starts processes.
        assignment: The descriptor of the workers' assignment.
        sockets: The descriptors of the sockets.
        environ: The environment.
        files: Return the descriptors of log files, as they are by now; behind sockets.
        streams: The descriptors of the standard output and the standard error.
    """

    reactor: Any
    assignment: int
    sockets: Sequence[int]
    environ: Mapping[str, str]
    files: Callable[[], Sequence[int]] = tuple
    streams: tuple[int, int] = field(factory=lambda: (usable(1), usable(2)))

    def __call__(self, number: int, hears: Hears) -> WorkerProcess:
        """See Spawn."""
        channel = Channel(hears)
        descriptors: dict[int, int | str] = {
            COMMANDS: "w",
            1: self.streams[0],
            2: self.streams[1],
            REPORTS: "r",
            ASSIGNMENT: self.assignment,
        }
        for index, descriptor in enumerate([*self.sockets, *self.files()]):
            descriptors[FIRST_SOCKET + index] = descriptor
        start_module(
            self.reactor,
            channel,
            _MODULE,
            [str(number)],
            descriptors,
            self.environ,
        )
        return channel


def _shown(reason: BaseException | None) -> str:
    if not isinstance(reason, ProcessTerminated):
        return "it was told to"
    if reason.signal is not None:
        return f"killed by {signal.Signals(reason.signal).name}"
    return f"exit status {reason.exitCode}"
