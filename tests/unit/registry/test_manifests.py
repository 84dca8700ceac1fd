"""Tests of txregistry.registry.manifests and repository: order, threads, races.

What clients see is tried on a wire, in ``tests.unit.web.routes``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, execute

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON, DigestInvalid, ManifestUnknown
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCI_INDEX
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.parsing import SHORT
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import CHANGES, on

_T = TypeVar("_T")

SUBJECT = Digest.of(b"subject")
LAYOUT = RepositoryLayout(Name("a/b"))


def index(size: int = 0) -> Manifest:
    """Return an index that refers to a subject, longer by a size."""
    manifest: dict[str, JSON] = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [],
        "subject": {"mediaType": OCI_INDEX, "digest": str(SUBJECT), "size": 1},
        "annotations": {"x": "x" * size},
    }
    return Manifest.parse(json.dumps(manifest).encode(), OCI_INDEX)


MANIFEST = index()
DIGEST = Digest.of(MANIFEST.content)


class ManifestsTests(StoreCase):
    """A repository's manifests."""

    def setUp(self) -> None:
        """Make a store that knows what is asked of it."""
        super().setUp()
        self.faulty = FaultyDriver(MemoryDriver(self.clock))
        self.use(self.faulty)
        self.manifests = self.repository.manifests

    def changes(self) -> list[tuple[str, str]]:
        """Return what was changed in the store since this was last asked."""
        changes = [
            (operation.name, operation.path)
            for operation in self.faulty.operations
            if operation.name in CHANGES
        ]
        self.faulty.operations.clear()
        return changes

    def push(self, *tags: str) -> None:
        """Push the manifest."""
        pushed = [Tag(tag) for tag in tags]
        self.run_now(self.manifests.put(MANIFEST, DIGEST, pushed))

    def test_put_order(self) -> None:
        """Content comes first, then what leads to it, the tag last."""
        self.push("t")
        expected = [
            blob_data(DIGEST),
            LAYOUT.referrer(SUBJECT, DIGEST),
            LAYOUT.revision_link(DIGEST),
            LAYOUT.tag_index_link(Tag("t"), DIGEST),
            LAYOUT.tag_link(Tag("t")),
        ]
        self.assertEqual([("put_content", path) for path in expected], self.changes())

    def test_put_again(self) -> None:
        """Content that is there is written again: it may not be durable or good."""
        self.push()
        self.changes()
        self.push()
        paths = [path for _, path in self.changes()]
        self.assertIn(blob_data(DIGEST), paths)

    def test_delete_order(self) -> None:
        """What leads to a manifest goes before it; its content stays."""
        self.push("t")
        self.changes()
        self.run_now(self.manifests.delete(DIGEST))
        expected = [
            LAYOUT.tag_link(Tag("t")),
            LAYOUT.tag(Tag("t")),
            LAYOUT.referrer(SUBJECT, DIGEST),
            LAYOUT.revision_link(DIGEST),
        ]
        self.assertEqual([("delete", path) for path in expected], self.changes())
        self.assertEqual([blob_data(DIGEST)], self.paths())

    def test_other_digest(self) -> None:
        """A manifest of another digest than its content's is not written."""
        other = Digest.of(b"other")
        error = self.refusal(DigestInvalid, self.manifests.put(MANIFEST, other, []))
        self.assertEqual(str(other), error.detail)
        self.assertEqual([], self.changes())

    def test_delete_twice_at_once(self) -> None:
        """Of two who delete a manifest at once one is told that it is gone."""
        self.push("t")
        self.faulty.hang(on("delete", f"{DIGEST.encoded}/link"))
        one, other = (
            Deferred.fromCoroutine(self.manifests.delete(DIGEST)) for _ in range(2)
        )
        self.assertNoResult(one)
        self.assertNoResult(other)
        self.faulty.heal()
        self.successResultOf(one)
        self.failureResultOf(other, ManifestUnknown)

    def test_tag_deleted_meanwhile(self) -> None:
        """A tag that somebody else deletes at the same time is no hindrance."""
        self.push("t")
        self.faulty.hang(on("delete", "/tags/t/current/link"))
        deleting = Deferred.fromCoroutine(self.manifests.delete(DIGEST))
        self.assertNoResult(deleting)
        self.successResultOf(self.faulty.inner.delete(LAYOUT.tag(Tag("t"))))
        self.faulty.heal()
        self.successResultOf(deleting)

    def test_goes_on(self) -> None:
        """A push or a deletion that has begun goes on when the caller leaves."""
        for work, result in (
            (self.manifests.put(MANIFEST, DIGEST, [Tag("t")]), [DIGEST]),
            (self.manifests.delete(DIGEST), []),
        ):
            self.faulty.hang(lambda operation: operation.name in CHANGES)
            running = Deferred.fromCoroutine(work)
            running.cancel()
            self.failureResultOf(running, CancelledError)
            self.faulty.heal()
            held = self.run_now(self.manifests.holds(DIGEST))
            self.assertEqual(bool(result), held)

    def test_long(self) -> None:
        """A long manifest is read in another thread, a short one is not."""
        works: list[object] = []

        def in_thread(work: Callable[[], _T], /) -> Deferred[_T]:
            works.append(work)
            return execute(work)

        registry = Registry(self.driver, self.clock, ManifestRules(), in_thread)
        manifests = registry.repository(Name("a/b")).manifests
        for content, count in (
            (MANIFEST.content, 0),
            (index(SHORT).content, 1),
        ):
            manifest = self.run_now(manifests.parse(content, OCI_INDEX))
            self.assertEqual(content, manifest.content)
            self.assertEqual(count, len(works))
            digest = Digest.of(content)
            self.run_now(manifests.put(manifest, digest, []))
            self.assertEqual(manifest, self.run_now(manifests.get(digest)))
            self.assertEqual(2 * count, len(works))

    def test_type_not_said(self) -> None:
        """A manifest that is pushed as nothing in particular is what it looks like."""
        manifest = self.run_now(self.manifests.parse(MANIFEST.content, None))
        self.assertEqual(OCI_INDEX, manifest.media_type)
