"""Threads: work that would block the reactor, done beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

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
