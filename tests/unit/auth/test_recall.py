"""Tests of what provides IQuickAuthenticator and IQuickChecker: who was just seen."""

from __future__ import annotations

from typing import Any, Final

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.auth.doubles import ScriptedAuthenticator
from tests.unit.auth.signing import TokenTestCase, certificate
from tests.unit.auth.test_passwords import HASH, PASSWORD, USER, WRONG, CheckerCase
from tests.unit.auth.test_tokens import ALICE, KEY, token
from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.certificate_users import CertificateAuthenticator
from txregistry.auth.credentials import BearerToken, ClientCertificate
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.policy import UsersPolicy
from txregistry.auth.remembering import IQuickChecker, Remembered, RememberingChecker
from txregistry.auth.silly import SillyAuthenticator
from txregistry.auth.throttle import ThrottledAuthenticator
from txregistry.auth.tokens import TokenAuthenticator
from txregistry.auth.verifying import Verifying
from txregistry.interfaces import (
    IAuthenticator,
    Identity,
    IQuickAuthenticator,
    LoginFailed,
    NotRemembered,
)
from txregistry.web.gate import Gate, OpenGate

SHOWN: Final = "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ=="
ADDRESS: Final = "192.0.2.1"
RIGHT: Final = UsernamePassword(USER, PASSWORD)
MISTAKEN: Final = UsernamePassword(USER, WRONG)


class HtpasswdTests(CheckerCase):
    """Users of an htpasswd file."""

    def forgotten(self, credentials: UsernamePassword = RIGHT) -> None:
        """Check that a login is not remembered."""
        self.assertRaises(NotRemembered, self.checker.recall, credentials)

    def test_interface(self) -> None:
        """The checker provides the interface."""
        verifyObject(IQuickChecker, self.checker)

    def test_recalled(self) -> None:
        """Who has logged in is known, and nobody else."""
        self.forgotten()
        self.accepted()
        self.assertEqual(USER, self.checker.recall(RIGHT))
        self.forgotten(MISTAKEN)
        self.forgotten(UsernamePassword(b"bob", PASSWORD))

    def test_time(self) -> None:
        """A login is known for a while."""
        self.accepted()
        self.clock.advance(61)
        self.forgotten()

    def test_changed(self) -> None:
        """When the file changes, nobody is known until it has been read again."""
        self.accepted()
        self.write(USER + b":" + HASH + b"\nbob:" + HASH)
        self.forgotten()
        self.accepted()
        self.assertEqual(USER, self.checker.recall(RIGHT))
        self.write(b"bob:" + HASH)
        self.forgotten()


class RememberingTests(SynchronousTestCase):
    """Users of any checker."""

    def test_recalled(self) -> None:
        """Who has logged in is known for a while."""
        clock = Clock()
        users = InMemoryUsernamePasswordDatabaseDontUse(alice=PASSWORD)
        checker = RememberingChecker(users, Remembered(clock, 60), Verifying())
        verifyObject(IQuickChecker, checker)
        self.assertRaises(NotRemembered, checker.recall, RIGHT)
        self.successResultOf(checker.requestAvatarId(RIGHT))
        self.assertEqual(USER, checker.recall(RIGHT))
        self.assertRaises(NotRemembered, checker.recall, MISTAKEN)
        clock.advance(60)
        self.assertRaises(NotRemembered, checker.recall, RIGHT)


def remembering(clock: Clock) -> BasicAuthenticator:
    """Return an authenticator that knows alice, and remembers her."""
    users = InMemoryUsernamePasswordDatabaseDontUse(alice=PASSWORD)
    checker = RememberingChecker(users, Remembered(clock, 60), Verifying())
    return BasicAuthenticator("registry", checker)


class BasicTests(SynchronousTestCase):
    """Names and passwords."""

    def test_recalled(self) -> None:
        """It is whom authenticate found."""
        basic = remembering(Clock())
        verifyObject(IQuickAuthenticator, basic)
        found = self.successResultOf(basic.authenticate(RIGHT, ADDRESS))
        self.assertEqual(found, basic.recall(RIGHT, ADDRESS))
        self.assertEqual("alice", found.name if found else None)

    def test_others(self) -> None:
        """Nobody is nobody, and what it does not know is another one's."""
        basic = remembering(Clock())
        self.assertEqual(Identity(), basic.recall(Anonymous(), ADDRESS))
        self.assertIsNone(basic.recall(BearerToken("x"), ADDRESS))

    def test_cannot(self) -> None:
        """A checker that does not remember is asked each time."""
        users = InMemoryUsernamePasswordDatabaseDontUse(alice=PASSWORD)
        basic = BasicAuthenticator("registry", users)
        self.assertRaises(NotRemembered, basic.recall, RIGHT, ADDRESS)


