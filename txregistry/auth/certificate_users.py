"""CertificateUsers: clients whose TLS certificate says who they are."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from txregistry.auth.challenges import parameter
from txregistry.auth.credentials import IClientCertificate
from txregistry.deferreds import deferred
from txregistry.interfaces import Identity, IQuickAuthenticator
from txregistry.oci.access import Access


@implementer(IQuickAuthenticator)
class CertificateAuthenticator:
    """Takes a client for the common name of its certificate, which TLS has verified."""

    @deferred
    async def authenticate(self, credentials: object, address: str) -> Identity | None:
        """See IAuthenticator."""
        return self.recall(credentials, address)

    def recall(self, credentials: object, address: str) -> Identity | None:
        """See IQuickAuthenticator: the certificate itself says all."""
        if not IClientCertificate.providedBy(credentials):
            return None
        return Identity(IClientCertificate(credentials).common_name, "certificate")

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator. HTTP has no scheme for certificates."""
        return f"Basic {parameter('realm', 'a client certificate')}"
