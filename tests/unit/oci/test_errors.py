"""Tests of txregistry.oci.errors."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.errors import (
    BlobUnknown,
    ManifestBlobUnknown,
    RangeNotSatisfiable,
    RegistryError,
    Schema1Unsupported,
    Several,
)


class RegistryErrorTests(SynchronousTestCase):
    """Errors in the envelope."""

    def test_plain(self) -> None:
        """An error says its code and message; without a detail there is none."""
        self.assertEqual(
            {"code": "BLOB_UNKNOWN", "message": "blob unknown to registry"},
            BlobUnknown().to_json(),
        )

    def test_detail(self) -> None:
        """A detail may be any JSON, an empty one too."""
        self.assertEqual({}, BlobUnknown({}).to_json()["detail"])

    def test_message(self) -> None:
        """An instance may have a message of its own."""
        self.assertEqual("gone", BlobUnknown(message="gone").to_json()["message"])
        self.assertEqual("blob unknown to registry", BlobUnknown.message)

    def test_codes(self) -> None:
        """A code is of upper-case letters and underscores (Error Codes)."""
        for error in _subclasses(RegistryError):
            self.assertRegex(error.code, "^[A-Z_]+$")

    def test_several(self) -> None:
        """The first of several errors gives the answer its status."""
        error = Several([ManifestBlobUnknown("a"), BlobUnknown("b")])
        self.assertEqual((400, 2), (error.status, len(error.errors)))

    def test_range_not_satisfiable(self) -> None:
        """An unsatisfiable range is answered with the size (RFC 9110 15.5.17)."""
        error = RangeNotSatisfiable(10)
        self.assertEqual(
            (416, {"Content-Range": "bytes */10"}), (error.status, error.headers)
        )

    def test_schema1(self) -> None:
        """A manifest of schema version 1 is refused as an invalid one."""
        error = Schema1Unsupported()
        self.assertEqual((400, "MANIFEST_INVALID"), (error.status, error.code))


def _subclasses(error: type[RegistryError]) -> list[type[RegistryError]]:
    """Return a class and all that derive from it."""
    found = [error]
    for each in error.__subclasses__():
        found += _subclasses(each)
    return found
