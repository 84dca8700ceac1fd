"""Tests of txregistry.auth.passwords."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from tests.unit.auth.doubles import Threads
from tests.unit.auth.files import FileTestCase, long_after
from txregistry.auth import passwords
from txregistry.auth.editing import remove_user, set_password
from txregistry.auth.hashes import DEFAULT_COST, LOWEST_COST, dummy, make_hash
from txregistry.auth.htpasswd import parse_htpasswd
from txregistry.auth.loading import ICheckerFactory
from txregistry.auth.passwords import HtpasswdChecker, factory
from txregistry.auth.remembering import Remembered
from txregistry.auth.verifying import Verifying
from txregistry.auth.watched import WatchedFile
from txregistry.interfaces import InvalidOption

USER: Final = b"alice"
PASSWORD: Final = b"correct horse"
WRONG: Final = b"battery staple"
HASH: Final = make_hash(PASSWORD, LOWEST_COST)


class CheckerCase(FileTestCase):
    """Tests of a checker that knows alice.

    Attributes:
        path: Its file.
        threads: Where it computes hashes.
    """

    def setUp(self) -> None:
        """Make the checker."""
        super().setUp()
        self.path = self.write(USER + b":" + HASH)
        self.clock = Clock()
        self.threads = Threads()
        self.checker = HtpasswdChecker(
            WatchedFile(self.path, parse_htpasswd, execute, self.clock, long_after),
            self.threads,
            Remembered(self.clock, 60),
            Verifying(),
        )

    def log_in(
        self, password: bytes = PASSWORD, user: bytes = USER
    ) -> Deferred[bytes | tuple[()]]:
        """Begin to log in."""
        return self.checker.requestAvatarId(UsernamePassword(user, password))

    def accepted(self, password: bytes = PASSWORD, user: bytes = USER) -> None:
        """Log in, and expect to be let in."""
        waiting = self.log_in(password, user)
        self.threads.run_all()
        self.assertEqual(user, self.successResultOf(waiting))

    def refused(self, password: bytes = PASSWORD, user: bytes = USER) -> None:
        """Log in, and expect to be refused."""
        waiting = self.log_in(password, user)
        self.threads.run_all()
        self.failureResultOf(waiting, UnauthorizedLogin)


class LoginTests(CheckerCase):
    """Logins."""

    def test_interface(self) -> None:
        """It is a checker of twisted.cred's."""
        verifyObject(ICredentialsChecker, self.checker)

    def test_lookups(self) -> None:
        """It says how often a login was remembered, and how often not."""
        self.accepted()
        self.accepted()
        self.assertEqual((1, 1), self.checker.lookups.take())

    def test_right(self) -> None:
        """A user with the right password is let in by name."""
        self.accepted()

    def test_wrong(self) -> None:
        """Any other password is refused, and so is any other user."""
        for password in (WRONG, b"", PASSWORD + b" ", HASH):
            self.refused(password)
        for user in (b"bob", b"", b"Alice", b"alice ", b"#"):
            self.refused(user=user)

    def test_long(self) -> None:
        """Of a password 72 bytes count, as in the Go registry."""
        set_password(self.path, USER, b"x" * 72, LOWEST_COST)
        self.accepted(b"x" * 80)
        self.refused(b"x" * 71)

    def test_unknown_user(self) -> None:
        """For a user who is not there a hash is computed all the same."""
        self.refused(user=b"bob")
        self.assertEqual(1, self.threads.started)

    def test_nobody(self) -> None:
        """Where there are no users, whoever comes is refused after the usual time."""
        self.write("")
        self.log_in().addErrback(lambda failure: None)
        self.assertEqual(1, self.threads.started)
        nobody = parse_htpasswd("", b"")
        self.assertEqual(dummy(DEFAULT_COST), passwords._stand_in(nobody, b"any"))

    def test_costs(self) -> None:
        """An unknown user takes as long as one of the others, the same each time."""
        content = b"a:" + dummy(4) + b"\nb:" + dummy(5)
        users = parse_htpasswd("", content)
        costs = [passwords._stand_in(users, bytes([draw])) for draw in range(4)]
        self.assertEqual([dummy(4), dummy(5)] * 2, costs)


class RememberedTests(CheckerCase):
    """Logins that were good a moment ago."""

    def test_again(self) -> None:
        """The same login needs no hash within a minute, and one after it."""
        self.accepted()
        self.clock.advance(59)
        self.accepted()
        self.assertEqual(1, self.threads.started)
        self.clock.advance(1)
        self.accepted()
        self.assertEqual(2, self.threads.started)

    def test_other_password(self) -> None:
        """Another password is not remembered with it."""
        self.accepted()
        self.refused(WRONG)

    def test_refused(self) -> None:
        """What was refused is not remembered."""
        self.refused(WRONG)
        self.refused(WRONG)
        self.assertEqual(2, self.threads.started)

    def test_removed(self) -> None:
        """A user who is removed is refused at once."""
        self.accepted()
        remove_user(self.path, USER)
        self.refused()

    def test_changed(self) -> None:
        """When a password changes, the old one is refused at once."""
        self.accepted()
        set_password(self.path, USER, WRONG, LOWEST_COST)
        self.refused()
        self.accepted(WRONG)

    def test_broken(self) -> None:
        """While the file is broken, those who were there before are there."""
        self.accepted()
        self.write("nonsense")
        self.accepted()
        self.refused(WRONG)

    def test_together(self) -> None:
        """The same login, many times at once, costs one hash."""
        waiting = [self.log_in() for _ in range(10)]
        self.threads.run_all()
        self.assertEqual([USER] * 10, [self.successResultOf(each) for each in waiting])
        self.assertEqual(1, self.threads.started)


class FactoryTests(FileTestCase):
    """From options to a checker."""

    def refused(self, **options: object) -> str:
        """Return what options are refused with."""
        make = factory.make_checker
        return str(self.assertRaises(InvalidOption, make, Clock(), options))

    def test_interface(self) -> None:
        """The factory is one of checkers."""
        verifyObject(ICheckerFactory, factory)

    def test_file(self) -> None:
        """A file makes a checker."""
        path = self.write(USER + b":" + HASH)
        checker = factory.make_checker(Clock(), {"path": path, "remember": 5})
        verifyObject(ICredentialsChecker, checker)

    def test_missing(self) -> None:
        """A missing file is made, and the log says where its password is, not which."""
        path = str(self.folder.absolute() / "users")
        with capturedLogs() as logs:
            factory.make_checker(Clock(), {"path": path})
        (event,) = logs
        self.assertEqual(f"{path}.password", event["password_path"])
        password = Path(f"{path}.password").read_text().strip()
        self.assertNotIn(password, repr(event))

    def test_broken(self) -> None:
        """A broken file is refused by its line."""
        path = self.write("secret")
        self.assertEqual(
            f"path: {path}:1: no colon between a user's name and a hash",
            self.refused(path=path),
        )

    def test_impossible(self) -> None:
        """A file that cannot be made is refused."""
        path = self.write("") + "/users"
        self.assertEqual(f"path: {path}: Not a directory", self.refused(path=path))

    def test_options(self) -> None:
        """Options that are missing, wrong or unknown are refused."""
        path = self.write("")
        self.assertEqual("path: is missing", self.refused())
        self.assertIn("remember: ", self.refused(path=path, remember=-1))
        self.assertIn("pth: unknown", self.refused(path=path, pth=path))
        self.assertEqual(["file"], os.listdir(self.folder))
