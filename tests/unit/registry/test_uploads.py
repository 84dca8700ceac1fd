"""Tests of txregistry.registry.uploads: what a session is in the store.

What clients see is tried on a wire, in ``tests.unit.web.routes``; what crashes leave,
in ``test_crashes``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer

from tests.unit.registry.case import StoreCase
from tests.unit.registry.test_hashstates import NO_STATES
from txregistry.oci.digest import Digest
from txregistry.oci.errors import BlobUploadUnknown, DigestInvalid, RangeInvalid
from txregistry.oci.names import Name
from txregistry.registry.blobs import Blobs
from txregistry.registry.layout import RepositoryLayout, UploadLayout, blob_data
from txregistry.registry.uploads import SMALL, Upload, Uploads
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import CHANGES

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
SESSION = "12345678-1234-4234-8234-123456789abc"
LAYOUT = RepositoryLayout(Name("a/b"))
PATHS = UploadLayout(LAYOUT.upload(SESSION))
STARTED_AT = datetime(1970, 1, 1, 3, 0, 1, tzinfo=UTC)


class Chunked:
    """A source that does not say how long it is."""

    length = UNKNOWN_LENGTH

    def __init__(self, source: IBodyProducer) -> None:
        """Take another one."""
        self._source = source

    def __getattr__(self, name: str) -> Any:
        """Do as the other one."""
        return getattr(self._source, name)


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

    def append(self, upload: Upload, content: bytes) -> Upload:
        """Go on with a session."""
        return self.run_now(self.uploads.append(upload, self.source(content)))

    def test_start(self) -> None:
        """A session that has begun is in nobody's way."""
        upload = self.run_now(self.uploads.start())
        self.assertEqual(Upload(SESSION, 0, STARTED_AT, is_new=True), upload)
        self.assertEqual([], self.paths())
        self.assertEqual(upload, self.run_now(self.uploads.find(SESSION)))

    def test_first_bytes(self) -> None:
        """With its first bytes it is a file, and the time as the Go registry has it."""
        upload = self.append(self.run_now(self.uploads.start()), b"")
        self.assertEqual(Upload(SESSION, 0, STARTED_AT), upload)
        files = [path for path in self.paths() if "/hashstates/" not in path]
        self.assertEqual([PATHS.data, PATHS.started_at], files)
        self.assertEqual(b"1970-01-01T03:00:01Z", self.content(PATHS.started_at))
        self.assertEqual(upload, self.run_now(self.uploads.find(SESSION)))

    def test_begun_elsewhere(self) -> None:
        """Another process goes on with a session of which it is told."""
        upload = self.run_now(self.uploads.start())
        other = Uploads(self.driver, LAYOUT, Blobs(self.driver, LAYOUT), self.clock)
        self.refusal(BlobUploadUnknown, other.find(SESSION))
        given = Upload(SESSION, 0, upload.started_at)
        self.assertEqual(upload, self.run_now(other.find(SESSION, given)))
        told = Upload(SESSION, 3, upload.started_at)
        self.refusal(BlobUploadUnknown, other.find(SESSION, told))
        self.run_now(other.append(upload, self.source(CONTENT[:4])))
        found = self.run_now(self.uploads.find(SESSION, given))
        self.assertEqual(Upload(SESSION, 4, upload.started_at), found)

    def test_begun_twice(self) -> None:
        """Of two that go on with a new session none loses what the other has sent."""
        upload = self.run_now(self.uploads.start())
        self.append(upload, CONTENT[:4])
        error = self.refusal(
            RangeInvalid, self.uploads.append(upload, self.source(CONTENT))
        )
        self.assertEqual({"offset": 4, "expected": 0}, error.detail)
        self.assertEqual(CONTENT[:4], self.content(PATHS.data))

    def test_ended(self) -> None:
        """A session that has ended is not begun again, whoever asks."""
        upload = self.run_now(self.uploads.start())
        for end in (
            self.uploads.commit(upload, DIGEST, self.source(CONTENT)),
            self.uploads.cancel(upload),
        ):
            self.assertEqual(upload, self.run_now(self.uploads.start()))
            self.run_now(end)
            self.refusal(BlobUploadUnknown, self.uploads.find(SESSION, upload))
            self.refusal(BlobUploadUnknown, self.uploads.cancel(upload))

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

    def test_small(self) -> None:
        """A small blob in one piece is written where it belongs, and then linked."""
        upload = self.run_now(self.uploads.start())
        blob = self.run_now(self.uploads.commit(upload, DIGEST, self.source(CONTENT)))
        expected = [
            ("put_content", blob_data(DIGEST)),
            ("put_content", LAYOUT.layer_link(DIGEST)),
        ]
        self.assertEqual(expected, self.changes())
        self.assertEqual((blob_data(DIGEST), 10), (blob.path, blob.size))
        self.assertEqual(CONTENT, self.content(blob.path))

    def test_small_of_another_digest(self) -> None:
        """One of another digest leaves nothing."""
        upload = self.run_now(self.uploads.start())
        work = self.uploads.commit(upload, DIGEST, self.source(CONTENT[1:]))
        self.refusal(DigestInvalid, work)
        self.assertEqual([], self.paths())

    def test_not_so_small(self) -> None:
        """A larger one, or one of unknown length, has a session."""
        large = bytes(SMALL + 1)
        sources: list[Any] = [self.source(large), Chunked(self.source(CONTENT))]
        for source, content in zip(sources, (large, CONTENT), strict=True):
            upload = self.run_now(self.uploads.start())
            self.faulty.operations.clear()
            self.run_now(self.uploads.commit(upload, Digest.of(content), source))
            self.assertIn(("commit", PATHS.data), self.changes())

    def test_commit(self) -> None:
        """The commit makes the content durable where it belongs, then links it."""
        upload = self.append(self.run_now(self.uploads.start()), b"")
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
        upload = self.append(self.run_now(self.uploads.start()), b"")
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
            self.uploads.cancel(Upload(SESSION, 1)),
        ):
            self.refusal(BlobUploadUnknown, work)

    def test_no_id(self) -> None:
        """What is no session's id never becomes a path."""
        for text in ("", ".", "..", "../x", SESSION.upper(), f"{SESSION}/data", "é"):
            self.refusal(BlobUploadUnknown, self.uploads.find(text))
            self.refusal(BlobUploadUnknown, self.uploads.cancel(Upload(text, 0)))
        self.assertEqual([], self.faulty.operations)
