"""Tests of txregistry.auth.silly."""

from __future__ import annotations

from typing import Final

from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.auth.credentials import BearerToken
from txregistry.auth.silly import SillyAuthenticator
from txregistry.interfaces import IAuthenticator, Identity, InvalidOption
from txregistry.oci.access import CATALOG, repository_accesses
from txregistry.oci.names import Name

ORIGIN: Final = "https://example.com"


class SillyTests(SynchronousTestCase):
    """``SillyAuthenticator``."""

    def setUp(self) -> None:
        """Make one."""
        self.silly = SillyAuthenticator("R", "S")

    def test_interface(self) -> None:
        """It is an authenticator."""
        verifyObject(IAuthenticator, self.silly)

    def test_anything(self) -> None:
        """Whatever is shown, it is a user named silly."""
        for credentials in (BearerToken("x"), UsernamePassword(b"a", b"b")):
            found = self.successResultOf(self.silly.authenticate(credentials, ""))
            self.assertEqual(Identity("silly", "user"), found)

    def test_nothing(self) -> None:
        """Who shows nothing is nobody."""
        found = self.successResultOf(self.silly.authenticate(Anonymous(), ""))
        self.assertEqual(Identity(), found)

    def test_challenge(self) -> None:
        """The challenge names each action apart, as the Go registry's does."""
        accesses = (*repository_accesses(Name("a/b"), "pull", "push"), CATALOG)
        self.assertEqual(
            'Bearer realm="R",service="S",scope="repository:a/b:pull'
            ' repository:a/b:push registry:catalog:*"',
            self.silly.challenge(accesses, ORIGIN, None),
        )

    def test_no_scope(self) -> None:
        """Without anything to access there is no scope."""
        challenge = self.silly.challenge((), ORIGIN, None)
        self.assertEqual('Bearer realm="R",service="S"', challenge)

    def test_options(self) -> None:
        """A text that has no place in a header is refused."""
        for realm, service, key in (("", "S", "realm"), ("R", "\n", "service")):
            error = self.assertRaises(InvalidOption, SillyAuthenticator, realm, service)
            self.assertEqual(key, error.key)
