"""Gate: lets a request through that comes from somebody who may do what it wants."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.cred.credentials import Anonymous, UsernamePassword

from txregistry.interfaces import (
    IAccessPolicy,
    IAuthenticator,
    Identity,
    LoginDelayed,
    LoginFailed,
)
from txregistry.oci.access import Access
from txregistry.oci.errors import Denied, TooManyRequests, Unauthorized


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


class OpenGate:
    """Lets everybody in."""

    async def admit(self, request: Any, accesses: Sequence[Access]) -> Caller:
        """See Admission."""
        return Anybody()


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
        caller = KnownCaller(identity, self._policy)
        has_token = identity.grants is not None
        nobody = identity.kind == "anonymous" and not has_token
        if caller.may(*accesses) and (accesses or not nobody):
            return caller
        if nobody:
            raise self._unauthorized(request, accesses, None)
        if has_token:
            raise self._unauthorized(request, accesses, "insufficient_scope")
        raise Denied([access.to_json() for access in accesses])

    async def _identify(self, request: Any) -> Identity:
        credentials = self._credentials(request)
        address = self._address(request)
        for authenticator in self._authenticators:
            identity = await authenticator.authenticate(credentials, address)
            if identity is not None:
                return identity
        if isinstance(credentials, Anonymous):
            return Identity()
        raise LoginFailed

    def _credentials(self, request: Any) -> object:
        scheme, value = _authorization(request)
        if scheme is None:
            return self._certificate(request) or Anonymous()
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


def password_credentials(request: Any) -> object:
    """Return the credentials of a request that can only show a password.

    Raises:
        LoginFailed: It shows something else.
    """
    scheme, value = _authorization(request)
    return Anonymous() if scheme is None else _basic(scheme, value)


def _authorization(request: Any) -> tuple[str | None, str]:
    """Return the scheme, in lower case, and what follows; None: there is no header."""
    header = request.header("authorization")
    if header is None:
        return None, ""
    scheme, _, value = header.strip().partition(" ")
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
