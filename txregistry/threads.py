"""Threads: long work done beside the reactor, and always to its end. A leaf."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

MOST: Final = 10  # lasting threads, as many as a reactor's pool has

_T = TypeVar("_T")


class InThread(Protocol):
    """Runs work in another thread; ``twisted.internet.defer.execute`` in a test."""

    def __call__(self, work: Callable[[], _T], /) -> Deferred[_T]:
        """Start the work; return a Deferred with its result."""
        ...


def in_threads_of(reactor: Any) -> InThread:
    """Return what runs work in a reactor's thread pool.

    Args:
        reactor: Has ``getThreadPool`` and ``callFromThread``.
    """

    def in_thread(work: Callable[[], _T], /) -> Deferred[_T]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    return in_thread


def in_own_threads_of(reactor: Any) -> InThread:
    """Return what runs each work in a thread that the process does not wait for.

    Args:
        reactor: Has ``callFromThread``.
    """

    def in_thread(work: Callable[[], _T], /) -> Deferred[_T]:
        running: Deferred[_T] = Deferred()

        def run() -> None:
            result: _T | Failure
            try:
                result = work()
            except Exception:  # whatever it is, it is the caller's
                result = Failure()
            reactor.callFromThread(running.callback, result)

        Thread(target=run, daemon=True).start()
        return running

    return in_thread


class LastingThreads:
    """Runs works in threads that last, as many as there were works at a time.

    See InThread. To start a thread means to wait for it, which is much for a work of
    some milliseconds. The process does not wait for these, unless ``stop`` is called.
    """

    def __init__(self, reactor: Any, most: int | None = None) -> None:
        """Prepare.

        Args:
            reactor: Has ``callFromThread``.
            most: How many threads there may be, for which further works wait; None:
                any number.
        """
        self._reactor = reactor
        self._most = most
        self._works: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None]
        self._works = SimpleQueue()
        self._threads: list[Thread] = []
        self._busy = 0

    def __call__(self, work: Callable[[], _T], /) -> Deferred[_T]:
        """Have a work done.

        Raises:
            RuntimeError: The system has no thread for it. Where there may be only so
                many, that is so only while there is none yet.
        """
        count = len(self._threads)
        if self._busy >= count and (self._most is None or count < self._most):
            self._begin_thread()
        self._busy += 1
        running: Deferred[_T] = Deferred()
        self._works.put((work, running))
        return running

    def _begin_thread(self) -> None:
        thread = Thread(target=self._run, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if self._most is None or not self._threads:
                raise
        else:
            self._threads.append(thread)

    def stop(self) -> None:
        """Wait until all works are done, and end the threads."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._works.put(None)
        for thread in threads:
            thread.join()

    def _run(self) -> None:
        while True:
            given = self._works.get()
            if given is None:
                return
            work, running = given
            result: Any
            try:
                result = work()
            except Exception:  # whatever it is, it is the caller's
                result = Failure()
            self._reactor.callFromThread(self._end, running, result)
            del given, work, running, result  # while the next one is waited for

    def _end(self, running: Deferred[Any], result: Any) -> None:
        self._busy -= 1
        running.callback(result)


def in_lasting_threads_of(reactor: Any) -> InThread:
    """Return what runs work in up to ten lasting threads, which end with a reactor.

    They are waited for then, as the reactor's own are. To get there and back costs half
    of what it does by way of those, which matters where somebody waits for little work.

    Args:
        reactor: Any; if it is no real one, as in a test, its thread pool is used.
    """
    if not isinstance(reactor, PosixReactorBase):
        return in_threads_of(reactor)
    threads = LastingThreads(reactor, MOST)
    reactor.addSystemEventTrigger("during", "shutdown", threads.stop)
    return threads


class _Lasting(Deferred[_T]):
    """A Deferred that ends when its work does, also if it is cancelled before."""

    _is_unwanted = False

    def cancel(self) -> None:
        """Note that nobody wants the result; see Deferred, which would end here."""
        self._is_unwanted = True

    def end(self, result: _T | Failure) -> None:
        """Note what came of the work."""
        if self._is_unwanted and not isinstance(result, Failure):
            result = Failure(CancelledError())
        self.callback(result)


def to_the_end(running: Deferred[_T]) -> Deferred[_T]:
    """Wait for work that cannot be stopped, even if the caller is cancelled.

    A thread goes on when its Deferred is cancelled. Somebody who repeated the work then
    would race with it, so cancelling this only takes effect when the work has ended.

    Args:
        running: The work; never cancelled.

    Returns:
        A Deferred with its result. Fails with ``CancelledError`` if the work is done
        and the caller was cancelled meanwhile; with whatever the work failed with,
        cancelled or not.
    """
    waiting: _Lasting[_T] = _Lasting()
    running.addBoth(waiting.end)
    return waiting
