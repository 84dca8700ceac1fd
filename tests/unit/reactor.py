"""A reactor for tests of what starts and stops: no ports, no threads, no real time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.testing import MemoryReactorClock, StringTransport


class QuietReactor(MemoryReactorClock):
    """Twisted's reactor in memory, with threads that work at once."""

    def __init__(self) -> None:
        """Make one that has done nothing; Twisted 24.7 says of its own that it has."""
        super().__init__()
        self.hasRun = self.hasStopped = False

    def callFromThread(  # noqa: N802 - Twisted's
        self, call: Callable[..., object], *arguments: Any
    ) -> None:
        """See IReactorFromThreads."""
        call(*arguments)

    working: Sequence[object] = ()
    waiters: Sequence[object] = ()

    def getThreadPool(self) -> QuietReactor:  # noqa: N802 - Twisted's
        """See IReactorThreads."""
        return self

    @property
    def _queue(self) -> SimpleQueue[object]:
        return SimpleQueue()

    def callInThreadWithCallback(
        self,
        then: Callable[[bool, object], object],
        work: Callable[..., object],
        *arguments: Any,
    ) -> None:
        """See IThreadPool; the work is done here and now."""
        then(True, work(*arguments))

    def shut_down(self) -> list[Deferred[object]]:
        """Do what was to be done before the end; return what it has to wait for."""
        triggers = self.triggers.get("before", {}).get("shutdown", [])
        return [maybeDeferred(call, *args, **kw) for call, args, kw in triggers]

    def connect(self, number: int = 0) -> Visitor:
        """Connect a client to what listens."""
        factory: Any = self.tcpServers[number][1]
        return Visitor(factory)


class Visitor:
    """A client's connection.

    Attributes:
        transport: The other end; ``value()`` is what was sent to the client.
    """

    def __init__(self, factory: Any) -> None:
        """Connect to a factory."""
        self.transport = StringTransport(
            peerAddress=IPv4Address("TCP", "127.0.0.1", 54321)
        )
        self.channel = factory.buildProtocol(self.transport.getPeer())
        self.channel.makeConnection(self.transport)

    def ask(self, method: str, target: str, *lines: str, body: bytes = b"") -> bytes:
        """Send a request; return all that comes back."""
        self.transport.clear()
        all_lines = [
            f"{method} {target} HTTP/1.1",
            "Host: registry.test",
            f"Content-Length: {len(body)}",
            *lines,
        ]
        self.channel.dataReceived("\r\n".join(all_lines).encode() + b"\r\n\r\n" + body)
        return bytes(self.transport.value())

    def status(self, method: str, target: str, *lines: str, body: bytes = b"") -> int:
        """Send a request; return the status."""
        return int(self.ask(method, target, *lines, body=body).split(b" ", 2)[1])

    def leave(self) -> None:
        """Close the connection."""
        self.channel.connectionLost()
