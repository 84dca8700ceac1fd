"""Tests of txregistry.registry.locks, and of what would go wrong without them."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.names import Name, Tag
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

    def test_tags(self) -> None:
        """Who holds other tags goes on beside; who holds the same, or all, waits."""
        locks, done = Locks(), Deferred[None]()
        order: list[str] = []

        def hold(
            word: str, tags: list[Tag] | None, until: Deferred[None] | None = None
        ) -> Deferred[None]:
            async def hold_it() -> None:
                async with locks.held(Name("a"), tags):
                    if until is not None:
                        await until
                    order.append(word)

            return Deferred.fromCoroutine(hold_it())

        first = hold("first", [Tag("one"), Tag("two")], done)
        self.successResultOf(hold("other", [Tag("three")]))
        self.successResultOf(hold("none", []))
        same = hold("same", [Tag("two"), Tag("four")])
        whole = hold("all", None)
        behind = hold("behind", [Tag("three")])
        for waiting in (same, whole, behind):
            self.assertNoResult(waiting)
        done.callback(None)
        for each in (first, same, whole, behind):
            self.successResultOf(each)
        self.assertEqual(["other", "none", "first", "same", "all", "behind"], order)

    def test_next_one(self) -> None:
        """Who comes when all that waited are done has it, whoever is on the way out."""
        locks, done, ever = Locks(), Deferred[None](), Deferred[None]()

        async def hold(until: Deferred[None] | None) -> None:
            async with locks.held(Name("a")):
                if until is not None:
                    await until

        later: list[Deferred[None]] = []
        first = Deferred.fromCoroutine(hold(done))
        second = Deferred.fromCoroutine(hold(None))
        second.addCallback(lambda _: later.append(Deferred.fromCoroutine(hold(ever))))
        done.callback(None)
        self.successResultOf(first)
        fourth = Deferred.fromCoroutine(hold(None))
        self.assertNoResult(later[0])
        self.assertNoResult(fourth)
        ever.callback(None)
        self.successResultOf(later[0])
        self.successResultOf(fourth)

    def test_nothing_is_kept(self) -> None:
        """When nobody wants it any more, nothing is remembered."""
        locks = Locks()

        async def hold(tags: list[Tag] | None) -> None:
            async with locks.held(Name("a"), tags):
                pass

        for tags in (None, [Tag("one")]):
            self.successResultOf(Deferred.fromCoroutine(hold(tags)))
            self.assertEqual({}, locks._locks)

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
