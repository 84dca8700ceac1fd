"""Tests of txregistry.webhooks.notifications: what keeps queue and endpoints going."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.webhooks.case import PLENTY, no_chance
from tests.unit.webhooks.doubles import (
    Receiver,
    Reply,
    blob_pulled,
    entry,
    event,
    manifest_pushed,
)
from txregistry.interfaces import IEventSink
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.ledger import IN_MEMORY, BrokenLedger, Ledger, Tally
from txregistry.webhooks.notifications import Bounds, EndpointState, Notifications
from txregistry.webhooks.retrying import Backoff

DAY = 86400.0


class NotificationsCase(SynchronousTestCase):
    """Two receivers: ``a``, and ``b``, who wants no pulls.

    Attributes:
        ledger: The one that was opened last.
    """

    def setUp(self) -> None:
        """Make them, and choose a file."""
        self.logged = self.enterContext(capturedLogs())
        self.clock = Clock()
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = str(folder.absolute() / "events")
        self.receivers = {"a": Receiver(), "b": Receiver()}

    def open(self, path: str | None = None) -> Ledger:
        """Open the ledger, as another process would."""
        self.ledger = Ledger(path or self.path)
        self.addCleanup(self.ledger.close)
        return self.ledger

    def make(
        self,
        path: str = IN_MEMORY,
        bounds: Bounds | None = None,
        names: str = "ab",
        **receivers: Receiver,
    ) -> Notifications:
        """Make notifications, not started."""
        return Notifications(
            [self.endpoint(name, **receivers) for name in names],
            lambda: self.open(path),
            bounds or Bounds(DAY, DAY, PLENTY),
            self.clock,
            execute,
        )

    def endpoint(self, name: str, **receivers: Receiver) -> Endpoint:
        """Return an endpoint."""
        ignored = frozenset({"pull"}) if name == "b" else frozenset[str]()
        receiver = (self.receivers | receivers)[name]
        return Endpoint(
            name,
            EventFilter(actions=ignored),
            receiver.poster(self.clock),
            Backoff(1, 1.0, 1.0, no_chance),
        )

    def start(self, *args: Any, **kw: Any) -> Notifications:
        """Make notifications and start them."""
        made = self.make(*args, **kw)
        self.do(made.start)
        return made

    def do(self, work: Callable[[], Any]) -> None:
        """Do something that has to wait for nothing."""
        self.successResultOf(Deferred.fromCoroutine(work()))

    def settle(self) -> None:
        """Let some turns of the reactor go by, as a message begins in each."""
        self.clock.advance(0)

    def lines(self) -> list[str]:
        """Return the lines of the log."""
        return [str(formatEvent(each)) for each in self.logged]


class NotificationsTests(NotificationsCase):
    """Notifications."""

    def test_interface(self) -> None:
        """They are a sink for events."""
        self.assertTrue(verifyObject(IEventSink, self.make()))

    def test_delivered(self) -> None:
        """Who wants an event gets it."""
        made = self.start()
        self.assertTrue(made.wants(blob_pulled()))
        self.successResultOf(made.deliver([event(blob_pulled(), "1")]))
        self.successResultOf(made.deliver([event(manifest_pushed(), "2")]))
        self.settle()
        self.assertEqual([["1"], ["2"]], self.receivers["a"].ids)
        self.assertEqual([["2"]], self.receivers["b"].ids)

    def test_next_start(self) -> None:
        """What waited when they stopped is delivered after the next start."""
        self.receivers["a"].answers = [Reply(500)]
        made = self.start(self.path)
        self.successResultOf(made.deliver([event(event_id="1")]))
        self.settle()
        self.do(made.stop)
        again = Receiver()
        self.do(self.start(self.path, a=again).stop)
        self.assertEqual([["1"]], again.ids)
        self.assertEqual(1, len(self.receivers["b"].posts))

    def test_stopped(self) -> None:
        """When they have stopped nothing happens any more."""
        made = self.start(self.path)
        self.do(made.stop)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.failureResultOf(made.deliver([event()]), BrokenLedger)

    def test_unusable(self) -> None:
        """They cannot start without a ledger."""
        starting = Deferred.fromCoroutine(self.make(f"{self.path}/x").start())
        self.failureResultOf(starting, BrokenLedger)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_forgotten(self) -> None:
        """Events for somebody who is not configured any more are spoken of."""
        ledger = self.open()
        ledger.append([entry("1", "a", "gone"), entry("2", "gone")])
        ledger.append([entry("3", "old")])
        ledger.execute("UPDATE deliveries SET state = 1 WHERE seq = 3")
        self.start(self.path)
        line = (
            "notifications: 2 events wait for gone, which is not in the configuration"
        )
        self.assertEqual([line], self.lines())

    def test_forgotten_kept(self) -> None:
        """They wait on, for the day when it is configured again."""
        self.open().append([entry("1", "gone")])
        self.do(self.start(self.path).stop)
        self.assertEqual(1, len(self.open().advance("gone", [], 9, PLENTY)))


class OtherProcessTests(NotificationsCase):
    """Several processes on one ledger."""

    def test_other(self) -> None:
        """What another process takes in is delivered half a second later."""
        self.start(self.path)
        self.clock.advance(0.5)
        self.open().append([entry("1", "a")])
        self.assertEqual([], self.receivers["a"].posts)
        self.clock.advance(0.5)
        self.assertEqual([["1"]], self.receivers["a"].ids)

    def test_one_delivers(self) -> None:
        """One of two delivers, also what the other takes in, until it stops."""
        one = self.start(self.path)
        theirs = Receiver()
        other = self.start(self.path, a=theirs)
        self.successResultOf(other.deliver([event(blob_pulled(), "1")]))
        self.clock.pump([0.5] * 8)
        self.assertEqual([["1"]], self.receivers["a"].ids)
        self.do(one.stop)
        self.successResultOf(other.deliver([event(blob_pulled(), "2")]))
        self.clock.pump([0.5] * 8)
        self.assertEqual([["1"]], self.receivers["a"].ids)
        self.assertEqual([["2"]], theirs.ids)

    def test_left_to_another(self) -> None:
        """What one is not to deliver itself it keeps, and tells another one of."""
        told: list[frozenset[str]] = []
        made = Notifications(
            [self.endpoint("a")],
            lambda: self.open(self.path),
            Bounds(DAY, DAY, PLENTY),
            self.clock,
            execute,
            told.append,
        )
        self.do(made.start)
        self.successResultOf(made.deliver([event(event_id="1")]))
        self.assertEqual([frozenset({"a"})], told)
        self.assertEqual([], self.receivers["a"].posts)
        self.assertEqual([], self.clock.getDelayedCalls())
        other = self.start(self.path, names="a")
        self.assertEqual([["1"]], self.receivers["a"].ids)
        self.successResultOf(made.deliver([event(event_id="2")]))
        other.wake(told[-1])
        self.settle()
        self.assertEqual([["1"], ["2"]], self.receivers["a"].ids)
        self.do(made.stop)
        self.do(other.stop)

    def test_memory(self) -> None:
        """What is in memory alone nobody else takes anything into."""
        self.start()
        self.assertEqual(1, len(self.clock.getDelayedCalls()))

    def test_look_fails(self) -> None:
        """A look that fails is logged, and the next one is taken."""
        self.start(self.path)
        self.ledger.close()
        self.clock.advance(0.5)
        self.clock.advance(0.5)
        line = f"notifications: {self.path}: Cannot operate on a closed database."
        self.assertEqual([line, line], self.lines())


class SweepTests(NotificationsCase):
    """Sweeping."""

    def test_dropped(self) -> None:
        """What is dropped for its age is logged, for each who waited."""
        self.receivers["a"].answers = [Reply(500)] * 99
        made = self.start(bounds=Bounds(25.0, DAY, PLENTY))
        for number in range(3):
            pulled = event(blob_pulled(), str(number), at=float(number))
            self.successResultOf(made.deliver([pulled]))
        self.clock.pump([10.0] * 2)
        self.assertEqual(3, self.successResultOf(made.states())[0].tally.waiting)
        self.clock.advance(10.0)
        self.assertEqual(0, self.successResultOf(made.states())[0].tally.waiting)
        line = "notifications: 3 events for a dropped: older than 25 s"
        self.assertIn(line, self.lines())

    def test_crowded(self) -> None:
        """So is what is dropped for want of room."""
        self.receivers["a"].answers = [Reply(500)] * 99
        made = self.start(bounds=Bounds(DAY, DAY, 1000))
        self.successResultOf(made.deliver([event(blob_pulled())]))
        self.clock.advance(10.0)
        line = "notifications: 1 events for a dropped: no room in 1000 bytes"
        self.assertIn(line, self.lines())

    def test_kept(self) -> None:
        """What all have got is kept for a while, and nothing is logged of it."""
        made = self.start(self.path, bounds=Bounds(DAY, 15.0, PLENTY))
        self.successResultOf(made.deliver([event(at=0.0)]))
        self.settle()
        other = self.open()
        for count in (1, 0):
            self.clock.advance(10.0)
            self.assertEqual([(count,)], other.select("SELECT count(*) FROM events"))
        self.assertEqual([], self.lines())

    def test_fails(self) -> None:
        """A sweep that fails is logged, and the next one is done."""
        self.start()
        self.ledger.close()
        self.clock.advance(10.0)
        self.clock.advance(10.0)
        line = "notifications: :memory:: Cannot operate on a closed database."
        self.assertEqual([line, line], self.lines())


class StatesTests(NotificationsCase):
    """How endpoints stand."""

    def test_idle(self) -> None:
        """Endpoints that were never told anything stand at nothing."""
        made = self.start()
        expected = [
            EndpointState(Tally(name, 0, None, 0, 0, 0, 0), {}, 0, leads=True)
            for name in "ab"
        ]
        self.assertEqual(expected, self.successResultOf(made.states()))

    def test_busy(self) -> None:
        """Those that were stand as the ledger and their answers say."""
        self.receivers["a"].answers = [Reply(), Reply(500), ValueError()]
        made = self.start(self.path)
        for number in range(3):
            pulled = event(blob_pulled(), str(number), at=float(number))
            self.successResultOf(made.deliver([pulled]))
        self.clock.advance(1.0)
        found, _ = self.successResultOf(made.states())
        tally = Tally("a", 2, 1.0, 0, 1, 2, 0)
        self.assertEqual(EndpointState(tally, {200: 1, 500: 1}, 1, True), found)

    def test_gone(self) -> None:
        """Those that are configured no more stand as the ledger says."""
        self.open().append([entry("1", "gone", at=3.0)])
        made = self.start(self.path, names="a")
        gone, found = self.successResultOf(made.states())
        self.assertEqual(EndpointState(Tally("gone", 1, 3.0, 0, 0, 0, 0)), gone)
        self.assertEqual("a", found.tally.name)

    def test_not_leading(self) -> None:
        """Who leaves delivering to another process says so."""
        self.start(self.path)
        other = self.start(self.path)
        leads = [each.leads for each in self.successResultOf(other.states())]
        self.assertEqual([False, False], leads)
