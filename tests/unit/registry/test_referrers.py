"""Tests of txregistry.registry.referrers: the tag that clients keep an index under.

Lists of referrers are tried on a wire, in ``tests.unit.web.routes.test_referrers``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCI_INDEX
from txregistry.registry.referrers import referrers_tag

LONG_ALGORITHM = (
    "test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise"
    "+overall+truncation"
)
LONG_ENCODED = (
    "alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharacters"
    "ToExcerciseEncodedTruncation"
)


class ReferrersTagTests(SynchronousTestCase):
    """The specification's table (Referrers Tag Schema)."""

    def test_table(self) -> None:
        """Algorithm and encoded part are cut, and what no tag can hold is replaced."""
        table = {
            Digest("sha256", "a" * 64): "sha256-" + "a" * 64,
            Digest("sha512", "a" * 128): "sha512-" + "a" * 64,
            Digest(LONG_ALGORITHM, LONG_ENCODED): (
                "test-algorithm-using-algorithm-s-"
                "alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot"
            ),
        }
        for digest, tag in table.items():
            self.assertEqual(tag, str(referrers_tag(digest)))


class ForgetTests(StoreCase):
    """Forgetting."""

    def test_nothing_to_forget(self) -> None:
        """A manifest without a subject, or without a record, is forgotten already."""
        referrers = self.repository.referrers
        plain = Manifest(OCI_INDEX, b"")
        self.assertEqual([], referrers.recording(plain, Digest.of(b"")))
        self.run_now(referrers.forget(plain, Digest.of(b"")))
        content = (
            b'{"schemaVersion":2,"manifests":[],"subject":{"mediaType":"a/b",'
            b'"digest":"%s","size":1}}' % str(Digest.of(b"x")).encode()
        )
        referring = Manifest.parse(content, OCI_INDEX)
        self.run_now(referrers.forget(referring, Digest.of(content)))
