"""Brief: short work on a disk, done where it costs least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.storage.brief import LONG, WHILE, Brief


class BriefTests(SynchronousTestCase):
    """Work that takes as long as is said."""

    def setUp(self) -> None:
        """Count what threads do."""
        self.clock = Clock()
        self.in_threads = 0
        self.brief = Brief(self.clock, self.in_thread)

    def in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        """Do it, and count."""
        self.in_threads += 1
        return execute(work)

    def do(self, seconds: float) -> None:
        """Do something for so long."""

        def work() -> str:
            self.clock.advance(seconds)
            return "done"

        running = Deferred.fromCoroutine(self.brief.do(work))
        self.assertEqual("done", self.successResultOf(running))

    def test_short(self) -> None:
        """What is short needs no thread."""
        for _ in range(3):
            self.do(LONG / 2)
        self.assertEqual(0, self.in_threads)

    def test_long(self) -> None:
        """After what was long, threads do it for a while."""
        self.do(LONG * 2)
        self.assertEqual(0, self.in_threads)
        self.do(LONG * 2)
        self.do(0)
        self.assertEqual(2, self.in_threads)
        self.clock.advance(WHILE)
        self.do(0)
        self.assertEqual(2, self.in_threads)

    def test_failure(self) -> None:
        """What fails fails, here and in a thread."""

        def work() -> None:
            self.clock.advance(LONG * 2)
            raise OSError("no")

        for _ in range(2):
            self.failureResultOf(Deferred.fromCoroutine(self.brief.do(work)), OSError)
        self.assertEqual(1, self.in_threads)
