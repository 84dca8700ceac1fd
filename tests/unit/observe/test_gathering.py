"""Tests of what is asked for before the metrics are shown."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.metrics import Metrics


class GatheringTests(SynchronousTestCase):
    """What is asked for."""

    def setUp(self) -> None:
        """Make metrics, and what gathers: it waits for an answer each time."""
        self.answers: list[Deferred[None]] = []
        self.clock = Clock()
        self.metrics = Metrics(self.clock)
        self.metrics.gathering(self.ask)
        self.events = self.enterContext(capturedLogs())

    async def ask(self) -> None:
        """Wait for an answer."""
        self.answers.append(Deferred())
        await self.answers[-1]

    def show(self) -> Deferred[bytes]:
        """Ask for the metrics."""
        return Deferred.fromCoroutine(self.metrics.text())

    def show_failing(self) -> None:
        """Show the metrics while what gathers fails."""
        showing = self.show()
        self.answers[-1].errback(OSError("disk"))
        self.assertIn(b"registry_", self.successResultOf(showing))

    def show_working(self) -> None:
        """Show the metrics while what gathers works."""
        showing = self.show()
        self.assertNoResult(showing)
        self.answers[-1].callback(None)
        self.successResultOf(showing)

    def test_awaited(self) -> None:
        """The metrics are shown when it is there, and nothing is logged."""
        self.show_working()
        self.assertEqual(([], []), (self.clock.getDelayedCalls(), self.events))

    def test_fails(self) -> None:
        """When it fails they are shown without; that is logged once, until it works."""
        self.show_failing()
        self.show_failing()
        self.assertEqual(1, len(self.events))
        self.assertIn("disk", self.events[0]["error"])
        self.show_working()
        self.show_failing()
        self.assertEqual(2, len(self.events))

    def test_hangs(self) -> None:
        """When it hangs they are shown after two seconds; it is not asked for twice."""
        showing = self.show()
        self.clock.advance(1.9)
        self.assertNoResult(showing)
        self.clock.advance(0.1)
        self.successResultOf(showing)
        self.successResultOf(self.show())
        self.assertEqual((1, 1), (len(self.answers), len(self.events)))
        self.answers[0].callback(None)
        self.show_working()
        self.assertEqual(2, len(self.answers))

    def test_left(self) -> None:
        """Who does not wait for them ends nothing, and nothing is logged."""
        showing = self.show()
        showing.cancel()
        self.failureResultOf(showing, CancelledError)
        self.answers[0].callback(None)
        self.assertEqual(([], []), (self.clock.getDelayedCalls(), self.events))
