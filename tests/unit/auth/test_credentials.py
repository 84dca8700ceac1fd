"""Tests of txregistry.auth.credentials."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.auth.signing import certificate, private_key
from txregistry.auth.credentials import (
    BearerToken,
    ClientCertificate,
    IBearerToken,
    IClientCertificate,
)


class BearerTokenTests(SynchronousTestCase):
    """Tokens out of a header."""

    def test_interface(self) -> None:
        """They are credentials of their own kind."""
        verifyObject(IBearerToken, BearerToken("a.b.c"))

    def test_masked(self) -> None:
        """Their repr does not give them away."""
        self.assertEqual("BearerToken(text=<5 characters>)", repr(BearerToken("a.b.c")))


class ClientCertificateTests(SynchronousTestCase):
    """Certificates of TLS clients."""

    def test_interface(self) -> None:
        """They are credentials of their own kind."""
        verifyObject(IClientCertificate, ClientCertificate("a", "CN=a", "00"))

    def test_described(self) -> None:
        """A certificate is told by its names and its fingerprint."""
        shown = certificate(private_key(), "robot-1")
        self.assertEqual(
            ClientCertificate(
                "robot-1", "CN=robot-1", shown.fingerprint(SHA256()).hex()
            ),
            ClientCertificate.of(shown),
        )

    def test_nameless(self) -> None:
        """A certificate needs no common name."""
        shown = certificate(private_key(), "")
        self.assertIsNone(ClientCertificate.of(shown).common_name)
