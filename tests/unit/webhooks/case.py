"""The case under tests of deliveries: a ledger, a clock, somebody who is told."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.webhooks.doubles import Answer, Receiver, entry
from txregistry.threads import InThread
from txregistry.webhooks.delivering import Deliverer
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.leases import Lease, OwnLease
from txregistry.webhooks.ledger import IN_MEMORY, Ledger, Tally, Waiting
from txregistry.webhooks.queue import Queue
from txregistry.webhooks.retrying import Backoff

PLENTY = 1 << 30


def no_chance() -> float:
    """Return a chance that takes nothing away."""
    return 0.0


class DeliveryCase(SynchronousTestCase):
    """Somebody who is told.

    Attributes:
        clock: The time.
        ledger: What waits.
        receiver: Whoever is told, and is called ``hook``.
        deliverer: What tells.
    """

    threshold = 3
    backoff = 4.0
    longest = 10.0

    def setUp(self) -> None:
        """Make them; nothing is started."""
        self.logged = self.enterContext(capturedLogs())
        self.clock = Clock()
        self.ledger = Ledger(IN_MEMORY)
        self.addCleanup(self.ledger.close)
        self.use()

    def use(
        self, in_thread: InThread = execute, lease: Lease | None = None, **members: Any
    ) -> None:
        """Take another thread or lease, or an endpoint with other members."""
        self.receiver = Receiver()
        self.queue = Queue(self.ledger, in_thread)
        endpoint = self.endpoint("hook", self.receiver, **members)
        self.deliverer = Deliverer(
            endpoint, self.queue, lease or OwnLease(), self.clock
        )

    def endpoint(self, name: str, receiver: Receiver, **members: Any) -> Endpoint:
        """Return an endpoint."""
        backoff = Backoff(self.threshold, self.backoff, self.longest, no_chance)
        poster = receiver.poster(self.clock)
        return Endpoint(name, EventFilter(), poster, backoff, **members)

    def answer(self, *answers: Answer) -> None:
        """Have more answers ready."""
        self.receiver.answers += answers

    def append(self, *ids: str) -> None:
        """Take in events for ``hook``, and wake who delivers."""
        self.successResultOf(self.queue.append([entry(each) for each in ids]))
        self.deliverer.wake()

    def stop(self) -> Deferred[None]:
        """Stop."""
        return Deferred.fromCoroutine(self.deliverer.stop())

    def waiting(self) -> list[Waiting]:
        """Return what waits."""
        return self.ledger.advance("hook", [], 1000, PLENTY)

    def waiting_ids(self) -> list[str]:
        """Return the identifiers of what waits."""
        return [each.id for each in self.waiting()]

    def tally(self) -> Tally:
        """Return how ``hook`` stands."""
        (tally,) = (each for each in self.ledger.tallies() if each.name == "hook")
        return tally

    def problems(self) -> list[tuple[object, ...]]:
        """Return the problem of each event in the ledger that has one."""
        statement = (
            "SELECT id, problem FROM deliveries"
            " JOIN events USING (seq) WHERE problem != '' ORDER BY seq"
        )
        return self.ledger.select(statement)

    def lines(self) -> list[str]:
        """Return the lines of the log."""
        return [str(formatEvent(each)) for each in self.logged]
