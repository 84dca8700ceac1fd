"""Intake: large bodies that are taken in beside the reactor, as many as it is good for.

A body is begun by its connection, in the reactor's thread. When much of it is still to
come, the connection stops reading and the intake lets threads (``transfer``) have a
duplicate of its socket, or with TLS the connection itself (``tls_loan``). In the end it
gets back what is its own: the place in the body, and what arrived behind it.

A large body that finds no room here is read by the reactor, as a small one is.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

from txregistry.streams import IThreadSink
from txregistry.threads import InThread, in_own_threads_of, to_the_end
from txregistry.web.decoding import Framing
from txregistry.web.tls_loan import LendingMixin
from txregistry.web.transfer import BUFFER_SIZE, Receiver, Transfer

# So many buffers are between two threads that work on one body.
_BETWEEN_TWO: Final = 4


class Intake:
    """The bodies that threads take in. A part of the service."""

    def __init__(self, in_thread: InThread, cores: int, most: int) -> None:
        """Prepare.

        Args:
            in_thread: Runs each body's work in a thread.
            cores: How many processors there are. While fewer threads than that are at
                work, a body gets two; otherwise one, because there is no processor
                for the other.
            most: How many bodies there may be at a time.
        """
        self._in_thread = in_thread
        self._cores = cores
        self._most = most
        self._running: dict[Transfer, Deferred[None]] = {}
        self._spare: list[bytearray] = []

    def begin(
        self, transport: Any, framing: Framing, sink: IThreadSink, patience: float
    ) -> tuple[Transfer, Deferred[None]] | None:
        """Have the rest of a body moved to a sink.

        Args:
            transport: The connection's. Nobody may read from it until the end.
            framing: The body's, at the byte that is received next.
            sink: Where the content goes.
            patience: Seconds without a byte after which the client is given up.

        Returns:
            The transfer, and a Deferred that fires when it has ended; None: there is no
            room, or it is not straight on a socket, or something is still to be sent.
        """
        if len(self._running) >= self._most:
            return None
        try:
            receiver = _receiver_of(transport)
            if receiver is None:
                return None
            return self._begin(receiver, framing, sink, patience)
        except (OSError, RuntimeError):  # no more descriptors, or no more threads
            return None

    async def start(self) -> None:
        """See Part."""

    async def stop(self) -> None:
        """End what still runs. See Part."""
        for transfer, ended in list(self._running.items()):
            transfer.stop()
            await to_the_end(ended)

    def _begin(
        self,
        receiver: Receiver,
        framing: Framing,
        sink: IThreadSink,
        patience: float,
    ) -> tuple[Transfer, Deferred[None]]:
        try:
            transfer = Transfer(receiver, framing, sink, patience, self._take_buffers())
        except OSError:
            receiver.close()
            raise
        try:
            running = self._in_thread(transfer.run)
        except RuntimeError:
            transfer.close()
            raise
        ended: Deferred[None] = Deferred()
        self._running[transfer] = ended
        running.addBoth(self._end, transfer)
        return transfer, ended

    def _end(self, result: object, transfer: Transfer) -> None:
        ended = self._running.pop(transfer)
        transfer.close()
        if isinstance(result, Failure) and isinstance(result.value, Exception):
            transfer.error = transfer.error or result.value
        room = _BETWEEN_TWO * self._cores - len(self._spare)
        self._spare += transfer.buffers[: max(room, 0)]
        ended.callback(None)

    def _take_buffers(self) -> list[bytearray]:
        at_work = sum(min(len(each.buffers), 2) for each in self._running)
        count = _BETWEEN_TWO if at_work < self._cores else 1
        taken, self._spare = self._spare[:count], self._spare[count:]
        return taken + [bytearray(BUFFER_SIZE) for _ in range(count - len(taken))]


def make_intake(reactor: Any, sharing: int = 1) -> Intake:
    """Make an intake for the processors that the process may use.

    Args:
        reactor: Is told of by threads.
        sharing: How many processes share them.
    """
    cores = max(len(os.sched_getaffinity(0)) // sharing, 1)
    return Intake(in_own_threads_of(reactor), cores, 4 * cores)


def _receiver_of(transport: Any) -> Receiver | None:
    """Return what a thread can receive from; None: there is no such thing."""
    if isinstance(transport, LendingMixin):
        return transport.lend()
    if not isinstance(transport, Connection) or getattr(transport, "TLS", False):
        return None
    own = transport.getHandle()
    # TLS over anything else is a class of its own.
    return own.dup() if type(own) is socket.socket else None
