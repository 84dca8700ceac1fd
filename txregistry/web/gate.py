"""Gate: lets a request through that comes from somebody who may do what it wants."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from attrs import field, frozen
from twisted.cred.credentials import Anonymous, UsernamePassword

from txregistry.interfaces import (
    IAccessPolicy,
    IAuthenticator,
    Identity,
    IQuickAuthenticator,
    LoginDelayed,
    LoginFailed,
    NotRemembered,
)
from txregistry.lookups import Lookups
from txregistry.oci.access import Access
from txregistry.oci.errors import Denied, TooManyRequests, Unauthorized
from txregistry.web.endpoints import Routes

Shown: TypeAlias = tuple[str | None, str | None]
"""A request's ``Authorization`` and its ``X-Forwarded-For``; None: it has none."""

_NOBODY: Final = Identity()


class Caller(Protocol):
    """Who sent a request, as routes see it.

    Attributes:
        unrestricted: Whether it may do everything, whatever there is.
    """

    @property
    def unrestricted(self) -> bool:
        """See the class."""

    def may(self, *accesses: Access) -> bool:
        """Say whether it may do all of this."""


class Anybody:
    """The caller at a registry that lets everybody do everything."""

    unrestricted = True

    def may(self, *accesses: Access) -> bool:
        """See Caller."""
        return True


@frozen
class KnownCaller:
    """A caller that the gate has let in.

    Attributes:
        identity: Who it is.
    """

    identity: Identity
    _policy: IAccessPolicy

    unrestricted = False

    def may(self, *accesses: Access) -> bool:
        """See Caller."""
        return all(self._policy.may(self.identity, access) for access in accesses)


class Admission(Protocol):
    """Decides on requests before their routes run."""

    async def admit(self, request: Any, accesses: Sequence[Access]) -> Caller:
        """Let a request in, or raise the RegistryError that refuses it."""

    def recall(
        self, shown: Shown, peer: str, accesses: Sequence[Access]
    ) -> Identity | None:
        """Say who it is that ``admit`` would let in, if there is no need to wait.

        Args:
            shown: What the request shows; there is no client certificate.
            peer: The IP address that it came from.
            accesses: What it wants to do.

        Returns:
            Who it is; None: that takes longer, or the answer is no.
        """


@frozen
class Admitted:
    """What the settings make of ``auth`` and ``access``.

    Attributes:
        gate: Decides on requests.
        routes: The token service's endpoints, if there is one.
        logins: How often a login was remembered; None: none ever is.
    """

    gate: Admission
    routes: Sequence[Routes] = field(default=())
    logins: Lookups | None = None


class OpenGate:
    """Lets everybody in."""

    async def admit(self, request: Any, accesses: Sequence[Access]) -> Caller:
        """See Admission."""
        return Anybody()

    def recall(
        self, shown: Shown, peer: str, accesses: Sequence[Access]
    ) -> Identity | None:
        """See Admission. Nobody is asked who it is."""
        return _NOBODY


