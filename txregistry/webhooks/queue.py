"""Queue: the ledger beside the reactor, and many requests' events in one write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.python.failure import Failure

from txregistry.threads import InThread, to_the_end
from txregistry.webhooks.ledger import Entry, Ledger
from txregistry.webhooks.pace import Pace

_T = TypeVar("_T")


class Queue:
    """A ledger that is worked on in a thread, by one at a time."""

    def __init__(
        self, ledger: Ledger, in_thread: InThread, pace: Pace | None = None
    ) -> None:
        """Prepare.

        Args:
            ledger: The ledger.
            in_thread: Runs work in a thread.
            pace: Says when messages may begin; None: they always may.
        """
        self._ledger = ledger
        self._pace = pace
        self._in_thread = in_thread
        self._lock = DeferredLock()
        self._arrived: list[tuple[Sequence[Entry], Deferred[None]]] = []

    def append(self, entries: Sequence[Entry]) -> Deferred[None]:
        """Take events in, behind those of earlier calls.

        While some are being written others come together: all of them share the next
        write, and its wait for the disk.

        Returns:
            A Deferred that fires when they are durable, and fails with
            ``StorageError``. Who cancels it waits no longer; they are taken in.
        """
        taken: Deferred[None] = Deferred()
        self._arrived.append((entries, taken))
        if len(self._arrived) == 1:
            if self._pace is not None:
                self._pace.begin_write()
            # For all of them, so what one request's lines say must not be on its own.
            Context().run(Deferred.fromCoroutine, self._write())
        return taken

    async def may_send(self) -> None:
        """Wait until a message about events may begin."""
        if self._pace is not None:
            await self._pace.turn()

    async def work(self, work: Callable[[Ledger], _T]) -> _T:
        """Do something with the ledger; to its end, also if the caller is cancelled.

        Raises:
            StorageError: It cannot be done.
        """
        await self._lock.acquire()
        try:
            return await to_the_end(self._in_thread(lambda: work(self._ledger)))
        finally:
            self._lock.release()

    async def close(self) -> None:
        """Close the ledger, when what was begun is done."""
        await self.work(Ledger.close)

    async def _write(self) -> None:
        arrived: list[tuple[Sequence[Entry], Deferred[None]]] = []

        def append(ledger: Ledger) -> None:
            ledger.append([entry for entries, _ in arrived for entry in entries])

        await self._lock.acquire()
        # From here on whoever comes begins the next write.
        arrived, self._arrived = self._arrived, []
        result: Failure | None = None
        try:
            await self._in_thread(lambda: append(self._ledger))
        except Exception:  # whatever it is, those who wait are to know
            result = Failure()
        finally:
            self._lock.release()
        for _, taken in arrived:
            taken.callback(result)
        if self._pace is not None:
            self._pace.end_write()
