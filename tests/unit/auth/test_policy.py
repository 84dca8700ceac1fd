"""Tests of txregistry.auth.policy."""

from __future__ import annotations

from typing import Final

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.auth.policy import (
    AllOf,
    EverybodyPolicy,
    GrantsPolicy,
    NobodyPolicy,
    UsersPolicy,
)
from txregistry.interfaces import IAccessPolicy, Identity
from txregistry.oci.access import CATALOG, Access

PULL: Final = Access("repository", "a/b", "pull")
PUSH: Final = Access("repository", "a/b", "push")
ALICE: Final = Identity("alice", "user")


def bearer(*grants: Access) -> Identity:
    """Return somebody with a token."""
    return Identity("alice", "token", grants=frozenset(grants))


class PolicyTests(SynchronousTestCase):
    """The simple policies."""

    def test_interfaces(self) -> None:
        """They are policies."""
        for policy in (
            EverybodyPolicy(),
            NobodyPolicy(),
            UsersPolicy(),
            GrantsPolicy(NobodyPolicy()),
            AllOf(NobodyPolicy()),
        ):
            verifyObject(IAccessPolicy, policy)

    def test_everybody(self) -> None:
        """Everybody may do everything, or nobody anything."""
        for identity in (Identity(), ALICE):
            self.assertTrue(EverybodyPolicy().may(identity, PUSH))
            self.assertFalse(NobodyPolicy().may(identity, PULL))

    def test_users(self) -> None:
        """Who has said who it is may do everything, and others nothing."""
        certificate = Identity("ci", "certificate")
        self.assertTrue(UsersPolicy().may(ALICE, CATALOG))
        self.assertTrue(UsersPolicy().may(certificate, PUSH))
        self.assertFalse(UsersPolicy().may(Identity(), PULL))


class GrantsTests(SynchronousTestCase):
    """``GrantsPolicy``."""

    def setUp(self) -> None:
        """Make one that lets in nobody without a token."""
        self.policy = GrantsPolicy(NobodyPolicy())

    def test_granted(self) -> None:
        """A token's bearer may do what it grants, on what it grants it on."""
        identity = bearer(PULL)
        self.assertTrue(self.policy.may(identity, PULL))
        for access in (
            PUSH,
            Access("repository", "a/c", "pull"),
            Access("registry", "a/b", "pull"),
            CATALOG,
        ):
            self.assertFalse(self.policy.may(identity, access))

    def test_everything(self) -> None:
        """``*`` grants every action, on the same thing alone."""
        identity = bearer(Access("repository", "a/b", "*"))
        self.assertTrue(self.policy.may(identity, PUSH))
        self.assertFalse(self.policy.may(identity, Access("repository", "a", "pull")))

    def test_catalog(self) -> None:
        """The catalog is granted as such."""
        self.assertTrue(self.policy.may(bearer(CATALOG), CATALOG))

    def test_nothing(self) -> None:
        """A token that grants nothing lets its bearer do nothing."""
        self.assertFalse(GrantsPolicy(EverybodyPolicy()).may(bearer(), PULL))

    def test_otherwise(self) -> None:
        """Who has no token is another policy's."""
        self.assertFalse(self.policy.may(ALICE, PULL))
        self.assertTrue(GrantsPolicy(UsersPolicy()).may(ALICE, PULL))


class AllOfTests(SynchronousTestCase):
    """``AllOf``."""

    def test_all(self) -> None:
        """It allows what each of its policies allows."""
        policy = AllOf(UsersPolicy(), GrantsPolicy(EverybodyPolicy()))
        self.assertTrue(policy.may(ALICE, PULL))
        self.assertTrue(policy.may(bearer(PULL), PULL))
        self.assertFalse(policy.may(bearer(PULL), PUSH))
        self.assertFalse(policy.may(Identity(), PULL))
