"""Tests of txregistry.auth.jwks."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import base64url, jwk, private_key, secret_jwk
from txregistry.auth.jwks import BadKeySet, read_jwks
from txregistry.auth.keyids import fingerprint, public_key, thumbprint

KEY = private_key()
PUBLIC = jwk(KEY).as_dict(private=False)
SECRET = secret_jwk(b"s" * 32).as_dict()


def key_set(*members: object) -> bytes:
    """Write a set."""
    return json.dumps({"keys": members}).encode()


class KeySetTests(SynchronousTestCase):
    """Sets of keys."""

    def assert_bad(self, why: str, content: bytes) -> None:
        """Assert that a set cannot be used."""
        error = self.assertRaises(BadKeySet, read_jwks, content)
        self.assertEqual(why, str(error))

    def test_ids(self) -> None:
        """A key is found by its own id, and by what it is."""
        found = read_jwks(key_set({**PUBLIC, "kid": "mine"}))
        public = KEY.public_key()
        self.assertEqual({"mine", fingerprint(public), thumbprint(public)}, set(found))
        self.assertEqual([public] * 3, [public_key(key) for key in found.values()])

    def test_private(self) -> None:
        """Of a private key the public half is taken."""
        for kind in ("P-256", "RSA", "Ed25519"):
            key = jwk(private_key(kind))
            (found, _) = read_jwks(key_set(key.as_dict(private=True))).values()
            self.assertFalse(found.is_private)

    def test_secret(self) -> None:
        """A secret is known by its id alone."""
        found = read_jwks(key_set({**SECRET, "kid": "s", "key_ops": ["sign"]}))
        self.assertEqual(["s"], list(found))

    def test_own_ids_first(self) -> None:
        """An id that the set gives counts more than one that follows from a key."""
        other: Any = private_key("P-256", "other")
        taken = thumbprint(KEY.public_key())
        named = {**jwk(other).as_dict(private=False), "kid": taken}
        found = read_jwks(key_set(named, PUBLIC))
        self.assertEqual(other.public_key(), public_key(found[taken]))

    def test_passed_over(self) -> None:
        """Keys that are for something else, or of an unknown kind, do not matter."""
        strange = ECKey.import_key(
            ECKey.generate_key("secp256k1").as_pem(private=False)
        ).as_dict(private=False)
        others = [{**PUBLIC, "use": "enc"}, {"kty": "x"}, {}, strange]
        others.append({"kty": "OKP", "crv": "X25519", "x": "AA"})
        self.assertEqual(2, len(read_jwks(key_set(*others, PUBLIC))))
        self.assert_bad("has no key that could sign tokens", key_set(*others))

    def test_malformed(self) -> None:
        """What is no set is told so."""
        for content in (
            *(b"", b"\xff", b"[]", b"{}", b"1", b'{"keys": {}}', b'{"keys": [1]}'),
            b"[" * 100_000,
        ):
            self.assert_bad("is not a JWK set", content)
        self.assert_bad("has no key that could sign tokens", key_set())

    def test_unreadable(self) -> None:
        """A key that cannot be read is told by its number."""
        for member in (
            {**PUBLIC, "x": "AA"},
            {**PUBLIC, "x": 1},
            {**PUBLIC, "x": "ä"},
            {"kty": "RSA"},
            {"kty": "RSA", "n": "AA", "e": "AA"},
            {**PUBLIC, "kid": 1},
            {"kty": "oct", "k": ""},
        ):
            self.assert_bad("key 2 cannot be read", key_set(PUBLIC, member))

    def test_bad_secrets(self) -> None:
        """A secret has to have an id, and to be long enough."""
        self.assert_bad("key 1 is a secret without a kid", key_set(SECRET))
        short = {**secret_jwk(b"s" * 31).as_dict(), "kid": "s"}
        self.assert_bad("key 1 is shorter than 32 bytes", key_set(short))

    def test_public_secret(self) -> None:
        """A public key is not taken for a secret."""
        pem = KEY.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        encoded = {"kty": "oct", "kid": "s", "k": base64url(pem)}
        self.assert_bad("key 1 cannot be read", key_set(encoded))

    def test_same_id(self) -> None:
        """Two keys cannot have the same id."""
        other: Any = jwk(ec.generate_private_key(ec.SECP256R1()))
        named = [{**PUBLIC, "kid": "a"}, {**other.as_dict(private=False), "kid": "a"}]
        self.assert_bad("key 2 has the kid of another one", key_set(*named))
