"""Token requests: what clients ask a token service for, and what they are told.

GET is of distribution's ``spec/auth/token``, POST of its ``spec/auth/oauth``, which
follows RFC 6749.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import field, frozen

from txregistry.auth.issuing import IssuedToken
from txregistry.oci.access import Access, format_scope, parse_scopes
from txregistry.oci.errors import JSON, RegistryError

Parameters = Mapping[str, Sequence[str]]
"""The values of each parameter, of a query or of a form."""


class TokenRefused(RegistryError):
    """No token is given out.

    Its document speaks both languages: OAuth2's, and that of the registry's errors,
    which is what docker shows to people.

    Attributes:
        error: What OAuth2 calls it (RFC 6749, 5.2).
    """

    code, status, message = "UNSUPPORTED", 400, "malformed token request"
    error = "invalid_request"

    def to_document(self) -> dict[str, JSON]:
        """Return the answer's JSON."""
        return {
            "error": self.error,
            "error_description": self.message,
            "errors": [self.to_json()],
        }


class GrantUnsupported(TokenRefused):
    """A way to log in that we do not offer."""

    error = "unsupported_grant_type"
    message = "grant_type has to be password or refresh_token"


class GrantInvalid(TokenRefused):
    """The password or the refresh token does not hold.

    The status is 401 as with Docker's own service, where RFC 6749 has 400: by it,
    clients know that they have to log in.
    """

    code, status, message = "UNAUTHORIZED", 401, "incorrect username or password"
    error = "invalid_grant"


@frozen
class PasswordGrant:
    """A user's name and password."""

    username: str
    password: str = field(repr=lambda _: "***")


@frozen
class RefreshGrant:
    """A refresh token."""

    token: str = field(repr=lambda text: f"<{len(text)} characters>")


Grant = PasswordGrant | RefreshGrant


@frozen
class TokenRequest:
    """What a client asks for.

    Attributes:
        service: The service that the token is to be for; None: it does not say.
        accesses: What the token is to let it do.
        grant: How it logs in; None: by the request's header, if at all.
        offline: Whether it wants a refresh token too.
        account: The name that it says it has; None: it does not say.
        client_id: What program it is; None: it does not say.
    """

    service: str | None
    accesses: tuple[Access, ...]
    grant: Grant | None = None
    offline: bool = False
    account: str | None = None
    client_id: str | None = None


def parse_query(query: Parameters) -> TokenRequest:
    """Read a GET request.

    Raises:
        TokenRefused: It is malformed.
    """
    return TokenRequest(
        service=_one(query, "service"),
        accesses=_accesses(query),
        offline=_one(query, "offline_token") in ("true", "1"),
        account=_one(query, "account"),
        client_id=_one(query, "client_id"),
    )


def parse_form(form: Parameters) -> TokenRequest:
    """Read a POST request.

    Raises:
        TokenRefused: It is malformed, or wants to log in as nobody can.
    """
    grant = _grant(form)
    return TokenRequest(
        service=_one(form, "service"),
        accesses=_accesses(form),
        grant=grant,
        offline=_one(form, "access_type") == "offline",
        account=grant.username if isinstance(grant, PasswordGrant) else None,
        client_id=_one(form, "client_id"),
    )


def token_answer(issued: IssuedToken, refresh_token: str | None) -> dict[str, JSON]:
    """Return the JSON that tells a client of its token.

    Args:
        issued: The token.
        refresh_token: The refresh token; None: it gets none.
    """
    time = datetime.fromtimestamp(issued.issued_at, UTC)
    answer: dict[str, JSON] = {
        # GET has it as token, POST as access_token; clients look for either.
        "token": issued.token,
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": format_scope(issued.granted),
    }
    if refresh_token is not None:
        answer["refresh_token"] = refresh_token
    return answer


def _grant(form: Parameters) -> Grant:
    kind = _needed(form, "grant_type")
    if kind == "password":
        return PasswordGrant(_needed(form, "username"), _needed(form, "password"))
    if kind == "refresh_token":
        return RefreshGrant(_needed(form, "refresh_token"))
    raise GrantUnsupported


def _accesses(parameters: Parameters) -> tuple[Access, ...]:
    return tuple(parse_scopes(parameters.get("scope", ())))


def _needed(parameters: Parameters, name: str) -> str:
    value = _one(parameters, name)
    if value is None:
        raise TokenRefused(message=f"{name} is missing")
    return value


def _one(parameters: Parameters, name: str) -> str | None:
    """Return a parameter's value; None: it is not there, or empty (RFC 6749, 3.2)."""
    values = set(parameters.get(name, ()))
    if len(values) > 1:
        raise TokenRefused(message=f"{name} is there more than once")
    return values.pop() or None if values else None
