"""Certificates: authorities of the tests' own, and what they issue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_DAY: Final = timedelta(days=1)
_LOCAL: Final = (x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1")))


@frozen
class Issued:
    """A certificate, its key, and the certificates that lead to the root's.

    Attributes:
        certificate: The certificate.
        key: Its private key.
        between: The authorities on the way to the root, without it.
    """

    certificate: x509.Certificate
    key: PrivateKey
    between: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate and those between."""
        return b"".join(pem_of(each) for each in (self.certificate, *self.between))

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key, encrypted if a passphrase is given."""
        encryption = (
            NoEncryption()
            if passphrase is None
            else BestAvailableEncryption(passphrase)
        )
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def write(self, folder: Path, stem: str = "server") -> tuple[str, str]:
        """Write certificate and key; return the paths."""
        certificate, key = folder / f"{stem}.crt", folder / f"{stem}.key"
        certificate.write_bytes(self.pem)
        key.write_bytes(self.key_pem())
        return str(certificate), str(key)


class Authority:
    """A certificate authority.

    Attributes:
        certificate: Its certificate.
        path: It and what is above it, without the root.
    """

    def __init__(self, name: str = "tests", parent: Authority | None = None) -> None:
        """Make one.

        Args:
            name: Its common name.
            parent: The authority that vouches for it; None: it is a root.
        """
        self._key = ec.generate_private_key(ec.SECP256R1())
        signer = self._key if parent is None else parent._key
        issuer = name if parent is None else common_name(parent.certificate)
        builder = _builder(name, issuer, self._key, _now() - _DAY, _now() + 3650 * _DAY)
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        self.certificate: x509.Certificate = _sign(builder, signer)
        self.path: tuple[x509.Certificate, ...] = (
            () if parent is None else (self.certificate, *parent.path)
        )

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return pem_of(self.certificate)

    def write(self, folder: Path, name: str = "ca.crt") -> str:
        """Write its certificate; return the path."""
        path = folder / name
        path.write_bytes(self.pem)
        return str(path)

    def issue(
        self,
        name: str = "localhost",
        days: float = 30,
        begins: float = -1,
        kind: str = "ec",
        is_client: bool = False,
        units: Sequence[str] = (),
    ) -> Issued:
        """Issue a certificate.

        Args:
            name: Its common name.
            days: For how many days from now it is good.
            begins: In how many days it becomes good.
            kind: Its key: ``ec``, ``ed25519``, ``rsa`` or ``short`` (RSA, 1024 bits).
            is_client: Whether it is a client's, and no server's on this machine.
            units: The organizational units of its subject.
        """
        key = make_key(kind)
        begin, end = _now() + begins * _DAY, _now() + days * _DAY
        issuer = common_name(self.certificate)
        builder = _builder(name, issuer, key, begin, end, units)
        if is_client:
            usage = ExtendedKeyUsageOID.CLIENT_AUTH
        else:
            usage = ExtendedKeyUsageOID.SERVER_AUTH
            names = x509.SubjectAlternativeName(_LOCAL)
            builder = builder.add_extension(names, False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        return Issued(_sign(builder, self._key), key, self.path)


def make_key(kind: str) -> PrivateKey:
    """Make a private key; for the kinds see Authority.issue."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 1024 if kind == "short" else 2048)


def pem_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate in PEM form."""
    return certificate.public_bytes(Encoding.PEM)


def common_name(certificate: x509.Certificate) -> str:
    """Return the common name of a certificate's subject."""
    [name] = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def _now() -> datetime:
    return datetime.now(UTC)


def _builder(
    name: str,
    issuer: str,
    key: PrivateKey,
    begin: datetime,
    end: datetime,
    units: Sequence[str] = (),
) -> x509.CertificateBuilder:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    subject += [
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, each) for each in units
    ]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(identifier, False)
    )


def _sign(
    builder: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    public_key = signer.public_key()
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)
    return builder.add_extension(by, False).sign(signer, SHA256())
