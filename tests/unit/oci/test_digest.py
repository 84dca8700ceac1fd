"""Tests of txregistry.oci.digest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import digests, generated, header_like
from txregistry.oci.digest import Digest
from txregistry.oci.errors import DigestInvalid

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class DigestTests(SynchronousTestCase):
    """Reading, writing and computing digests."""

    def refused(self, text: str) -> DigestInvalid:
        """Return the error that a text is refused with."""
        error: DigestInvalid = self.assertRaises(DigestInvalid, Digest.parse, text)
        return error

    def test_parts(self) -> None:
        """A digest is an algorithm and what it made, with a colon between."""
        self.assertEqual(Digest("sha256", EMPTY), Digest.parse(f"sha256:{EMPTY}"))

    def test_of(self) -> None:
        """The digest of a content is SHA-256's unless another is asked for."""
        self.assertEqual(f"sha256:{EMPTY}", str(Digest.of(b"")))

    def test_length(self) -> None:
        """Each algorithm has its own length."""
        self.refused(f"sha512:{EMPTY}")

    def test_upper_case(self) -> None:
        """Hexadecimal digits are lower case (image-spec: SHA-256)."""
        self.refused(f"sha256:{EMPTY.upper()}")

    def test_unsupported(self) -> None:
        """An algorithm that is registered but not offered here is refused."""
        self.refused(f"blake3:{EMPTY}")

    def test_no_colon(self) -> None:
        """Without a colon there is no algorithm."""
        self.refused("sha256")

    def test_newline(self) -> None:
        """A newline at the end is not overlooked."""
        self.refused(f"sha256:{EMPTY}\n")

    def test_quote(self) -> None:
        """The error quotes no more than a person reads."""
        self.assertEqual("x" * 256, self.refused("x" * 100_000).detail)

    @generated
    @given(digests)
    def test_round_trip(self, digest: Digest) -> None:
        """What is written is read as the same digest."""
        self.assertEqual(digest, Digest.parse(str(digest)))

    @generated
    @given(header_like("sha25638411:abcdef0") | st.just(f"sha256:{EMPTY}"))
    def test_any_text(self, text: str) -> None:
        """Any text is a digest that is written the same way, or DIGEST_INVALID."""
        try:
            digest = Digest.parse(text)
        except DigestInvalid:
            return
        self.assertEqual(text, str(digest))
