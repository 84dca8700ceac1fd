"""Tests of txregistry.registry: what a crash leaves, wherever it comes.

A process dies at each change of the store in turn, before and after it takes effect,
alone or with the machine under it. Whatever it was about, a new process must then find
no link that leads nowhere, and all that was acknowledged.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from itertools import product

from twisted.internet.defer import Deferred

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from txregistry.oci.names import Tag
from txregistry.registry.layout import ROOT, blob_data
from txregistry.registry.repository import Repository
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.crashes import copy_survivors
from txregistry.testing.faults import Crashed, FaultyDriver
from txregistry.testing.operations import CHANGES, READS, nth

CONTENT = b"0123456789" * 10
DIGEST = Digest.of(CONTENT)
CONFIG = b"{}"
SUBJECT = Digest.of(b"subject")

Action = Callable[[Repository], Awaitable[object]]


def image(number: int) -> Manifest:
    """Return an image that refers to a subject."""
    manifest: dict[str, JSON] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": OCI_CONFIG,
            "digest": str(Digest.of(CONFIG)),
            "size": len(CONFIG),
        },
        "layers": [],
        "subject": {"mediaType": OCI_INDEX, "digest": str(SUBJECT), "size": 1},
        "annotations": {"number": str(number)},
    }
    return Manifest.parse(json.dumps(manifest).encode(), OCI_MANIFEST)


OLD, NEW = image(1), image(2)
OLD_DIGEST, NEW_DIGEST = Digest.of(OLD.content), Digest.of(NEW.content)
TAGS = [Tag("latest"), Tag("v2")]


class CrashTests(StoreCase):
    """Every point at which a process can die."""

    elsewhere = False

    def setUp(self) -> None:
        """Have nothing prepared yet: what is in the store at first, by path."""
        super().setUp()
        self.prepared: dict[str, bytes] = {}

    def prepare(self) -> None:
        """Make a store that holds an image already, and perhaps the blob elsewhere."""
        self.use(MemoryDriver(self.clock))
        if not self.prepared:
            self.push_first()
            self.prepared = {path: self.content(path) for path in self.paths(ROOT)}
        else:
            for path, content in self.prepared.items():
                self.put(path, content)

    def push_first(self) -> None:
        """Push what is there already, as a client does."""
        if self.elsewhere:
            self.run_now(self.push_blob(self.open("c")))
        self.run_now(self.push_blob(self.repository, CONFIG))
        self.run_now(self.repository.manifests.put(OLD, OLD_DIGEST, TAGS[:1]))

    async def push_blob(self, repository: Repository, content: bytes = CONTENT) -> None:
        """Push a blob in two chunks and an end, as a client does from the beginning."""
        uploads = repository.uploads
        upload = await uploads.start()
        upload = await uploads.append(upload, self.source(content[:30]))
        upload = await uploads.append(upload, self.source(content[30:60]))
        await uploads.commit(upload, Digest.of(content), self.source(content[60:]))

    async def push_small_blob(self, repository: Repository) -> None:
        """Push a blob in one piece."""
        upload = await repository.uploads.start()
        await repository.uploads.commit(upload, DIGEST, self.source(CONTENT))

    async def push_image(self, repository: Repository) -> None:
        """Push an image by its digest with two tags, one of which is moved."""
        await repository.manifests.put(NEW, NEW_DIGEST, TAGS)

    async def mount(self, repository: Repository) -> None:
        """Take over a blob from another repository."""
        digest = Digest.of(CONFIG)
        assert await self.open("other").blobs.mount(digest, repository.name) is not None

    def test_blob(self) -> None:
        """A blob's push."""
        self.try_all(self.push_blob, self.assert_blob)

    def test_small_blob(self) -> None:
        """The push of a blob that needs no session in the store."""
        self.try_all(self.push_small_blob, self.assert_blob)

    def test_blob_there_already(self) -> None:
        """The push of a blob whose content is in the store."""
        self.elsewhere = True
        self.try_all(self.push_blob, self.assert_blob)

    def test_mount(self) -> None:
        """A mount."""
        self.try_all(self.mount, lambda: None)

    def test_image(self) -> None:
        """A manifest's push, with a subject, a new tag and one that moves."""
        self.try_all(self.push_image, self.assert_image)

    def test_delete(self) -> None:
        """A manifest's deletion, with its tag."""

        def assert_deleted() -> None:
            self.assertNotIn(str(OLD_DIGEST), self.reachable())

        async def delete(repository: Repository) -> None:
            if await repository.manifests.holds(OLD_DIGEST):
                await repository.manifests.delete(OLD_DIGEST)

        self.try_all(delete, assert_deleted)

    def test_delete_tag(self) -> None:
        """A tag's deletion."""

        async def delete(repository: Repository) -> None:
            if TAGS[0].text in await repository.tags.page():
                await repository.tags.delete(TAGS[0])

        def assert_deleted() -> None:
            self.assertEqual([], self.run_now(self.repository.tags.page()))
            self.assertIn(str(OLD_DIGEST), self.reachable())

        self.try_all(delete, assert_deleted)

    def try_all(self, action: Action, assert_done: Callable[[], None]) -> None:
        """Die at each change that an action makes, and do it again after.

        Args:
            action: What is cut off.
            assert_done: Checks that it has been done.
        """
        self.prepare()
        counting = FaultyDriver(self.driver)
        self.use(counting)
        self.run_now(_run(action, self.repository))
        changes = sum(each.name in CHANGES for each in counting.operations)
        self.assertGreater(changes, 0)
        self.assertEqual([], counting.still_open)
        self.survive(counting, power_cut=True)
        assert_done()
        for number, late, lost in product(
            range(1, changes + 1), (False, True), ("nothing", "files", "bytes")
        ):
            self.prepare()
            faulty = FaultyDriver(self.driver)
            faulty.crash(nth(number), late=late)
            self.use(faulty)
            running = Deferred.fromCoroutine(_run(action, self.repository))
            self.failureResultOf(running, Crashed)
            self.survive(faulty, lost != "nothing", zeroed=lost == "bytes")
            self.run_now(_run(action, self.repository))
            self.assert_whole()
            assert_done()

    def survive(
        self, faulty: FaultyDriver, power_cut: bool, zeroed: bool = False
    ) -> None:
        """Go on as a new process with what is left, and check that it is whole."""
        left = MemoryDriver(self.clock)
        self.run_now(copy_survivors(faulty, left, power_cut=power_cut, zeroed=zeroed))
        self.use(left)
        self.assert_whole()

    def assert_whole(self) -> None:
        """Check that no link leads nowhere and that what leads on is good."""
        for path in self.paths(ROOT):
            if path.endswith("/link"):
                self.assert_link(path)
        for descriptor in self.reachable_referrers():
            self.assertIn(descriptor, (str(OLD_DIGEST), str(NEW_DIGEST)))

    def assert_link(self, path: str) -> None:
        """Check that a link leads to a content of its digest."""
        digest = Digest.parse(self.content(path).decode())
        if "/index/" in path:
            return  # says that a tag has pointed there, not that it is there
        self.assertEqual(digest, Digest.of(self.content(blob_data(digest))), path)
        if path.endswith("/current/link"):
            self.run_now(self.repository.manifests.get(digest))

    def assert_blob(self) -> None:
        """Check that the blob is there."""
        blob = self.run_now(self.repository.blobs.find(DIGEST))
        self.assertEqual(CONTENT, self.content(blob.path))

    def assert_image(self) -> None:
        """Check that the image is there under both of its tags, and as a referrer."""
        for tag in TAGS:
            digest = self.run_now(self.repository.tags.resolve(tag))
            self.assertEqual(NEW_DIGEST, digest)
        self.run_now(self.repository.manifests.get(OLD_DIGEST))
        referrers = {str(OLD_DIGEST), str(NEW_DIGEST)}
        self.assertEqual(referrers, set(self.reachable_referrers()))

    def content(self, path: str) -> bytes:
        """Return what is at a path."""
        return self.successResultOf(self.driver.get_content(path))

    def reachable(self) -> set[str]:
        """Return the digests that tags, revisions and lists of referrers lead to."""
        found = set(self.reachable_referrers())
        for path in self.paths(ROOT):
            is_link = path.endswith("/link") and "/index/" not in path
            if is_link and "/_manifests/" in path:
                found.add(self.content(path).decode())
        return found

    def reachable_referrers(self) -> list[str]:
        """Return the digests of the subject's referrers; each can be pulled."""
        page = self.run_now(self.repository.referrers.page(SUBJECT, None, "", 100))
        for descriptor in page.descriptors:
            self.run_now(self.repository.manifests.get(descriptor.digest))
        return [str(descriptor.digest) for descriptor in page.descriptors]


class FailTests(CrashTests):
    """Every point at which the store can fail under a process that goes on."""

    def try_all(self, action: Action, assert_done: Callable[[], None]) -> None:
        """Fail at each operation of an action, changes and reads, and do it again."""
        self.prepare()
        counting = FaultyDriver(self.driver)
        self.use(counting)
        self.run_now(_run(action, self.repository))
        operations = len(counting.operations)
        for number, late in product(range(1, operations + 1), (False, True)):
            self.prepare()
            faulty = FaultyDriver(self.driver)
            faulty.fail(nth(number, CHANGES | READS), late=late)
            self.use(faulty)
            failed = self.fails(action)
            self.assertEqual([], faulty.still_open)
            self.assert_whole()
            if not failed:
                assert_done()
            faulty.heal()
            self.run_now(_run(action, self.repository))
            self.assert_whole()
            assert_done()

    def fails(self, action: Action) -> bool:
        """Do something; say whether it fails."""
        running = Deferred.fromCoroutine(_run(action, self.repository))
        failures: list[object] = []
        running.addErrback(failures.append)
        self.successResultOf(running)
        return bool(failures)


async def _run(action: Action, repository: Repository) -> None:
    await action(repository)
