"""Tests of txregistry.registry.locks, and of what would go wrong without them."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.names import Name
from txregistry.registry.locks import Locks


class LocksTests(SynchronousTestCase):
    """Locks by repository."""

    def test_one_at_a_time(self) -> None:
        """Who comes second waits for the first; another repository's is free."""
        locks, done = Locks(), Deferred[None]()
        order: list[str] = []

        async def hold(name: str, word: str, until: Deferred[None] | None) -> None:
            async with locks.held(Name(name)):
                if until is not None:
                    await until
                order.append(word)

        first = Deferred.fromCoroutine(hold("a", "first", done))
        second = Deferred.fromCoroutine(hold("a", "second", None))
        self.successResultOf(Deferred.fromCoroutine(hold("b", "other", None)))
        self.assertNoResult(second)
        done.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(["other", "first", "second"], order)

    def test_cancelled(self) -> None:
        """Who stops waiting does not keep the lock from the next."""
        locks, done = Locks(), Deferred[None]()

        async def hold(until: Deferred[None] | None) -> None:
            async with locks.held(Name("a")):
                if until is not None:
                    await until

        first = Deferred.fromCoroutine(hold(done))
        second = Deferred.fromCoroutine(hold(None))
        third = Deferred.fromCoroutine(hold(None))
        second.cancel()
        self.failureResultOf(second)
        done.callback(None)
        self.successResultOf(first)
        self.successResultOf(third)
