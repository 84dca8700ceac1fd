"""Key ids: how tokens name the public key that they are signed with."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def fingerprint(key: PublicKey) -> str:
    """Return a key's id in the style of libtrust, which the Go registry 2 goes by.

    It is 240 bits of the SHA-256 of the DER public key: ``ABCD:EFGH:…``, 12 groups.
    """
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def thumbprint(key: PublicKey) -> str:
    """Return a key's id after RFC 7638, which the Go registry 3 goes by."""
    return public_jwk(key).thumbprint()


def public_jwk(key: PublicKey) -> Key:
    """Return a key as joserfc takes it."""
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa.RSAPublicKey):
        return RSAKey.import_key(pem)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return ECKey.import_key(pem)
    return OKPKey.import_key(pem)


def public_key(key: Key) -> PublicKey | None:
    """Return the public half of a key; None: it is a secret and has none."""
    half: Any = None if isinstance(key, OctKey) else key.public_key
    return half  # type: ignore[no-any-return]  # joserfc's is one of more kinds


def key_of(certificate: x509.Certificate) -> PublicKey | None:
    """Return a certificate's key; None: it is of a kind that signs no tokens."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key if isinstance(key.curve, _CURVES) else None
    return key if isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey) else None
