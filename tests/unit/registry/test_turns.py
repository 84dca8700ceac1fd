"""Tests that the registry's long loops let the reactor have its turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from tests.unit.registry.case import StoreCase
from txregistry.interfaces import FileStat
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.errors import Several
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.parsing import SHORT
from txregistry.registry.referrers import referrers_tag
from txregistry.registry.repository import Registry
from txregistry.registry.rules import MOST_LISTED, ManifestRules
from txregistry.storage.memory import MemoryDriver
from txregistry.turns import LONGEST_TURN

_T = TypeVar("_T")

COUNT = 120


class CountingClock(Clock):
    """A clock that counts the turns that are asked for.

    Attributes:
        turns: How many.
    """

    turns = 0

    def callLater(self, *args: Any, **kw: Any) -> Any:
        """See IReactorTime."""
        self.turns += 1
        return super().callLater(*args, **kw)


class SlowDriver(MemoryDriver):
    """A store that takes a while, but never more than one turn of the reactor."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock that it moves."""
        super().__init__(clock)
        self._slow_clock = clock

    def stat(self, path: str) -> Deferred[FileStat]:
        """See IStorageDriver."""
        self._slow_clock.rightNow += LONGEST_TURN / 5
        return super().stat(path)

    def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> Deferred[list[str]]:
        """See IStorageDriver."""
        self._slow_clock.rightNow += LONGEST_TURN / 5
        return super().list_children(path, after, limit)

    def get_content(self, path: str) -> Deferred[bytes]:
        """See IStorageDriver."""
        self._slow_clock.rightNow += LONGEST_TURN / 5
        return super().get_content(path)


def digest(number: int) -> Digest:
    """Return one of many digests."""
    return Digest.of(b"%d" % number)


class TurnsTests(StoreCase):
    """Loops over many files."""

    def setUp(self) -> None:
        """Make a store that takes a while."""
        self.clock = self.counting = CountingClock()
        self.use(SlowDriver(self.clock))
        self.layout = RepositoryLayout(Name("a/b"))

    def assert_polite(self, work: Coroutine[Deferred[Any], Any, object]) -> None:
        """Check that work on many files takes many turns of the reactor."""
        running = Deferred.fromCoroutine(work)
        running.addErrback(lambda failure: failure.trap(Several))
        self.clock.advance(0)
        self.assertTrue(running.called)
        self.assertGreaterEqual(self.counting.turns, COUNT // 6)

    def test_rules(self) -> None:
        """A push whose manifest names much."""
        layers = tuple(Descriptor(OCI_LAYER, digest(n), 1) for n in range(COUNT))
        manifest = Manifest(OCI_MANIFEST, b"{}", layers=layers)
        put = self.repository.manifests.put(manifest, Digest.of(b"{}"), [])
        self.assert_polite(put)

    def test_urls(self) -> None:
        """A push whose manifest names many URLs, over which somebody has to think."""

        def permits(_url: str) -> bool:
            self.clock.rightNow += LONGEST_TURN / 5
            return False

        self.use(self.driver, ManifestRules(permits_url=permits))
        urls = tuple(f"https://example.com/{n}" for n in range(COUNT))
        layer = Descriptor(OCI_LAYER, digest(0), 1, urls=urls)
        manifest = Manifest(OCI_MANIFEST, b"{}", layers=(layer,))
        put = self.repository.manifests.put(manifest, Digest.of(b"{}"), [])
        self.assert_polite(put)

    def test_catalog(self) -> None:
        """A long catalog."""
        for number in range(COUNT):
            layout = RepositoryLayout(Name(f"r{number}"))
            self.put(layout.revision_link(digest(0)), b"")
        self.assert_polite(self.registry.catalog.page("", COUNT))

    def test_tags(self) -> None:
        """A repository with many tags."""
        for number in range(COUNT):
            self.put(self.layout.tag_link(Tag(f"t{number}")), b"")
        self.assert_polite(self.repository.tags.page())

    def test_referrers(self) -> None:
        """A subject with many referrers."""
        for number in range(COUNT):
            self.put(self.layout.referrer(digest(0), digest(number)), b"")
        self.assert_polite(self.repository.referrers.page(digest(0), None, "", COUNT))


class ListedTests(StoreCase):
    """What is said of a manifest with which much is wrong."""

    def wrong(self, count: int) -> Several:
        """Return what is wrong with a manifest whose layers are missing."""
        layers = tuple(Descriptor(OCI_LAYER, digest(n), 1) for n in range(count))
        manifest = Manifest(OCI_MANIFEST, b"{}", layers=layers)
        put = self.repository.manifests.put(manifest, Digest.of(b"{}"), [])
        return self.refusal(Several, put)

    def test_all(self) -> None:
        """A hundred errors are all listed."""
        codes = {error.code for error in self.wrong(MOST_LISTED).errors}
        self.assertEqual({"MANIFEST_BLOB_UNKNOWN"}, codes)
        self.assertEqual(MOST_LISTED, len(self.wrong(MOST_LISTED).errors))

    def test_more(self) -> None:
        """Of more the first hundred are, and a last one says how many more."""
        errors = self.wrong(MOST_LISTED + 7).errors
        self.assertEqual(MOST_LISTED + 1, len(errors))
        self.assertIn("7 more", errors[-1].message)


class LongIndexTests(StoreCase):
    """Indexes that clients kept under the referrers tag."""

    def test_thread(self) -> None:
        """A long one is read in another thread."""
        works: list[object] = []

        def in_thread(work: Callable[[], _T], /) -> Deferred[_T]:
            works.append(work)
            return execute(work)

        registry = Registry(self.driver, self.clock, ManifestRules(), in_thread)
        content = json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        )
        content += " " * SHORT
        index = Digest.of(content.encode())
        self.put(blob_data(index), content.encode())
        layout = RepositoryLayout(Name("a/b"))
        tag = layout.tag_link(referrers_tag(digest(0)))
        self.put(tag, str(index).encode())
        referrers = registry.repository(Name("a/b")).referrers
        self.run_now(referrers.page(digest(0), None, "", 10))
        self.assertEqual(1, len(works))
