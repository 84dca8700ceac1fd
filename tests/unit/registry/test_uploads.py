"""Tests of txregistry.registry.uploads: what a session is in the store.

What clients see is tried on a wire, in ``tests.unit.web.routes``; what crashes leave,
in ``test_crashes``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tests.unit.registry.case import StoreCase
from tests.unit.registry.test_hashstates import NO_STATES
from txregistry.oci.digest import Digest
from txregistry.oci.errors import BlobUploadUnknown, RangeInvalid
from txregistry.oci.names import Name
from txregistry.registry.blobs import Blobs
from txregistry.registry.layout import RepositoryLayout, UploadLayout, blob_data
from txregistry.registry.uploads import Upload, Uploads
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import CHANGES

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
SESSION = "12345678-1234-4234-8234-123456789abc"
LAYOUT = RepositoryLayout(Name("a/b"))
PATHS = UploadLayout(LAYOUT.upload(SESSION))


class UploadsTests(StoreCase):
    """A session of a known id."""

    def setUp(self) -> None:
        """Make the store; it is a second after the epoch's third hour."""
        super().setUp()
        self.clock.advance(10801)
        self.faulty = FaultyDriver(MemoryDriver(self.clock))
        self.use(self.faulty)
        blobs = Blobs(self.driver, LAYOUT)
        self.uploads = Uploads(
            self.driver, LAYOUT, blobs, self.clock, new_id=lambda: SESSION
        )

    def content(self, path: str) -> bytes:
        """Return what is at a path."""
        return self.successResultOf(self.driver.get_content(path))

    def changes(self) -> list[tuple[str, str]]:
        """Return what was changed in the store."""
        return [
            (operation.name, operation.path)
            for operation in self.faulty.operations
            if operation.name in CHANGES
        ]

    def test_start(self) -> None:
        """A session is an empty file, and the time as the Go registry writes it."""
        upload = self.run_now(self.uploads.start())
        started_at = datetime(1970, 1, 1, 3, 0, 1, tzinfo=UTC)
        self.assertEqual(Upload(SESSION, 0, started_at), upload)
        self.assertEqual([PATHS.data, PATHS.started_at], self.paths())
        self.assertEqual(b"1970-01-01T03:00:01Z", self.content(PATHS.started_at))
        self.assertEqual(upload, self.run_now(self.uploads.find(SESSION)))

    def test_durable(self) -> None:
        """The bytes of a chunk are durable before the state that stands for them is."""
        upload = self.run_now(self.uploads.start())
        self.run_now(self.uploads.append(upload, self.source(CONTENT)))
        state = PATHS.hash_state("sha256", len(CONTENT))
        changes = self.changes()
        self.assertLess(
            changes.index(("sync", PATHS.data)), changes.index(("write", state))
        )

    test_durable.skip = NO_STATES  # type: ignore[attr-defined]  # trial's way

    def test_commit(self) -> None:
        """The commit makes the content durable where it belongs, then links it."""
        upload = self.run_now(self.uploads.start())
        self.faulty.operations.clear()
        blob = self.run_now(self.uploads.commit(upload, DIGEST, self.source(CONTENT)))
        expected = [
            ("open_writer", PATHS.data),
            ("write", PATHS.data),
            ("commit", PATHS.data),
            ("put_content", LAYOUT.layer_link(DIGEST)),
            ("delete", PATHS.root),
        ]
        self.assertEqual(expected, self.changes())
        self.assertEqual((blob_data(DIGEST), 10), (blob.path, blob.size))
        self.assertEqual(CONTENT, self.content(blob.path))

    def test_states(self) -> None:
        """A state of the hash is kept at each offset at which a request ended."""
        upload = self.run_now(self.uploads.start())
        upload = self.run_now(self.uploads.append(upload, self.source(CONTENT[:4])))
        self.run_now(self.uploads.append(upload, self.source(CONTENT[4:])))
        found = self.driver.list_children(f"{PATHS.hash_states}/sha256")
        self.assertEqual(["10", "4"], self.successResultOf(found))

    test_states.skip = NO_STATES  # type: ignore[attr-defined]  # trial's way

    def test_of_go(self) -> None:
        """A session that a Go registry began goes on here."""
        self.put(PATHS.data, CONTENT[:4])
        self.put(PATHS.started_at, b"2024-05-06T07:08:09Z")
        upload = self.run_now(self.uploads.find(SESSION))
        started_at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        self.assertEqual(Upload(SESSION, 4, started_at), upload)
        source = self.source(CONTENT[4:])
        self.run_now(self.uploads.commit(upload, DIGEST, source))
        self.assertEqual(CONTENT, self.content(blob_data(DIGEST)))

    def test_elsewhere(self) -> None:
        """An offset that is not the session's is refused with the right one."""
        upload = self.run_now(self.uploads.start())
        elsewhere = Upload(upload.session_id, 7)
        for work in (
            self.uploads.append(elsewhere, self.source(CONTENT)),
            self.uploads.commit(elsewhere, DIGEST, None),
        ):
            error = self.refusal(RangeInvalid, work)
            self.assertEqual({"offset": 0, "expected": 7}, error.detail)
        self.assertEqual([], self.faulty.still_open)

    def test_unknown(self) -> None:
        """A session that is not there is unknown, whatever is asked of it."""
        nowhere = Upload(SESSION, 0)
        for work in (
            self.uploads.find(SESSION),
            self.uploads.append(nowhere, self.source(CONTENT)),
            self.uploads.commit(nowhere, DIGEST, None),
            self.uploads.cancel(SESSION),
        ):
            self.refusal(BlobUploadUnknown, work)

    def test_no_id(self) -> None:
        """What is no session's id never becomes a path."""
        for text in ("", ".", "..", "../x", SESSION.upper(), f"{SESSION}/data", "é"):
            self.refusal(BlobUploadUnknown, self.uploads.find(text))
            self.refusal(BlobUploadUnknown, self.uploads.cancel(text))
        self.assertEqual([], self.faulty.operations)
