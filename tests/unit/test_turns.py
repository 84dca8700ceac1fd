"""Tests of txregistry.turns: long work in the reactor's thread."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.turns import LONGEST_TURN, Turns


class TurnsTests(SynchronousTestCase):
    """The turns of a coroutine."""

    def setUp(self) -> None:
        """Begin a turn."""
        self.clock = Clock()
        self.turns = Turns(self.clock)

    def next_step(self) -> Deferred[None]:
        """Come to a place where the turn may end."""
        return Deferred.fromCoroutine(self.turns.yield_if_due())

    def test_short(self) -> None:
        """A turn that has been short goes on."""
        self.clock.advance(LONGEST_TURN / 2)
        self.successResultOf(self.next_step())

    def test_long(self) -> None:
        """One that has been long ends, and the reactor's next turn begins another."""
        self.clock.advance(LONGEST_TURN)
        step = self.next_step()
        self.assertNoResult(step)
        self.clock.advance(0)
        self.successResultOf(step)
        self.successResultOf(self.next_step())

    def test_cancelled(self) -> None:
        """Work that is cancelled between two turns leaves nothing to be called."""
        self.clock.advance(LONGEST_TURN)
        step = self.next_step()
        step.cancel()
        self.failureResultOf(step)
        self.assertEqual([], self.clock.getDelayedCalls())
