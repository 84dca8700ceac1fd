"""Threads: long work done beside the reactor, and always to its end. A leaf."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

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
    some milliseconds. The process does not wait for these.
    """

    def __init__(self, reactor: Any) -> None:
        """Prepare.

        Args:
            reactor: Has ``callFromThread``.
        """
        self._reactor = reactor
        self._works: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]]]
        self._works = SimpleQueue()
        self._threads = 0
        self._busy = 0

    def __call__(self, work: Callable[[], _T], /) -> Deferred[_T]:
        """Have a work done. Raises RuntimeError if there are no more threads."""
        if self._busy == self._threads:
            Thread(target=self._run, daemon=True).start()
            self._threads += 1
        self._busy += 1
        running: Deferred[_T] = Deferred()
        self._works.put((work, running))
        return running

    def _run(self) -> None:
        while True:
            work, running = self._works.get()
            result: Any
            try:
                result = work()
            except Exception:  # whatever it is, it is the caller's
                result = Failure()
            self._reactor.callFromThread(self._end, running, result)
            del work, running, result  # while the next one is waited for

    def _end(self, running: Deferred[Any], result: Any) -> None:
        self._busy -= 1
        running.callback(result)


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
