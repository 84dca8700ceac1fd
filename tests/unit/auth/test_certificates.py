"""Tests of txregistry.auth.certificates."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL._util import lib
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import HOUR, NOW, certificate, pem_of, private_key
from txregistry.auth.certificates import (
    Anchors,
    BadCertificate,
    read_certificate,
    read_certificates,
    self_signed,
)


class AnchorsTests(SynchronousTestCase):
    """Chains that lead to a trusted certificate."""

    def setUp(self) -> None:
        """Make an authority, one below it, and a leaf below that."""
        self.root_key = private_key("P-256", "root")
        self.middle_key = private_key("P-256", "middle")
        self.leaf_key = private_key("P-256", "leaf")
        self.root = certificate(self.root_key, "root", authority=True)
        self.middle = self.below_root(authority=True)
        self.leaf = certificate(self.leaf_key, "leaf", self.middle_key, "middle")
        self.anchors = Anchors([self.root])

    def below_root(self, authority: bool) -> x509.Certificate:
        """Make the certificate between root and leaf."""
        return certificate(
            self.middle_key, "middle", self.root_key, "root", authority=authority
        )

    def assert_refused(
        self, why: str, *chain: x509.Certificate, now: float = NOW
    ) -> None:
        """Assert that a chain does not hold."""
        error = self.assertRaises(BadCertificate, self.anchors.verify, chain, now)
        self.assertIn(why, str(error))

    def test_chain(self) -> None:
        """A leaf is trusted by what lies between, whatever its key is meant for."""
        found = self.anchors.verify([self.leaf, self.middle], NOW)
        self.assertEqual((self.leaf, NOW + HOUR), (found.certificate, found.not_after))

    def test_first_end(self) -> None:
        """It is trusted until the first of the chain runs out."""
        leaf = certificate(
            self.leaf_key, "leaf", self.root_key, "root", end=NOW + 2 * HOUR
        )
        self.assertEqual(NOW + HOUR, self.anchors.verify([leaf], NOW).not_after)

    def test_trusted_leaf(self) -> None:
        """A trusted certificate need not be self-signed, nor an authority's."""
        for trusted in (self.leaf, certificate(self.leaf_key)):
            found = Anchors([trusted]).verify([trusted], NOW)
            self.assertEqual(trusted, found.certificate)

    def test_missing_link(self) -> None:
        """Without what lies between it does not hold."""
        self.assert_refused("unable to get local issuer", self.leaf)

    def test_no_authority(self) -> None:
        """Who may not sign certificates cannot."""
        self.assert_refused("invalid CA", self.leaf, self.below_root(authority=False))

    def test_forged(self) -> None:
        """The issuer's name is not enough; and no error stays behind.

        TLS in the same thread would take it for one of its own.
        """
        forged = certificate(self.leaf_key, "leaf", self.leaf_key, "root")
        self.assert_refused("signature failure", forged)
        self.assertEqual(0, lib.ERR_peek_error())

    def test_dates(self) -> None:
        """It holds in its time alone, which the given clock tells."""
        self.assert_refused("expired", self.leaf, self.middle, now=NOW + 2 * HOUR)
        self.assert_refused("not yet valid", self.leaf, self.middle, now=NOW - 2 * HOUR)

    def test_weak(self) -> None:
        """A signature by SHA-1 counts for nothing."""
        self.anchors = Anchors(read_certificates(SHA1_ROOT))
        self.assert_refused("broken hash", *read_certificates(SHA1_LEAF))

    def test_weak_anchor(self) -> None:
        """How a trusted certificate itself is signed does not matter."""
        (leaf,) = read_certificates(SHA1_LEAF)
        self.assertEqual(leaf, Anchors([leaf]).verify([leaf], NOW).certificate)

    def test_nothing_trusted(self) -> None:
        """Without anchors nothing holds."""
        self.anchors = Anchors([])
        self.assert_refused("self-signed", self.root)


