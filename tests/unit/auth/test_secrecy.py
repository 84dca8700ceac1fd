"""Tests that nobody who reads a log, an error or a repr learns a secret."""

from __future__ import annotations

from typing import Any, Final

from twisted.cred.credentials import UsernamePassword
from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, eventAsText
from twisted.python.failure import Failure

from tests.unit.auth.files import FileTestCase, long_after
from tests.unit.auth.ldapserver import Script, ScriptedServer
from txregistry.auth import passwords
from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.hashes import LOWEST_COST, make_hash
from txregistry.auth.htpasswd import parse_htpasswd
from txregistry.auth.ldap import Account, Groups, LdapChecker, Server, Users
from txregistry.auth.passwords import HtpasswdChecker
from txregistry.auth.remembering import Remembered, RememberingChecker
from txregistry.auth.throttle import ThrottledAuthenticator
from txregistry.auth.verifying import Verifying
from txregistry.auth.watched import WatchedFile

PASSWORD: Final = "correct-horse"
WRONG: Final = "battery-staple"
ACCOUNT: Final = "reader-secret"
HASH: Final = make_hash(PASSWORD.encode(), LOWEST_COST)
SECRETS: Final = (PASSWORD, WRONG, ACCOUNT, HASH.decode(), HASH.decode()[7:])


class SecrecyTests(FileTestCase):
    """Logins of all sorts, and what is to be read of them."""

    def setUp(self) -> None:
        """Begin to collect what is to be read."""
        super().setUp()
        self.clock = Clock()
        self.texts: list[str] = []

    def log_in(self, checker: Any, password: str) -> None:
        """Log in, and collect what comes of it."""
        authenticator = ThrottledAuthenticator(
            BasicAuthenticator("R", checker), self.clock
        )
        credentials = UsernamePassword(b"alice", password.encode())
        results: list[object] = []
        with capturedLogs() as logs:
            login = authenticator.authenticate(credentials, "192.0.2.1")
            login.addBoth(results.append)
            self.clock.advance(100)
        self.collect(authenticator, checker, credentials, *results)
        self.texts.extend(map(self.text_of, logs))

    def collect(self, *values: object) -> None:
        """Collect what is to be read of values, and of what they are made of."""
        for value in values:
            if isinstance(value, Failure):
                self.texts.append(value.getTraceback(detail="verbose"))
                self.texts.append(repr(value.value) + str(value.value))
            self.texts.append(repr(value) + str(value))
            for name, part in vars(value).items() if hasattr(value, "_checker") else ():
                self.texts.append(f"{name}{part!r}")

    def text_of(self, event: LogEvent) -> str:
        """Return what is to be read of a log event."""
        return eventAsText(event, includeTraceback=True) + repr(event)

    def assert_secret(self) -> None:
        """Make sure that no secret was among all that."""
        self.assertTrue(self.texts)
        for secret in SECRETS:
            for text in self.texts:
                self.assertNotIn(secret, text)

    def htpasswd_checker(self) -> HtpasswdChecker:
        """Make a checker that knows alice."""
        path = self.write(b"alice:" + HASH)
        file = WatchedFile(path, parse_htpasswd, execute, self.clock, long_after)
        self.collect(file, file.current())
        return HtpasswdChecker(file, execute, Remembered(self.clock), Verifying())

    def test_htpasswd(self) -> None:
        """A file's users log in well, badly, and while it is broken."""
        checker = self.htpasswd_checker()
        for password in (PASSWORD, PASSWORD, WRONG):
            self.log_in(checker, password)
        self.write(f"alice:{PASSWORD}\n{WRONG}")
        self.log_in(checker, PASSWORD)
        self.assert_secret()

    def test_broken(self) -> None:
        """Something breaks where the password is known."""

        def break_down(password: bytes, stored: bytes) -> bool:
            raise ZeroDivisionError

        checker = self.htpasswd_checker()
        self.patch(passwords, "verify", break_down)
        self.log_in(checker, PASSWORD)
        self.assert_secret()

    def test_ldap(self) -> None:
        """A directory refuses, or is not there."""
        script = Script()
        server = ScriptedServer(script)
        for users in (Users(base="ou=people"), Users("uid=${user},ou=people")):
            checker = LdapChecker(
                Server(server, None, 10),
                users,
                Groups(),
                Account("cn=reader", ACCOUNT.encode()),
                self.clock,
            )
            for script.silent, script.refused in ((True, False), (True, True)):
                remembering = RememberingChecker(
                    checker, Remembered(self.clock), Verifying()
                )
                self.log_in(remembering, PASSWORD)
                self.collect(checker)
        self.assert_secret()
