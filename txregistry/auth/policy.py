"""Policies: what somebody may do, by simple rules."""

from __future__ import annotations

from zope.interface import implementer

from txregistry.interfaces import IAccessPolicy, Identity
from txregistry.oci.access import Access

EVERYTHING = "*"


@implementer(IAccessPolicy)
class EverybodyPolicy:
    """Everybody may do everything, whoever it is."""

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        return True


@implementer(IAccessPolicy)
class NobodyPolicy:
    """Nobody may do anything."""

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        return False


@implementer(IAccessPolicy)
class UsersPolicy:
    """Whoever has said who it is may do everything: what the Go registry's htpasswd is.

    A token's own limits are not heeded here; see GrantsPolicy.
    """

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        return identity.kind != "anonymous"


@implementer(IAccessPolicy)
class GrantsPolicy:
    """A token lets its bearer do what it grants: the action itself, or ``*``."""

    def __init__(self, otherwise: IAccessPolicy) -> None:
        """Take the policy for those who have no token."""
        self._otherwise = otherwise

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        if identity.grants is None:
            return self._otherwise.may(identity, access)
        everything = Access(access.kind, access.name, EVERYTHING)
        return access in identity.grants or everything in identity.grants


@implementer(IAccessPolicy)
class AllOf:
    """What each of several policies allows."""

    def __init__(self, first: IAccessPolicy, *others: IAccessPolicy) -> None:
        """Take the policies, in the order in which they are asked."""
        self._policies = (first, *others)

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        return all(policy.may(identity, access) for policy in self._policies)
