"""Issuing: the tokens that our own token service gives out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from secrets import token_urlsafe
from typing import Final

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from txregistry.auth.claims import OWN_CLAIM, access_claim, own_claim
from txregistry.auth.tokenkey import TokenKey
from txregistry.interfaces import IAccessPolicy, Identity, InvalidOption
from txregistry.oci.access import Access

SHORTEST_LIFETIME: Final = 60
"""Seconds; older clients take every token to live for so long."""

_ACTIONS: Final = ("pull", "push", "delete")
_ROOM: Final = 6000
"""Bytes of names that a token has room for, to pass in a request's headers."""


@frozen
class IssuedToken:
    """A token, and what a client is told of it.

    Attributes:
        token: The token.
        expires_in: For how many seconds it holds.
        issued_at: From when, in seconds since the epoch.
        granted: What it lets its bearer do.
    """

    token: str = field(repr=lambda text: f"<{len(text)} characters>")
    expires_in: int
    issued_at: int
    granted: tuple[Access, ...]


class TokenIssuer:
    """Issues tokens for one service."""

    def __init__(
        self,
        key: TokenKey,
        issuer: str,
        service: str,
        clock: IReactorTime,
        lifetime: int = 300,
    ) -> None:
        """Prepare.

        Args:
            key: What to sign with.
            issuer: What we are called (``iss``).
            service: What the tokens are for (``aud``).
            clock: Gives the time.
            lifetime: For how many seconds they hold.

        Raises:
            InvalidOption: That is too short.
        """
        if lifetime < SHORTEST_LIFETIME:
            problem = f"tokens have to hold for {SHORTEST_LIFETIME} seconds at least"
            raise InvalidOption("server.lifetime", problem)
        self._key = key
        self._issuer = issuer
        self._service = service
        self._clock = clock
        self._lifetime = lifetime

    def issue(
        self, identity: Identity, accesses: Iterable[Access], policy: IAccessPolicy
    ) -> IssuedToken:
        """Issue a token.

        Args:
            identity: Whom for.
            accesses: What it is to let them do.
            policy: Says what they may do; the token lets them do no more.
        """
        now = int(self._clock.seconds())
        granted = tuple(_granted(identity, accesses, policy))
        claims = {
            "iss": self._issuer,
            "sub": identity.name or "",
            # One text: the Go registry 2 takes no list.
            "aud": self._service,
            "exp": now + self._lifetime,
            "nbf": now,
            "iat": now,
            "jti": token_urlsafe(16),
            "access": access_claim(granted),
            OWN_CLAIM: own_claim(identity),
        }
        return IssuedToken(self._key.sign(claims), self._lifetime, now, granted)


def _granted(
    identity: Identity, accesses: Iterable[Access], policy: IAccessPolicy
) -> Iterator[Access]:
    """Pick what somebody may do, as long as there is room for it."""
    named: set[tuple[str, str]] = set()
    room = _ROOM
    for access in dict.fromkeys(each for one in accesses for each in _single(one)):
        if not policy.may(identity, access):
            continue
        if (access.kind, access.name) not in named:
            named.add((access.kind, access.name))
            room -= len(access.kind) + len(access.name.encode()) + _AROUND
        if room >= 0:
            yield access


_AROUND: Final = 70
"""Bytes in a token around a name, its actions among them."""


def _single(access: Access) -> Iterable[Access]:
    """Spell out what is meant by all actions on a repository.

    Who may not do all of it is granted what they may: skopeo asks for all to delete.
    """
    if (access.kind, access.action) != ("repository", "*"):
        return [access]
    return [Access(access.kind, access.name, action) for action in _ACTIONS]
