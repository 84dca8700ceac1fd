"""Threads: long work done beside the reactor, and always to its end. A leaf."""

from __future__ import annotations

from collections.abc import Callable
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


async def to_the_end(running: Deferred[_T]) -> _T:
    """Wait for work that cannot be stopped, even if the caller is cancelled.

    A thread goes on when its Deferred is cancelled. Somebody who repeated the work then
    would race with it, so cancelling this only takes effect when the work has ended.

    Args:
        running: The work; never cancelled.

    Returns:
        Its result.

    Raises:
        CancelledError: The work is done, and the caller was cancelled meanwhile.
        Exception: Whatever the work failed with, cancelled or not.
    """
    results: list[_T | Failure] = []
    waiting: Deferred[None] = Deferred()
    cancelled = False

    def end(result: _T | Failure) -> None:
        results.append(result)
        waiting.callback(None)

    running.addBoth(end)
    while not results:
        try:
            await waiting
        except CancelledError:
            cancelled = True
            waiting = Deferred()
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    if cancelled:
        raise CancelledError
    return result
