"""Token: where clients get tokens, if the registry has a token service of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from txregistry.interfaces import LoginDelayed, LoginFailed
from txregistry.oci.errors import (
    JSON,
    BadRequest,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from txregistry.streams import Collector, TooLong, pump
from txregistry.web.answers import send_json
from txregistry.web.endpoints import Endpoint
from txregistry.web.gate import password_credentials

_FORM: Final = "application/x-www-form-urlencoded"
_LARGEST_FORM: Final = 64 * 1024
_MOST_FIELDS: Final = 200

# Nobody in between is to keep a token (RFC 6749, 5.1).
_PRIVATE: Final = {"Cache-Control": "no-store"}


class TokenService(Protocol):
    """Gives out tokens. Fails with LoginFailed, or a RegistryError."""

    async def get(
        self, credentials: object, address: str, query: Mapping[str, Sequence[str]]
    ) -> JSON:
        """Answer a client that asks by GET (distribution's spec/auth/token)."""

    async def post(self, address: str, form: Mapping[str, Sequence[str]]) -> JSON:
        """Answer a client that asks by POST (distribution's spec/auth/oauth)."""


class TokenRoutes:
    """The endpoints of the token service."""

    def __init__(
        self,
        service: TokenService,
        path: str,
        challenge: str,
        address: Callable[[Any], str],
    ) -> None:
        """Prepare.

        Args:
            service: Gives out tokens.
            path: Where, ``/auth/token``.
            challenge: What a client without a right password is told to show, as
                ``WWW-Authenticate`` has it.
            address: Returns the IP address of a request's client.
        """
        self._service = service
        self._path = path
        self._challenge = challenge
        self._address = address

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [
            Endpoint("token", "GET", self._path, self.get, None),
            Endpoint("token", "POST", self._path, self.post, None),
        ]

    async def get(self, request: Any) -> None:
        """Give out a token for a password in the header, or for nothing."""
        names = [name.decode("latin-1") for name in request.args if name.isascii()]
        query = {name: request.parameters(name) for name in names}
        address = self._address(request)
        try:
            credentials = password_credentials(request)
            answer = await self._service.get(credentials, address, query)
        except LoginFailed as error:
            raise self._refusal(error) from None
        send_json(request, 200, answer, _PRIVATE)

    async def post(self, request: Any) -> None:
        """Give out a token for a password or a refresh token in a form."""
        content_type = (request.header("content-type") or "").partition(";")[0]
        if content_type.strip().lower() != _FORM:
            raise UnsupportedMediaType(content_type, message=f"send {_FORM}")
        form = await _read_form(request)
        address = self._address(request)
        try:
            answer = await self._service.post(address, form)
        except LoginFailed as error:
            raise self._refusal(error) from None
        send_json(request, 200, answer, _PRIVATE)

    def _refusal(self, error: LoginFailed) -> Unauthorized | TooManyRequests:
        if isinstance(error, LoginDelayed):
            headers = {"Retry-After": str(int(error.seconds) + 1)}
            return TooManyRequests(headers=headers)
        return Unauthorized(
            message="incorrect username or password",
            headers={"WWW-Authenticate": self._challenge},
        )


async def _read_form(request: Any) -> Mapping[str, Sequence[str]]:
    collector = Collector(_LARGEST_FORM)
    try:
        await pump(request.body, collector)
        text = collector.content().decode("ascii")
        return parse_qs(text, max_num_fields=_MOST_FIELDS)
    except TooLong:
        raise BadRequest(message="the form is too long") from None
    except ValueError:
        raise BadRequest(message="malformed form") from None
