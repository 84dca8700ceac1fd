"""Tests of txregistry.webhooks.sink: events on their way into the queue."""

from __future__ import annotations

import json

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.webhooks.case import PLENTY, no_chance
from tests.unit.webhooks.doubles import Receiver, blob_pulled, event, manifest_pushed
from tests.unit.webhooks.test_queue import SlowThread, WritingLedger
from txregistry.interfaces import IEventSink
from txregistry.threads import InThread
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.ledger import BrokenLedger
from txregistry.webhooks.queue import Queue
from txregistry.webhooks.retrying import Backoff
from txregistry.webhooks.sink import QueueSink

PUSHED, PULLED = event(manifest_pushed(), "1"), event(blob_pulled(), "2")
MANIFEST_PULLED = event(manifest_pushed("pull"), "3")


class SinkTests(SynchronousTestCase):
    """A sink for two: ``all`` wants everything, ``pushes`` no pulls."""

    def setUp(self) -> None:
        """Make the sink."""
        self.ledger = WritingLedger()
        self.addCleanup(self.ledger.close)
        self.woken: list[frozenset[str]] = []
        self.use(execute)

    def use(self, in_thread: InThread, *names: str) -> None:
        """Take another thread, or only some of the endpoints."""
        endpoints = [
            _endpoint("all", EventFilter()),
            _endpoint("pushes", EventFilter(actions=frozenset({"pull"}))),
        ]
        self.sink = QueueSink(
            [each for each in endpoints if each.name in (names or ("all", "pushes"))],
            Queue(self.ledger, in_thread),
            self.woken.append,
        )

    def waiting(self, endpoint: str) -> list[str]:
        """Return the identifiers of what waits for an endpoint."""
        return [each.id for each in self.ledger.advance(endpoint, [], 9, PLENTY)]

    def test_interface(self) -> None:
        """It is a sink for events."""
        self.assertTrue(verifyObject(IEventSink, self.sink))

    def test_wants(self) -> None:
        """It wants what any endpoint wants."""
        self.assertTrue(self.sink.wants(blob_pulled()))
        self.use(execute, "pushes")
        self.assertFalse(self.sink.wants(blob_pulled()))
        self.assertTrue(self.sink.wants(manifest_pushed()))

    def test_for_whom(self) -> None:
        """An event waits for those who want it, who are woken."""
        self.successResultOf(self.sink.deliver([PULLED]))
        self.assertEqual(["2"], self.waiting("all"))
        self.assertEqual([], self.waiting("pushes"))
        self.successResultOf(self.sink.deliver([PUSHED, MANIFEST_PULLED]))
        self.assertEqual(["2", "1", "3"], self.waiting("all"))
        self.assertEqual(["1"], self.waiting("pushes"))
        self.assertEqual([{"all"}, {"all", "pushes"}], self.woken)

    def test_entry(self) -> None:
        """An event is kept as JSON, with its time."""
        self.successResultOf(self.sink.deliver([PUSHED]))
        (waiting,) = self.ledger.advance("all", [], 1, PLENTY)
        self.assertEqual((PUSHED.id, PUSHED.at), (waiting.id, waiting.at))
        self.assertEqual(PUSHED.to_json(), json.loads(waiting.body))
        self.assertTrue(waiting.body.isascii())

    def test_durable(self) -> None:
        """Nobody is woken, and the caller waits, until events are kept."""
        thread = SlowThread()
        self.use(thread)
        taken = self.sink.deliver([PUSHED])
        self.assertNoResult(taken)
        self.assertEqual([], self.woken)
        thread.finish()
        self.assertIsNone(self.successResultOf(taken))
        self.assertEqual([{"all", "pushes"}], self.woken)

    def test_cancelled(self) -> None:
        """When the caller leaves, events are kept, and who wants them is woken."""
        thread = SlowThread()
        self.use(thread)
        taken = self.sink.deliver([PULLED])
        taken.cancel()
        self.failureResultOf(taken, CancelledError)
        thread.finish()
        self.assertEqual(["2"], self.waiting("all"))
        self.assertEqual([{"all"}], self.woken)

    def test_failure(self) -> None:
        """What cannot be kept fails the push, mount or deletion."""
        self.ledger.problem = BrokenLedger("no")
        for events in ([PUSHED], [PULLED, PUSHED]):
            self.failureResultOf(self.sink.deliver(events), BrokenLedger)
        self.assertEqual([], self.woken)

    def test_pull(self) -> None:
        """A pull goes on although nobody will be told; that is logged."""
        self.ledger.problem = BrokenLedger("no")
        with capturedLogs() as events:
            taken = self.sink.deliver([PULLED, MANIFEST_PULLED])
        self.assertIsNone(self.successResultOf(taken))
        (line,) = map(formatEvent, events)
        self.assertEqual("notifications: 2 pull events are lost: no", line)

    def test_pull_unforeseen(self) -> None:
        """What nobody foresaw fails a pull, too."""
        self.ledger.problem = ZeroDivisionError()
        self.failureResultOf(self.sink.deliver([PULLED]), ZeroDivisionError)

    def test_cancelled_failure(self) -> None:
        """A failure when the caller has left is no unhandled error."""
        thread = SlowThread()
        self.use(thread)
        taken: Deferred[None] = self.sink.deliver([PUSHED])
        taken.cancel()
        self.failureResultOf(taken, CancelledError)
        self.ledger.problem = BrokenLedger("no")
        thread.finish()


def _endpoint(name: str, wanted: EventFilter) -> Endpoint:
    poster = Receiver().poster(Clock())
    return Endpoint(name, wanted, poster, Backoff(1, 1.0, 1.0, no_chance))
