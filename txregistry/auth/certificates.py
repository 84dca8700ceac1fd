"""Certificates: chains that lead to trusted ones, and a certificate of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID
from OpenSSL.crypto import (
    X509,
    Error,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
    X509StoreFlags,
)

PrivateKey = rsa.RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

_BLOCK: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
)
_BROKEN: Final = frozenset(
    [
        SignatureAlgorithmOID.RSA_WITH_MD5,
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        SignatureAlgorithmOID.DSA_WITH_SHA1,
        SignatureAlgorithmOID.ECDSA_WITH_SHA1,
    ]
)
_UNREADABLE: Final = (ValueError, x509.InvalidVersion, UnsupportedAlgorithm)
_LIFETIME: Final = timedelta(days=20 * 365)


class BadCertificate(Exception):
    """A certificate cannot be read, or does not lead to a trusted one."""


@frozen
class Leaf:
    """The certificate at the end of a chain that holds.

    Attributes:
        certificate: The certificate.
        not_after: When the first one of the chain runs out, seconds since the epoch.
    """

    certificate: x509.Certificate
    not_after: float


class Anchors:
    """Certificates that are trusted, and make those trusted that they have signed.

    As with the Go registry, a trusted certificate need be neither self-signed nor a
    certificate authority's to be trusted itself, and a key may be meant for any use.
    """

    def __init__(self, certificates: Sequence[x509.Certificate]) -> None:
        """Take the trusted certificates."""
        self._anchors = [X509.from_cryptography(each) for each in certificates]

    def verify(self, chain: Sequence[x509.Certificate], now: float) -> Leaf:
        """Check that a chain leads to a trusted certificate.

        Args:
            chain: The leaf, then what may lie between, in any order.
            now: The time, in seconds since the epoch.

        Raises:
            BadCertificate: It does not; or not now.
        """
        store = X509Store()
        for anchor in self._anchors:
            store.add_cert(anchor)
        store.set_time(datetime.fromtimestamp(now, UTC))
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
        try:
            leaf, *others = [X509.from_cryptography(each) for each in chain]
            context = X509StoreContext(store, leaf, others)
            found = [each.to_cryptography() for each in context.get_verified_chain()]
        except (X509StoreContextError, Error) as error:
            raise BadCertificate(str(error)) from None
        finally:
            _forget_errors()
        # What an anchor is signed with does not matter: it is trusted itself.
        if any(each.signature_algorithm_oid in _BROKEN for each in found[:-1]):
            raise BadCertificate("signed with a broken hash algorithm")
        ends = [each.not_valid_after_utc.timestamp() for each in found]
        return Leaf(found[0], min(ends))


def _forget_errors() -> None:
    """Empty OpenSSL's list of errors, which verifying leaves behind.

    The list is the thread's, and TLS looks into it: a forged chain would have ended
    other clients' connections. Failing is what empties it, in pyOpenSSL.
    """
    with suppress(Error):
        X509Store().load_locations(None)


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate.

    Raises:
        BadCertificate: It cannot be read.
    """
    try:
        return x509.load_der_x509_certificate(der)
    except _UNREADABLE:
        raise BadCertificate("cannot be read") from None


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read the CERTIFICATE blocks of a PEM text; others do not matter.

    Returns:
        At least one.

    Raises:
        BadCertificate: There is none, or one cannot be read.
    """
    blocks = list(_BLOCK.findall(pem))
    if not blocks:
        raise BadCertificate("has no CERTIFICATE block")
    return list(_parsed(blocks))


def _parsed(blocks: Sequence[bytes]) -> Iterator[x509.Certificate]:
    for number, block in enumerate(blocks, 1):
        try:
            yield x509.load_pem_x509_certificate(block)
        except _UNREADABLE:
            raise BadCertificate(f"certificate {number} cannot be read") from None


def self_signed(key: PrivateKey, common_name: str, now: float) -> x509.Certificate:
    """Make a certificate that other registries can put into their rootcertbundle.

    It vouches for the key and for nothing else: it can sign no other certificate.

    Args:
        key: The key that it is for.
        common_name: What it is called, of which 64 characters count.
        now: The time, in seconds since the epoch.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    begin = datetime.fromtimestamp(int(now), UTC) - timedelta(days=1)  # slow clocks
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(_SIGNS_ONLY, True)
    )
    algorithm = None if isinstance(key, Ed25519PrivateKey) else SHA256()
    return builder.sign(key, algorithm)


_SIGNS_ONLY: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
