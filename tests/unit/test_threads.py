"""Work beside the reactor."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.unit.reactor import QuietReactor
from txregistry.threads import (
    LastingThreads,
    in_lasting_threads_of,
    in_own_threads_of,
    in_threads_of,
    to_the_end,
)


class Broken(Exception):
    """What work fails with here."""


class ToTheEndTests(SynchronousTestCase):
    """Waiting for work that cannot be stopped."""

    def setUp(self) -> None:
        """Wait for work that goes on."""
        self.work: Deferred[str] = Deferred(lambda _: self.fail("the work was stopped"))
        self.waiting = Deferred.fromCoroutine(self.wait())

    async def wait(self) -> str:
        """Wait in a coroutine, which is what is cancelled."""
        return await to_the_end(self.work)

    def test_result(self) -> None:
        """The work's result comes out."""
        self.work.callback("done")
        self.assertEqual("done", self.successResultOf(self.waiting))

    def test_failure(self) -> None:
        """The work's failure comes out."""
        self.work.errback(Broken())
        self.failureResultOf(self.waiting, Broken)

    def test_done_before(self) -> None:
        """Work that is done already is not waited for."""
        done: Deferred[str] = Deferred()
        done.callback("done")
        self.assertEqual("done", self.successResultOf(to_the_end(done)))

    def test_cancel_at_once(self) -> None:
        """What waits without a coroutine is cancelled in the same way."""
        work: Deferred[str] = Deferred()
        waiting = to_the_end(work)
        waiting.cancel()
        self.assertNoResult(waiting)
        work.callback("done")
        self.failureResultOf(waiting, CancelledError)
        waiting.cancel()

    def test_cancel(self) -> None:
        """To cancel waits for the end of the work, and takes effect then."""
        self.waiting.cancel()
        self.assertNoResult(self.waiting)
        self.work.callback("done")
        self.failureResultOf(self.waiting, CancelledError)

    def test_cancel_often(self) -> None:
        """To cancel again changes nothing."""
        for _ in range(3):
            self.waiting.cancel()
        self.assertNoResult(self.waiting)
        self.work.callback("done")
        self.failureResultOf(self.waiting, CancelledError)

    def test_cancel_and_failure(self) -> None:
        """The work's failure comes out though the caller was cancelled."""
        self.waiting.cancel()
        self.work.errback(Broken())
        self.failureResultOf(self.waiting, Broken)


class InThreadsOfTests(TestCase):
    """A reactor's thread pool."""

    async def test_in_thread(self) -> None:
        """Work runs in another thread, and its result comes back to this one."""
        from threading import get_ident

        from twisted.internet import reactor

        elsewhere = await in_threads_of(reactor)(get_ident)
        self.assertNotEqual(get_ident(), elsewhere)


class InOwnThreadsOfTests(TestCase):
    """Threads that the process does not wait for."""

    async def test_in_thread(self) -> None:
        """Work runs in a thread that does not keep the process from ending."""
        from threading import current_thread

        from twisted.internet import reactor

        thread = await in_own_threads_of(reactor)(current_thread)
        self.assertTrue(thread.daemon)

    async def test_failure(self) -> None:
        """What work fails with comes back."""
        from twisted.internet import reactor

        def fail() -> None:
            raise Broken

        with self.assertRaises(Broken):
            await in_own_threads_of(reactor)(fail)


class LastingThreadsTests(TestCase):
    """Threads that are used again."""

    async def test_again(self) -> None:
        """Works that follow one another share a thread, which holds up no exit."""
        from threading import current_thread

        from twisted.internet import reactor

        threads = LastingThreads(reactor)
        used = [await threads(current_thread) for _ in range(5)]
        self.assertEqual(1, len({*used}))
        self.assertTrue(used[0].daemon)

    async def test_at_once(self) -> None:
        """Works at the same time have a thread each."""
        from threading import Barrier

        from twisted.internet import reactor

        threads = LastingThreads(reactor)
        together = Barrier(3)
        running = [threads(lambda: together.wait(30)) for _ in range(3)]
        self.assertEqual({0, 1, 2}, {await each for each in running})

    async def test_failure(self) -> None:
        """What work fails with comes back, and the thread goes on."""
        from twisted.internet import reactor

        def fail() -> None:
            raise Broken

        threads = LastingThreads(reactor)
        for _ in range(2):
            with self.assertRaises(Broken):
                await threads(fail)
        self.assertEqual(1, await threads(lambda: 1))

    async def test_most(self) -> None:
        """There are no more than there may be; works wait, and all are done."""
        from threading import Event, current_thread

        from twisted.internet import reactor

        threads, go_on = LastingThreads(reactor, most=2), Event()

        def work() -> object:
            go_on.wait(30)
            return current_thread()

        running = [threads(work) for _ in range(5)]
        go_on.set()
        self.assertLessEqual(len({await each for each in running}), 2)

    async def test_no_more(self) -> None:
        """Where works may have to wait, they do when the system has no more threads."""
        from threading import Event, Thread

        from twisted.internet import reactor

        def start(_thread: Thread) -> None:
            raise RuntimeError("can't start new thread")

        threads, go_on = LastingThreads(reactor, most=2), Event()
        waiting = threads(lambda: go_on.wait(30))
        self.patch(Thread, "start", start)
        running = threads(lambda: 1)
        go_on.set()
        self.assertEqual((True, 1), (await waiting, await running))
        for others in (LastingThreads(reactor), LastingThreads(reactor, most=2)):
            self.assertRaises(RuntimeError, others, lambda: 1)
        threads.stop()

    async def test_stop(self) -> None:
        """To stop is to wait for all works, also those that no thread has begun."""
        from twisted.internet import reactor

        threads, done = LastingThreads(reactor, most=1), list[int]()
        running = [threads(partial(done.append, number)) for number in range(5)]
        threads.stop()
        self.assertEqual([0, 1, 2, 3, 4], done)
        for each in running:
            await each
        self.assertEqual(1, await threads(lambda: 1))
        threads.stop()


class InLastingThreadsOfTests(TestCase):
    """Threads that end with a reactor."""

    async def test_in_thread(self) -> None:
        """They are lasting ones, and their end is planned for that of the reactor."""
        from threading import current_thread

        from twisted.internet import reactor

        planned: list[Any] = []
        self.patch(reactor, "addSystemEventTrigger", lambda *args: planned.append(args))
        in_thread = in_lasting_threads_of(reactor)
        thread = await in_thread(current_thread)
        ((phase, event, stop),) = planned
        self.assertEqual(("during", "shutdown"), (phase, event))
        stop()
        self.assertFalse(thread.is_alive())

    def test_no_reactor(self) -> None:
        """One that is none is asked for its pool."""
        self.assertEqual(
            3, self.successResultOf(in_lasting_threads_of(QuietReactor())(lambda: 3))
        )
