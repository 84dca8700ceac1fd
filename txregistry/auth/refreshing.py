"""RefreshTokens: what clients keep in place of a password.

Nothing is stored of them. They are signed with a secret that only our own token service
has, so that no registry takes one for a token, whatever keys it trusts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from joserfc.jwk import OctKey
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.auth.claims import OWN_CLAIM, Claims, own_claim, own_identity
from txregistry.auth.jws import BadToken, SignedToken, sign
from txregistry.auth.tokens import INVALID_TOKEN
from txregistry.deferreds import deferred
from txregistry.interfaces import Identity, LoginFailed

CurrentVersion = Callable[[str], Deferred[str | None]]
"""Finds the version of a user's account; None: there is no such user (any more).

It is a text that is another one whenever the password has changed, or the groups. It
may be secret: a refresh token shows a keyed hash of it.
"""

_ALGORITHM: Final = "HS256"
_HEADER: Final = {"typ": "refresh+jwt", "alg": _ALGORITHM}
_VERSION: Final = "version"

_log = Logger()


class RefreshTokens:
    """Issues refresh tokens, and takes them back."""

    def __init__(
        self,
        secret: bytes,
        issuer: str,
        service: str,
        clock: IReactorTime,
        current_version: CurrentVersion,
        lifetime: int = 90 * 24 * 3600,
    ) -> None:
        """Prepare.

        Args:
            secret: What to sign with: ``TokenKey.secret("refresh tokens")``.
            issuer: What we are called.
            service: The service for which tokens are to be had for them.
            clock: Gives the time.
            current_version: Finds the version of a user's account.
            lifetime: For how many seconds they hold.
        """
        self._key = OctKey.import_key(secret)
        self._secret = secret
        self._issuer = issuer
        self._service = service
        self._clock = clock
        self._current_version = current_version
        self._lifetime = lifetime

    @deferred
    async def issue(self, identity: Identity) -> str | None:
        """Issue a refresh token.

        Returns:
            The token; None: only users get one, and only while they are there.
        """
        if identity.kind != "user" or identity.name is None:
            return None
        version = await self._current_version(identity.name)
        if version is None:
            return None
        now = int(self._clock.seconds())
        claims = {
            "iss": self._issuer,
            "sub": identity.name,
            "aud": self._service,
            "exp": now + self._lifetime,
            "iat": now,
            OWN_CLAIM: own_claim(identity),
            _VERSION: self._sealed(version),
        }
        return sign(_HEADER, claims, self._key)

    @deferred
    async def redeem(self, text: str) -> Identity:
        """Find out whom a refresh token was issued to.

        Returns:
            Who it is, without grants. Fails with ``LoginFailed`` if the token does not
            hold, or not any more: the user is gone or has changed.
        """
        try:
            identity, sealed = self._examine(text)
        except BadToken as error:
            _log.debug("refresh token refused: {problem}", problem=str(error))
            raise LoginFailed(INVALID_TOKEN) from None
        version = await self._current_version(identity.name or "")
        if version is None or not hmac.compare_digest(sealed, self._sealed(version)):
            raise LoginFailed(INVALID_TOKEN)
        return identity

    def _examine(self, text: str) -> tuple[Identity, str]:
        token = SignedToken.parse(text)
        token.verify(self._key, [_ALGORITHM])
        claims = Claims.parse(token.claims)
        claims.check(self._issuer, self._service, self._clock.seconds())
        found = own_identity(claims, token.claims)
        identity = Identity(found.name, found.kind, found.groups)
        return identity, _sealed_version(token.claims)

    def _sealed(self, version: str) -> str:
        message = f"version {version}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, message, sha256).hexdigest()


def _sealed_version(members: Mapping[str, Any]) -> str:
    version = members.get(_VERSION)
    if not isinstance(version, str) or not version.isascii():
        raise BadToken("version is missing or malformed")
    return version
