"""Tests of txregistry.web.deadlines."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.deadlines import Deadlines


class _Waiter:
    """Notes when its time came.

    Attributes:
        came: When, each time.
        do: What it does then.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.came: list[float] = []
        self.do: Callable[[], object] = list

    def time_has_come(self) -> None:
        """See Waiter."""
        self.came.append(self._clock.seconds())
        self.do()


class DeadlinesTests(SynchronousTestCase):
    """Some who wait, and a clock."""

    def setUp(self) -> None:
        """Let nobody wait yet."""
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.waiters = [_Waiter(self.clock) for _ in range(4)]

    def wait(self, *whens: float) -> None:
        """Let as many wait as there are deadlines."""
        for when, waiter in zip(whens, self.waiters, strict=False):
            self.deadlines.add(when, waiter)

    def came(self, seconds: float = 100) -> list[list[float]]:
        """Return when the time of each came, if it passes in halves of a second."""
        self.clock.pump([0.5] * int(2 * seconds))
        return [waiter.came for waiter in self.waiters]

    def test_order(self) -> None:
        """Each is told when its time has come, in whatever order they came."""
        self.wait(5.0, 3.0, 9.5, 4.0)
        self.assertEqual([[5.0], [3.0], [9.5], [4.0]], self.came())

    def test_same_time(self) -> None:
        """More than one may have the same deadline."""
        self.wait(5.0, 5.0, 5.0)
        self.deadlines.remove(5.0, self.waiters[1])
        self.assertEqual([[5.0], [], [5.0], []], self.came())

    def test_one_call(self) -> None:
        """The clock is asked to call once, at the first deadline."""
        self.wait(5.0, 3.0, 9.5, 4.0)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(3.0, call.getTime())

    def test_removed(self) -> None:
        """Whoever waits no more is not told, and the others are."""
        self.wait(5.0, 3.0, 9.5)
        self.deadlines.remove(3.0, self.waiters[1])
        self.assertEqual([[5.0], [], [9.5], []], self.came())

    def test_all_removed(self) -> None:
        """When nobody waits any more the clock is not to call."""
        self.wait(5.0, 3.0)
        self.deadlines.remove(5.0, self.waiters[0])
        self.deadlines.remove(3.0, self.waiters[1])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_not_there(self) -> None:
        """Somebody who does not wait cannot be removed."""
        self.wait(5.0, 3.0)
        with self.assertRaises(ValueError):
            self.deadlines.remove(6.0, self.waiters[0])

    def test_all_told(self) -> None:
        """Nor is it when all have been told."""
        self.wait(5.0, 3.0)
        self.came()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_again(self) -> None:
        """Whoever is told may wait anew."""
        first = self.waiters[0]
        first.do = lambda: self.deadlines.add(self.clock.seconds() + 40.0, first)
        self.wait(5.0, 3.0)
        self.assertEqual([[5.0, 45.0, 85.0], [3.0], [], []], self.came())

    def test_again_at_once(self) -> None:
        """If it is for no time at all, the clock has its turn in between."""
        first = self.waiters[0]
        first.do = lambda: self.deadlines.add(self.clock.seconds(), first)
        self.deadlines.add(1.0, first)
        self.clock.callLater(1.0, setattr, first, "do", list)
        self.came(2)
        self.assertLessEqual(2, len(first.came))

    def test_removed_meanwhile(self) -> None:
        """Whoever is removed while others are told is not told."""
        first, second = self.waiters[:2]
        first.do = lambda: self.deadlines.remove(5.0, second)
        self.wait(5.0, 5.0, 5.0)
        self.assertEqual([[5.0], [], [5.0], []], self.came())

    def test_failure(self) -> None:
        """One that fails does not keep the others waiting."""
        self.waiters[0].do = lambda: 1 // 0
        self.wait(5.0, 5.0, 7.0)
        with self.assertRaises(ZeroDivisionError):
            self.clock.advance(5.0)
        self.clock.advance(0.0)
        self.assertEqual([[5.0], [5.0], [7.0], []], self.came())

    def test_rounding(self) -> None:
        """That sums of floats are not exact keeps nobody from being told."""
        self.clock.advance(0.1)
        for _ in range(1000):
            self.deadlines.add(self.clock.seconds() + 0.7, self.waiters[0])
            self.clock.advance(0.7)
        self.assertEqual(1000, len(self.waiters[0].came))
