"""Tests of txregistry.auth.tokens."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OctKey
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.auth.signing import (
    GRANTS,
    HOUR,
    NOW,
    TokenTestCase,
    certificate,
    claims,
    jwk,
    key_for,
    private_key,
    secret_jwk,
    signed,
    x5c_of,
)
from txregistry.auth.claims import OWN_CLAIM
from txregistry.auth.credentials import BearerToken
from txregistry.auth.keyids import fingerprint
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.tokens import TokenAuthenticator, TokenVerifier
from txregistry.interfaces import (
    IAuthenticator,
    Identity,
    InvalidOption,
    LoginFailed,
)
from txregistry.oci.access import CATALOG, Access

KEY = private_key()
KID = fingerprint(KEY.public_key())
ALICE = Identity("alice", "token", frozenset(), GRANTS)


def token(header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Sign claims with changes, the key named by its id or by a header."""
    return signed(
        jwk(KEY), {"alg": "ES256", **(header or {"kid": KID})}, claims(**changes)
    )


class VerifierTests(TokenTestCase):
    """Tokens of a token service that the operator trusts."""

    def setUp(self) -> None:
        """Trust one certificate."""
        super().setUp()
        self.keys = TrustedKeys().trusting([certificate(KEY)])
        self.tokens = self.verifier(self.keys)

    def test_good(self) -> None:
        """A good token is for its subject, who may do what it grants."""
        self.assertEqual(ALICE, self.tokens.verify(token()))

    def test_chain(self) -> None:
        """A token may bring its certificate along."""
        for stranger in (certificate(KEY), certificate(private_key("P-256", "other"))):
            self.assert_refused(self.tokens, token({"x5c": x5c_of(stranger)}))
        good = token({"x5c": x5c_of(*self.keys.certificates)})
        self.assertEqual(ALICE, self.tokens.verify(good))

    def test_refused(self) -> None:
        """One that is tampered with, or another's, or for another, does not hold."""
        first, second, third = token().split(".")
        other = token(sub="bob").split(".")
        for text in (
            f"{first}.{other[1]}.{third}",
            f"{first}.{second}.{other[2]}",
            f"{first}.{second}.",
            f"{first}.{second}",
            token(aud="another"),
            token(iss="another"),
            token(exp=NOW - 61),
            token(nbf=NOW + 61),
            token(access="all"),
            token({"kid": fingerprint(private_key("RSA").public_key())}),
            signed(jwk(private_key("P-256", "other")), {"alg": "ES256", "kid": KID}),
            "",
            "x",
            "ä.\ud800.b",
        ):
            self.assert_refused(self.tokens, text)

    def test_confusion(self) -> None:
        """A public key is not taken for a secret, however a token is signed."""
        public = KEY.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for secret in (pem, pem.strip(), der, KID.encode(), b"\0"):
            for alg in ("HS256", "HS384", "HS512"):
                key = OctKey(secret, secret)  # import_key would refuse
                text = signed(key, {"alg": alg, "kid": KID})
                self.assert_refused(self.tokens, text)

    def test_secret(self) -> None:
        """A secret verifies tokens by its id; with another algorithm it does not."""
        keys = TrustedKeys({"s": secret_jwk()})
        good = signed(secret_jwk(), {"alg": "HS256", "kid": "s"})
        self.assertEqual(ALICE, self.verifier(keys).verify(good))
        self.assert_refused(self.verifier(keys, ["HS512", "ES256"]), good)
        self.assert_refused(
            self.verifier(keys), signed(key_for("ES256"), {"alg": "ES256", "kid": "s"})
        )

    def test_algorithms(self) -> None:
        """The operator's list says how tokens may be signed."""
        self.assert_refused(self.verifier(self.keys, ["RS256", "ES384"]), token())
        self.assertEqual(ALICE, self.verifier(self.keys, ["ES256"]).verify(token()))

    def test_own_claim(self) -> None:
        """Only our own token service can say more of a subject."""
        text = token(**{OWN_CLAIM: {"kind": "user", "groups": ["admins"]}})
        self.assertEqual(ALICE, self.tokens.verify(text))
        ours = self.verifier(self.keys.trusting_own(KEY.public_key()))
        expected = Identity("alice", "user", frozenset(["admins"]), GRANTS)
        self.assertEqual(expected, ours.verify(text))

    def test_no_keys(self) -> None:
        """Without any key there is nothing to verify with."""
        error = self.assertRaises(InvalidOption, self.verifier, TrustedKeys())
        self.assertEqual("rootcertbundle", error.key)

    def test_unknown_algorithms(self) -> None:
        """The operator is told of an algorithm that there is not."""
        for name in ("none", "ES257", "es256"):
            error = self.assertRaises(
                InvalidOption, self.verifier, self.keys, ["ES256", name]
            )
            self.assertEqual(
                f"signingalgorithms: {name}: no such algorithm", str(error)
            )


