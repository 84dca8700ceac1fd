"""Notifications: the queue, its endpoints, and what keeps them going."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.deferreds import deferred
from txregistry.interfaces import IEventSink, StorageError
from txregistry.oci.eventforms import AnyEvent
from txregistry.oci.events import Activity
from txregistry.threads import InThread
from txregistry.webhooks.delivering import Deliverer
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.leases import FileLease, Lease, OwnLease
from txregistry.webhooks.ledger import IN_MEMORY, Dropped, Ledger, Tally
from txregistry.webhooks.pace import Pace
from txregistry.webhooks.queue import Queue
from txregistry.webhooks.sink import QueueSink

_log = Logger()

_BETWEEN_LOOKS: Final = 0.5  # seconds: for events that another process has taken in
_BETWEEN_SWEEPS: Final = 10.0  # seconds


@frozen
class Bounds:
    """How much is kept, and for how long.

    Attributes:
        max_age: For how many seconds an event may wait.
        keep: For how many seconds an event is kept that all have got.
        max_size: How many bytes the ledger may have.
    """

    max_age: float
    keep: float
    max_size: int


@frozen
class EndpointState:
    """How an endpoint stands.

    Attributes:
        tally: What the ledger says.
        statuses: How often it has answered this process with which HTTP status.
        errors: How often it has not answered this process.
        leads: Whether this process is the one that delivers to it.
    """

    tally: Tally
    statuses: Mapping[int, int] = field(factory=dict)
    errors: int = 0
    leads: bool = False


@implementer(IEventSink)
class Notifications:
    """Takes events, keeps them, and sees to it that they are delivered."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        open_ledger: Callable[[], Ledger],
        bounds: Bounds,
        clock: IReactorTime,
        in_thread: InThread,
        leave_to: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        """Prepare; ``start`` begins.

        Args:
            endpoints: Who is to be told.
            open_ledger: Opens what events wait in.
            bounds: How much of them.
            clock: Gives time.
            in_thread: Does what waits for the disk, and for other processes.
            leave_to: Tells another process for whom there are events in the ledger:
                that one delivers. None: this one does.
        """
        self._leave_to = leave_to
        self._endpoints = endpoints
        self._open_ledger = open_ledger
        self._bounds = bounds
        self._clock = clock
        self._in_thread = in_thread
        self._deliverers: dict[str, Deliverer] = {}
        self._loops: list[LoopingCall] = []
        self._changes = -1
        self._is_open = False
        self._queue: Queue
        self._sink: QueueSink

    async def start(self) -> None:
        """Open the ledger and begin to deliver.

        Raises:
            StorageError: The ledger cannot be used.
        """
        ledger = await self._in_thread(self._open_ledger)
        pace = Pace(partial(self._clock.callLater, 0))
        self._queue = Queue(ledger, self._in_thread, pace)
        self._is_open = True
        wake = self._leave_to or self.wake
        self._sink = QueueSink(self._endpoints, self._queue, wake)
        if self._leave_to is None:
            await self._begin(ledger)

    async def _begin(self, ledger: Ledger) -> None:
        """Begin to deliver."""
        for endpoint in self._endpoints:
            lease = _lease(ledger.path, endpoint.name)
            deliverer = Deliverer(endpoint, self._queue, lease, self._clock)
            self._deliverers[endpoint.name] = deliverer
        await self._report_forgotten()
        for each in self._deliverers.values():
            each.start()
        self._repeat(self._sweep, _BETWEEN_SWEEPS)
        if ledger.path != IN_MEMORY:
            self._repeat(self._look, _BETWEEN_LOOKS)

    async def stop(self) -> None:
        """Stop, and close the ledger. What waits goes on at the next start."""
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.stop()
        for each in self._deliverers.values():
            await each.stop()
        self._is_open = False
        await self._queue.close()

    def wants(self, activity: Activity) -> bool:
        """See IEventSink."""
        return self._sink.wants(activity)

    def deliver(self, events: Sequence[AnyEvent]) -> Deferred[None]:
        """See IEventSink."""
        return self._sink.deliver(events)

    @deferred
    async def states(self) -> list[EndpointState]:
        """Return how the endpoints stand, those that are configured no more too.

        While the ledger is not open there is nothing to say of any.
        """
        if not self._is_open:
            return []
        tallies = {
            tally.name: tally for tally in await self._queue.work(Ledger.tallies)
        }
        for name in self._deliverers:
            tallies.setdefault(name, Tally(name, 0, None, 0, 0, 0, 0))
        return [
            _state(tally, self._deliverers.get(tally.name))
            for tally in tallies.values()
        ]

    def wake(self, names: frozenset[str]) -> None:
        """Look whether something waits for endpoints."""
        for name in names & self._deliverers.keys():
            self._deliverers[name].wake()

    def _repeat(self, work: Callable[[], Deferred[None]], seconds: float) -> None:
        loop = LoopingCall(work)
        loop.clock = self._clock
        loop.start(seconds, now=False)
        self._loops.append(loop)

    @deferred
    async def _look(self) -> None:
        try:
            changes = await self._queue.work(Ledger.changes)
        except StorageError as error:
            _log.error("notifications: {error}", error=error)
            return
        if changes != self._changes:
            self._changes = changes
            self.wake(frozenset(self._deliverers))

    @deferred
    async def _sweep(self) -> None:
        more = True
        while more and self._loops:
            try:
                dropped = await self._queue.work(self._sweep_some)
            except StorageError as error:
                _log.error("notifications: {error}", error=error)
                return
            self._report_dropped(dropped)
            more = dropped.more

    def _sweep_some(self, ledger: Ledger) -> Dropped:
        now, bounds = self._clock.seconds(), self._bounds
        return ledger.sweep(now, bounds.max_age, bounds.keep, bounds.max_size)

    def _report_dropped(self, dropped: Dropped) -> None:
        bounds = self._bounds
        for reason, lost in (
            (f"older than {bounds.max_age:g} s", dropped.old),
            (f"no room in {bounds.max_size} bytes", dropped.crowded),
        ):
            for name, count in lost.items():
                text = "notifications: {count} events for {name} dropped: {reason}"
                _log.error(text, count=count, name=name, reason=reason)

    async def _report_forgotten(self) -> None:
        for tally in await self._queue.work(Ledger.tallies):
            if tally.waiting and tally.name not in self._deliverers:
                _log.warn(
                    "notifications: {count} events wait for {name}, which is not in"
                    " the configuration",
                    count=tally.waiting,
                    name=tally.name,
                )


def _lease(path: str, endpoint: str) -> Lease:
    return OwnLease() if path == IN_MEMORY else FileLease(path, endpoint)


def _state(tally: Tally, deliverer: Deliverer | None) -> EndpointState:
    if deliverer is None:
        return EndpointState(tally)
    return EndpointState(
        tally, dict(deliverer.statuses), deliverer.errors, deliverer.leads
    )
