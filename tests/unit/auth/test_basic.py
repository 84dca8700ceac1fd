"""Tests of txregistry.auth.basic, and of what makes challenges."""

from __future__ import annotations

from typing import Any, Final

from twisted.cred import error
from twisted.cred.checkers import (
    ANONYMOUS,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import Anonymous, IUsernamePassword, UsernamePassword
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.credentials import BearerToken
from txregistry.auth.users import User
from txregistry.interfaces import (
    IAuthenticator,
    Identity,
    InvalidOption,
    LoginDelayed,
    LoginFailed,
)

ADDRESS: Final = "192.0.2.1"
CREDENTIALS: Final = UsernamePassword(b"alice", b"secret")


@implementer(ICredentialsChecker)
class Answering:
    """A checker with one answer."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815 # twisted.cred's name

    def __init__(self, answer: Any) -> None:
        """Take the answer; an exception is raised."""
        self._answer = answer

    def requestAvatarId(  # noqa: N802 # twisted.cred's name
        self, credentials: IUsernamePassword
    ) -> Any:
        """See ICredentialsChecker."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def groups_of(name: str) -> set[str]:
    """Return groups of any user."""
    return {"all", f"friends of {name}"}


class AuthenticateTests(SynchronousTestCase):
    """``BasicAuthenticator.authenticate``."""

    def identity(self, answer: Any, credentials: object = CREDENTIALS) -> Any:
        """Return what comes of a checker's answer."""
        basic = BasicAuthenticator("R", Answering(answer))
        return self.successResultOf(basic.authenticate(credentials, ADDRESS))

    def failure(self, answer: Any) -> LoginFailed:
        """Return what a checker's answer fails with."""
        waiting = BasicAuthenticator("R", Answering(answer)).authenticate(
            CREDENTIALS, ADDRESS
        )
        found: LoginFailed = self.failureResultOf(waiting, LoginFailed).value
        return found

    def test_interface(self) -> None:
        """It is an authenticator."""
        verifyObject(IAuthenticator, BasicAuthenticator("R", Answering(b"")))

    def test_any_checker(self) -> None:
        """A checker of Twisted's own serves."""
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        basic = BasicAuthenticator("R", checker)
        found = self.successResultOf(basic.authenticate(CREDENTIALS, ADDRESS))
        self.assertEqual(Identity("alice", "user"), found)
        wrong = UsernamePassword(b"alice", b"wrong")
        self.failureResultOf(basic.authenticate(wrong, ADDRESS), LoginFailed)

    def test_names(self) -> None:
        """The avatar id is the user's name, in bytes or text."""
        for answer in ("jürgen", "jürgen".encode()):
            self.assertEqual(Identity("jürgen", "user"), self.identity(answer))

    def test_user(self) -> None:
        """A checker can name groups."""
        found = self.identity(User("alice", frozenset(["ops"])))
        self.assertEqual(Identity("alice", "user", frozenset(["ops"])), found)

    def test_groups(self) -> None:
        """A lookup of groups adds to those that the checker names."""
        checker = Answering(User("alice", frozenset(["ops"])))
        basic = BasicAuthenticator("R", checker, groups_of)
        found = self.successResultOf(basic.authenticate(CREDENTIALS, ADDRESS))
        groups = frozenset(["ops", "all", "friends of alice"])
        self.assertEqual(Identity("alice", "user", groups), found)

    def test_anonymous(self) -> None:
        """Who shows nothing is nobody, and so is whom the checker takes for nobody."""
        self.assertEqual(Identity(), self.identity(error.LoginFailed(), Anonymous()))
        self.assertEqual(Identity(), self.identity(ANONYMOUS))

    def test_others(self) -> None:
        """Other credentials are another authenticator's."""
        for credentials in (BearerToken("x"), object(), None):
            self.assertIsNone(self.identity(b"alice", credentials))

    def test_refused(self) -> None:
        """What twisted.cred refuses a login with is a failed login, without details."""
        for refusal in (
            error.UnauthorizedLogin("no such user"),
            error.LoginDenied("secret"),
            error.Unauthorized("secret"),
        ):
            failure = self.failure(refusal)
            self.assertIsNone(failure.problem)
            self.assertEqual("login failed", str(failure))
            self.assertIsNone(failure.__cause__)

    def test_delayed(self) -> None:
        """A checker can put a login off."""
        failure = self.failure(LoginDelayed(5))
        assert isinstance(failure, LoginDelayed)
        self.assertEqual(5, failure.seconds)

    def test_no_name(self) -> None:
        """An avatar id that is no name is a failed login."""
        for answer in (b"\xff", b"", None, 5):
            self.failure(answer)

    def test_broken(self) -> None:
        """A checker that breaks down is not a failed login."""
        basic = BasicAuthenticator("R", Answering(ZeroDivisionError()))
        waiting = basic.authenticate(CREDENTIALS, ADDRESS)
        self.failureResultOf(waiting, ZeroDivisionError)


class ChallengeTests(SynchronousTestCase):
    """``BasicAuthenticator.challenge``."""

    def challenge(self, realm: str) -> str:
        """Return the challenge for a realm."""
        basic = BasicAuthenticator(realm, Answering(b""))
        return basic.challenge((), "https://example.com", None)

    def test_realm(self) -> None:
        """It names the realm, as the Go registry does."""
        self.assertEqual('Basic realm="R S"', self.challenge("R S"))

    def test_quoted(self) -> None:
        """Quotes and backslashes are escaped."""
        self.assertEqual(r'Basic realm="a\"b\\c"', self.challenge('a"b\\c'))

    def test_no_header(self) -> None:
        """A realm that has no place in a header is refused."""
        for realm in ("", "a\r\nb", "ä", "\x7f"):
            error = self.assertRaises(InvalidOption, self.challenge, realm)
            self.assertEqual("realm", error.key)
