"""Tests of txregistry.auth.refreshing."""

from __future__ import annotations

from typing import Any

from joserfc.jwk import OctKey
from twisted.internet.defer import Deferred, succeed

from tests.unit.auth.signing import (
    ISSUER,
    NOW,
    SERVICE,
    Allowing,
    TokenTestCase,
    certificate,
    claims,
    jwk,
    private_key,
    signed,
)
from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.jws import SignedToken
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.refreshing import RefreshTokens
from txregistry.auth.tokenkey import TokenKey
from txregistry.interfaces import Identity, LoginFailed

ALICE = Identity("alice", "user", frozenset(["dev"]))
DAY = 24 * 3600


class RefreshTests(TokenTestCase):
    """Refresh tokens."""

    def setUp(self) -> None:
        """Have one user."""
        super().setUp()
        self.versions = {"alice": "$2b$05$secret"}
        self.key = TokenKey(private_key(), (certificate(private_key()),))
        self.secret = self.key.secret("refresh tokens")
        self.tokens = self.make()

    def make(self, issuer: str = ISSUER, service: str = SERVICE) -> RefreshTokens:
        """Make what another process would make."""
        return RefreshTokens(self.secret, issuer, service, self.clock, self.version)

    def version(self, name: str) -> Deferred[str | None]:
        """Find the version of a user's account."""
        return succeed(self.versions.get(name))

    def issue(self, identity: Identity = ALICE) -> str:
        """Issue a token that there has to be."""
        token = self.successResultOf(self.tokens.issue(identity))
        assert token is not None
        return token

    def assert_useless(self, text: str) -> None:
        """Assert that a refresh token does not hold."""
        error = self.failureResultOf(self.tokens.redeem(text), LoginFailed).value
        self.assertEqual("invalid_token", error.problem)

    def test_redeemed(self) -> None:
        """Whoever shows it is whom it was issued to; in every process."""
        text = self.issue()
        self.clock.advance(89 * DAY)
        for tokens in (self.tokens, self.make()):
            self.assertEqual(ALICE, self.successResultOf(tokens.redeem(text)))

    def test_expired(self) -> None:
        """It does not hold for ever."""
        text = self.issue()
        self.clock.advance(91 * DAY)
        self.assert_useless(text)

    def test_gone(self) -> None:
        """A user who is gone has no use for it."""
        text = self.issue()
        del self.versions["alice"]
        self.assert_useless(text)

    def test_changed(self) -> None:
        """Nor does it outlive the password that it was had for."""
        text = self.issue()
        self.versions["alice"] = "$2b$05$another"
        self.assert_useless(text)
        self.assertEqual(ALICE, self.successResultOf(self.tokens.redeem(self.issue())))

    def test_bound(self) -> None:
        """It is for one service of one issuer."""
        text = self.issue()
        for tokens in (self.make(issuer="x"), self.make(service="x")):
            self.failureResultOf(tokens.redeem(text), LoginFailed)

    def test_other_secret(self) -> None:
        """It is for the token service that has issued it."""
        text = self.issue()
        self.secret = b"x" * 32
        self.failureResultOf(self.make().redeem(text), LoginFailed)

    def test_users_alone(self) -> None:
        """Nobody gets one but users, while they are there."""
        for identity in (
            *(Identity(), Identity("alice", "token"), Identity("alice", "certificate")),
            *(Identity("bob", "user"), Identity(None, "user")),
        ):
            self.assertIsNone(self.successResultOf(self.tokens.issue(identity)))

    def test_sealed(self) -> None:
        """It does not show the version, nor anything to guess it with."""
        members = SignedToken.parse(self.issue()).claims
        self.assertNotIn("secret", str(members))
        self.assertEqual(64, len(members["version"]))

    def test_no_token(self) -> None:
        """No registry takes it for a token, even of our own key."""
        keys = TrustedKeys().trusting_own(self.key.public, self.key.certificates)
        self.assert_refused(self.verifier(keys), self.issue())

    def test_token(self) -> None:
        """And no token is taken for one."""
        issuer = TokenIssuer(self.key, ISSUER, SERVICE, self.clock)
        self.assert_useless(issuer.issue(ALICE, [], Allowing()).token)

    def test_forged(self) -> None:
        """Nothing else is taken for one."""
        key = OctKey.import_key(self.secret)
        header = {"alg": "HS256"}
        good = SignedToken.parse(self.issue()).claims
        changes: list[dict[str, Any]] = [
            *({"version": None}, {"version": 1}, {"version": "ä"}, {"version": "x"}),
            *({"sub": None}, {"sub": "bob"}, {"exp": None}, {"txregistry": None}),
        ]
        for change in changes:
            self.assert_useless(signed(key, header, {**good, **change}))
        self.assert_useless(signed(key, header, claims()))
        self.assert_useless(signed(key, {"alg": "HS512"}, good))
        self.assert_useless(signed(jwk(private_key()), {"alg": "ES256"}, good))
        for text in ("", "x", "a.b.c", "\ud800"):
            self.assert_useless(text)
        text = signed(key, header, good)
        self.assertEqual(ALICE, self.successResultOf(self.tokens.redeem(text)))
        self.assertEqual(NOW + 90 * DAY, good["exp"])
