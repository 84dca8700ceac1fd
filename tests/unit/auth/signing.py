"""Signing: keys, certificates and tokens to try the verifier with."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.auth.certificates import PrivateKey
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.tokens import TokenVerifier
from txregistry.interfaces import IAccessPolicy, Identity, LoginFailed
from txregistry.oci.access import Access

NOW: Final = 1_800_000_000
HOUR: Final = 3600
ISSUER: Final = "auth.example.com"
SERVICE: Final = "registry.example.com"

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_KINDS: Final = {
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
}


def private_key(kind: str = "P-256", which: str = "first") -> PrivateKey:
    """Make a key, once; another one for each name.

    Args:
        kind: ``RSA``, ``Ed25519`` or a curve.
        which: A name.
    """
    return _generated_key(kind, which)


@cache
def _generated_key(kind: str, _which: str) -> PrivateKey:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[kind])


def jwk(key: PrivateKey, **parameters: Any) -> Key:
    """Return a key as joserfc takes it, private half and all."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAKey.import_key(pem, parameters)  # type: ignore[arg-type]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECKey.import_key(pem, parameters)  # type: ignore[arg-type]
    return OKPKey.import_key(pem, parameters)  # type: ignore[arg-type]


def secret_jwk(content: bytes = b"s" * 64) -> OctKey:
    """Return a secret as joserfc takes it."""
    return OctKey.import_key(content)


@cache
def key_for(alg: str) -> Key:
    """Make a key for an algorithm; RSA's share one, and so do HMAC's."""
    if alg.startswith("HS"):
        return _shared_secret()
    return shared_jwk(_KINDS.get(alg, "RSA"))


@cache
def _shared_secret() -> Key:
    return secret_jwk()


@cache
def shared_jwk(kind: str, which: str = "first") -> Key:
    """Return ``private_key`` as joserfc takes it; reading one takes its time."""
    return jwk(private_key(kind, which))


def certificate(
    key: PrivateKey,
    name: str = "tokens",
    signed_by: PrivateKey | None = None,
    issuer: str | None = None,
    authority: bool = False,
    begin: float = NOW - HOUR,
    end: float = NOW + HOUR,
) -> x509.Certificate:
    """Make a certificate.

    Args:
        key: The key that it is for.
        name: Its common name; empty: it has none.
        signed_by: What key it is signed with; None: its own.
        issuer: The issuer's name; None: its own.
        authority: Whether it may sign others.
        begin: From when it is good.
        end: Until when.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(begin, UTC))
        .not_valid_after(datetime.fromtimestamp(end, UTC))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True)
    )
    signer = signed_by or key
    ed = isinstance(signer, ed25519.Ed25519PrivateKey)
    return builder.sign(signer, None if ed else SHA256())


def pem_of(*certificates: x509.Certificate) -> bytes:
    """Return certificates as a bundle."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def x5c_of(*certificates: x509.Certificate) -> list[str]:
    """Return certificates as a header has them."""
    return [
        b64encode(each.public_bytes(Encoding.DER)).decode() for each in certificates
    ]


def _named(name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    return x509.Name(attributes)


def base64url(content: bytes) -> str:
    """Encode as JOSE does."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


MISSING: Final = object()
"""Takes a claim away."""


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with changes."""
    good = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": SERVICE,
        "exp": NOW + 300,
        "nbf": NOW,
        "iat": NOW,
        "jti": "one",
        "access": [{"type": "repository", "name": "a/b", "actions": ["pull", "push"]}],
    }
    changed = {**good, **changes}
    return {name: value for name, value in changed.items() if value is not MISSING}


GRANTS: Final = frozenset(
    [Access("repository", "a/b", "pull"), Access("repository", "a/b", "push")]
)
"""What ``claims`` lets its bearer do."""


def signed(
    key: Key,
    header: Mapping[str, Any] | bytes,
    payload: Mapping[str, Any] | bytes | None = None,
    alg: str | None = None,
) -> str:
    """Sign anything.

    Args:
        key: With what.
        header: The header.
        payload: The payload; None: good claims.
        alg: How; None: as the header says.
    """
    if payload is None:
        payload = claims()
    first = header if isinstance(header, bytes) else json.dumps(header).encode()
    second = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    if alg is None:
        alg = json.loads(first)["alg"]
    content = f"{base64url(first)}.{base64url(second)}"
    signature = JWSRegistry.algorithms[alg].sign(content.encode(), key)
    return f"{content}.{base64url(signature)}"


def values(*each: Any) -> tuple[Any, ...]:
    """Return values of several types, as one type."""
    return each


@implementer(IAccessPolicy)
class Allowing:
    """A policy that allows some things, to whomever."""

    def __init__(self, *allowed: Access) -> None:
        """Take what is allowed; nothing: everything."""
        self._allowed = frozenset(allowed)

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        return not self._allowed or access in self._allowed


class TokenTestCase(SynchronousTestCase):
    """Base of the tests that verify tokens."""

    def setUp(self) -> None:
        """Set the clock."""
        self.clock = Clock()
        self.clock.advance(NOW)

    def verifier(
        self, keys: TrustedKeys, algorithms: Collection[str] = (), remembered: int = 9
    ) -> TokenVerifier:
        """Make a verifier."""
        return TokenVerifier(keys, ISSUER, SERVICE, self.clock, algorithms, remembered)

    def assert_refused(self, verifier: TokenVerifier, text: str) -> None:
        """Assert that a token does not hold."""
        error = self.assertRaises(LoginFailed, verifier.verify, text)
        self.assertEqual("invalid_token", error.problem)
