"""Remembering: credentials that were found good a moment ago, as keyed hashes."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.auth.verifying import Verifying
from txregistry.deferreds import deferred
from txregistry.interfaces import NotRemembered
from txregistry.lookups import Lookups

LIFETIME: Final = 60.0  # seconds
MOST: Final = 10_000  # credentials; about 4 MB

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """Credentials that are good for some time yet, and whose they are.

    What is kept of them is of no use to anybody else: a hash with a key that this
    process alone knows.

    Attributes:
        lookups: How often credentials were remembered, and how often not.
    """

    def __init__(
        self, clock: IReactorTime, lifetime: float = LIFETIME, most: int = MOST
    ) -> None:
        """Remember nothing yet.

        Args:
            clock: Gives the time.
            lifetime: For how many seconds to remember; 0: not at all.
            most: How many credentials to remember; the oldest are forgotten first.
        """
        self._clock = clock
        self._lifetime = lifetime
        self._most = most
        self._key = secrets.token_bytes(32)
        self.lookups = Lookups()
        self._known: OrderedDict[bytes, tuple[float, _T]] = OrderedDict()

    def mark(self, *parts: bytes) -> bytes:
        """Return what credentials are remembered by.

        Args:
            parts: The user's name, the password, and what it was compared with: if any
                of them is another one, so is the mark.
        """
        framed = b"".join([b"%d:%b" % (len(part), part) for part in parts])
        # Keyed, it is as good as an HMAC (RFC 7693), and takes a third of the time.
        return blake2b(framed, key=self._key, digest_size=32).digest()

    def add(self, mark: bytes, whose: _T) -> None:
        """Remember credentials from now on."""
        if self._lifetime <= 0:
            return
        self._known.pop(mark, None)
        self._known[mark] = (self._clock.seconds() + self._lifetime, whose)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def get(self, mark: bytes) -> _T | None:
        """Return whose some credentials are; None: they are not remembered."""
        found = self._known.get(mark)
        if found is not None:
            end, whose = found
            if end > self._clock.seconds():
                self.lookups.hits += 1
                return whose
            del self._known[mark]
        self.lookups.misses += 1
        return None


class IQuickChecker(ICredentialsChecker):
    """A checker that can say at once whose credentials are that it has just seen."""

    def recall(credentials: IUsernamePassword) -> Any:  # noqa: N805 - an interface
        """Do what ``requestAvatarId`` does, in microseconds.

        Returns:
            The avatar's id.

        Raises:
            NotRemembered: It would take longer, or they are not good.
        """


@implementer(IQuickChecker)
class RememberingChecker:
    """Asks another checker, and then not again for some time if the login was good.

    Until that time is over it does not matter what becomes of the user.
    """

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815 # twisted.cred's name

    def __init__(
        self,
        checker: ICredentialsChecker,
        remembered: Remembered[Any],
        verifying: Verifying[Any],
    ) -> None:
        """Take the other checker, and what to remember its avatar ids in."""
        self._checker = checker
        self._remembered = remembered
        self._verifying = verifying

    @property
    def lookups(self) -> Lookups:
        """How often a login was remembered, and how often not."""
        return self._remembered.lookups

    @deferred
    async def requestAvatarId(  # noqa: N802 # twisted.cred's name
        self, credentials: IUsernamePassword
    ) -> Any:
        """See ICredentialsChecker."""
        mark = self._remembered.mark(credentials.username, credentials.password)
        known = self._remembered.get(mark)
        if known is not None:
            return known
        avatar = await self._verifying.verify(
            mark, lambda: maybeDeferred(self._checker.requestAvatarId, credentials)
        )
        self._remembered.add(mark, avatar)
        return avatar

    def recall(self, credentials: IUsernamePassword) -> Any:
        """See IQuickChecker."""
        mark = self._remembered.mark(credentials.username, credentials.password)
        known = self._remembered.get(mark)
        if known is None:
            raise NotRemembered
        return known
