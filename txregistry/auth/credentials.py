"""Credentials: what clients show beside a name and a password."""

from __future__ import annotations

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, implementer


class IBearerToken(ICredentials):
    """A token that says itself who it is for and what that one may do."""

    text = Attribute("The token, as it stood in the request (str).")


@implementer(IBearerToken)
@frozen
class BearerToken:
    """A token out of an ``Authorization: Bearer`` header; its repr does not show it."""

    text: str = field(repr=lambda text: f"<{len(text)} characters>")


class IClientCertificate(ICredentials):
    """A certificate with which a TLS client has shown that it has the key for it."""

    common_name = Attribute("The subject's common name (str); None: it has none.")
    subject = Attribute("The whole subject, ``CN=…,O=…`` as RFC 4514 writes it (str).")
    fingerprint = Attribute("SHA-256 of the certificate, hexadecimal (str).")


@implementer(IClientCertificate)
@frozen
class ClientCertificate:
    """A client certificate that TLS has verified."""

    common_name: str | None
    subject: str
    fingerprint: str

    @classmethod
    def of(cls, certificate: x509.Certificate) -> ClientCertificate:
        """Describe a certificate. The most specific common name counts."""
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return cls(
            common_name=str(names[-1].value) if names else None,
            subject=certificate.subject.rfc4514_string(),
            fingerprint=certificate.fingerprint(SHA256()).hex(),
        )
