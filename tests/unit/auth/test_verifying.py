"""Tests of txregistry.auth.verifying."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.doubles import Threads
from txregistry.auth.verifying import Verifying
from txregistry.interfaces import LoginDelayed


class Broken(Exception):
    """What a test has work fail with."""


def fail() -> bool:
    """Fail."""
    raise Broken


class VerifyingTests(SynchronousTestCase):
    """``Verifying``."""

    def setUp(self) -> None:
        """Make one that asks two questions at a time, and knows three."""
        self.threads = Threads()
        self.verifying = Verifying(self.threads, 2, 3)
        self.asked: list[bytes] = []

    def ask(self, mark: bytes, answer: bool = True) -> Deferred[bool]:
        """Ask a question."""

        def find() -> bool:
            self.asked.append(mark)
            return answer

        return Deferred.fromCoroutine(self.verifying.ask(mark, find))

    def test_answer(self) -> None:
        """A question gets its answer."""
        answers = [self.ask(b"a", True), self.ask(b"b", False)]
        self.threads.run_all()
        self.assertEqual(
            [True, False], [self.successResultOf(each) for each in answers]
        )

    def test_same(self) -> None:
        """The same question, asked by many at once, is one."""
        answers = [self.ask(b"a") for _ in range(5)]
        self.threads.run_all()
        self.assertEqual([True] * 5, [self.successResultOf(each) for each in answers])
        self.assertEqual([b"a"], self.asked)

    def test_again(self) -> None:
        """A question that was answered is a new one when it is asked again."""
        for _ in range(2):
            self.ask(b"a")
            self.threads.run_all()
        self.assertEqual([b"a", b"a"], self.asked)

    def test_at_once(self) -> None:
        """No more questions are under way than there may be; the others wait."""
        for mark in (b"a", b"b", b"c"):
            self.ask(mark)
        self.assertEqual(2, self.threads.started)
        self.threads.run_one()
        self.assertEqual(3, self.threads.started)

    def test_too_many(self) -> None:
        """One question too many is put off, unless somebody has asked it already."""
        for mark in (b"a", b"b", b"c"):
            self.ask(mark)
        failure = self.failureResultOf(self.ask(b"d"), LoginDelayed)
        self.assertEqual(1.0, failure.value.seconds)
        self.assertNoResult(self.ask(b"c"))
        self.threads.run_all()
        self.assertNoResult(self.ask(b"d"))

    def test_failure(self) -> None:
        """A failure comes to all who wait, and makes place for others."""
        waiting = [
            Deferred.fromCoroutine(self.verifying.ask(b"a", fail)) for _ in range(2)
        ]
        self.threads.run_all()
        for each in waiting:
            self.failureResultOf(each, Broken)
        self.test_answer()

    def test_left(self) -> None:
        """Who leaves takes nothing from those who stay."""
        first, second = self.ask(b"a"), self.ask(b"a")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.threads.run_all()
        self.assertTrue(self.successResultOf(second))

    def test_left_early(self) -> None:
        """A question that everybody has left before it was begun is not asked."""
        waiting = [self.ask(mark) for mark in (b"a", b"b", b"c")]
        waiting[2].cancel()
        self.failureResultOf(waiting[2], CancelledError)
        self.threads.run_all()
        self.assertEqual([b"a", b"b"], self.asked)

    def test_left_late(self) -> None:
        """A question that everybody has left while it is asked ends quietly."""
        waiting = self.ask(b"a")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.threads.run_all()
        self.assertEqual([b"a"], self.asked)
        self.assertNoResult(self.ask(b"b"))