class Gate:
    """Asks who a client is and whether it may do what it wants."""

    def __init__(
        self,
        authenticators: Sequence[IAuthenticator],
        policy: IAccessPolicy,
        bearer: Callable[[str], object],
        certificate: Callable[[Any], object | None],
        origin: Callable[[Any], str],
        address: Callable[[Any], str],
    ) -> None:
        """Prepare.

        Args:
            authenticators: The schemes; the first one's challenge is sent.
            policy: Who may do what.
            bearer: Makes credentials of a Bearer token.
            certificate: Makes credentials of a request's client certificate; None: it
                has none.
            origin: Returns scheme and host as the client of a request knows them.
            address: Returns the IP address of a request's client.
        """
        self._authenticators = authenticators
        quick = [IQuickAuthenticator(each, None) for each in authenticators]
        self._quick = None if None in quick else quick
        self._policy = policy
        self._bearer = bearer
        self._certificate = certificate
        self._origin = origin
        self._address = address

    async def admit(self, request: Any, accesses: Sequence[Access]) -> Caller:
        """See Admission.

        Raises:
            Unauthorized: It must say who it is, or show a token that lets it.
            Denied: It is known, and may not.
            TooManyRequests: It has failed to log in too often.
        """
        try:
            identity = await self._identify(request)
        except LoginDelayed as error:
            headers = {"Retry-After": str(int(error.seconds) + 1)}
            raise TooManyRequests(headers=headers) from None
        except LoginFailed as error:
            raise self._unauthorized(request, accesses, error.problem) from None
        request.identity = identity
        if self._may(identity, accesses):
            return KnownCaller(identity, self._policy)
        has_token = identity.grants is not None
        if _is_nobody(identity):
            raise self._unauthorized(request, accesses, None)
        if has_token:
            raise self._unauthorized(request, accesses, "insufficient_scope")
        raise Denied([access.to_json() for access in accesses])

    def recall(
        self, shown: Shown, peer: str, accesses: Sequence[Access]
    ) -> Identity | None:
        """See Admission."""
        try:
            identity = self._recall(shown, peer)
        except (LoginFailed, NotRemembered):
            return None
        return identity if self._may(identity, accesses) else None

    def _may(self, identity: Identity, accesses: Sequence[Access]) -> bool:
        if not accesses:
            return not _is_nobody(identity)
        return all(self._policy.may(identity, access) for access in accesses)

    def _recall(self, shown: Shown, peer: str) -> Identity:
        if self._quick is None:
            raise NotRemembered
        authorization, forwarded_for = shown
        credentials = self._shown(authorization)
        address = peer
        if forwarded_for is not None:
            address = self._address(_Forwarded(peer, forwarded_for))
        for authenticator in self._quick:
            identity: Identity | None = authenticator.recall(credentials, address)
            if identity is not None:
                return identity
        return _if_nobody(credentials)

    async def _identify(self, request: Any) -> Identity:
        credentials = self._credentials(request)
        address = self._address(request)
        for authenticator in self._authenticators:
            identity = await authenticator.authenticate(credentials, address)
            if identity is not None:
                return identity
        return _if_nobody(credentials)

    def _credentials(self, request: Any) -> object:
        authorization = request.header("authorization")
        if authorization is None:
            return self._certificate(request) or Anonymous()
        return self._shown(authorization)

    def _shown(self, authorization: str | None) -> object:
        if authorization is None:
            return Anonymous()
        scheme, value = _scheme(authorization)
        if scheme == "bearer":
            return self._bearer(value)
        return _basic(scheme, value)

    def _unauthorized(
        self, request: Any, accesses: Sequence[Access], problem: str | None
    ) -> Unauthorized:
        challenge = self._authenticators[0].challenge(
            accesses, self._origin(request), problem
        )
        detail = [access.to_json() for access in accesses]
        return Unauthorized(detail or None, headers={"WWW-Authenticate": challenge})


@frozen
class _Forwarded:
    """A request, as far as it says where it comes from.

    Attributes:
        host: The IP address that it came from.
    """

    host: str
    _forwarded_for: str

    def getClientAddress(self) -> _Forwarded:
        """See RegistryRequest."""
        return self

    def headers(self, name: str) -> list[str]:
        """See RegistryRequest."""
        return [self._forwarded_for] if name == "x-forwarded-for" else []


def password_credentials(request: Any) -> object:
    """Return the credentials of a request that can only show a password.

    Raises:
        LoginFailed: It shows something else.
    """
    authorization = request.header("authorization")
    return Anonymous() if authorization is None else _basic(*_scheme(authorization))


def _is_nobody(identity: Identity) -> bool:
    return identity.kind == "anonymous" and identity.grants is None


def _if_nobody(credentials: object) -> Identity:
    """Return who it is of whom no authenticator knows anything.

    Raises:
        LoginFailed: It has shown something.
    """
    if isinstance(credentials, Anonymous):
        return _NOBODY
    raise LoginFailed


def _scheme(authorization: str) -> tuple[str, str]:
    """Return an Authorization header's scheme, in lower case, and what follows."""
    scheme, _, value = authorization.strip().partition(" ")
    return scheme.lower(), value.strip()


def _basic(scheme: str, value: str) -> UsernamePassword:
    """Read Basic credentials (RFC 7617).

    Raises:
        LoginFailed: They are malformed, or of another scheme.
    """
    if scheme != "basic":
        raise LoginFailed
    try:
        text = b64decode(value, validate=True)
    except (Base64Error, ValueError):
        raise LoginFailed from None
    name, colon, password = text.partition(b":")
    if not colon:
        raise LoginFailed
    return UsernamePassword(name, password)