class BundleTests(SynchronousTestCase):
    """PEM files."""

    def test_blocks(self) -> None:
        """All certificates are read; other blocks and text between are passed over."""
        first, second = certificate(private_key()), certificate(private_key("RSA"))
        text = (
            b"# mine\n-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"
            + pem_of(first)
            + b"\n# theirs\n"
            + pem_of(second)
        )
        self.assertEqual([first, second], read_certificates(text))

    def test_bad(self) -> None:
        """What cannot be read is told by its number."""
        text = pem_of(certificate(private_key())) + (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        )
        error = self.assertRaises(BadCertificate, read_certificates, text)
        self.assertEqual("certificate 2 cannot be read", str(error))

    def test_version(self) -> None:
        """A certificate of a version that there is not cannot be read."""
        der = bytearray(certificate(private_key()).public_bytes(Encoding.DER))
        self.assertEqual(2, der[(at := der.index(b"\xa0\x03\x02\x01") + 4)])
        der[at] = 10
        self.assertRaises(BadCertificate, read_certificate, bytes(der))

    def test_none(self) -> None:
        """A bundle without any is none."""
        error = self.assertRaises(BadCertificate, read_certificates, b"hello")
        self.assertEqual("has no CERTIFICATE block", str(error))


class SelfSignedTests(SynchronousTestCase):
    """Certificates of our own."""

    def test_holds(self) -> None:
        """It is good where it is trusted, today and for years, and is no authority."""
        for kind in ("P-256", "RSA", "Ed25519"):
            made = self_signed(private_key(kind), "tokens of a", NOW)
            later = NOW + 19 * 365 * 24 * HOUR
            self.assertEqual(made, Anchors([made]).verify([made], later).certificate)
            constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
            self.assertFalse(constraints.value.ca)

    def test_slow_clocks(self) -> None:
        """It is good already where the clock is slow."""
        made = self_signed(private_key(), "a", NOW)
        self.assertLess(made.not_valid_before_utc, datetime.fromtimestamp(NOW, UTC))


SHA1_ROOT = b"""\
-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUaCilbh999BJullCbuhnrEMWsEgwwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjIwMTU1NTZaGA8yMTI2MTAyOTAxNTU1
NlowDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABL1M
riWVYlKt0/V4/K1ZyVzaAEeRjPqAbjy3tmnBFiTOkkcBm1SU8uGsFBkyVBRSI8We
a+EfI4dCxh6GD9ss9K6jUzBRMB0GA1UdDgQWBBRdfTpXUClSywol22eDwt2j1xpy
7jAfBgNVHSMEGDAWgBRdfTpXUClSywol22eDwt2j1xpy7jAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIG/pu1SF4SsaQsDi53hq29E108+i1+6QGpSR
1MRw3pHWAiBzF66DupPrMBMTOy+J/8xXjzm1Pr4oZOnxWk9d/pek/Q==
-----END CERTIFICATE-----
"""
"""An authority that has signed the next one, made by OpenSSL."""

SHA1_LEAF = b"""\
-----BEGIN CERTIFICATE-----
MIIBGDCBwAIULPLzbBNsYwb1gmMMj+/LCNgxFMgwCQYHKoZIzj0EATAPMQ0wCwYD
VQQDDARyb290MCAXDTI2MTEyMjAxNTU1NloYDzIxMjYxMDI5MDE1NTU2WjAPMQ0w
CwYDVQQDDARsZWFmMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEN0pXnkCEnAmD
F+a2ALhFPnl69BaK/Ok80JvlQXNti9nv/bnueOWwKmt8iOnq2p+RIc/lZS1dlsYl
a544FG1TZTAJBgcqhkjOPQQBA0gAMEUCIBd4YTNKewS168s2oCi9xbOaO5mjy+0K
4FQeExdOI8+NAiEA3HzzNmBN2ggFnLsQt6dtl2U75VGJUUodpAnZ9KPUrnA=
-----END CERTIFICATE-----
"""
"""A certificate signed by ECDSA with SHA-1, which cryptography does not make."""
