"""Tests of txregistry.deferreds."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.deferreds import deferred, shielded


class DeferredTests(SynchronousTestCase):
    """Coroutine functions that return Deferreds."""

    def test_result(self) -> None:
        """The Deferred has the coroutine's result."""

        @deferred
        async def add(one: int, other: int = 1) -> int:
            """Add."""
            return one + other

        self.assertEqual(5, self.successResultOf(add(2, other=3)))
        self.assertEqual(("add", "Add."), (add.__name__, add.__doc__))

    def test_at_once(self) -> None:
        """The coroutine starts when it is called, not when it is waited for."""
        seen = []

        @deferred
        async def note() -> None:
            seen.append(1)

        note()
        self.assertEqual([1], seen)

    def test_failure(self) -> None:
        """The Deferred fails with what the coroutine raises."""

        @deferred
        async def fail() -> None:
            raise KeyError

        self.failureResultOf(fail(), KeyError)

    def test_cancel(self) -> None:
        """Cancelling it cancels what the coroutine waits for."""
        waiting: Deferred[None] = Deferred()

        @deferred
        async def wait() -> None:
            await waiting

        waiter = wait()
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.assertTrue(waiting.called)


class ShieldedTests(SynchronousTestCase):
    """Work that goes on when nobody waits for it."""

    def setUp(self) -> None:
        """Begin some work."""
        self.running: Deferred[int] = Deferred()
        self.waiting = shielded(self.running)

    def test_result(self) -> None:
        """Who waits gets the result."""
        self.running.callback(7)
        self.assertEqual(7, self.successResultOf(self.waiting))

    def test_failure(self) -> None:
        """Or the failure."""
        self.running.errback(KeyError())
        self.failureResultOf(self.waiting, KeyError)

    def test_done(self) -> None:
        """Work that has ended already has its result at once."""
        done: Deferred[int] = Deferred()
        done.callback(7)
        self.assertEqual(7, self.successResultOf(shielded(done)))

    def test_cancel(self) -> None:
        """Who waits can leave; the work goes on."""
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)
        self.assertFalse(self.running.called)
        self.running.callback(7)

    def test_cancel_failure(self) -> None:
        """What it fails with after that nobody hears."""
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)
        self.running.errback(KeyError())
        self.assertEqual([], self.flushLoggedErrors())
