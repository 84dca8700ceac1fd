"""Tests of txregistry.auth.tokenkey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import (
    NOW,
    certificate,
    pem_of,
    private_key,
    x5c_of,
)
from txregistry.auth.certificates import read_certificates
from txregistry.auth.jws import ALGORITHMS, SignedToken
from txregistry.auth.keyids import fingerprint
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.tokenkey import (
    BadKey,
    TokenKey,
    kept_token_key,
    load_token_key,
)
from txregistry.interfaces import InvalidOption

KEY = private_key()


def pem_of_key(key: Any, password: bytes | None = None) -> bytes:
    """Write a private key."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return pem


class TokenKeyTests(SynchronousTestCase):
    """What tokens are signed with."""

    def test_made(self) -> None:
        """A new key is of a kind that everybody knows, with its own certificate."""
        key = TokenKey.make("tokens of registry.example.com", NOW)
        self.assertEqual("ES256", key.algorithm)
        self.assertEqual(
            list(key.certificates), read_certificates(key.certificates_pem)
        )

    def test_header(self) -> None:
        """A token names the key in both ways: by id and by certificate."""
        chain = (certificate(KEY), certificate(private_key("RSA"), "root"))
        header = SignedToken.parse(TokenKey(KEY, chain).sign({})).header
        self.assertEqual(
            {
                "typ": "JWT",
                "alg": "ES256",
                "kid": fingerprint(KEY.public_key()),
                "x5c": x5c_of(*chain),
            },
            header,
        )

    def test_no_certificate(self) -> None:
        """Without a certificate it is named by its id."""
        self.assertNotIn("x5c", SignedToken.parse(TokenKey(KEY).sign({})).header)

    def test_kinds(self) -> None:
        """What it signs can be verified with what is trusted, for each kind of key."""
        for kind, algorithm in (
            ("P-256", "ES256"),
            ("P-384", "ES384"),
            ("P-521", "ES512"),
            ("RSA", "RS256"),
            ("Ed25519", "EdDSA"),
        ):
            private = private_key(kind)
            key = TokenKey(private, (certificate(private),))
            keys = TrustedKeys().trusting(read_certificates(key.certificates_pem))
            token = SignedToken.parse(key.sign({"a": 1}))
            token.verify(keys.signer(token.header, NOW).key, ALGORITHMS)
            self.assertEqual(({"a": 1}, algorithm), (token.claims, key.algorithm))

    def test_round_trip(self) -> None:
        """A key that was written down is the same, certificates and all."""
        for kind in ("P-256", "RSA", "Ed25519"):
            private = private_key(kind)
            for certificates in ((), (certificate(private),)):
                key = TokenKey(private, certificates)
                again = TokenKey.from_pem(key.to_pem())
                self.assertEqual(
                    (key.kid, key.certificates, key.secret("a")),
                    (again.kid, again.certificates, again.secret("a")),
                )

    def test_repr(self) -> None:
        """The repr does not show the private half."""
        self.assertNotIn("Private", repr(TokenKey(KEY)))

    def test_secrets(self) -> None:
        """Each purpose and each key has its secret, which stays the same."""
        key, other = TokenKey(KEY), TokenKey(private_key("P-256", "other"))
        secrets = {key.secret("a"), key.secret("b"), other.secret("a")}
        self.assertEqual((3, {32}), (len(secrets), {len(each) for each in secrets}))
        self.assertEqual(key.secret("a"), TokenKey(KEY).secret("a"))

    def assert_bad(self, why: str, pem: bytes) -> None:
        """Assert that a key cannot be used."""
        error = self.assertRaises(BadKey, TokenKey.from_pem, pem)
        self.assertEqual(why, str(error))

    def test_bad(self) -> None:
        """What cannot sign tokens is told why."""
        curve = ec.generate_private_key(ec.SECP256K1())
        short = rsa.generate_private_key(65537, 1024)
        strange = ed448.Ed448PrivateKey.generate()
        self.assert_bad("has no private key that can be read", b"")
        self.assert_bad("has no private key that can be read", b"\xff" * 100)
        self.assert_bad("is encrypted", pem_of_key(KEY, b"secret"))
        self.assert_bad("is on a curve that signs no tokens", pem_of_key(curve))
        self.assert_bad("is of a kind that signs no tokens", pem_of_key(strange))
        self.assert_bad("is shorter than 2048 bits", pem_of_key(short))

    def test_other_certificate(self) -> None:
        """The certificate has to be for the key."""
        other = certificate(private_key("RSA"))
        error = self.assertRaises(BadKey, TokenKey, KEY, (other,))
        self.assertEqual("the certificate is another key's", str(error))


