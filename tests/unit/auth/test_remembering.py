"""Tests of txregistry.auth.remembering."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.auth.doubles import ScriptedChecker
from txregistry.auth.remembering import Remembered, RememberingChecker
from txregistry.auth.users import User
from txregistry.auth.verifying import Verifying


class RememberedTests(SynchronousTestCase):
    """``Remembered``."""

    def setUp(self) -> None:
        """Make a memory of 60 seconds and three credentials."""
        self.clock = Clock()
        self.remembered = Remembered[str](self.clock, 60, 3)

    def known(self, *marks: bytes) -> list[str | None]:
        """Return whose credentials are, as far as they are remembered."""
        return [self.remembered.get(mark) for mark in marks]

    def test_unknown(self) -> None:
        """What was never found good is not remembered."""
        self.assertEqual([None], self.known(self.remembered.mark(b"a")))

    def test_lifetime(self) -> None:
        """Credentials are remembered for their time and no longer."""
        mark = self.remembered.mark(b"a")
        self.remembered.add(mark, "alice")
        self.clock.advance(59.9)
        self.assertEqual(["alice"], self.known(mark))
        self.clock.advance(0.1)
        self.assertEqual([None], self.known(mark))

    def test_use(self) -> None:
        """To use credentials does not make them last longer; to verify them does."""
        mark = self.remembered.mark(b"a")
        self.remembered.add(mark, "alice")
        self.clock.advance(50)
        self.assertEqual(["alice"], self.known(mark))
        self.remembered.add(mark, "bob")
        self.clock.advance(50)
        self.assertEqual(["bob"], self.known(mark))

    def test_most(self) -> None:
        """When there are too many, the oldest are forgotten."""
        marks = [self.remembered.mark(b"%d" % number) for number in range(4)]
        for place in (0, 1, 2, 0, 3):
            self.remembered.add(marks[place], str(place))
        self.assertEqual(["0", None, "2", "3"], self.known(*marks))

    def test_never(self) -> None:
        """With no lifetime nothing is remembered."""
        self.remembered = Remembered[str](self.clock, 0)
        mark = self.remembered.mark(b"a")
        self.remembered.add(mark, "alice")
        self.assertEqual([None], self.known(mark))

    def test_mark(self) -> None:
        """A mark is the same for the same parts, and for no others."""
        mark = self.remembered.mark
        self.assertEqual(mark(b"a", b"b"), mark(b"a", b"b"))
        others = {mark(b"ab"), mark(b"a", b"b"), mark(b"", b"ab"), mark(b"1:a1:b")}
        self.assertEqual(4, len(others))

    def test_lookups(self) -> None:
        """It counts how often it remembered, and how often not."""
        mark = self.remembered.mark(b"a")
        self.remembered.add(mark, "alice")
        self.known(mark, mark, self.remembered.mark(b"b"))
        self.clock.advance(60)
        self.known(mark)
        self.assertEqual((2, 2), self.remembered.lookups.take())
        self.assertEqual((0, 0), self.remembered.lookups.take())

    def test_key(self) -> None:
        """Another process has other marks."""
        other = Remembered[str](self.clock)
        self.assertNotEqual(other.mark(b"a"), self.remembered.mark(b"a"))


class CheckerTests(SynchronousTestCase):
    """``RememberingChecker``."""

    def setUp(self) -> None:
        """Make one before a checker that counts."""
        self.clock = Clock()
        self.inner = ScriptedChecker()
        self.checker = RememberingChecker(
            self.inner, Remembered(self.clock, 60), Verifying()
        )

    def log_in(self, password: bytes = b"secret") -> Deferred[Any]:
        """Begin to log in."""
        return self.checker.requestAvatarId(UsernamePassword(b"alice", password))

    def test_interface(self) -> None:
        """It is a checker."""
        verifyObject(ICredentialsChecker, self.checker)

    def test_lookups(self) -> None:
        """It says how often a login was remembered."""
        self.log_in()
        self.inner.answer(User("alice"))
        self.successResultOf(self.log_in())
        self.assertEqual((1, 1), self.checker.lookups.take())

    def test_good(self) -> None:
        """A good login is not asked about again for its time."""
        waiting = self.log_in()
        self.inner.answer(User("alice"))
        self.assertEqual(User("alice"), self.successResultOf(waiting))
        self.assertEqual(User("alice"), self.successResultOf(self.log_in()))
        self.clock.advance(60)
        self.assertNoResult(self.log_in())

    def test_bad(self) -> None:
        """A bad one is asked about each time, as is another password."""
        for password in (b"bad", b"bad", b"worse"):
            waiting = self.log_in(password)
            self.inner.answer(UnauthorizedLogin())
            self.failureResultOf(waiting, UnauthorizedLogin)

    def test_together(self) -> None:
        """The same login, by many at once, is one."""
        waiting = [self.log_in() for _ in range(3)]
        self.inner.answer(b"alice")
        self.assertEqual(
            [b"alice"] * 3, [self.successResultOf(each) for each in waiting]
        )
