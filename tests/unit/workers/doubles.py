"""Workers that are none, for tests of what minds them."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from txregistry.workers.supervising import Hears, WorkerProcess


@define(eq=False)
class TamedProcess:
    """The process of a worker, which does what a test says. See WorkerProcess.

    Attributes:
        number: The worker's number.
        hears: Hears from it.
        pid: Its id.
        sent: What it was told.
        signals: The signals it got.
        hangs: Whether it takes nothing of what it is told.
    """

    number: int
    hears: Hears
    pid: int
    sent: list[dict[str, Any]] = field(factory=list)
    signals: list[str] = field(factory=list)
    hangs: bool = False
    _told: int = 0

    def send(self, message: dict[str, Any]) -> None:
        """See WorkerProcess. It takes what it is told at once, if it does not hang."""
        self._told += 1
        if message != {"do": "beat"}:
            self.sent.append(message)
        if not self.hangs:
            self.wake_up()

    def signal(self, name: str) -> None:
        """See WorkerProcess."""
        self.signals.append(name)

    def wake_up(self) -> None:
        """Take all that it was told."""
        self.hangs = False
        self.hears.heard({"took": self._told})

    def serve(self) -> None:
        """Say that it serves."""
        self.hears.heard({"ready": True})

    def end(self, reason: str = "killed by SIGKILL") -> None:
        """End."""
        self.hears.ended(reason)


class Nursery:
    """Starts such processes. See Spawn.

    Attributes:
        processes: All of them, in order.
        full: Whether there is no room for more.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.processes: list[TamedProcess] = []
        self.full = False

    def __call__(self, number: int, hears: Hears) -> WorkerProcess:
        """See Spawn."""
        if self.full:
            raise BlockingIOError("no room")
        process = TamedProcess(number, hears, 1000 + len(self.processes))
        self.processes.append(process)
        return process