class ThrottleTests(SynchronousTestCase):
    """Addresses whose logins fail."""

    def test_failures(self) -> None:
        """An address with failures is looked into, until a login has succeeded."""
        throttle = ThrottledAuthenticator(remembering(Clock()), Clock())
        verifyObject(IQuickAuthenticator, throttle)
        self.successResultOf(throttle.authenticate(RIGHT, ADDRESS))
        self.failureResultOf(throttle.authenticate(MISTAKEN, ADDRESS), LoginFailed)
        self.assertRaises(NotRemembered, throttle.recall, RIGHT, ADDRESS)
        self.assertIsNotNone(throttle.recall(RIGHT, "192.0.2.2"))
        self.assertIsNotNone(throttle.recall(Anonymous(), ADDRESS))
        self.successResultOf(throttle.authenticate(RIGHT, ADDRESS))
        self.assertIsNotNone(throttle.recall(RIGHT, ADDRESS))

    def test_cannot(self) -> None:
        """Around one that does not remember, nobody is remembered."""
        throttle = ThrottledAuthenticator(ScriptedAuthenticator(), Clock())
        self.assertRaises(NotRemembered, throttle.recall, RIGHT, ADDRESS)


class OthersTests(SynchronousTestCase):
    """Those that look nothing up."""

    def test_certificates(self) -> None:
        """A certificate says who it is; what else there is, is another one's."""
        users = CertificateAuthenticator()
        verifyObject(IQuickAuthenticator, users)
        shown = ClientCertificate("alice", "CN=alice", "00")
        self.assertEqual(Identity("alice", "certificate"), users.recall(shown, ADDRESS))
        self.assertIsNone(users.recall(RIGHT, ADDRESS))

    def test_silly(self) -> None:
        """The silly way knows everybody at once."""
        silly = SillyAuthenticator("realm", "service")
        verifyObject(IQuickAuthenticator, silly)
        self.assertEqual("silly", silly.recall(RIGHT, ADDRESS).name)
        self.assertEqual(Identity(), silly.recall(Anonymous(), ADDRESS))


class TokenTests(TokenTestCase):
    """Tokens."""

    def test_recalled(self) -> None:
        """A token that was verified is known as long as it holds."""
        verifier = self.verifier(TrustedKeys().trusting([certificate(KEY)]))
        authenticator = TokenAuthenticator(verifier, "http://a/token", "registry")
        verifyObject(IQuickAuthenticator, authenticator)
        shown = BearerToken(token())
        self.assertRaises(NotRemembered, authenticator.recall, shown, ADDRESS)
        self.successResultOf(authenticator.authenticate(shown, ADDRESS))
        self.assertEqual(ALICE, authenticator.recall(shown, ADDRESS))
        self.assertIsNone(authenticator.recall(RIGHT, ADDRESS))
        self.clock.advance(86400)
        self.assertRaises(NotRemembered, authenticator.recall, shown, ADDRESS)


class GateTests(SynchronousTestCase):
    """The gate."""

    def gate(self, *authenticators: IAuthenticator) -> Gate:
        """Make a gate for users."""

        def nothing(_: Any) -> None:
            return None

        return Gate(
            authenticators, UsersPolicy(), BearerToken, nothing, str, lambda _: ADDRESS
        )

    def test_forwarded(self) -> None:
        """Behind a proxy, it is the client's address that has to wait."""
        basic = ThrottledAuthenticator(remembering(Clock()), Clock())
        gate = Gate(
            [basic],
            UsersPolicy(),
            BearerToken,
            lambda _: None,
            str,
            lambda request: request.headers("x-forwarded-for")[0],
        )
        self.successResultOf(basic.authenticate(RIGHT, ADDRESS))
        failed = basic.authenticate(MISTAKEN, "192.0.2.7")
        self.failureResultOf(failed, LoginFailed)
        self.assertIsNone(gate.recall((SHOWN, "192.0.2.7"), ADDRESS, ()))
        self.assertIsNotNone(gate.recall((SHOWN, "192.0.2.8"), ADDRESS, ()))

    def test_open(self) -> None:
        """Where everybody may do everything, nobody is asked."""
        self.assertEqual(Identity(), OpenGate().recall(("Basic x", None), ADDRESS, ()))

    def test_unknown(self) -> None:
        """Who shows nothing, something broken or something of others' is not let in."""
        gate = self.gate(remembering(Clock()))
        for shown in (None, "", "Basic", "Basic !", "Bearer x", "Basic YWxpY2U6eA=="):
            self.assertIsNone(gate.recall((shown, None), ADDRESS, ()), shown)

    def test_cannot(self) -> None:
        """If one authenticator cannot say at once, the gate cannot."""
        basic = remembering(Clock())
        gate = self.gate(basic, ScriptedAuthenticator())
        self.successResultOf(basic.authenticate(RIGHT, ADDRESS))
        self.assertIsNone(gate.recall((SHOWN, None), ADDRESS, ()))
        gate = self.gate(basic)
        found = gate.recall((SHOWN, None), ADDRESS, ())
        self.assertEqual("alice", found.name if found else None)
