"""Tests of txregistry.auth.keyids."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.jwk import RSAKey
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import certificate, jwk, private_key, secret_jwk
from txregistry.auth.certificates import read_certificates
from txregistry.auth.keyids import (
    fingerprint,
    key_of,
    public_jwk,
    public_key,
    thumbprint,
)

_MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6"
    "tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v"
    "-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08q"
    "NLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8aw"
    "apJzKnqDKgw"
)


class KeyIdTests(SynchronousTestCase):
    """Ids that follow from a key."""

    def test_thumbprint(self) -> None:
        """A thumbprint is that of the standard's example (RFC 7638, 3.1)."""
        key = RSAKey.import_key({"kty": "RSA", "n": _MODULUS, "e": "AQAB"}).public_key
        expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        self.assertEqual(expected, thumbprint(key))

    def test_fingerprint(self) -> None:
        """A fingerprint is that by which the Go registry 2.8.2 has found this key."""
        key = load_pem_public_key(PUBLIC_KEY)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual(FINGERPRINT, fingerprint(key))

    def test_kinds(self) -> None:
        """All kinds of keys have both ids, and come back as they were."""
        group = "[A-Z2-7]{4}"
        for kind in ("P-256", "P-384", "P-521", "RSA", "Ed25519"):
            key = private_key(kind).public_key()
            self.assertTrue(re.fullmatch(f"{group}(:{group}){{11}}", fingerprint(key)))
            self.assertEqual(43, len(thumbprint(key)))
            self.assertEqual(key, public_key(public_jwk(key)))
            self.assertEqual(key, public_key(jwk(private_key(kind))))

    def test_secret(self) -> None:
        """A secret has no public half."""
        self.assertIsNone(public_key(secret_jwk()))

    def test_certificates(self) -> None:
        """A certificate has a key, unless it is of a kind that signs no tokens."""
        signer = private_key()
        for kind in ("P-256", "P-521", "RSA", "Ed25519"):
            key = private_key(kind)
            self.assertEqual(key.public_key(), key_of(certificate(key)))
        for strange in (
            ec.generate_private_key(ec.SECP256K1()),
            ed448.Ed448PrivateKey.generate(),
            dsa.generate_private_key(1024),
        ):
            made = certificate(strange, signed_by=signer)  # type: ignore[arg-type]
            self.assertIsNone(key_of(made))
        (unknown,) = read_certificates(SM2_CERTIFICATE)
        self.assertIsNone(key_of(unknown))

    def test_small_exponent(self) -> None:
        """A key with another exponent than usual has its own thumbprint."""
        key = rsa.generate_private_key(3, 2048).public_key()
        self.assertNotEqual(
            thumbprint(key), thumbprint(private_key("RSA").public_key())
        )


PUBLIC_KEY = b"""\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKlSBSHi/CIzxo8Fq2n+sENAkKZK0
qG+i3FiJxwD3S+p9vJblQaP25ElizMYmxKnvBi17hzjcOWS7jaGyLVUg4w==
-----END PUBLIC KEY-----
"""
FINGERPRINT = "BRAZ:N6PQ:P236:GP4K:QFZR:3FCM:J5TA:SXMR:SH4I:RQAO:M4SQ:FHUC"
SM2_CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIIBGTCBwAIULPLzbBNsYwb1gmMMj+/LCNgxFMowCgYIKoZIzj0EAwIwDzENMAsG
A1UEAwwEcm9vdDAgFw0yNjExMjIwMjAxMzdaGA8yMTI2MTAyOTAyMDEzN1owDjEM
MAoGA1UEAwwDc20yMFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEFY2gZWhxpBsN
zXfo1IjatZBa4p53BvbyeYGyX0mvTqpbV3VWzmZbtNvQJ72Bkx5j19ZWqpN0p2ac
30GeO6mW4TAKBggqhkjOPQQDAgNIADBFAiAZo+UcAZizkKNhwlvBrO4bUi+3c6LM
axDuNkonqYYZ+QIhAOMG5i2av+tRM1sS8aDhpbUrxD+u5uXMioYO9sK6hnzd
-----END CERTIFICATE-----
"""
"""For a key on a curve that cryptography does not know, made by OpenSSL."""
