"""Tests of txregistry.auth.token_service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.credentials import (
    Anonymous,
    IUsernamePassword,
    UsernamePassword,
)
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from tests.unit.auth.signing import (
    ISSUER,
    SERVICE,
    Allowing,
    TokenTestCase,
    certificate,
    private_key,
)
from txregistry.auth.credentials import BearerToken
from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.refreshing import RefreshTokens
from txregistry.auth.token_requests import GrantInvalid, TokenRefused
from txregistry.auth.token_service import TokenService
from txregistry.auth.tokenkey import TokenKey
from txregistry.interfaces import IAuthenticator, Identity, LoginDelayed, LoginFailed
from txregistry.oci.access import Access

PULL = Access("repository", "a/b", "pull")
ALICE = Identity("alice", "user", frozenset(["dev"]))
ADDRESS = "192.0.2.1"
PASSWORD = {
    "grant_type": ["password"],
    "username": ["alice"],
    "password": ["sesame"],
    "service": [SERVICE],
    "scope": ["repository:a/b:pull,push"],
}


@implementer(IAuthenticator)
class Passwords:
    """Knows Alice by her password, and an address that has tried too often."""

    def authenticate(
        self, credentials: object, address: str
    ) -> Deferred[Identity | None]:
        """See IAuthenticator."""
        if not IUsernamePassword.providedBy(credentials):
            return succeed(None)
        if address != ADDRESS:
            return fail(LoginDelayed(7))
        shown = IUsernamePassword(credentials)
        if (shown.username, shown.password) == (b"alice", b"sesame"):
            return succeed(ALICE)
        return fail(LoginFailed())

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator."""
        return 'Basic realm="r"'


class ServiceTests(TokenTestCase):
    """The token service."""

    def setUp(self) -> None:
        """Make a service, and a registry that takes its tokens."""
        super().setUp()
        self.key = TokenKey(private_key(), (certificate(private_key()),))
        self.issuer = TokenIssuer(self.key, ISSUER, SERVICE, self.clock)
        self.refresh_tokens: RefreshTokens | None = RefreshTokens(
            self.key.secret("refresh tokens"),
            ISSUER,
            SERVICE,
            self.clock,
            lambda name: succeed("1" if name == "alice" else None),
        )
        keys = TrustedKeys().trusting_own(self.key.public, self.key.certificates)
        self.registry = self.verifier(keys)

    def service(self) -> TokenService:
        """Make the service."""
        return TokenService(
            SERVICE,
            [Passwords()],
            Allowing(PULL),
            self.issuer,
            self.refresh_tokens,
        )

    def get(self, credentials: object, **query: str) -> Deferred[Any]:
        """Ask by GET."""
        parameters = {name: [value] for name, value in query.items()}
        answer = self.service().get(credentials, ADDRESS, parameters)
        return Deferred.fromCoroutine(answer)

    def post(self, address: str = ADDRESS, **changes: str) -> Deferred[Any]:
        """Ask by POST, with Alice's password if nothing else is said."""
        form = {**PASSWORD, **{name: [value] for name, value in changes.items()}}
        return Deferred.fromCoroutine(self.service().post(address, form))

    def assert_for(self, identity: Identity, asking: Deferred[Any]) -> Any:
        """Assert whom an answer's token is for; return the answer."""
        answer = self.successResultOf(asking)
        found = self.registry.verify(answer["token"])
        expected = (identity.name, identity.kind, identity.groups)
        self.assertEqual(expected, (found.name, found.kind, found.groups))
        return answer

    def test_get(self) -> None:
        """Who shows a password gets a token for what they may do."""
        credentials = UsernamePassword(b"alice", b"sesame")
        scope = "repository:a/b:pull,push"
        answer = self.assert_for(ALICE, self.get(credentials, scope=scope))
        self.assertEqual("repository:a/b:pull", answer["scope"])
        self.assertNotIn("refresh_token", answer)

    def test_anonymous(self) -> None:
        """Who shows nothing gets one for nobody, for what everybody may do."""
        asking = self.get(
            Anonymous(), scope="repository:a/b:pull", offline_token="true"
        )
        answer = self.assert_for(Identity(), asking)
        self.assertEqual("repository:a/b:pull", answer["scope"])
        self.assertNotIn("refresh_token", answer)

    def test_get_refused(self) -> None:
        """Who shows a wrong password, or no password, gets none."""
        for shown in (UsernamePassword(b"alice", b"x"), BearerToken("x"), None):
            self.failureResultOf(self.get(shown), LoginFailed)

    def test_offline(self) -> None:
        """A refresh token comes along if one is wanted, and gives tokens in turn."""
        credentials = UsernamePassword(b"alice", b"sesame")
        for asking in (
            self.get(credentials, offline_token="true"),
            self.post(access_type="offline"),
        ):
            refresh = self.assert_for(ALICE, asking)["refresh_token"]
            again = self.post(grant_type="refresh_token", refresh_token=refresh)
            answer = self.assert_for(ALICE, again)
            self.assertEqual(refresh, answer["refresh_token"])
            self.assertEqual("repository:a/b:pull", answer["scope"])

    def test_no_refresh_tokens(self) -> None:
        """There need be no refresh tokens."""
        refresh = self.assert_for(ALICE, self.post(access_type="offline"))
        self.refresh_tokens = None
        answer = self.assert_for(ALICE, self.post(access_type="offline"))
        self.assertNotIn("refresh_token", answer)
        text = refresh["refresh_token"]
        again = self.post(grant_type="refresh_token", refresh_token=text)
        self.failureResultOf(again, GrantInvalid)

    def test_post(self) -> None:
        """A password may be in a form."""
        answer = self.assert_for(ALICE, self.post())
        self.assertNotIn("refresh_token", answer)

    def test_post_refused(self) -> None:
        """A wrong password or refresh token is told in OAuth2's words."""
        self.failureResultOf(self.post(password="x"), GrantInvalid)
        again = self.post(grant_type="refresh_token", refresh_token="x")
        self.failureResultOf(again, GrantInvalid)
        self.failureResultOf(self.post(grant_type="x"), TokenRefused)

    def test_delayed(self) -> None:
        """Who has tried too often is told to wait."""
        error = self.failureResultOf(self.post("192.0.2.2"), LoginDelayed).value
        self.assertEqual(7, error.seconds)

    def test_strange_password(self) -> None:
        """A password in any writing is looked at, and one that is no text is wrong."""
        for password in ("пароль", "\ud800"):
            self.failureResultOf(self.post(password=password), GrantInvalid)

    def test_other_service(self) -> None:
        """Tokens are for one service."""
        self.assert_for(Identity(), self.get(Anonymous(), service=SERVICE))
        for asking in (self.get(Anonymous(), service="x"), self.post(service="x")):
            error = self.failureResultOf(asking, TokenRefused).value
            self.assertEqual(f"tokens here are for {SERVICE} alone", error.message)
