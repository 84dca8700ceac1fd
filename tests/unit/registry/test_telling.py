"""Tests of txregistry.registry: what is told of what is done, and in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from tests.unit.registry.case import StoreCase
from txregistry.interfaces import IStorageDriver, StorageError
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.errors import (
    JSON,
    BlobUnknown,
    DigestInvalid,
    ManifestUnknown,
)
from txregistry.oci.events import (
    Activity,
    blob_activity,
    manifest_activity,
)
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCI_INDEX
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.repository import Repository
from txregistry.registry.rules import ManifestRules
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import nth, on

NAME = Name("a/b")
LAYOUT = RepositoryLayout(NAME)
BLOB = b"a blob"
BLOB_DIGEST = Digest.of(BLOB)


def index(number: int = 0) -> Manifest:
    """Return an index."""
    manifest: dict[str, JSON] = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [],
        "annotations": {"number": str(number)},
    }
    return Manifest.parse(json.dumps(manifest).encode(), OCI_INDEX)


MANIFEST = index()
DIGEST = Digest.of(MANIFEST.content)
MANIFEST_DELETED = Activity(
    "delete", NAME, Descriptor(OCI_INDEX, DIGEST, len(MANIFEST.content))
)

Work = Coroutine[Deferred[Any], Any, object]


def tag_deleted(tag: str) -> Activity:
    """Return what is told when a tag is deleted."""
    return Activity("delete", NAME, None, Tag(tag))


def pushed(tag: str | None = None, manifest: Manifest = MANIFEST) -> Activity:
    """Return what is told when a manifest is pushed."""
    digest = Digest.of(manifest.content)
    known_as = None if tag is None else Tag(tag)
    return manifest_activity("push", NAME, manifest, digest, known_as)


class TellingCase(StoreCase):
    """A repository, and somebody who hears of what is done there.

    Attributes:
        told: What was told, in a list for each time.
        answers: What comes of telling the next times; nothing left: success.
    """

    def setUp(self) -> None:
        """Make them."""
        self.told: list[list[Activity]] = []
        self.answers: list[Deferred[None]] = []
        super().setUp()
        self.faulty = FaultyDriver(MemoryDriver(self.clock))
        self.use(self.faulty)

    def use(self, driver: IStorageDriver, rules: ManifestRules | None = None) -> None:
        """Take another store, or rules."""
        super().use(driver, rules)
        self.repository = self.heard("a/b")

    def heard(self, name: str) -> Repository:
        """Return a repository of which all is heard."""
        return self.registry.repository(Name(name), self.tell)

    def tell(self, activities: Sequence[Activity]) -> Deferred[None]:
        """See Tell."""
        self.told.append(list(activities))
        return self.answers.pop(0) if self.answers else succeed(None)

    def started(self, work: Work) -> Deferred[object]:
        """Begin some work."""
        return Deferred.fromCoroutine(work)

    def push(self, *tags: str, manifest: Manifest = MANIFEST) -> Work:
        """Return the push of a manifest."""
        digest = Digest.of(manifest.content)
        return self.repository.manifests.put(manifest, digest, [*map(Tag, tags)])

    async def upload(self, digest: Digest = BLOB_DIGEST) -> None:
        """Push the blob."""
        uploads = self.repository.uploads
        await uploads.commit(await uploads.start(), digest, self.source(BLOB))

    def done(self, *work: Work) -> list[list[Activity]]:
        """Do some work; return what was told of the last of it."""
        for each in work:
            self.told.clear()
            self.run_now(each)
        return self.told


class ManifestTests(TellingCase):
    """What is told of manifests and tags."""

    def test_push_tag(self) -> None:
        """Who pushes by a tag has pushed that."""
        self.assertEqual([[pushed("t")]], self.done(self.push("t")))

    def test_push_digest(self) -> None:
        """Who pushes by digest alone has pushed the manifest."""
        self.assertEqual([[pushed()]], self.done(self.push()))

    def test_push_tags(self) -> None:
        """Who pushes by digest with tags has pushed each of them, in their order."""
        told = self.done(self.push("z", "a", "m"))
        self.assertEqual([[pushed("z"), pushed("a"), pushed("m")]], told)

    def test_push_again(self) -> None:
        """What is pushed again is told again."""
        self.assertEqual([[pushed("t")]], self.done(self.push("t"), self.push("t")))

    def test_push_refused(self) -> None:
        """Nothing is told of what was not taken."""
        work = self.repository.manifests.put(MANIFEST, Digest.of(b""), [])
        self.refusal(DigestInvalid, work)
        self.assertEqual([], self.told)

    def test_delete(self) -> None:
        """A manifest is deleted before its tags, as it is told, in their order."""
        manifests = self.repository.manifests
        told = self.done(self.push("b", "a"), manifests.delete(DIGEST))
        expected = [MANIFEST_DELETED, tag_deleted("a"), tag_deleted("b")]
        self.assertEqual([expected], told)

    def test_delete_others(self) -> None:
        """Tags that point elsewhere are not told of."""
        other = index(1)
        told = self.done(
            self.push("a", "b"),
            self.push("a", manifest=other),
            self.repository.manifests.delete(DIGEST),
        )
        self.assertEqual([[MANIFEST_DELETED, tag_deleted("b")]], told)

    def test_delete_moved(self) -> None:
        """A tag that somebody else points elsewhere meanwhile stays, though told of."""
        self.run_now(self.push("t"))
        self.told.clear()
        link = LAYOUT.tag_link(Tag("t"))
        once = nth(2, {"get_content"})
        self.faulty.hang(lambda each: each.path == link and once(each))
        deleting = self.started(self.repository.manifests.delete(DIGEST))
        other = str(Digest.of(b"other")).encode()
        self.successResultOf(self.faulty.inner.put_content(link, other))
        self.faulty.heal()
        self.successResultOf(deleting)
        self.assertEqual([[MANIFEST_DELETED, tag_deleted("t")]], self.told)
        self.assertTrue(self.successResultOf(self.faulty.inner.stat(link)))

    def test_delete_unknown(self) -> None:
        """Nothing is told of the deletion of what is not there."""
        self.refusal(ManifestUnknown, self.repository.manifests.delete(DIGEST))
        self.refusal(ManifestUnknown, self.repository.tags.delete(Tag("t")))
        self.assertEqual([], self.told)

    def test_delete_lost(self) -> None:
        """A manifest whose content is lost is told of by its digest."""
        self.run_now(self.push())
        self.successResultOf(self.faulty.delete(blob_data(DIGEST)))
        told = self.done(self.repository.manifests.delete(DIGEST))
        expected = Activity("delete", NAME, Descriptor("", DIGEST, 0))
        self.assertEqual([[expected]], told)

    def test_delete_midway(self) -> None:
        """All of a deletion is told before; one that fails midway can be repeated."""
        self.run_now(self.push("a", "b"))
        self.told.clear()
        self.faulty.fail(on("delete", "/tags/b/current/link"))
        self.refusal(StorageError, self.repository.manifests.delete(DIGEST))
        everything = [MANIFEST_DELETED, tag_deleted("a"), tag_deleted("b")]
        self.assertEqual([everything], self.told)
        self.faulty.heal()
        self.run_now(self.repository.manifests.delete(DIGEST))
        self.assertEqual([MANIFEST_DELETED, tag_deleted("b")], self.told[1])

    def test_delete_untold(self) -> None:
        """A deletion that cannot be told is not done."""
        self.run_now(self.push("a"))
        for deleting in (
            lambda: self.repository.manifests.delete(DIGEST),
            lambda: self.repository.tags.delete(Tag("a")),
        ):
            self.answers = [fail(StorageError("cannot tell"))]
            self.refusal(StorageError, deleting())
            found = self.run_now(self.repository.tags.resolve(Tag("a")))
            self.assertEqual(DIGEST, found)
            self.assertTrue(self.run_now(self.repository.manifests.holds(DIGEST)))

    def test_delete_tag(self) -> None:
        """Who deletes a tag has deleted that, and no content."""
        told = self.done(self.push("t"), self.repository.tags.delete(Tag("t")))
        self.assertEqual([[tag_deleted("t")]], told)


class BlobTests(TellingCase):
    """What is told of blobs."""

    def test_push(self) -> None:
        """Who ends an upload has pushed a blob; before that nothing is told."""
        uploads = self.repository.uploads
        upload = self.run_now(uploads.start())
        upload = self.run_now(uploads.append(upload, self.source(BLOB)))
        self.assertEqual([], self.told)
        expected = blob_activity("push", NAME, BLOB_DIGEST, len(BLOB))
        told = self.done(uploads.commit(upload, BLOB_DIGEST, None))
        self.assertEqual([[expected]], told)

    def test_push_sha512(self) -> None:
        """It is told by the digest that the client gave it."""
        digest = Digest.of(BLOB, "sha512")
        expected = blob_activity("push", NAME, digest, len(BLOB))
        self.assertEqual([[expected]], self.done(self.upload(digest)))

    def test_push_refused(self) -> None:
        """Nothing is told of content of another digest, or of what was given up."""
        self.refusal(DigestInvalid, self.upload(Digest.of(b"other")))
        uploads = self.repository.uploads
        upload = self.run_now(uploads.start())
        self.run_now(uploads.cancel(upload))
        self.assertEqual([], self.told)

    def test_mount(self) -> None:
        """Who mounts a blob has mounted it, from where it says that it is."""
        told = self.done(
            self.upload(), self.heard("c").blobs.mount(BLOB_DIGEST, Name("a/b"))
        )
        expected = blob_activity(
            "mount", Name("c"), BLOB_DIGEST, len(BLOB), Name("a/b")
        )
        self.assertEqual([[expected]], told)

    def test_mount_anywhere(self) -> None:
        """Or from nowhere in particular."""
        told = self.done(self.upload(), self.heard("c").blobs.mount(BLOB_DIGEST, None))
        expected = blob_activity("mount", Name("c"), BLOB_DIGEST, len(BLOB))
        self.assertEqual([[expected]], told)

    def test_mount_nothing(self) -> None:
        """Nothing is told of what is not there to be mounted."""
        for source in (None, Name("d")):
            mounting = self.heard("c").blobs.mount(BLOB_DIGEST, source)
            self.assertIsNone(self.run_now(mounting))
        self.assertEqual([], self.told)

    def test_delete(self) -> None:
        """Who deletes a blob has deleted it."""
        told = self.done(self.upload(), self.repository.blobs.unlink(BLOB_DIGEST))
        expected = blob_activity("delete", NAME, BLOB_DIGEST, len(BLOB))
        self.assertEqual([[expected]], told)

    def test_delete_lost(self) -> None:
        """The size of a blob whose content is lost is not known."""
        self.run_now(self.upload())
        self.successResultOf(self.faulty.delete(blob_data(BLOB_DIGEST)))
        told = self.done(self.repository.blobs.unlink(BLOB_DIGEST))
        self.assertEqual([[blob_activity("delete", NAME, BLOB_DIGEST, 0)]], told)

    def test_delete_unknown(self) -> None:
        """Nothing is told of the deletion of what is not there."""
        self.refusal(BlobUnknown, self.repository.blobs.unlink(BLOB_DIGEST))
        self.assertEqual([], self.told)


class OrderTests(TellingCase):
    """When it is told."""

    def test_order(self) -> None:
        """Things are told in the order that they were done, whoever waits for what."""
        self.faulty.hang(on("put_content", "/tags/t/current/link"))
        pushing = self.started(self.push("t"))
        deleting = self.started(self.repository.tags.delete(Tag("t")))
        again = self.started(self.push("t", manifest=index(1)))
        self.assertEqual([], self.told)
        self.faulty.heal()
        for each in (pushing, deleting, again):
            self.successResultOf(each)
        expected = [[pushed("t")], [tag_deleted("t")], [pushed("t", index(1))]]
        self.assertEqual(expected, self.told)

    def test_order_of_pushes(self) -> None:
        """Pushes of one tag are told in their order, and who waits has come first."""
        self.faulty.hang(on("put_content", "/tags/t/current/link"))
        pushing = self.started(self.push("t"))
        again = self.started(self.push("t", "v", manifest=index(1)))
        other = self.started(self.push("u"))
        self.assertEqual([], self.told)
        self.faulty.heal()
        for each in (pushing, again, other):
            self.successResultOf(each)
        expected = [[pushed("t")], [pushed("t", index(1)), pushed("v", index(1))]]
        self.assertEqual([*expected, [pushed("u")]], self.told)

    def test_other_tags(self) -> None:
        """A push of another tag does not wait for one that the store holds up."""
        self.faulty.hang(on("put_content", "/tags/t/current/link"))
        pushing = self.started(self.push("t"))
        self.successResultOf(self.started(self.push("u")))
        self.assertNoResult(pushing)
        self.assertEqual([[pushed("u")]], self.told)
        self.faulty.heal()
        self.successResultOf(pushing)

    def test_others_go_on(self) -> None:
        """While somebody is being told others can change the repository."""
        slow: Deferred[None] = Deferred()
        self.answers = [slow]
        pushing = self.started(self.push("t"))
        self.successResultOf(self.started(self.repository.tags.delete(Tag("t"))))
        self.assertNoResult(pushing)
        self.assertEqual([[pushed("t")], [tag_deleted("t")]], self.told)
        slow.callback(None)
        self.successResultOf(pushing)

    def test_done_first(self) -> None:
        """What is told of is there."""
        for work, path in (
            (self.push("t"), LAYOUT.tag_link(Tag("t"))),
            (self.upload(), LAYOUT.layer_link(BLOB_DIGEST)),
        ):
            slow: Deferred[None] = Deferred()
            self.answers = [slow]
            running = self.started(work)
            self.assertIn(path, self.paths())
            self.assertNoResult(running)
            slow.callback(None)
            self.successResultOf(running)


class CallerTests(TellingCase):
    """Those who do something, and how it is told then."""

    def works(self) -> list[tuple[Callable[[], Work], str, list[Activity]]]:
        """Return all that can be done, what to let hang meanwhile, and what is told."""
        size = len(BLOB)
        repository = self.repository
        mounted = blob_activity("mount", Name("c"), BLOB_DIGEST, size, NAME)
        return [
            (self.upload, "", [blob_activity("push", NAME, BLOB_DIGEST, size)]),
            (
                lambda: self.heard("c").blobs.mount(BLOB_DIGEST, NAME),
                "/link",
                [mounted],
            ),
            (lambda: self.push("t", "u"), "/link", [pushed("t"), pushed("u")]),
            (lambda: repository.tags.delete(Tag("u")), "/link", [tag_deleted("u")]),
            (
                lambda: repository.manifests.delete(DIGEST),
                "/link",
                [MANIFEST_DELETED, tag_deleted("t")],
            ),
            (
                lambda: repository.blobs.unlink(BLOB_DIGEST),
                "/link",
                [blob_activity("delete", NAME, BLOB_DIGEST, size)],
            ),
        ]

    def test_cancelled(self) -> None:
        """When the caller leaves midway it is done, and told, all the same."""
        for work, end, expected in self.works():
            self.told.clear()
            for operation in ("put_content", "delete", "commit"):
                self.faulty.hang(on(operation, end))
            running = self.started(work())
            self.assertTrue(self.faulty.is_hanging)
            running.cancel()
            self.failureResultOf(running, CancelledError)
            self.faulty.heal()
            self.assertEqual([expected], self.told)

    def test_cancelled_while_told(self) -> None:
        """When it leaves while it is told, telling goes on."""
        for work, _, expected in self.works():
            self.told.clear()
            slow: Deferred[None] = Deferred()
            self.answers = [slow]
            running = self.started(work())
            running.cancel()
            self.failureResultOf(running, CancelledError)
            self.assertFalse(slow.called)
            slow.callback(None)
            self.assertEqual([expected], self.told)

    def test_untold(self) -> None:
        """What cannot be told fails, and can be done again."""
        for work, _, expected in self.works():
            self.told.clear()
            self.answers = [fail(StorageError("cannot tell"))]
            error = self.refusal(StorageError, work())
            self.assertEqual("cannot tell", str(error))
            self.run_now(work())
            self.assertEqual([expected, expected], self.told)

    def test_push_again(self) -> None:
        """After that a push works, and is told."""
        for work in (self.upload, lambda: self.push("t")):
            self.answers = [fail(StorageError("cannot tell"))]
            self.refusal(StorageError, work())
            self.told.clear()
            self.run_now(work())
            self.assertEqual(1, len(self.told))

    def test_nobody(self) -> None:
        """Nobody need hear of anything."""
        repository = self.open("a/b")
        self.run_now(repository.manifests.put(MANIFEST, DIGEST, []))
        self.assertEqual([], self.told)
