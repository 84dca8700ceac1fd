"""Tokens: Bearer tokens, as the Docker token specification has them.

The registry's side of distribution's ``spec/auth/token`` and ``spec/auth/jwt``.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Collection, Sequence
from secrets import token_bytes
from typing import Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.claims import LEEWAY, Claims, own_identity
from txregistry.auth.credentials import IBearerToken
from txregistry.auth.jws import ALGORITHMS, BadToken, SignedToken
from txregistry.auth.keys import TrustedKeys
from txregistry.deferreds import deferred
from txregistry.interfaces import (
    Identity,
    InvalidOption,
    IQuickAuthenticator,
    LoginFailed,
    NotRemembered,
)
from txregistry.oci.access import Access, format_scope

INVALID_TOKEN: Final = "invalid_token"
INSUFFICIENT_SCOPE: Final = "insufficient_scope"

_log = Logger()


@frozen
class _Verified:
    """What is remembered of a token.

    Attributes:
        identity: Whom it is for.
        begin: From when it holds, in seconds since the epoch.
        end: Until when.
    """

    identity: Identity
    begin: float
    end: float


class TokenVerifier:
    """Verifies tokens, and remembers those that hold until they run out."""

    def __init__(
        self,
        keys: TrustedKeys,
        issuer: str,
        service: str,
        clock: IReactorTime,
        algorithms: Collection[str] = (),
        remembered: int = 4096,
    ) -> None:
        """Prepare.

        Args:
            keys: What tokens may be signed with.
            issuer: Whose tokens are taken (``iss``).
            service: What they have to be for (``aud``).
            clock: Gives the time.
            algorithms: How they may be signed; empty: in each way that there is.
            remembered: How many tokens to remember at the most.

        Raises:
            InvalidOption: There is no key, or no such algorithm.
        """
        if not keys.ids and not keys.certificates:
            raise InvalidOption("rootcertbundle", "it or jwks has to be there")
        unknown = sorted(set(algorithms) - ALGORITHMS)
        if unknown:
            raise InvalidOption("signingalgorithms", f"{unknown[0]}: no such algorithm")
        self._keys = keys
        self._issuer = issuer
        self._service = service
        self._clock = clock
        self._algorithms = frozenset(algorithms) or ALGORITHMS
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._most = remembered
        # Nothing that leaks from here is of use without it, not even for comparing.
        self._secret = token_bytes(32)

    def verify(self, text: str) -> Identity:
        """Find out whom a token is for.

        Raises:
            LoginFailed: It does not hold: ``invalid_token``.
        """
        name, now = self._name(text), self._clock.seconds()
        identity = self._remembered(name, now)
        if identity is not None:
            return identity
        try:
            verified = self._examine(text, now)
        except BadToken as error:
            _log.debug("token refused: {problem}", problem=str(error))
            self._verified.pop(name, None)
            raise LoginFailed(INVALID_TOKEN) from None
        self._verified[name] = verified
        if len(self._verified) > self._most:
            self._verified.popitem(last=False)
        return verified.identity

    def recall(self, text: str) -> Identity:
        """Say whom a token is for that has been verified.

        Raises:
            NotRemembered: It has not, or it holds no more.
        """
        identity = self._remembered(self._name(text), self._clock.seconds())
        if identity is None:
            raise NotRemembered
        return identity

    def _name(self, text: str) -> bytes:
        content = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, key=self._secret, digest_size=32).digest()

    def _remembered(self, name: bytes, now: float) -> Identity | None:
        known = self._verified.get(name)
        if known is None or not known.begin <= now <= known.end:
            return None
        self._verified.move_to_end(name)
        return known.identity

    def _examine(self, text: str, now: float) -> _Verified:
        token = SignedToken.parse(text)
        signer = self._keys.signer(token.header, now)
        token.verify(signer.key, self._algorithms)
        claims = Claims.parse(token.claims)
        claims.check(self._issuer, self._service, now)
        identity = (
            own_identity(claims, token.claims)
            if signer.ours
            else Identity(claims.subject, "token", grants=claims.grants)
        )
        end = min(claims.not_after + LEEWAY, signer.not_after)
        return _Verified(identity, claims.not_before - LEEWAY, end)


_UNQUOTED: Final = re.compile(r'["\\]')


@implementer(IQuickAuthenticator)
class TokenAuthenticator:
    """Finds out who a client is by the token that a token service gave it."""

    def __init__(
        self,
        verifier: TokenVerifier,
        realm: str,
        service: str,
        autoredirect: bool = False,
        autoredirectpath: str = "/auth/token",
    ) -> None:
        """Prepare.

        Args:
            verifier: Verifies tokens.
            realm: The token service's URL; not looked at with autoredirect.
            service: What to ask it for tokens for.
            autoredirect: Whether the token service is to be found at the host that the
                client speaks to.
            autoredirectpath: At which path of it.

        Raises:
            InvalidOption: One of the texts has no place in a header.
        """
        if autoredirect:
            _check_text("autoredirectpath", autoredirectpath)
            if not autoredirectpath.startswith("/"):
                raise InvalidOption("autoredirectpath", "has to begin with a /")
        else:
            _check_text("realm", realm)
        _check_text("service", service)
        self._verifier = verifier
        self._realm = realm
        self._service = service
        self._path = autoredirectpath if autoredirect else None

    @deferred
    async def authenticate(self, credentials: object, address: str) -> Identity | None:
        """See IAuthenticator."""
        if not IBearerToken.providedBy(credentials):
            return None
        return self._verifier.verify(IBearerToken(credentials).text)

    def recall(self, credentials: object, address: str) -> Identity | None:
        """See IQuickAuthenticator."""
        if not IBearerToken.providedBy(credentials):
            return None
        return self._verifier.recall(IBearerToken(credentials).text)

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator."""
        realm = self._realm if self._path is None else f"{origin}{self._path}"
        parameters = [("realm", realm), ("service", self._service)]
        if accesses:
            parameters.append(("scope", format_scope(accesses)))
        if problem in (INVALID_TOKEN, INSUFFICIENT_SCOPE):
            parameters.append(("error", problem))
        return "Bearer " + ",".join(
            f'{name}="{_UNQUOTED.sub(_escaped, value)}"' for name, value in parameters
        )


def _check_text(option: str, text: str) -> None:
    if not text or not text.isascii() or not text.isprintable():
        raise InvalidOption(option, "has to be of printable ASCII characters")


def _escaped(match: re.Match[str]) -> str:
    return "\\" + match[0]
