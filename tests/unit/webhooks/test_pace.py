"""Tests of txregistry.webhooks.pace, and of those who keep to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.webhooks.case import DeliveryCase
from tests.unit.webhooks.doubles import entry
from tests.unit.webhooks.test_queue import SlowThread
from txregistry.interfaces import StorageError
from txregistry.webhooks.delivering import Deliverer
from txregistry.webhooks.leases import OwnLease
from txregistry.webhooks.pace import Pace
from txregistry.webhooks.queue import Queue


class PaceTests(SynchronousTestCase):
    """When a message may begin."""

    def setUp(self) -> None:
        """Make it."""
        self.due: list[Callable[[], None]] = []
        self.pace = Pace(self.due.append)

    def turns(self, count: int) -> list[Deferred[None]]:
        """Let so many ask."""
        return [self.pace.turn() for _ in range(count)]

    def begun(self, turns: list[Deferred[None]]) -> int:
        """Return how many of them may begin."""
        return sum(each.called for each in turns)

    def turn(self) -> None:
        """Let a turn of the reactor go by."""
        due = self.due[:]
        self.due.clear()
        for call in due:
            call()

    def test_at_once(self) -> None:
        """If there is nothing else, it may at once."""
        self.assertEqual(1, self.begun(self.turns(1)))
        self.turn()
        self.assertEqual([], self.due)
        self.assertEqual(1, self.begun(self.turns(1)))

    def test_one_in_a_turn(self) -> None:
        """One begins in a turn, in order, and then the next one."""
        turns = self.turns(3)
        for count in (1, 2, 3, 3):
            self.assertEqual(count, self.begun(turns))
            self.assertTrue(all(each.called for each in turns[:count]))
            self.turn()
        self.assertEqual([], self.due)

    def test_write(self) -> None:
        """While there is something to be written, none begins."""
        self.pace.begin_write()
        turns = self.turns(2)
        self.turn()
        self.assertEqual(0, self.begun(turns))
        self.pace.end_write()
        self.assertEqual(1, self.begun(turns))
        self.turn()
        self.assertEqual(2, self.begun(turns))

    def test_many_writes(self) -> None:
        """After each write one begins, though the next one waits already."""
        turns = self.turns(1)
        self.pace.begin_write()
        turns += self.turns(3)
        for count in (2, 3, 4):
            self.turn()
            self.pace.begin_write()
            self.pace.end_write()
            self.assertEqual(count, self.begun(turns))
        self.turn()
        self.pace.end_write()
        self.assertEqual(1, self.begun(self.turns(1)))

    def test_cancelled(self) -> None:
        """Who does not want to wait is out of the way."""
        _, second, third = self.turns(3)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.turn()
        self.assertTrue(third.called)


class KeepingTests(DeliveryCase):
    """Who keeps to it."""

    def setUp(self) -> None:
        """Have two deliver, who share a queue whose thread works when told to."""
        super().setUp()
        self.thread = SlowThread()
        pace = Pace(partial(self.clock.callLater, 0))
        self.queue = Queue(self.ledger, self.thread, pace)
        self.deliverers = [
            Deliverer(
                self.endpoint(name, self.receiver), self.queue, OwnLease(), self.clock
            )
            for name in ("hook", "other")
        ]
        self.ledger.append([entry("a", "hook", "other"), entry("b", "hook", "other")])

        self.addCleanup(self.end)

    def end(self) -> None:
        """Stop both, and let the thread do what is left."""
        stopping = [Deferred.fromCoroutine(each.stop()) for each in self.deliverers]
        while self.thread.works:
            self.thread.finish()
        for each in stopping:
            self.successResultOf(each)

    def start(self) -> None:
        """Let them begin, and read what waits."""
        for each in self.deliverers:
            each.start()
        for _ in self.deliverers:
            self.thread.finish()

    def test_share(self) -> None:
        """Their messages begin one after another."""
        self.start()
        self.assertEqual([["a"]], self.receiver.ids)
        self.clock.advance(0)
        self.assertEqual(4, len(self.receiver.ids))

    def test_write(self) -> None:
        """Events are written first, and one of the messages begins then."""
        for each in self.deliverers:
            each.start()
        taken = self.queue.append([entry("c", "hook")])
        for _ in self.deliverers:
            self.thread.finish()
        self.clock.advance(0)
        self.assertEqual([], self.receiver.ids)
        self.thread.finish()
        self.successResultOf(taken)
        self.assertEqual([["a"]], self.receiver.ids)

    def test_failed_write(self) -> None:
        """A write that fails keeps them back no longer."""
        failed = self.queue.append([entry("a", "hook")])  # again, which is refused
        self.thread.finish()
        self.failureResultOf(failed, StorageError)
        self.start()
        self.assertEqual([["a"]], self.receiver.ids)

    def test_stopped(self) -> None:
        """Who waits for its turn can be stopped; all that it has to send waits."""
        self.start()
        other = Deferred.fromCoroutine(self.deliverers[1].stop())
        self.successResultOf(other)
        waiting = self.ledger.advance("other", [], 10, 1000)
        self.assertEqual(["a", "b"], [each.id for each in waiting])
