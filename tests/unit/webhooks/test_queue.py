"""Tests of txregistry.webhooks.queue: many requests' events in one write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.webhooks.doubles import entry
from txregistry.current import request_id
from txregistry.interfaces import StorageError
from txregistry.webhooks.ledger import IN_MEMORY, BrokenLedger, Ledger
from txregistry.webhooks.queue import Queue

_T = TypeVar("_T")


class SlowThread:
    """Runs work when a test says so.

    Attributes:
        begun: How much work was begun.
        works: The work that was, and is not done yet.
    """

    def __init__(self) -> None:
        """Have no work."""
        self.begun = 0
        self.works: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[[], _T], /) -> Deferred[_T]:
        """See InThread."""
        done: Deferred[_T] = Deferred()
        self.begun += 1
        self.works.append((work, done))
        return done

    def finish(self) -> None:
        """Do the one piece of work that was begun."""
        ((work, done),) = self.works
        self.works.clear()
        try:
            result = work()
        except Exception:
            done.errback(Failure())
        else:
            done.callback(result)


class WritingLedger(Ledger):
    """A ledger that knows what was written together.

    Attributes:
        writes: The identifiers, in a list for each write.
        problem: What writing fails with; None: it works.
    """

    problem: Exception | None = None

    def __init__(self) -> None:
        """Begin empty, in memory."""
        super().__init__(IN_MEMORY)
        self.writes: list[list[str]] = []

    def append(self, entries: Any) -> None:
        """See Ledger."""
        if self.problem is not None:
            raise self.problem
        super().append(entries)
        self.writes.append([each.id for each in entries])


class QueueCase(SynchronousTestCase):
    """A queue whose thread works when a test says so."""

    def setUp(self) -> None:
        """Make the queue."""
        self.ledger = WritingLedger()
        self.addCleanup(self.ledger.close)
        self.thread = SlowThread()
        self.queue = Queue(self.ledger, self.thread)

    def append(self, *ids: str) -> Deferred[None]:
        """Let the queue take in events."""
        return self.queue.append([entry(each) for each in ids])

    def work(self, work: Callable[[Ledger], _T]) -> Deferred[_T]:
        """Let the queue do something."""
        return Deferred.fromCoroutine(self.queue.work(work))


class AppendTests(QueueCase):
    """Taking events in."""

    def test_alone(self) -> None:
        """Events are taken in when they are written, and not before."""
        taken = self.append("a", "b")
        self.assertNoResult(taken)
        self.thread.finish()
        self.assertIsNone(self.successResultOf(taken))
        self.assertEqual([["a", "b"]], self.ledger.writes)

    def test_shared(self) -> None:
        """What comes while one write runs shares the next one, in order."""
        first, *others = [self.append(each) for each in "abcd"]
        self.assertEqual(1, self.thread.begun)
        self.thread.finish()
        self.successResultOf(first)
        for each in others:
            self.assertNoResult(each)
        self.thread.finish()
        for each in others:
            self.successResultOf(each)
        self.assertEqual([["a"], ["b", "c", "d"]], self.ledger.writes)

    def test_from_the_end_of_one(self) -> None:
        """Events of somebody who has just been told of others come behind them."""
        one = self.append("a")
        one.addCallback(lambda _: self.append("c"))
        other = self.append("b")
        for _ in range(3):
            self.thread.finish()
        self.successResultOf(one)
        self.successResultOf(other)
        self.assertEqual([["a"], ["b"], ["c"]], self.ledger.writes)

    def test_failure(self) -> None:
        """All who share a write that fails hear of it, and nobody else."""
        first = self.append("a")
        others = [self.append(each) for each in "bc"]
        self.thread.finish()
        self.ledger.problem = BrokenLedger("no")
        self.thread.finish()
        self.successResultOf(first)
        for each in others:
            self.assertEqual("no", str(self.failureResultOf(each).value))

    def test_nobodys(self) -> None:
        """What comes of a write is none of the work for the request that began it."""
        found: list[str | None] = []
        token = request_id.set("a request")
        first, second = self.append("a"), self.append("b")
        request_id.reset(token)
        for each in (first, second):
            each.addCallback(lambda _: found.append(request_id.get()))
        token = request_id.set("another")
        self.thread.finish()
        request_id.reset(token)
        self.thread.finish()
        self.assertEqual([None, None], found)

    def test_after_failure(self) -> None:
        """After a write that failed the next one is tried."""
        self.ledger.problem = ZeroDivisionError()
        failed = self.append("a")
        following = self.append("b")
        self.thread.finish()
        self.failureResultOf(failed, ZeroDivisionError)
        self.ledger.problem = None
        self.thread.finish()
        self.successResultOf(following)
        self.assertEqual([["b"]], self.ledger.writes)

    def test_cancelled(self) -> None:
        """Who waits no longer loses nothing, and is no hindrance to others."""
        for finished in (0, 1):
            first, second, third = (self.append(f"{each}{finished}") for each in "abc")
            if finished:
                self.thread.finish()
                self.successResultOf(first)
            else:
                first.cancel()
                self.failureResultOf(first, CancelledError)
                self.thread.finish()
            second.cancel()
            self.failureResultOf(second, CancelledError)
            self.thread.finish()
            self.successResultOf(third)
        written = [["a0"], ["b0", "c0"], ["a1"], ["b1", "c1"]]
        self.assertEqual(written, self.ledger.writes)

    def test_cancelled_failure(self) -> None:
        """A write that fails when nobody waits any more is no unhandled error."""
        self.ledger.problem = BrokenLedger("no")
        taken = self.append("a")
        taken.cancel()
        self.failureResultOf(taken, CancelledError)
        self.thread.finish()


class WorkTests(QueueCase):
    """Doing something else with the ledger."""

    def test_result(self) -> None:
        """Work returns what comes of it."""
        result = self.work(lambda ledger: ledger.path)
        self.thread.finish()
        self.assertEqual(IN_MEMORY, self.successResultOf(result))

    def test_failure(self) -> None:
        """Work fails with what it fails with, and the next work is done."""
        failed = self.work(lambda ledger: ledger.execute("nonsense"))
        following = self.work(lambda ledger: 1)
        self.thread.finish()
        self.failureResultOf(failed, StorageError)
        self.thread.finish()
        self.assertEqual(1, self.successResultOf(following))

    def test_one_at_a_time(self) -> None:
        """Work, writes and work again are done one after another."""
        done: list[str] = []
        self.work(lambda _: done.append("one"))
        self.append("a").addCallback(lambda _: done.append("two"))
        self.work(lambda _: done.append("three"))
        for count in (1, 2, 3):
            self.assertEqual(count, self.thread.begun)
            self.thread.finish()
        self.assertEqual(["one", "two", "three"], done)

    def test_cancelled(self) -> None:
        """Work that has begun is done before anything else, cancelled or not."""
        working = self.work(lambda ledger: ledger.append([entry("a")]))
        following = self.append("b")
        working.cancel()
        self.assertNoResult(working)
        self.assertEqual(1, self.thread.begun)
        self.thread.finish()
        self.failureResultOf(working, CancelledError)
        self.thread.finish()
        self.successResultOf(following)
        self.assertEqual([["a"], ["b"]], self.ledger.writes)

    def test_cancelled_before(self) -> None:
        """Work that has not begun when it is cancelled is not done."""
        self.append("a")
        working = self.work(lambda ledger: ledger.append([entry("b")]))
        working.cancel()
        self.failureResultOf(working, CancelledError)
        self.thread.finish()
        self.assertEqual([["a"]], self.ledger.writes)
        self.assertEqual(1, self.thread.begun)

    def test_close(self) -> None:
        """The ledger is closed when all that came before is done."""
        taken = self.append("a")
        closing = Deferred.fromCoroutine(self.queue.close())
        self.thread.finish()
        self.successResultOf(taken)
        self.assertNoResult(closing)
        self.thread.finish()
        self.successResultOf(closing)
        late = self.append("b")
        self.thread.finish()
        self.failureResultOf(late, StorageError)
