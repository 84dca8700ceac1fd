"""Tests of txregistry.auth.issuing."""

from __future__ import annotations

from tests.unit.auth.signing import (
    ISSUER,
    NOW,
    SERVICE,
    Allowing,
    TokenTestCase,
    certificate,
    private_key,
)
from txregistry.auth.issuing import IssuedToken, TokenIssuer
from txregistry.auth.jws import SignedToken
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.tokenkey import TokenKey
from txregistry.interfaces import Identity, InvalidOption
from txregistry.oci.access import CATALOG, Access

PULL = Access("repository", "a/b", "pull")
PUSH = Access("repository", "a/b", "push")
DELETE = Access("repository", "a/b", "delete")
ALICE = Identity("alice", "user", frozenset(["dev", "ops"]))


class IssuerTests(TokenTestCase):
    """Tokens of our own."""

    def setUp(self) -> None:
        """Make an issuer."""
        super().setUp()
        self.key = TokenKey(private_key(), (certificate(private_key()),))
        self.issuer = TokenIssuer(self.key, ISSUER, SERVICE, self.clock)

    def issue(self, *accesses: Access, policy: Allowing | None = None) -> IssuedToken:
        """Issue a token to Alice."""
        return self.issuer.issue(ALICE, accesses, policy or Allowing())

    def test_claims(self) -> None:
        """A token says all that registries want to know."""
        issued = self.issue(PULL, PUSH, CATALOG)
        claims = SignedToken.parse(issued.token).claims
        self.assertEqual(22, len(claims.pop("jti")))
        self.assertEqual(
            {
                "iss": ISSUER,
                "sub": "alice",
                "aud": SERVICE,
                "exp": NOW + 300,
                "nbf": NOW,
                "iat": NOW,
                "access": [
                    {"type": "repository", "name": "a/b", "actions": ["pull", "push"]},
                    {"type": "registry", "name": "catalog", "actions": ["*"]},
                ],
                "txregistry": {"kind": "user", "groups": ["dev", "ops"]},
            },
            claims,
        )
        self.assertEqual((300, NOW), (issued.expires_in, issued.issued_at))

    def test_verified(self) -> None:
        """Our own registry makes of it whom it was issued to, and what it grants."""
        keys = TrustedKeys().trusting_own(self.key.public, self.key.certificates)
        verifier = self.verifier(keys)
        for identity in (ALICE, Identity(), Identity("robot", "certificate")):
            issued = self.issuer.issue(identity, [PULL, PUSH], Allowing())
            found = verifier.verify(issued.token)
            expected = (identity.name, identity.kind, identity.groups, {PULL, PUSH})
            self.assertEqual(
                expected, (found.name, found.kind, found.groups, found.grants)
            )

    def test_elsewhere(self) -> None:
        """Another registry of ours sees a token's subject, and no more."""
        verifier = self.verifier(TrustedKeys().trusting(self.key.certificates))
        found = verifier.verify(self.issue(PULL).token)
        self.assertEqual(
            Identity("alice", "token", frozenset(), frozenset([PULL])), found
        )

    def test_no_more(self) -> None:
        """A token grants what the policy allows, and it is no error if that is less."""
        self.assertEqual(
            (PULL,), self.issue(PULL, PUSH, CATALOG, policy=Allowing(PULL)).granted
        )
        nothing = self.issue(PUSH, policy=Allowing(PULL))
        self.assertEqual((), nothing.granted)
        self.assertEqual([], SignedToken.parse(nothing.token).claims["access"])

    def test_all(self) -> None:
        """All actions on a repository are those that the policy allows one by one."""
        everything = Access("repository", "a/b", "*")
        self.assertEqual((PULL, PUSH, DELETE), self.issue(everything).granted)
        granted = self.issue(everything, policy=Allowing(PULL, everything)).granted
        self.assertEqual((PULL,), granted)

    def test_once(self) -> None:
        """What is asked for twice is granted once."""
        self.assertEqual((PULL, PUSH), self.issue(PULL, PUSH, PULL).granted)

    def test_room(self) -> None:
        """A token stays so short that it passes in a request's headers."""
        names = [f"{'n' * 250}{number}" for number in range(100)]
        asked = [
            Access("repository", name, action)
            for name in names
            for action in ("pull", "push")
        ]
        issued = self.issue(*asked)
        self.assertEqual(tuple(asked[: len(issued.granted)]), issued.granted)
        self.assertGreater(len(issued.granted), 30)
        self.assertLess(len(issued.token), 12_000)

    def test_short_names(self) -> None:
        """Many short names need room for what stands around them."""
        names = [Access("repository", f"n{number}", "pull") for number in range(500)]
        issued = self.issue(*names)
        self.assertGreater(len(issued.granted), 70)
        self.assertLess(len(issued.token), 12_000)

    def test_unique(self) -> None:
        """No two tokens are the same."""
        self.assertNotEqual(self.issue(PULL).token, self.issue(PULL).token)

    def test_lifetime(self) -> None:
        """A token lives for a minute at least, as clients take it to."""
        short = TokenIssuer(self.key, ISSUER, SERVICE, self.clock, 60)
        self.assertEqual(60, short.issue(ALICE, [], Allowing()).expires_in)
        error = self.assertRaises(
            InvalidOption, TokenIssuer, self.key, ISSUER, SERVICE, self.clock, 59
        )
        self.assertEqual("server.lifetime", error.key)

    def test_repr(self) -> None:
        """The repr does not give a token away."""
        issued = self.issue(PULL)
        self.assertNotIn(issued.token, repr(issued))
        self.assertIn(f"<{len(issued.token)} characters>", repr(issued))