class RememberingTests(TokenTestCase):
    """Tokens that were verified before."""

    def setUp(self) -> None:
        """Remember two tokens."""
        super().setUp()
        self.keys = TrustedKeys().trusting([certificate(KEY, end=NOW + 100)])
        self.tokens = self.verifier(self.keys, remembered=2)

    def test_same(self) -> None:
        """A token that is remembered is not looked at again."""
        text = token()
        self.assertIs(self.tokens.verify(text), self.tokens.verify(text))

    def test_expired(self) -> None:
        """It is forgotten when it expires, as if it were new."""
        text = token(exp=NOW + 10)
        self.tokens.verify(text)
        self.clock.advance(70)
        self.tokens.verify(text)
        self.clock.advance(0.5)
        self.assert_refused(self.tokens, text)

    def test_too_early(self) -> None:
        """It does not hold before its time, should the clock be set back."""
        text = token()
        self.tokens.verify(text)
        self.clock.rightNow = NOW - 61
        self.assert_refused(self.tokens, text)

    def test_certificate_expired(self) -> None:
        """It does not outlive the certificate that it came with."""
        text = token({"x5c": x5c_of(*self.keys.certificates)})
        self.tokens.verify(text)
        self.clock.advance(101)
        self.assert_refused(self.tokens, text)

    def test_bounded(self) -> None:
        """Those not used for longest are forgotten."""
        texts = [token(jti=str(number)) for number in range(3)]
        first, second = (self.tokens.verify(text) for text in texts[:2])
        self.tokens.verify(texts[0])
        self.tokens.verify(texts[2])
        self.assertIs(first, self.tokens.verify(texts[0]))
        self.assertIsNot(second, self.tokens.verify(texts[1]))

    def test_refused(self) -> None:
        """One that does not hold is not remembered."""
        for number in range(9):
            self.assert_refused(self.tokens, token(jti=str(number), aud="another"))
        text = token()
        self.assertIs(self.tokens.verify(text), self.tokens.verify(text))


class AuthenticatorTests(TokenTestCase):
    """Who a client with a token is."""

    def setUp(self) -> None:
        """Make an authenticator."""
        super().setUp()
        keys = TrustedKeys().trusting([certificate(KEY, end=NOW + HOUR)])
        self.authenticator = TokenAuthenticator(
            self.verifier(keys), "https://auth.example.com/token", "registry"
        )

    def test_interface(self) -> None:
        """It is an authenticator."""
        verifyObject(IAuthenticator, self.authenticator)

    def test_token(self) -> None:
        """A token's bearer is its subject."""
        found = self.authenticator.authenticate(BearerToken(token()), "127.0.0.1")
        self.assertEqual(ALICE, self.successResultOf(found))

    def test_refused(self) -> None:
        """A token that does not hold fails the login."""
        found = self.authenticator.authenticate(BearerToken("x"), "127.0.0.1")
        error = self.failureResultOf(found, LoginFailed).value
        self.assertEqual("invalid_token", error.problem)

    def test_others(self) -> None:
        """Other credentials are others' business."""
        for credentials in (Anonymous(), UsernamePassword(b"a", b"b"), None):
            found = self.authenticator.authenticate(credentials, "127.0.0.1")
            self.assertIsNone(self.successResultOf(found))


class ChallengeTests(SynchronousTestCase):
    """What clients are told to show."""

    def make(
        self, realm: str = "https://a/token", service: str = "r", **more: Any
    ) -> TokenAuthenticator:
        """Make an authenticator."""
        keys = TrustedKeys().trusting([certificate(KEY)])
        verifier = TokenVerifier(keys, "i", service, Clock())
        return TokenAuthenticator(verifier, realm, service, **more)

    def assert_challenge(
        self, expected: str, *accesses: Access, problem: str | None = None
    ) -> None:
        """Assert what the challenge is."""
        made = self.make().challenge(accesses, "http://h:5000", problem)
        self.assertEqual(f'Bearer realm="https://a/token",service="r"{expected}', made)

    def test_nothing(self) -> None:
        """For no access in particular no scope is asked for."""
        self.assert_challenge("")

    def test_scope(self) -> None:
        """Actions are joined by commas, resources by blanks, in order."""
        pull, push = (
            Access("repository", "a/b", "pull"),
            Access("repository", "a/b", "push"),
        )
        self.assert_challenge(',scope="repository:a/b:pull,push"', pull, push)
        self.assert_challenge(
            ',scope="repository:a/b:pull,push repository:c:pull"',
            *(pull, push, Access("repository", "c", "pull")),
        )
        self.assert_challenge(',scope="registry:catalog:*"', CATALOG)

    def test_problem(self) -> None:
        """What was wrong with a token comes last, if there was one."""
        for problem in ("invalid_token", "insufficient_scope"):
            self.assert_challenge(f',error="{problem}"', problem=problem)
            self.assert_challenge(
                f',scope="registry:catalog:*",error="{problem}"',
                CATALOG,
                problem=problem,
            )
        self.assert_challenge("", problem="another")

    def test_quoted(self) -> None:
        """Quotes in the operator's texts are escaped."""
        made = self.make(service='my "own" \\ one').challenge([], "http://h", None)
        self.assertEqual(
            'Bearer realm="https://a/token",service="my \\"own\\" \\\\ one"', made
        )

    def test_autoredirect(self) -> None:
        """The token service can be at the host that the client speaks to."""
        made = self.make(autoredirect=True).challenge([], "https://h:5000", None)
        self.assertEqual('Bearer realm="https://h:5000/auth/token",service="r"', made)
        made = self.make("", autoredirect=True, autoredirectpath="/t").challenge(
            [], "http://h", None
        )
        self.assertEqual('Bearer realm="http://h/t",service="r"', made)

    def test_bad_texts(self) -> None:
        """What has no place in a header is refused at start."""
        for text in ("", "a\nb", "ä", "\0"):
            for option in ("realm", "service"):
                error = self.assertRaises(InvalidOption, self.make, **{option: text})
                self.assertEqual(option, error.key)
        for path in ("", "/\r", "auth"):
            error = self.assertRaises(
                InvalidOption, self.make, autoredirect=True, autoredirectpath=path
            )
            self.assertEqual("autoredirectpath", error.key)
