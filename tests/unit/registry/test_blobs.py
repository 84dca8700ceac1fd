"""Tests of txregistry.registry.blobs: links and content.

What clients see is tried on a wire, in ``tests.unit.web.routes``.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from tests.unit.registry.case import StoreCase
from txregistry.interfaces import IQuickLook, IStorageDriver
from txregistry.oci.digest import Digest
from txregistry.oci.errors import BlobUnknown
from txregistry.oci.names import Name
from txregistry.registry import links
from txregistry.registry.blobs import Blob, Blobs
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.streams import Collector, pump
from txregistry.testing.faults import FaultyDriver

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
ALIAS = Digest.of(CONTENT, "sha512")
BLOB = Blob(DIGEST, blob_data(DIGEST), 10)


@implementer(IQuickLook)
class _QuickDriver:
    """Looks quickly as one driver does, and does all else as another."""

    def __init__(self, driver: IStorageDriver, quick: object) -> None:
        """Take the two."""
        self._driver = driver
        looks = IQuickLook(quick)
        self.same, self.there, self.still = looks.same, looks.there, looks.still

    def __getattr__(self, name: str) -> Any:
        """Do as the other one."""
        return getattr(self._driver, name)


class BlobsTests(StoreCase):
    """A repository's blobs."""

    def setUp(self) -> None:
        """Put content into the store, which nothing links."""
        super().setUp()
        self.put(BLOB.path, CONTENT)
        self.blobs = self.repository.blobs
        self.other = self.open("other").blobs

    def test_content_alone(self) -> None:
        """Content that the repository does not link is none of its blobs."""
        error = self.refusal(BlobUnknown, self.blobs.find(DIGEST))
        self.assertEqual(str(DIGEST), error.detail)
        self.assertFalse(self.run_now(self.blobs.holds(DIGEST)))

    def test_linked(self) -> None:
        """What it links is."""
        self.make(self.blobs.linking(DIGEST))
        self.assertEqual(BLOB, self.run_now(self.blobs.find(DIGEST)))
        self.assertTrue(self.run_now(self.blobs.holds(DIGEST)))

    def test_link_alone(self) -> None:
        """A link without content is no blob."""
        self.make(self.blobs.linking(ALIAS))
        self.assertFalse(self.run_now(self.blobs.holds(ALIAS)))

    def test_broken_link(self) -> None:
        """Nor is a broken link."""
        self.put(RepositoryLayout(Name("a/b")).layer_link(DIGEST), b"")
        self.assertFalse(self.run_now(self.blobs.holds(DIGEST)))

    def test_quick_look(self) -> None:
        """What a store sees at a glance it is not asked for; all else is."""
        self.make(self.blobs.linking(DIGEST))
        driver = FaultyDriver(self.driver)
        quick: Any = _QuickDriver(driver, self.driver)
        blobs = Blobs(quick, RepositoryLayout(Name("a/b")))
        self.assertTrue(self.run_now(blobs.holds(DIGEST, len(CONTENT))))
        self.assertEqual([], driver.operations)
        self.assertTrue(self.run_now(blobs.holds(DIGEST, len(CONTENT) + 1)))
        self.assertFalse(self.run_now(blobs.holds(ALIAS, len(CONTENT))))
        self.assertEqual(3, len(driver.operations))

    def test_unlink(self) -> None:
        """A blob that is taken out leaves its content, and other links."""
        self.make(self.blobs.linking(DIGEST))
        self.make(self.other.linking(DIGEST))
        self.run_now(self.blobs.unlink(DIGEST))
        self.refusal(BlobUnknown, self.blobs.unlink(DIGEST))
        self.assertTrue(self.run_now(self.other.holds(DIGEST)))

    def test_open(self) -> None:
        """A blob is read whole, or a part of it."""

        async def read(offset: int, length: int | None) -> bytes:
            sink = Collector(10)
            await pump(await self.blobs.open(BLOB, offset, length), sink)
            return sink.content()

        self.assertEqual(CONTENT, self.run_now(read(0, None)))
        self.assertEqual(b"345", self.run_now(read(3, 3)))

    def test_open_gone(self) -> None:
        """A blob that has gone away meanwhile is unknown."""
        self.successResultOf(self.driver.delete(BLOB.path))
        self.refusal(BlobUnknown, self.blobs.open(BLOB))

    def test_mount_alias(self) -> None:
        """A blob that is taken over by another digest leads to the same content."""
        path = RepositoryLayout(Name("other")).layer_link(ALIAS)
        self.run_now(links.write(self.driver, path, DIGEST))
        mounted = self.run_now(self.blobs.mount(ALIAS, Name("other")))
        self.assertEqual(Blob(ALIAS, BLOB.path, 10), mounted)
        self.assertEqual(mounted, self.run_now(self.blobs.find(ALIAS)))

    def test_mount_dangling(self) -> None:
        """What another repository links without content cannot be taken over."""
        self.make(self.other.linking(ALIAS))
        self.assertIsNone(self.run_now(self.blobs.mount(ALIAS, Name("other"))))

    def test_mount_again(self) -> None:
        """What is linked already is not linked again."""
        self.make(self.other.linking(DIGEST))
        self.run_now(self.blobs.mount(DIGEST, None))
        before = self.paths()
        self.assertEqual(BLOB, self.run_now(self.blobs.mount(DIGEST, Name("other"))))
        self.assertEqual(before, self.paths())
