"""Basic authentication: a name and a password with every request (RFC 7617)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from twisted.cred import error
from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.internet.defer import maybeDeferred
from zope.interface import implementer

from txregistry.auth.challenges import parameter, require_printable
from txregistry.auth.remembering import IQuickChecker
from txregistry.auth.users import User
from txregistry.deferreds import deferred
from txregistry.interfaces import (
    Identity,
    IQuickAuthenticator,
    LoginFailed,
    NotRemembered,
)
from txregistry.oci.access import Access

_NO_GROUPS: Final[frozenset[str]] = frozenset()


def no_groups(_name: str) -> Iterable[str]:
    """Return the groups of a user where there are none."""
    return ()


@implementer(IQuickAuthenticator)
class BasicAuthenticator:
    """Finds out who a client is by what a checker of twisted.cred's says.

    The checker's avatar id is a user's name, as text or bytes; a ``User``, which has
    groups too; or twisted.cred's ``ANONYMOUS``.
    """

    def __init__(
        self,
        realm: str,
        checker: ICredentialsChecker,
        groups: Callable[[str], Iterable[str]] = no_groups,
    ) -> None:
        """Prepare.

        Args:
            realm: What the client is told that the password is for.
            checker: Knows the users. It may fail with LoginDelayed.
            groups: Says which groups a user belongs to, besides those that the checker
                names. Fast, and without I/O.

        Raises:
            InvalidOption: The realm has no place in a header.
        """
        self._challenge = "Basic " + parameter(
            "realm", require_printable("realm", realm)
        )
        self._checker = checker
        self._quick = IQuickChecker(checker, None)
        self._groups = groups

    @deferred
    async def authenticate(self, credentials: object, address: str) -> Identity | None:
        """See IAuthenticator."""
        if IAnonymous.providedBy(credentials):
            return Identity()
        if not IUsernamePassword.providedBy(credentials):
            return None
        try:
            avatar = await maybeDeferred(self._checker.requestAvatarId, credentials)
        except (error.LoginFailed, error.Unauthorized):
            # What the checker says of it is not for the client, nor for the log.
            raise LoginFailed from None
        return self._identity(avatar)

    def recall(self, credentials: object, address: str) -> Identity | None:
        """See IQuickAuthenticator."""
        if IAnonymous.providedBy(credentials):
            return Identity()
        if not IUsernamePassword.providedBy(credentials):
            return None
        if self._quick is None:
            raise NotRemembered
        return self._identity(self._quick.recall(credentials))

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator."""
        return self._challenge

    def _identity(self, avatar: object) -> Identity:
        if avatar == ANONYMOUS:
            return Identity()
        if isinstance(avatar, User):
            name, groups = avatar.name, avatar.groups
        else:
            name, groups = _name_of(avatar), _NO_GROUPS
        return User(name, groups.union(self._groups(name))).identity()


def _name_of(avatar: object) -> str:
    try:
        name = avatar.decode() if isinstance(avatar, bytes) else avatar
    except UnicodeDecodeError:
        raise LoginFailed from None
    if not isinstance(name, str) or not name:
        raise LoginFailed
    return name
