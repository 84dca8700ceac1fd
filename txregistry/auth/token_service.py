"""TokenService: gives tokens to those who log in, and to nobody in particular."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.cred.credentials import Anonymous, UsernamePassword

from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.refreshing import RefreshTokens
from txregistry.auth.token_requests import (
    Grant,
    GrantInvalid,
    PasswordGrant,
    RefreshGrant,
    TokenRefused,
    TokenRequest,
    parse_form,
    parse_query,
    token_answer,
)
from txregistry.interfaces import (
    IAccessPolicy,
    IAuthenticator,
    Identity,
    LoginDelayed,
    LoginFailed,
)
from txregistry.oci.errors import JSON


class TokenService:
    """Answers token requests for one service."""

    def __init__(
        self,
        service: str,
        authenticators: Sequence[IAuthenticator],
        policy: IAccessPolicy,
        issuer: TokenIssuer,
        refresh_tokens: RefreshTokens | None,
    ) -> None:
        """Prepare.

        Args:
            service: What the tokens are for.
            authenticators: Find out who logs in; the first that can is asked.
            policy: Who may do what.
            issuer: Issues the tokens.
            refresh_tokens: Issues refresh tokens; None: nobody gets one.
        """
        self._service = service
        self._authenticators = authenticators
        self._policy = policy
        self._issuer = issuer
        self._refresh_tokens = refresh_tokens

    async def get(
        self, credentials: object, address: str, query: Mapping[str, Sequence[str]]
    ) -> JSON:
        """Answer a client that asks by GET.

        Args:
            credentials: What it has shown; ``Anonymous``: nothing.
            address: Its IP address.
            query: What it asks for.

        Raises:
            LoginFailed: It is not who it says.
            TokenRefused: What it asks for is malformed.
        """
        request = self._checked(parse_query(query))
        identity = await self._identify(credentials, address)
        return await self._answer(request, identity)

    async def post(self, address: str, form: Mapping[str, Sequence[str]]) -> JSON:
        """Answer a client that asks by POST.

        Args:
            address: Its IP address.
            form: What it shows, and what it asks for.

        Raises:
            LoginDelayed: Too many logins from the address have failed.
            TokenRefused: It is not who it says, or what it asks for is malformed.
        """
        request = self._checked(parse_form(form))
        try:
            identity = await self._log_in(request.grant, address)
        except LoginDelayed:
            raise
        except LoginFailed:
            raise GrantInvalid from None
        return await self._answer(request, identity)

    def _checked(self, request: TokenRequest) -> TokenRequest:
        if request.service not in (None, self._service):
            raise TokenRefused(message=f"tokens here are for {self._service} alone")
        return request

    async def _identify(self, credentials: object, address: str) -> Identity:
        if isinstance(credentials, Anonymous):
            return Identity()
        for authenticator in self._authenticators:
            identity = await authenticator.authenticate(credentials, address)
            if identity is not None:
                return identity
        raise LoginFailed

    async def _log_in(self, grant: Grant | None, address: str) -> Identity:
        if isinstance(grant, PasswordGrant):
            name, password = _encoded(grant.username), _encoded(grant.password)
            return await self._identify(UsernamePassword(name, password), address)
        if isinstance(grant, RefreshGrant) and self._refresh_tokens is not None:
            return await self._refresh_tokens.redeem(grant.token)
        raise LoginFailed

    async def _answer(self, request: TokenRequest, identity: Identity) -> JSON:
        refresh_token = None
        if isinstance(request.grant, RefreshGrant):
            refresh_token = request.grant.token
        elif request.offline and self._refresh_tokens is not None:
            refresh_token = await self._refresh_tokens.issue(identity)
        issued = self._issuer.issue(identity, request.accesses, self._policy)
        return token_answer(issued, refresh_token)


def _encoded(text: str) -> bytes:
    # What is no text is nobody's password.
    return text.encode("utf-8", "surrogatepass")
