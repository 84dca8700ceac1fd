"""The tree that lists are measured with."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bench.listed import MANY_TAGS, make_listed, many_name, many_tag
from txregistry.oci.names import Name
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver


class ListedTests(SynchronousTestCase):
    """A tree with few."""

    def setUp(self) -> None:
        """Take a folder."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def test_lists(self) -> None:
        """What is listed is in it."""
        registry = self.registry(make_listed(self.folder, 3, 2))
        names = [MANY_TAGS, many_name(0), many_name(1)]
        catalog = Deferred.fromCoroutine(registry.catalog.page("", 9))
        self.assertEqual(names, self.successResultOf(catalog))
        tags = registry.repository(Name.parse(MANY_TAGS)).tags
        found = self.successResultOf(Deferred.fromCoroutine(tags.page()))
        self.assertEqual([many_tag(number) for number in range(3)], found)

    def test_kept(self) -> None:
        """The next run takes what is there as it is."""
        root = make_listed(self.folder, 1, 1)
        (root / "docker").rename(root / "moved")
        self.assertEqual(root, make_listed(self.folder, 1, 1))
        self.assertEqual([root / "moved"], list(root.iterdir()))

    def test_cut_off(self) -> None:
        """What a run that was cut off has not written, the next one writes."""
        root = make_listed(self.folder, 2, 1)
        [done] = self.folder.glob("*.done")
        done.unlink()
        before = sorted(root.rglob("*"))
        last = root / f"docker/registry/v2/repositories/{many_name(0)}/_manifests"
        (last / "tags/latest/current/link").unlink()
        make_listed(self.folder, 2, 1)
        self.assertEqual(before, sorted(root.rglob("*")))

    def registry(self, root: Path) -> Registry:
        """Return a registry that serves a tree."""
        clock = Clock()
        driver = FilesystemDriver(Disk(str(root)), clock, execute)
        return Registry(driver, clock, ManifestRules(), execute)
