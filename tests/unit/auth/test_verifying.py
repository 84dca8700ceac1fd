"""Tests of txregistry.auth.verifying."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.doubles import Threads
from txregistry.auth.verifying import Verifying
from txregistry.interfaces import LoginDelayed


class Broken(Exception):
    """What a test has work fail with."""


def fail() -> Deferred[bool]:
    """Fail before there is a Deferred."""
    raise Broken


class VerifyingTests(SynchronousTestCase):
    """``Verifying``."""

    def setUp(self) -> None:
        """Make one that looks into two logins at a time, and knows three."""
        self.threads = Threads()
        self.verifying = Verifying[bool](2, 3)
        self.seen: list[bytes] = []

    def log_in(self, mark: bytes, good: bool = True) -> Deferred[bool]:
        """Have a login looked into that comes out so."""

        def find() -> bool:
            self.seen.append(mark)
            return good

        return self.verify(mark, lambda: self.threads(find))

    def verify(
        self, mark: bytes, begin: Callable[[], Deferred[bool]]
    ) -> Deferred[bool]:
        """Have a login looked into."""
        return Deferred.fromCoroutine(self.verifying.verify(mark, begin))

    def test_outcome(self) -> None:
        """A login comes out as it does."""
        logins = [self.log_in(b"a", True), self.log_in(b"b", False)]
        self.threads.run_all()
        self.assertEqual([True, False], [self.successResultOf(each) for each in logins])

    def test_same(self) -> None:
        """The same login, by many at once, is one."""
        logins = [self.log_in(b"a") for _ in range(5)]
        self.threads.run_all()
        self.assertEqual([True] * 5, [self.successResultOf(each) for each in logins])
        self.assertEqual([b"a"], self.seen)

    def test_again(self) -> None:
        """A login that was looked into is a new one when it comes again."""
        for _ in range(2):
            self.log_in(b"a")
            self.threads.run_all()
        self.assertEqual([b"a", b"a"], self.seen)

    def test_at_once(self) -> None:
        """No more are looked into at a time than may be; the others wait."""
        for mark in (b"a", b"b", b"c"):
            self.log_in(mark)
        self.assertEqual(2, self.threads.started)
        self.threads.run_one()
        self.assertEqual(3, self.threads.started)

    def test_too_many(self) -> None:
        """One login too many is put off, unless somebody waits for it already."""
        for mark in (b"a", b"b", b"c"):
            self.log_in(mark)
        failure = self.failureResultOf(self.log_in(b"d"), LoginDelayed)
        self.assertEqual(1.0, failure.value.seconds)
        self.assertNoResult(self.log_in(b"c"))
        self.threads.run_all()
        self.assertNoResult(self.log_in(b"d"))

    def test_failure(self) -> None:
        """A failure comes to all who wait, and makes place for others."""
        work: Deferred[bool] = Deferred()
        waiting = [self.verify(b"a", lambda: work) for _ in range(2)]
        work.errback(Broken())
        for each in waiting:
            self.failureResultOf(each, Broken)
        self.failureResultOf(self.verify(b"a", fail), Broken)
        self.test_outcome()

    def test_left(self) -> None:
        """Who leaves takes nothing from those who stay."""
        first, second = self.log_in(b"a"), self.log_in(b"a")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.threads.run_all()
        self.assertTrue(self.successResultOf(second))

    def test_left_early(self) -> None:
        """A login that everybody has left early is not looked into."""
        waiting = [self.log_in(mark) for mark in (b"a", b"b", b"c")]
        waiting[2].cancel()
        self.failureResultOf(waiting[2], CancelledError)
        self.threads.run_all()
        self.assertEqual([b"a", b"b"], self.seen)

    def test_left_late(self) -> None:
        """A login that everybody leaves while it is looked into ends quietly."""
        waiting = self.log_in(b"a")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.threads.run_all()
        self.assertEqual([b"a"], self.seen)
        self.assertNoResult(self.log_in(b"b"))