class LoadingTests(SynchronousTestCase):
    """Keys in files."""

    def setUp(self) -> None:
        """Choose two files."""
        self.key, self.certificate = self.mktemp(), self.mktemp()

    def test_files(self) -> None:
        """Key and certificates may be in one file or in two."""
        made = certificate(KEY)
        Path(self.key).write_bytes(pem_of_key(KEY))
        Path(self.certificate).write_bytes(pem_of(made))
        self.assertEqual((), load_token_key(self.key).certificates)
        found = load_token_key(self.key, self.certificate)
        self.assertEqual((made,), found.certificates)
        Path(self.key).write_bytes(pem_of(made) + pem_of_key(KEY))
        self.assertEqual((made,), load_token_key(self.key).certificates)

    def assert_refused(self, key: str, problem: str, *files: str) -> None:
        """Assert that a file cannot be used."""
        error = self.assertRaises(InvalidOption, load_token_key, *files)
        self.assertEqual((key, problem), (error.key, error.problem))

    def test_missing(self) -> None:
        """A file that is not there is named."""
        absent = f"{self.key}: No such file or directory"
        self.assert_refused("server.key", absent, self.key)
        Path(self.key).write_bytes(pem_of_key(KEY))
        absent = f"{self.certificate}: No such file or directory"
        self.assert_refused("server.certificate", absent, self.key, self.certificate)

    def test_unusable(self) -> None:
        """A file with nothing of use in it is named, and why it is of none."""
        Path(self.key).write_bytes(b"hello")
        problem = f"{self.key}: has no private key that can be read"
        self.assert_refused("server.key", problem, self.key)
        Path(self.key).write_bytes(pem_of_key(KEY))
        Path(self.certificate).write_bytes(b"hello")
        problem = f"{self.certificate}: has no CERTIFICATE block"
        self.assert_refused("server.certificate", problem, self.key, self.certificate)
        Path(self.certificate).write_bytes(pem_of(certificate(private_key("RSA"))))
        problem = f"{self.certificate}: the certificate is another key's"
        self.assert_refused("server.certificate", problem, self.key, self.certificate)


class Kept:
    """Where a key is kept."""

    def __init__(self, works: bool = True) -> None:
        """Hold nothing; if it does not work, for ever."""
        self.content: bytes | None = None
        self._works = works

    def load(self) -> Deferred[bytes | None]:
        """Return what is kept."""
        return succeed(self.content)

    def save(self, content: bytes) -> Deferred[None]:
        """Keep something."""
        if self._works:
            self.content = content
        return succeed(None)


class KeptTests(SynchronousTestCase):
    """The key that is made once."""

    def get(self, kept: Kept) -> TokenKey:
        """Get the key."""
        coroutine = kept_token_key(
            kept.load, kept.save, lambda: TokenKey.make("tokens", NOW)
        )
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_once(self) -> None:
        """It is made at the first time, and kept with its certificate."""
        kept = Kept()
        first, second = self.get(kept), self.get(kept)
        self.assertEqual(first.kid, second.kid)
        self.assertEqual(first.certificates, second.certificates)

    def test_not_kept(self) -> None:
        """A key that would be another one at the next start is none."""
        coroutine = kept_token_key(
            Kept(False).load, Kept(False).save, lambda: TokenKey(KEY)
        )
        self.failureResultOf(Deferred.fromCoroutine(coroutine), BadKey)
