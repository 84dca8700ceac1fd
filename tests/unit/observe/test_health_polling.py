"""Tests of txregistry.observe.polling."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.observe.health_doubles import Asked
from txregistry.observe.polling import Poller, Schedule


class PollingCase(SynchronousTestCase):
    """A check that is made every ten seconds, and has three to answer.

    Attributes:
        told: What was told, in order: why it fails, or None.
    """

    threshold = 1

    def setUp(self) -> None:
        """Start."""
        self.clock = Clock()
        self.check = Asked()
        self.told: list[str | None] = []
        self.poller = Poller(
            self.check, Schedule(10.0, 3.0, self.threshold), self.clock, self.tell
        )
        self.poller.start()

    def tell(self, name: str, reason: str | None) -> None:
        """Note what is told."""
        self.assertEqual("store", name)
        self.told.append(reason)

    def hang(self, is_stubborn: bool = False) -> Deferred[None]:
        """Let the check hang; return what it waits for."""
        self.check.is_stubborn = is_stubborn
        waiting = self.check.waiting = Deferred()
        return waiting

    def pass_seconds(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.pump([1.0] * seconds)


class IntervalTests(PollingCase):
    """When a check is made."""

    def test_first(self) -> None:
        """The first time is after one interval."""
        self.pass_seconds(9)
        self.assertEqual(0, self.check.calls)
        self.pass_seconds(1)
        self.assertEqual(1, self.check.calls)

    def test_again(self) -> None:
        """It is made once in each interval."""
        self.pass_seconds(50)
        self.assertEqual(5, self.check.calls)

    def test_late_reactor(self) -> None:
        """What a reactor that was busy has missed is not made up for."""
        self.clock.advance(100)
        self.assertEqual(1, self.check.calls)

    def test_stop(self) -> None:
        """When it is stopped nothing is left that waits."""
        self.hang()
        self.pass_seconds(11)
        self.poller.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([], self.told)

    def test_stop_early(self) -> None:
        """What was never started can be stopped."""
        poller = Poller(self.check, Schedule(1.0, 1.0), self.clock, self.tell)
        poller.stop()
        self.pass_seconds(2)
        self.assertEqual(0, self.check.calls)


class ResultTests(PollingCase):
    """What is told."""

    def test_good(self) -> None:
        """A check that finds nothing wrong does not fail."""
        self.pass_seconds(10)
        self.assertEqual([None], self.told)

    def test_fails(self) -> None:
        """A check that fails is told with its reason, and so is its recovery."""
        self.check.reason = "full"
        self.pass_seconds(20)
        self.check.reason = None
        self.pass_seconds(10)
        self.assertEqual(["full", "full", None], self.told)

    def test_broken(self) -> None:
        """A check that is broken fails, with one traceback for all the times."""
        self.check.error = ZeroDivisionError()
        self.pass_seconds(20)
        self.assertEqual(["the check is broken: ZeroDivisionError"] * 2, self.told)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class HangingTests(PollingCase):
    """A check that does not answer."""

    def test_slow(self) -> None:
        """An answer within the timeout counts."""
        waiting = self.hang()
        self.pass_seconds(12)
        self.assertEqual([], self.told)
        waiting.callback(None)
        self.assertEqual([None], self.told)
        self.pass_seconds(7)
        self.assertEqual([None], self.told)

    def test_hangs(self) -> None:
        """No answer within the timeout is a failure, and the check is given up."""
        waiting = self.hang()
        self.pass_seconds(13)
        self.assertEqual(["no answer in 3 s"], self.told)
        self.assertTrue(waiting.called)

    def test_next(self) -> None:
        """What was given up is made anew at its next time."""
        self.hang()
        self.pass_seconds(13)
        self.check.waiting = None
        self.pass_seconds(7)
        self.assertEqual(["no answer in 3 s", None], self.told)

    def test_no_overlap(self) -> None:
        """What cannot be given up fails each time, and is not made twice at a time."""
        self.hang(is_stubborn=True)
        self.pass_seconds(45)
        self.assertEqual(1, self.check.calls)
        self.assertEqual(["no answer in 3 s"] * 4, self.told)

    def test_too_late(self) -> None:
        """An answer after the timeout says nothing; the next one does."""
        waiting = self.hang(is_stubborn=True)
        self.pass_seconds(15)
        waiting.callback(None)
        self.assertEqual(["no answer in 3 s"], self.told)
        self.check.waiting = None
        self.pass_seconds(5)
        self.assertEqual(["no answer in 3 s", None], self.told)

    def test_broken_late(self) -> None:
        """What fails after it was given up fails in silence."""
        waiting = self.hang(is_stubborn=True)
        self.pass_seconds(15)
        waiting.errback(ZeroDivisionError())
        self.assertEqual(["no answer in 3 s"], self.told)

    def test_timeout_longer_than_interval(self) -> None:
        """A check may take longer than an interval; it is skipped meanwhile."""
        told: list[str | None] = []
        check = Asked()
        check.waiting = Deferred()
        schedule = Schedule(1.0, 5.0)
        poller = Poller(check, schedule, self.clock, lambda _, why: told.append(why))
        poller.start()
        self.pass_seconds(5)
        self.assertEqual((1, []), (check.calls, told))
        self.pass_seconds(1)
        self.assertEqual(["no answer in 5 s"], told[:1])


class ThresholdTests(PollingCase):
    """A check whose failures count from the third in a row on."""

    threshold = 3

    def test_threshold(self) -> None:
        """Failures count from the threshold on."""
        self.check.reason = "full"
        self.pass_seconds(40)
        self.assertEqual([None, None, "full", "full"], self.told)

    def test_in_a_row(self) -> None:
        """Only failures in a row are counted."""
        for reason in ("full", "full", None, "full", "full"):
            self.check.reason = reason
            self.pass_seconds(10)
        self.assertEqual([None] * 5, self.told)

    def test_recovery(self) -> None:
        """One success is enough for recovery."""
        self.check.reason = "full"
        self.pass_seconds(30)
        self.check.reason = None
        self.pass_seconds(10)
        self.assertEqual(["full", None], self.told[-2:])

    def test_hanging_counts(self) -> None:
        """Each time at which a check still hangs counts as a failure."""
        self.hang(is_stubborn=True)
        self.pass_seconds(35)
        self.assertEqual([None, None, "no answer in 3 s"], self.told)
